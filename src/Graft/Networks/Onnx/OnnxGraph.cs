using System.Runtime.InteropServices;

namespace Graft.Networks.Onnx;

/// <summary>
/// A user-supplied ONNX model as one layer after the image: run as it is, never trained. The model itself is the layer's only parameter, so that
/// it is fingerprinted, saved and opened as all weights are.
/// </summary>
/// <param name="Sizes">The output's shape, as <see cref="TensorShape"/> has it.</param>
/// <param name="Bytes">The size of the model.</param>
public sealed record OnnxGraph(IReadOnlyList<int> Sizes, int Bytes) : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs)
    {
        SingleMap(inputs);
        return new([.. Sizes]);
    }

    public override IEnumerable<Parameter> Parameters(string layer, IReadOnlyList<TensorShape> inputs) =>
        [new(layer, ParameterRole.OnnxModel, [(Bytes + sizeof(float) - 1) / sizeof(float)])];

    internal byte[] Read(Layer layer, IWeights weights)
    {
        var parameter = Parameters(layer.Name, []).Single();
        var values = new float[parameter.ElementCount];
        weights.Read(parameter, values);
        return MemoryMarshal.AsBytes(values.AsSpan())[..Bytes].ToArray();
    }

    /// <summary>A model's bytes as the values of the parameter.</summary>
    internal sealed class Content(byte[] model) : IWeights
    {
        public void Read(Parameter parameter, Span<float> destination)
        {
            var bytes = MemoryMarshal.AsBytes(destination);
            model.CopyTo(bytes);
            bytes[model.Length..].Clear();
        }
    }
}
