using System.Runtime.InteropServices;
using Graft.Networks.Onnx;
using static Graft.Networks.Onnx.OnnxGraphWriter;
using static Graft.Networks.Onnx.TensorProto.Types;

namespace Graft.Export;

/// <summary>
/// A graph of float32 with 8 bits between its convolutions: each quantized tensor goes through <c>QuantizeLinear</c> and
/// <c>DequantizeLinear</c> (QDQ), from which runtimes make operators of integers. Activations are uint8, weights int8 with a scale for each
/// output channel, biases int32. A ReLU or ReLU6 after a convolution or a residual sum is the range of the quantized tensor.
/// </summary>
internal sealed class QuantizedGraph
{
    private static readonly HashSet<string> PassedThrough = new(StringComparer.Ordinal) { "MaxPool", "Reshape", "Transpose", "Slice" };

    private readonly ModelProto _model;
    private readonly Dictionary<string, TensorProto> _constants;
    private readonly ILookup<string, NodeProto> _users;

    /// <summary>Tensors of 8 bits, and the one whose range each has: its own, or that of the tensor that it is a part of.</summary>
    private readonly Dictionary<string, string> _quantized = new(StringComparer.Ordinal);

    /// <summary>The weighted nodes with weights of 8 bits.</summary>
    private readonly HashSet<NodeProto> _weighted = new(ReferenceEqualityComparer.Instance);

    /// <summary>Activations that are ranges, and the most that each lets through.</summary>
    private readonly Dictionary<NodeProto, float> _folded = new(ReferenceEqualityComparer.Instance);

    /// <param name="model">Of float32; not changed.</param>
    /// <param name="keepsEnds">Whether the first and the last layer with weights stay as they are.</param>
    public QuantizedGraph(ModelProto model, bool keepsEnds)
    {
        _model = model.Clone();
        _constants = Graph.Initializer.ToDictionary(tensor => tensor.Name, StringComparer.Ordinal);
        foreach (var sum in Graph.Node.Where(node => node is { OpType: "Sum", Input.Count: 2 })) sum.OpType = "Add";
        _users = Graph.Node.SelectMany(node => node.Input.Where(input => input.Length > 0).Distinct().Select(input => (Input: input, Node: node)))
            .ToLookup(pair => pair.Input, pair => pair.Node, StringComparer.Ordinal);
        List<NodeProto> weighted = [.. Graph.Node.Where(IsWeighted)];
        FloatLayers = keepsEnds && weighted.Count > 2 ? [weighted[0].Name, weighted[^1].Name] : [];
        _weighted.UnionWith(FloatLayers.Count > 0 ? weighted[1..^1] : weighted);
        Choose();
    }

    private GraphProto Graph => _model.Graph;

    /// <summary>The tensors whose ranges <see cref="Write"/> needs.</summary>
    public IReadOnlyList<string> Measured => [.. _quantized.Values.Distinct()];

    /// <summary>Layers with weights that stay float32.</summary>
    public IReadOnlyList<string> FloatLayers { get; }

    /// <summary>Whether anything is quantized.</summary>
    public bool HasLayers => _weighted.Count > 0;

    /// <summary>May be called once.</summary>
    /// <param name="means">
    /// Of the channels of tensors. Rounded weights shift the mean of what a convolution gives, which its bias takes back: Nagel et al. 2019,
    /// Data-free quantization through weight equalization and bias correction.
    /// </param>
    public ModelProto Write(IReadOnlyDictionary<string, ActivationRange> ranges, IReadOnlyDictionary<string, float[]> means)
    {
        var nodes = Graph.Node.ToList();
        foreach (var activation in _folded.Keys)
        {
            nodes.Single(node => node.Output.Contains(activation.Input[0])).Output[0] = activation.Output[0];
            nodes.RemoveAll(node => ReferenceEquals(node, activation));
        }
        var graph = new OnnxGraphWriter(Graph.Name);
        var produced = nodes.SelectMany(node => node.Output).ToHashSet(StringComparer.Ordinal);
        foreach (var input in _quantized.Keys.Where(tensor => !produced.Contains(tensor))) Quantize(graph, input, RangeOf(input, ranges));
        foreach (var node in nodes)
        {
            if (_weighted.Contains(node)) QuantizeWeights(graph, node, RangeOf(node.Input[0], ranges).Scale, means.GetValueOrDefault(node.Input[0]));
            for (var index = 0; index < node.Input.Count; index++)
                if (_quantized.ContainsKey(node.Input[index])) node.Input[index] = Dequantized(node.Input[index]);
            graph.Graph.Node.Add(node);
            foreach (var output in node.Output.Where(_quantized.ContainsKey)) Quantize(graph, output, RangeOf(output, ranges));
        }
        Graph.Node.Clear();
        Graph.Node.Add(graph.Graph.Node);
        var used = Graph.Node.SelectMany(NamesIn).ToHashSet(StringComparer.Ordinal);
        TensorProto[] constants = [.. Graph.Initializer.Concat(graph.Graph.Initializer).Where(tensor => used.Contains(tensor.Name))];
        Graph.Initializer.Clear();
        Graph.Initializer.Add(constants);
        return _model;

        static IEnumerable<string> NamesIn(NodeProto node) =>
            node.Input.Concat(node.Attribute.Where(attribute => attribute.G is not null).SelectMany(attribute => attribute.G.Node.SelectMany(NamesIn)));
    }

