using Google.Protobuf;

namespace Graft.Networks.Onnx;

/// <summary>
/// A network in inference mode as an ONNX model: batch normalization and layer scales folded into the convolutions and dense layers
/// before them, zero padding into the convolutions after it. Images [N, channels, height, width], any N, → the output layer's activations;
/// both tensors are called after their layers.
/// </summary>
public sealed class OnnxModel
{
    /// <summary>The version of the operators that the model uses.</summary>
    public const int Opset = 17;

    internal const int IrVersion = 8;

    private readonly ModelProto _model;

    internal OnnxModel(ModelProto model) => _model = model;

    /// <exception cref="GraftException">A layer has no counterpart in ONNX.</exception>
    public static OnnxModel Of(Network network, IWeights weights) => new(new OnnxConversion(network, weights).Convert());

    /// <summary>The file's content.</summary>
    public byte[] ToArray() => _model.ToByteArray();
}
