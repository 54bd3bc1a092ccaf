using System.Runtime.InteropServices;
using DataType = Graft.Networks.Onnx.TensorProto.Types.DataType;

namespace Graft.Networks.Onnx.Import;

/// <summary>A node that Graft has no counterpart of.</summary>
internal sealed class UnknownNodeException(NodeProto node, string reason) : GraftException(
    $"Node '{(node.Name.Length > 0 ? node.Name : node.Output.FirstOrDefault() ?? "")}' ({node.OpType}) has no counterpart: {reason}.")
{
    public NodeProto Node => node;
}

/// <summary>The graph of an ONNX model, to be asked for constants, attributes, and who uses a tensor.</summary>
internal sealed class OnnxSource
{
    private const int ExternalData = 1; // TensorProto.DataLocation

    private readonly Dictionary<string, TensorProto> _constants = new(StringComparer.Ordinal);
    private readonly Dictionary<string, NodeProto> _producers = new(StringComparer.Ordinal);
    private readonly ILookup<string, NodeProto> _users;
    private readonly HashSet<string> _outputs;

    public OnnxSource(GraphProto graph)
    {
        Graph = graph;
        foreach (var constant in graph.Initializer) _constants[constant.Name] = constant;
        foreach (var node in graph.Node)
        {
            foreach (var output in node.Output.Where(output => output.Length > 0)) _producers[output] = node;
            if (node.OpType == "Constant" && node.Attribute.FirstOrDefault(attribute => attribute.Name == "value")?.T is { } value)
                _constants[node.Output[0]] = value;
        }
        _users = graph.Node.SelectMany(node => node.Input.Select(input => (input, node))).ToLookup(pair => pair.input, pair => pair.node, StringComparer.Ordinal);
        _outputs = [.. graph.Output.Select(output => output.Name)];
        Image = graph.Input.Where(value => !_constants.ContainsKey(value.Name)).ToList() is [{ Type.TensorType.Shape.Dim.Count: 4 } image]
            ? image
            : throw new GraftException("The model does not take one image [N, channels, height, width] or [N, height, width, channels].");
    }

    public GraphProto Graph { get; }

    public ValueInfoProto Image { get; }

    /// <summary>The nodes that a tensor needs, each after those it takes: as the format demands, a file lists them so.</summary>
    public List<NodeProto> InOrder(string output)
    {
        var needed = new HashSet<NodeProto>();
        var open = new Stack<string>([output]);
        while (open.TryPop(out var tensor))
            if (_producers.TryGetValue(tensor, out var node) && !_constants.ContainsKey(tensor) && needed.Add(node))
                foreach (var input in node.Input) open.Push(input);
        if (needed.Count == 0) throw new GraftException($"The model has no tensor '{output}'.");
        return [.. Graph.Node.Where(needed.Contains)];
    }

    public IEnumerable<NodeProto> Users(string tensor) => _users[tensor];

    /// <summary>The one node that uses a tensor; null where several do, or the model gives it out.</summary>
    public NodeProto? OnlyUser(string tensor) => !_outputs.Contains(tensor) && _users[tensor].ToList() is [var user] ? user : null;

    public NodeProto? Producer(string tensor) => _producers.GetValueOrDefault(tensor);

    public static string? OtherInput(NodeProto node, string one) =>
        node.Input.Count != 2 ? null : node.Input[0] == one ? node.Input[1] : node.Input[1] == one ? node.Input[0] : null;

    public bool IsConstant(string tensor) => _constants.ContainsKey(tensor);

    /// <summary>A constant of one number; null for any other tensor.</summary>
    public float? Number(string? tensor) =>
        tensor is not null && _constants.TryGetValue(tensor, out var constant) && constant.Dims.All(size => size == 1) && IsNumeric(constant) ? Floats(tensor)[0] : null;

    public int[] Sizes(string name) => [.. Tensor(name).Dims.Select(size => checked((int)size))];

    public float[] Floats(string name)
    {
        var tensor = Tensor(name);
        float[] values = (DataType)tensor.DataType switch
        {
            DataType.Float when tensor.FloatData.Count > 0 => [.. tensor.FloatData],
            DataType.Float => Raw<float>(tensor),
            DataType.Double when tensor.DoubleData.Count > 0 => [.. tensor.DoubleData.Select(value => (float)value)],
            DataType.Double => [.. Raw<double>(tensor).Select(value => (float)value)],
            DataType.Float16 when tensor.RawData.Length > 0 => [.. Raw<Half>(tensor).Select(value => (float)value)],
            DataType.Int64 or DataType.Int32 => [.. Longs(name).Select(value => (float)value)],
            var type => throw new GraftException($"'{name}' is of {type}"),
        };
        return values.Length == tensor.Dims.Aggregate(1L, (product, size) => product * size)
            ? values
            : throw new GraftException($"'{name}' has {values.Length} numbers, which is not what its shape says");
    }

    public long[] Longs(string name)
    {
        var tensor = Tensor(name);
        return (DataType)tensor.DataType switch
        {
            DataType.Int64 => tensor.Int64Data.Count > 0 ? [.. tensor.Int64Data] : Raw<long>(tensor),
            DataType.Int32 => tensor.Int32Data.Count > 0 ? [.. tensor.Int32Data.Select(value => (long)value)] : [.. Raw<int>(tensor).Select(value => (long)value)],
            _ => throw new GraftException($"'{name}' is not of int64"),
        };
    }

    /// <summary>What newer versions of an operator take as an input and older ones as an attribute; null where it is left out or not constant.</summary>
    public long[]? Longs(NodeProto node, int input, string attribute) =>
        HasInput(node, input) ? IsConstant(node.Input[input]) ? Longs(node.Input[input]) : null : Ints(node, attribute);

    /// <inheritdoc cref="Longs(NodeProto, int, string)"/>
    public float? Number(NodeProto node, int input, string attribute) =>
        HasInput(node, input) ? Number(node.Input[input]) : Attribute(node, attribute)?.F;

    public static bool HasInput(NodeProto node, int input) => node.Input.Count > input && node.Input[input].Length > 0;

    public static AttributeProto? Attribute(NodeProto node, string name) => node.Attribute.FirstOrDefault(attribute => attribute.Name == name);

    public static long Int(NodeProto node, string name, long otherwise) => Attribute(node, name)?.I ?? otherwise;

    public static float Float(NodeProto node, string name, float otherwise) => Attribute(node, name)?.F ?? otherwise;

    public static string Text(NodeProto node, string name, string otherwise) => Attribute(node, name)?.S.ToStringUtf8() is { Length: > 0 } text ? text : otherwise;

    public static long[]? Ints(NodeProto node, string name) => Attribute(node, name) is { } attribute ? [.. attribute.Ints] : null;

    private TensorProto Tensor(string name) =>
        !_constants.TryGetValue(name, out var tensor) ? throw new GraftException($"its input '{name}' is not constant")
        : tensor.DataLocation == ExternalData ? throw new GraftException("its weights are in a file of their own")
        : tensor;

    private static bool IsNumeric(TensorProto tensor) =>
        (DataType)tensor.DataType is DataType.Float or DataType.Double or DataType.Float16 or DataType.Int64 or DataType.Int32;

    private static T[] Raw<T>(TensorProto tensor)
        where T : unmanaged => MemoryMarshal.Cast<byte, T>(tensor.RawData.Span).ToArray();
}