    private static string Dequantized(string tensor) => $"{tensor}/dequantized";

    private ActivationRange RangeOf(string tensor, IReadOnlyDictionary<string, ActivationRange> ranges)
    {
        var source = _quantized[tensor];
        var range = ranges[source];
        return _folded.FirstOrDefault(pair => pair.Key.Output[0] == source) is { Key: not null, Value: var most }
            ? new(0, Math.Min(range.Most, most))
            : range;
    }

    /// <summary>A convolution, or a product with a matrix, whose weights are in the file.</summary>
    private bool IsWeighted(NodeProto node) => node.OpType switch
    {
        "Conv" => Constant(node, 1) && (node.Input.Count < 3 || node.Input[2].Length == 0 || Constant(node, 2)),
        "Gemm" => Constant(node, 1) && (node.Input.Count < 3 || Constant(node, 2))
            && node.Attribute.All(attribute => attribute.Name switch { "transB" => true, "alpha" or "beta" => attribute.F == 1, _ => attribute.I == 0 }),
        "MatMul" => Constant(node, 1) && _constants[node.Input[1]].Dims.Count == 2,
        _ => false,
    };

    private bool Constant(NodeProto node, int input) =>
        _constants.TryGetValue(node.Input[input], out var tensor) && tensor.DataType == (int)DataType.Float;

    /// <summary>In the order of the nodes, which is that of the computation.</summary>
    private void Choose()
    {
        var producers = Graph.Node.SelectMany(node => node.Output.Select(output => (Output: output, Node: node)))
            .ToDictionary(pair => pair.Output, pair => pair.Node, StringComparer.Ordinal);
        foreach (var node in Graph.Node)
        {
            if (node.Output is not [var output, ..]) continue;
            var isOfQuantized = node.Input.Where(input => input.Length > 0).All(_quantized.ContainsKey);
            switch (node.OpType)
            {
                case "Conv" when _weighted.Contains(node):
                    _quantized.TryAdd(node.Input[0], node.Input[0]);
                    _quantized[output] = output;
                    break;
                case "Gemm" or "MatMul" when _weighted.Contains(node):
                    _quantized.TryAdd(node.Input[0], node.Input[0]);
                    break;
                case "Add" or "Concat" or "AveragePool" when isOfQuantized:
                    _quantized[output] = output;
                    break;
                case var type when PassedThrough.Contains(type) && _quantized.TryGetValue(node.Input[0], out var source):
                    _quantized[output] = source;
                    break;
                case "Relu" or "Clip" when MostOf(node) is { } most && _quantized.GetValueOrDefault(node.Input[0]) == node.Input[0]
                        && _users[node.Input[0]].Count() == 1 && producers[node.Input[0]].OpType is "Conv" or "Add":
                    _quantized.Remove(node.Input[0]);
                    _quantized[output] = output;
                    _folded[node] = most;
                    break;
            }
        }
    }

    /// <summary>Of a ReLU infinity, of a Clip from 0 its upper end; null of others.</summary>
    private float? MostOf(NodeProto node)
    {
        if (node.OpType == "Relu") return float.PositiveInfinity;
        float? Number(int input) => node.Input.Count > input && _constants.TryGetValue(node.Input[input], out var tensor) && Values(tensor) is [var value] ? value : null;
        return Number(1) == 0 ? Number(2) : null;
    }

