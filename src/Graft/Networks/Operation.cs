using System.Text.Json.Serialization;
using Graft.Networks.Onnx;

namespace Graft.Networks;

/// <summary>
/// What a layer computes, described and not executed: shapes, weights and cost follow from it, and so do the torch module
/// and the layer table. Value-equal, and serializable, so that a trained model can carry its own architecture.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(Input), "input")]
[JsonDerivedType(typeof(Convolution), "convolution")]
[JsonDerivedType(typeof(BatchNorm), "batch_norm")]
[JsonDerivedType(typeof(Activation), "activation")]
[JsonDerivedType(typeof(Pool), "pool")]
[JsonDerivedType(typeof(GlobalPool), "global_pool")]
[JsonDerivedType(typeof(ZeroPadding), "zero_padding")]
[JsonDerivedType(typeof(Dense), "dense")]
[JsonDerivedType(typeof(Flatten), "flatten")]
[JsonDerivedType(typeof(Reshape), "reshape")]
[JsonDerivedType(typeof(Dropout), "dropout")]
[JsonDerivedType(typeof(Add), "add")]
[JsonDerivedType(typeof(Concatenate), "concatenate")]
[JsonDerivedType(typeof(SeparableConvolution), "separable_convolution")]
[JsonDerivedType(typeof(SamePadding), "same_padding")]
[JsonDerivedType(typeof(AdaptiveAveragePool), "adaptive_average_pool")]
[JsonDerivedType(typeof(Multiply), "multiply")]
[JsonDerivedType(typeof(LayerNorm), "layer_norm")]
[JsonDerivedType(typeof(LayerScale), "layer_scale")]
[JsonDerivedType(typeof(Scaling), "scaling")]
[JsonDerivedType(typeof(PointwiseDense), "pointwise_dense")]
[JsonDerivedType(typeof(ClassToken), "class_token")]
[JsonDerivedType(typeof(MapTokens), "map_tokens")]
[JsonDerivedType(typeof(TokensMap), "tokens_map")]
[JsonDerivedType(typeof(PositionEmbedding), "position_embedding")]
[JsonDerivedType(typeof(SelfAttention), "self_attention")]
[JsonDerivedType(typeof(ProbeAttention), "probe_attention")]
[JsonDerivedType(typeof(FirstToken), "first_token")]
[JsonDerivedType(typeof(TokenMean), "token_mean")]
[JsonDerivedType(typeof(PatchMerging), "patch_merging")]
[JsonDerivedType(typeof(WindowPadding), "window_padding")]
[JsonDerivedType(typeof(WindowAttention), "window_attention")]
[JsonDerivedType(typeof(QueryValueBias), "query_value_bias")]
[JsonDerivedType(typeof(CosineHeads), "cosine_heads")]
[JsonDerivedType(typeof(ChannelSlice), "channel_slice")]
[JsonDerivedType(typeof(ChannelShuffle), "channel_shuffle")]
[JsonDerivedType(typeof(AffineTransform), "affine_transform")]
[JsonDerivedType(typeof(OnnxGraph), "onnx_graph")]
[JsonDerivedType(typeof(GaussianBayes), "gaussian_bayes")]
[JsonDerivedType(typeof(NeighborVotes), "neighbor_votes")]
[JsonDerivedType(typeof(RbfMachine), "rbf_machine")]
[JsonDerivedType(typeof(NormalizedClassMeans), "normalized_class_means")]
[JsonDerivedType(typeof(SoftmaxVotes), "softmax_votes")]
[JsonDerivedType(typeof(UnitLength), "unit_length")]
public abstract record Operation
{
    /// <summary>A word for the layer table.</summary>
    [JsonIgnore]
    public virtual string Kind => GetType().Name;

    /// <exception cref="GraftException">The inputs do not fit; the message says how.</exception>
    public abstract TensorShape OutputShape(IReadOnlyList<TensorShape> inputs);

    /// <summary>The weights that layer <paramref name="layer"/> has with these inputs, in the order of Keras's and PyTorch's files.</summary>
    public virtual IEnumerable<Parameter> Parameters(string layer, IReadOnlyList<TensorShape> inputs) => [];

    /// <summary>
    /// Multiply-accumulate operations of convolutions and dense layers for one image; as papers do, the rest is left out.
    /// </summary>
    public virtual long MultiplyAdds(IReadOnlyList<TensorShape> inputs, TensorShape output) => 0;

    /// <summary>Calls the method that a visitor has for this kind of layer.</summary>
    internal abstract T Accept<T>(IOperationVisitor<T> visitor);

