using Graft.Networks.Onnx;

namespace Graft.Networks;

/// <summary>
/// Something that can be done with every kind of layer, such as running it or writing it to ONNX. A new operation does not compile until each
/// visitor says what it does with it.
/// </summary>
internal interface IOperationVisitor<out T>
{
    T Visit(Input operation);
    T Visit(Convolution operation);
    T Visit(SeparableConvolution operation);
    T Visit(BatchNorm operation);
    T Visit(LayerNorm operation);
    T Visit(LayerScale operation);
    T Visit(Scaling operation);
    T Visit(Activation operation);
    T Visit(Pool operation);
    T Visit(GlobalPool operation);
    T Visit(AdaptiveAveragePool operation);
    T Visit(SamePadding operation);
    T Visit(ZeroPadding operation);
    T Visit(Dense operation);
    T Visit(PointwiseDense operation);
    T Visit(Flatten operation);
    T Visit(Reshape operation);
    T Visit(Dropout operation);
    T Visit(Add operation);
    T Visit(Multiply operation);
    T Visit(Concatenate operation);
    T Visit(ClassToken operation);
    T Visit(MapTokens operation);
    T Visit(TokensMap operation);
    T Visit(PositionEmbedding operation);
    T Visit(SelfAttention operation);
    T Visit(ProbeAttention operation);
    T Visit(FirstToken operation);
    T Visit(TokenMean operation);
    T Visit(PatchMerging operation);
    T Visit(WindowPadding operation);
    T Visit(WindowAttention operation);
    T Visit(QueryValueBias operation);
    T Visit(CosineHeads operation);
    T Visit(ChannelSlice operation);
    T Visit(ChannelShuffle operation);
    T Visit(AffineTransform operation);
    T Visit(OnnxGraph operation);
    T Visit(GaussianBayes operation);
    T Visit(NeighborVotes operation);
    T Visit(NormalizedClassMeans operation);
    T Visit(RbfMachine operation);
    T Visit(SoftmaxVotes operation);
    T Visit(UnitLength operation);
}