    private static void Quantize(OnnxGraphWriter graph, string tensor, ActivationRange range)
    {
        string[] step = [graph.Constant($"{tensor}/range/scale", [range.Scale], []), graph.Constant($"{tensor}/range/zero_point", [range.ZeroPoint], DataType.Uint8, [])];
        graph.Node("DequantizeLinear", Dequantized(tensor), [graph.Node("QuantizeLinear", $"{tensor}/quantized", [tensor, .. step]), .. step]);
    }

    /// <summary>Its weights and bias from now on come from 8 and 32 bits; their float32 constants are no longer used.</summary>
    private void QuantizeWeights(OnnxGraphWriter graph, NodeProto node, float inputScale, float[]? inputMeans)
    {
        var tensor = _constants[node.Input[1]];
        int[] shape = [.. tensor.Dims.Select(size => (int)size)];
        // The output channels: of a convolution, and of a Gemm with a transposed matrix, the first axis.
        var axis = node.OpType == "Conv" || (node.OpType == "Gemm" && node.Attribute.Any(attribute => attribute is { Name: "transB", I: 1 })) ? 0 : 1;
        var (values, channels) = (Values(tensor), shape[axis]);
        var inner = shape.Skip(axis + 1).Aggregate(1, (product, size) => product * size);
        var bias = node.Input.Count > 2 && node.Input[2].Length > 0 ? Values(_constants[node.Input[2]]) : null;
        if (bias is { Length: 1 } && channels > 1) bias = [.. Enumerable.Repeat(bias[0], channels)];
        var scales = new float[channels];
        for (var index = 0; index < values.Length; index++)
        {
            ref var scale = ref scales[index / inner % channels];
            scale = Math.Max(scale, Math.Abs(values[index]) / sbyte.MaxValue);
        }
        // A channel of zeros has any scale, but one with which its bias fits into 32 bits.
        for (var channel = 0; channel < channels; channel++)
        {
            if (scales[channel] == 0) scales[channel] = 1;
            if (bias is not null) scales[channel] = Math.Max(scales[channel], Math.Abs(bias[channel]) / inputScale / (1 << 30));
        }
        var quantized = new sbyte[values.Length];
        for (var index = 0; index < values.Length; index++)
            quantized[index] = (sbyte)Math.Clamp(MathF.Round(values[index] / scales[index / inner % channels]), -sbyte.MaxValue, sbyte.MaxValue);
        if (inputMeans is not null && axis == 0 && bias is not null)
        {
            // [output channels, input channels of a group, the rest of the kernel]
            var (inputs, rest) = (shape[1], inner / shape[1]);
            var groups = inputMeans.Length / inputs;
            for (var index = 0; index < values.Length && groups > 0; index++)
            {
                var channel = index / inner;
                var input = channel / (channels / groups) * inputs + index / rest % inputs;
                bias[channel] += (values[index] - quantized[index] * scales[channel]) * inputMeans[input];
            }
        }
        var name = node.Output[0];
        node.Input[1] = graph.Node("DequantizeLinear", $"{name}/kernel/dequantized",
        [
            graph.Constant($"{name}/kernel/int8", MemoryMarshal.AsBytes(quantized.AsSpan()), DataType.Int8, shape),
            graph.Constant($"{name}/kernel/scale", scales, [channels]),
            graph.Constant($"{name}/kernel/zero_point", new byte[channels], DataType.Int8, [channels]),
        ], Of("axis", axis));
        if (bias is null) return;
        float[] steps = [.. scales.Select(scale => scale * inputScale)];
        int[] rounded = [.. bias.Select((value, channel) => (int)MathF.Round(value / steps[channel]))];
        node.Input[2] = graph.Node("DequantizeLinear", $"{name}/bias/dequantized",
        [
            graph.Constant($"{name}/bias/int32", MemoryMarshal.AsBytes(rounded.AsSpan()), DataType.Int32, [channels]),
            graph.Constant($"{name}/bias/scale", steps, [channels]),
        ], Of("axis", 0));
    }

    internal static float[] Values(TensorProto tensor) => tensor.FloatData.Count > 0
        ? [.. tensor.FloatData]
        : MemoryMarshal.Cast<byte, float>(tensor.RawData.Span).ToArray();
}