    /// <summary>Whether each output channel is a weighted sum, so that a factor for each channel after it can go into its weights.</summary>
    internal virtual bool TakesChannelFactors => false;

    /// <summary>Whether the gradient does not need the layer's own output.</summary>
    internal virtual bool RunsBackwardWithoutOutput => false;

    private protected static TensorShape Single(IReadOnlyList<TensorShape> inputs) =>
        inputs.Count == 1 ? inputs[0] : throw new GraftException($"expected one input, found {inputs.Count}");

    private protected static TensorShape SingleMap(IReadOnlyList<TensorShape> inputs) =>
        Single(inputs) is { IsMap: true } map
            ? map
            : throw new GraftException($"expected a feature map [channels, height, width], found {inputs[0]}");

    private protected static TensorShape Tokens(TensorShape shape) =>
        shape.IsTokens ? shape : throw new GraftException($"expected tokens [tokens, channels], found {shape}");

    private protected static int SlidingWindows(int size, int before, int after, int kernel, int stride, bool roundUp = false)
    {
        var room = size + before + after - kernel;
        if (room < 0) throw new GraftException($"a window of {kernel} pixels does not fit into {size}; use larger images");
        var count = (roundUp ? (room + stride - 1) / stride : room / stride) + 1;
        // PyTorch's ceil mode: no window starts in the padding after the map.
        return roundUp && (count - 1) * stride >= size + before ? count - 1 : count;
    }
}

/// <summary>
/// The image: normalized pixels, [channels, height, width]. Where a network starts after a cut: tokens, as many as
/// <paramref name="Height"/> says, if <paramref name="Width"/> is 0; a vector, if both are.
/// </summary>
public sealed record Input(int Channels, int Height, int Width) : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs) =>
        Height == 0 ? TensorShape.Vector(Channels)
        : Width == 0 ? TensorShape.Tokens(Height, Channels)
        : TensorShape.Map(Channels, Height, Width);

    /// <summary>An input for activations of any shape, when a network starts after a cut.</summary>
    public static Input Of(TensorShape shape) =>
        shape.IsMap ? new(shape.Channels, shape.Height, shape.Width)
        : shape.IsTokens ? new(shape.Channels, shape.Sizes[0], 0)
        : new(shape.Channels, 0, 0);
}

/// <summary>
/// A 2-D convolution; with as many groups as input channels, a depthwise one.
/// <paramref name="Activation"/> is part of the layer where Keras has it so: its output is the activated one.
/// </summary>
public sealed record Convolution(
    int Filters, Extent Kernel, Extent Stride, Padding Padding, int Groups = 1, bool Bias = true,
    ActivationFunction? Activation = null) : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    internal override bool TakesChannelFactors => Activation is null;

    internal override bool RunsBackwardWithoutOutput => Activation is null;

    [JsonIgnore]
    public override string Kind => Groups > 1 ? "DepthwiseConv" : "Conv";

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs)
    {
        var map = SingleMap(inputs);
        if (map.Channels % Groups != 0 || Filters % Groups != 0)
            throw new GraftException($"{map.Channels} channels and {Filters} filters do not split into {Groups} groups");
        var padding = Padding.Resolve(map.Height, map.Width, Kernel, Stride);
        return TensorShape.Map(
            Filters,
            SlidingWindows(map.Height, padding.Top, padding.Bottom, Kernel.Height, Stride.Height),
            SlidingWindows(map.Width, padding.Left, padding.Right, Kernel.Width, Stride.Width));
    }

    public override IEnumerable<Parameter> Parameters(string layer, IReadOnlyList<TensorShape> inputs)
    {
        var depthwise = Groups > 1 && Groups == inputs[0].Channels;
        yield return new(layer, depthwise ? ParameterRole.DepthwiseKernel : ParameterRole.Kernel,
            [Filters, inputs[0].Channels / Groups, Kernel.Height, Kernel.Width]);
        if (Bias) yield return new(layer, ParameterRole.Bias, [Filters]);
    }

    public override long MultiplyAdds(IReadOnlyList<TensorShape> inputs, TensorShape output) =>
        (long)output.ElementCount * (inputs[0].Channels / Groups) * Kernel.Height * Kernel.Width;
}

