using System.Globalization;
using System.Runtime.InteropServices;
using Google.Protobuf;

namespace Graft.Networks.Onnx;

/// <summary>Writes the nodes and constants of an ONNX graph. A node has the name of its output.</summary>
internal class OnnxGraphWriter(string name)
{
    private readonly HashSet<string> _constants = new(StringComparer.Ordinal);

    public GraphProto Graph { get; } = new() { Name = name };

    /// <summary>Adds a node with one output; returns its name.</summary>
    /// <param name="inputs">Names of tensors; an empty one leaves out an optional input.</param>
    public string Node(string type, string output, string[] inputs, params AttributeProto[] attributes)
    {
        Graph.Node.Add(new NodeProto { Name = output, OpType = type, Input = { inputs }, Output = { output }, Attribute = { attributes } });
        return output;
    }

    public string Scalar(float value) => Constant(string.Create(CultureInfo.InvariantCulture, $"constant/{value:R}"), [value], []);

    public string Scalar(double value) => Constant(string.Create(CultureInfo.InvariantCulture, $"constant/double/{value:R}"), [value], []);

    public string Constant(string name, float[] values, IReadOnlyList<int> shape) =>
        Initializer(name, TensorProto.Types.DataType.Float, MemoryMarshal.AsBytes(values.AsSpan()), [.. shape.Select(size => (long)size)]);

    public string Constant(string name, double[] values, IReadOnlyList<int> shape) =>
        Initializer(name, TensorProto.Types.DataType.Double, MemoryMarshal.AsBytes(values.AsSpan()), [.. shape.Select(size => (long)size)]);

    /// <param name="values">As the file has them.</param>
    public string Constant(string name, ReadOnlySpan<byte> values, TensorProto.Types.DataType type, int[] shape) =>
        Initializer(name, type, values, [.. shape.Select(size => (long)size)]);

    public string Constant(string name, params long[] values) =>
        Initializer(name, TensorProto.Types.DataType.Int64, MemoryMarshal.AsBytes(values.AsSpan()), [values.Length]);

    public string Constant(string name, long value) => Initializer(name, TensorProto.Types.DataType.Int64, MemoryMarshal.AsBytes([value]), []);

    public static AttributeProto Of(string name, int value) =>
        new() { Name = name, I = value, Type = AttributeProto.Types.AttributeType.Int };

    public static AttributeProto Of(string name, float value) =>
        new() { Name = name, F = value, Type = AttributeProto.Types.AttributeType.Float };

    public static AttributeProto Of(string name, string value) =>
        new() { Name = name, S = ByteString.CopyFromUtf8(value), Type = AttributeProto.Types.AttributeType.String };

    public static AttributeProto Of(string name, int[] values) =>
        new() { Name = name, Ints = { values.Select(value => (long)value) }, Type = AttributeProto.Types.AttributeType.Ints };

    public static AttributeProto Of(string name, GraphProto value) =>
        new() { Name = name, G = value, Type = AttributeProto.Types.AttributeType.Graph };

    public static AttributeProto To(TensorProto.Types.DataType type) => Of("to", (int)type);

    private string Initializer(string name, TensorProto.Types.DataType type, ReadOnlySpan<byte> values, long[] shape)
    {
        if (_constants.Add(name))
        {
            // The copy has no other owner, so another one is not needed.
            var content = UnsafeByteOperations.UnsafeWrap(values.ToArray());
            Graph.Initializer.Add(new TensorProto { Name = name, DataType = (int)type, Dims = { shape }, RawData = content });
        }
        return name;
    }
}