/// <summary>
/// A depthwise convolution, then a 1×1 one to <paramref name="Filters"/> channels, with nothing between them and no biases: one
/// layer in Keras.
/// </summary>
/// <param name="Stride">Of the depthwise convolution; null for 1.</param>
/// <param name="Padding">Of the depthwise convolution; null for 'same'.</param>
public sealed record SeparableConvolution(
    int Filters, Extent Kernel,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Extent? Stride = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Padding? Padding = null) : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    internal override bool TakesChannelFactors => true;

    internal override bool RunsBackwardWithoutOutput => true;

    [JsonIgnore]
    public override string Kind => "SeparableConv";

    /// <summary>The first of the two convolutions.</summary>
    internal Convolution Depthwise(int channels) =>
        new(channels, Kernel, Stride ?? 1, Padding ?? Networks.Padding.Same, Groups: channels, Bias: false);

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs) =>
        Depthwise(SingleMap(inputs).Channels).OutputShape(inputs).WithChannels(Filters);

    public override IEnumerable<Parameter> Parameters(string layer, IReadOnlyList<TensorShape> inputs) =>
    [
        new(layer, ParameterRole.DepthwiseKernel, [inputs[0].Channels, 1, Kernel.Height, Kernel.Width]),
        new(layer, ParameterRole.PointwiseKernel, [Filters, inputs[0].Channels, 1, 1]),
    ];

    public override long MultiplyAdds(IReadOnlyList<TensorShape> inputs, TensorShape output) =>
        (long)output.Height * output.Width * inputs[0].Channels * (Kernel.Height * Kernel.Width + Filters);
}

/// <summary>
/// Batch normalization over the channels of a map or the features of a vector.
/// Momentum is PyTorch's: the share of the new batch in the moving statistics.
/// </summary>
public sealed record BatchNorm(double Epsilon, double Momentum = 0.1, bool Scale = true) : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    internal override bool RunsBackwardWithoutOutput => true;

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs) => Single(inputs);

    public override IEnumerable<Parameter> Parameters(string layer, IReadOnlyList<TensorShape> inputs)
    {
        int[] shape = [inputs[0].Channels];
        if (Scale) yield return new(layer, ParameterRole.Gamma, shape);
        yield return new(layer, ParameterRole.Beta, shape);
        yield return new(layer, ParameterRole.MovingMean, shape);
        yield return new(layer, ParameterRole.MovingVariance, shape);
    }
}

/// <summary>
/// Normalization over the channels, at each position of a map, for each token or of a vector by itself; the same in training
/// and inference.
/// </summary>
public sealed record LayerNorm(double Epsilon) : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs) => Single(inputs);

    public override IEnumerable<Parameter> Parameters(string layer, IReadOnlyList<TensorShape> inputs) =>
    [
        new(layer, ParameterRole.Gamma, [inputs[0].Channels]),
        new(layer, ParameterRole.Beta, [inputs[0].Channels]),
    ];
}

/// <summary>A learned factor per channel at the end of a residual branch (Touvron et al. 2021, arXiv:2103.17239).</summary>
public sealed record LayerScale : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs) => Single(inputs);

    public override IEnumerable<Parameter> Parameters(string layer, IReadOnlyList<TensorShape> inputs) =>
        [new(layer, ParameterRole.LayerScale, inputs[0].IsMap ? [inputs[0].Channels, 1, 1] : [inputs[0].Channels])];
}

/// <summary>All values times a number that is not learned, such as the share of a residual branch.</summary>
public sealed record Scaling(double Factor) : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    internal override bool RunsBackwardWithoutOutput => true;

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs) => Single(inputs);
}

[JsonConverter(typeof(JsonStringEnumConverter<ActivationFunction>))]
public enum ActivationFunction
{
    Relu,

    /// <summary>min(max(x, 0), 6).</summary>
    Relu6,
    Sigmoid,

    /// <summary>x · sigmoid(x), also called swish.</summary>
    Silu,

    /// <summary>x · Φ(x) with the exact normal distribution.</summary>
    Gelu,

    /// <summary>x · (1 + tanh(√(2 / π) · (x + 0.044715 · x³))) / 2: GELU as BERT and SigLIP approximate it.</summary>
    GeluTanh,

    /// <summary>x · sigmoid(1.702 · x): GELU as CLIP approximates it.</summary>
    QuickGelu,

    /// <summary>relu6(x + 3) / 6.</summary>
    HardSigmoid,

    /// <summary>x · relu6(x + 3) / 6.</summary>
    HardSwish,

    /// <summary>Over the channels or features.</summary>
    Softmax,
}

public sealed record Activation(ActivationFunction Function) : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    [JsonIgnore]
    public override string Kind => Function.ToString();

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs) => Single(inputs);
}

[JsonConverter(typeof(JsonStringEnumConverter<PoolFunction>))]
public enum PoolFunction
{
    Average,
    Max,
}

/// <summary>
/// Pooling over windows. Padding is never the maximum, and counts in an average only where asked.
/// <paramref name="RoundUp"/> is PyTorch's ceil mode: a last window may hang over the edge.
/// </summary>
public sealed record Pool(
    PoolFunction Function, Extent Kernel, Extent Stride, Padding Padding, bool RoundUp = false, bool CountPadding = false)
    : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    [JsonIgnore]
    public override string Kind => $"{Function}Pool";

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs)
    {
        var map = SingleMap(inputs);
        var padding = Padding.Resolve(map.Height, map.Width, Kernel, Stride);
        return TensorShape.Map(
            map.Channels,
            SlidingWindows(map.Height, padding.Top, padding.Bottom, Kernel.Height, Stride.Height, RoundUp),
            SlidingWindows(map.Width, padding.Left, padding.Right, Kernel.Width, Stride.Width, RoundUp));
    }
}

/// <summary>One number per channel: [channels, height, width] → [channels].</summary>
public sealed record GlobalPool(PoolFunction Function) : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    [JsonIgnore]
    public override string Kind => $"Global{Function}Pool";

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs) =>
        TensorShape.Vector(SingleMap(inputs).Channels);
}

/// <summary>
/// Averages over a grid of <paramref name="Size"/> windows that cover the map, as even as they can be: the same output size for
/// any input size.
/// </summary>
public sealed record AdaptiveAveragePool(Extent Size) : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs) =>
        TensorShape.Map(SingleMap(inputs).Channels, Size.Height, Size.Width);
}

/// <summary>
/// The zeros that 'same' padding would put around a map for a window of this size and stride, as a layer of its own
/// (Keras's correct_pad).
/// </summary>
public sealed record SamePadding(Extent Kernel, Extent Stride) : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    [JsonIgnore]
    public override string Kind => nameof(ZeroPadding);

    public ZeroPadding Resolve(TensorShape map) => new(Padding.Same.Resolve(map.Height, map.Width, Kernel, Stride));

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs) =>
        Resolve(SingleMap(inputs)).OutputShape(inputs);
}

/// <summary>Rows and columns of zeros around a map.</summary>
public sealed record ZeroPadding(Padding Padding) : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs)
    {
        var map = SingleMap(inputs);
        return TensorShape.Map(
            map.Channels, map.Height + Padding.Top + Padding.Bottom, map.Width + Padding.Left + Padding.Right);
    }
}

/// <summary>
/// A fully connected layer: [inputs] → [units]. <paramref name="Activation"/> is part of the layer where Keras has it so.
/// </summary>
public sealed record Dense(int Units, bool Bias = true, ActivationFunction? Activation = null) : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    internal override bool TakesChannelFactors => Activation is null;

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs) =>
        Single(inputs).IsVector
            ? TensorShape.Vector(Units)
            : throw new GraftException($"expected a vector, found {inputs[0]}; pool or flatten first");

    public override IEnumerable<Parameter> Parameters(string layer, IReadOnlyList<TensorShape> inputs)
    {
        yield return new(layer, ParameterRole.DenseKernel, [Units, inputs[0].Channels]);
        if (Bias) yield return new(layer, ParameterRole.Bias, [Units]);
    }

    public override long MultiplyAdds(IReadOnlyList<TensorShape> inputs, TensorShape output) =>
        (long)inputs[0].Channels * Units;
}

/// <summary>A dense layer over the channels, the same at every position of a map or for every token: [channels, …] → [units, …].</summary>
public sealed record PointwiseDense(int Units, bool Bias = true) : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    internal override bool TakesChannelFactors => true;

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs) => Single(inputs).WithChannels(Units);

    public override IEnumerable<Parameter> Parameters(string layer, IReadOnlyList<TensorShape> inputs) =>
        new Dense(Units, Bias).Parameters(layer, inputs);

    public override long MultiplyAdds(IReadOnlyList<TensorShape> inputs, TensorShape output) =>
        (long)inputs[0].ElementCount * Units;
}

[JsonConverter(typeof(JsonStringEnumConverter<AxisOrder>))]
public enum AxisOrder
{
    /// <summary>PyTorch's: channels, rows, columns.</summary>
    ChannelsFirst,

    /// <summary>Keras's: rows, columns, channels.</summary>
    ChannelsLast,
}

/// <summary>[channels, height, width] → [channels · height · width], in the order of the framework that trained the weights.</summary>
public sealed record Flatten(AxisOrder Order = AxisOrder.ChannelsFirst) : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs) =>
        TensorShape.Vector(Single(inputs).ElementCount);
}

/// <summary>[features] → [channels, height, width] or back, without moving a value.</summary>
public sealed record Reshape(IReadOnlyList<int> Shape) : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs)
    {
        var output = new TensorShape([.. Shape]);
        return output.ElementCount == Single(inputs).ElementCount
            ? output
            : throw new GraftException($"{inputs[0]} does not reshape to {output}");
    }
}

/// <summary>Zeroes a share of the values in training; does nothing in inference.</summary>
public sealed record Dropout(double Rate) : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs) => Single(inputs);
}

/// <summary>The sum of maps of one shape: a residual connection.</summary>
public sealed record Add : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    internal override bool RunsBackwardWithoutOutput => true;

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs) =>
        inputs.Count > 1 && inputs.All(shape => shape == inputs[0])
            ? inputs[0]
            : throw new GraftException($"cannot add {string.Join(" and ", inputs)}");
}

/// <summary>A map times a factor per channel, [channels, 1, 1]: what squeeze-and-excitation ends in.</summary>
public sealed record Multiply : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs) =>
        inputs is [{ IsMap: true } map, var factors] && factors == TensorShape.Map(map.Channels, 1, 1)
            ? map
            : throw new GraftException($"cannot multiply {string.Join(" by ", inputs)}");
}

/// <summary>Maps of one height and width, or vectors, one after the other along the channels.</summary>
public sealed record Concatenate : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs) =>
        inputs.All(shape => shape.Sizes.Skip(1).SequenceEqual(inputs[0].Sizes.Skip(1)))
            ? new([inputs.Sum(shape => shape.Channels), .. inputs[0].Sizes.Skip(1)])
            : throw new GraftException($"cannot concatenate {string.Join(" and ", inputs)}");
}

/// <summary>Some of a map's channels: <paramref name="Count"/> from number <paramref name="First"/> on.</summary>
public sealed record ChannelSlice(int First, int Count) : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs)
    {
        var map = SingleMap(inputs);
        return First >= 0 && Count > 0 && First + Count <= map.Channels
            ? map.WithChannels(Count)
            : throw new GraftException($"{map.Channels} channels have no {Count} from number {First} on");
    }
}

/// <summary>
/// Channels of <paramref name="Groups"/> equal groups dealt out in turn, so that the next grouped convolution sees all of them (Zhang et al. 2017,
/// arXiv:1707.01083): the first of each group, then the second of each.
/// </summary>
public sealed record ChannelShuffle(int Groups) : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs) =>
        SingleMap(inputs) is var map && Groups > 0 && map.Channels % Groups == 0
            ? map
            : throw new GraftException($"{inputs[0].Channels} channels do not split into {Groups} groups");
}

/// <summary>
/// A fitted affine transform of features, which training does not change: standardization, scaling, whitening, alignment with another domain. The center
/// [features] is subtracted first; then each feature is multiplied by its factor [features], or all by a matrix [outputs, features]; then the shift
/// [outputs] is added. <see cref="AffineWeights"/> holds the numbers.
/// </summary>
/// <param name="Outputs">As many as features if diagonal.</param>
/// <param name="IsDiagonal">Whether each feature has one factor, rather than each output a row of a matrix.</param>
public sealed record AffineTransform(int Outputs, bool IsDiagonal) : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs) => Single(inputs) switch
    {
        { IsVector: false } other => throw new GraftException($"expected a vector, found {other}; pool or flatten first"),
        var vector when IsDiagonal && vector.Channels != Outputs =>
            throw new GraftException($"expected {Outputs} features, one for each factor, found {vector.Channels}"),
        _ => TensorShape.Vector(Outputs),
    };

    public override IEnumerable<Parameter> Parameters(string layer, IReadOnlyList<TensorShape> inputs) =>
    [
        new(layer, ParameterRole.Center, [inputs[0].Channels]),
        new(layer, ParameterRole.Factors, IsDiagonal ? [Outputs] : [Outputs, inputs[0].Channels]),
        new(layer, ParameterRole.Shift, [Outputs]),
    ];

    public override long MultiplyAdds(IReadOnlyList<TensorShape> inputs, TensorShape output) =>
        IsDiagonal ? 0 : (long)inputs[0].Channels * Outputs;
}
