using static Graft.Networks.Onnx.Import.OnnxSource;

namespace Graft.Networks.Onnx.Import;

/// <summary>Takes the nodes of a model in order and finds what layer each is, or part of which, or that it only moves elements.</summary>
internal sealed partial class OnnxNodes
{
    /// <summary>So many layers back a chain of element-wise nodes is looked at.</summary>
    private const int LongestChain = 12;

    private readonly OnnxSource _source;
    private readonly ImportedLayers _layers;
    private readonly OnnxAttention _attention;
    private readonly Dictionary<string, ImportedTensor> _tensors = new(StringComparer.Ordinal);

    /// <summary>Element-wise tensors: from which tensors they are computed, the farthest first, and how; the last is the tensor itself.</summary>
    private readonly Dictionary<string, List<(string Tensor, ElementFunction Function)>> _functions = new(StringComparer.Ordinal);

    private readonly Dictionary<string, NodeProto> _elementNodes = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _aliases = new(StringComparer.Ordinal);

    /// <summary>Tensors between the nodes of what is one layer.</summary>
    private readonly HashSet<string> _parts = new(StringComparer.Ordinal);

    public OnnxNodes(OnnxSource source, ImportedLayers layers, ImportedTensor start)
    {
        (_source, _layers, _attention) = (source, layers, new(layers));
        _tensors[start.Name] = start;
    }

    /// <exception cref="UnknownNodeException">The node, or one that it needs, has no counterpart.</exception>
    public void Take(NodeProto node)
    {
        var name = node.Output[0];
        if (_tensors.ContainsKey(name) || _parts.Contains(name)) return;
        Explained(node, () =>
        {
            if (node.OpType is "Identity" or "Dropout" or "Cast") _aliases[name] = Known(node.Input[0]);
            else if (!TakeFunction(node)) TakeLayer(node);
        });
    }

    /// <summary>The tensor, if need be as a layer that is made now.</summary>
    public ImportedTensor this[string name]
    {
        get
        {
            name = Known(name);
            if (_tensors.TryGetValue(name, out var tensor)) return tensor;
            if (!_functions.TryGetValue(name, out var functions)) throw new GraftException($"its input '{name}' is not computed from the image");
            var node = _elementNodes[name];
            Explained(node, () =>
            {
                foreach (var (from, function) in functions.SkipLast(1))
                {
                    if (function.Affine is (var scale, var shift))
                    {
                        var x = this[from];
                        if (shift == 0) _tensors[name] = x with { Name = name, Factor = x.Factor * scale };
                        else if (!x.Shape.IsTokens)
                            _tensors[name] = x.On(name, _layers.ScaleAndShift(
                                name, x.Layer, Enumerable.Repeat(scale * x.Factor, x.Shape.Channels).ToArray(), Enumerable.Repeat(shift, x.Shape.Channels).ToArray()));
                    }
                    else if (function.Activation is { } activation)
                    {
                        var x = Compact(_layers.Scaled(this[from]));
                        _tensors[name] = x.On(name, _layers.Add(name, new Activation(activation), x.Layer));
                    }
                    if (_tensors.ContainsKey(name)) return;
                }
                TakeLayer(node);
            });
            return _tensors[name];
        }
    }

    private string Known(string tensor) => _aliases.GetValueOrDefault(tensor, tensor);

    /// <summary>An element-wise node of one tensor and numbers; what it is as a layer is found out where its output is needed.</summary>
    private bool TakeFunction(NodeProto node)
    {
        if (!ElementFunction.Knows(node)) return false;
        var inputs = node.OpType == "Clip" || node.OpType == "HardSigmoid" ? [node.Input[0]] : node.Input.ToArray();
        var bounds = (-1e30, 1e30);
        if (node.OpType == "Clip")
        {
            if ((HasInput(node, 1) && _source.Number(node.Input[1]) is null) || (HasInput(node, 2) && _source.Number(node.Input[2]) is null)) return false;
            bounds = (_source.Number(node, 1, "min") ?? -1e30, _source.Number(node, 2, "max") ?? 1e30);
        }
        var numbers = inputs.Select(_source.Number).ToList();
        var chains = inputs.Select((input, index) => numbers[index] is null ? Chains(Known(input)) : []).ToList();
        if (numbers.All(number => number is not null)) return false;
        var shared = chains.Where((_, index) => numbers[index] is null).Aggregate(
            (IEnumerable<string>?)null, (all, chain) => all is null ? chain.Select(one => one.Tensor) : all.Intersect(chain.Select(one => one.Tensor)))!.ToList();
        if (shared.Count == 0) return false;
        _functions[node.Output[0]] =
        [
            .. shared.Select(from => (from, ElementFunction.Of(
                node, [.. numbers.Select((number, index) => number is { } constant ? ElementFunction.Constant(constant) : chains[index].First(one => one.Tensor == from).Function)], bounds)))
                .TakeLast(LongestChain),
            (node.Output[0], ElementFunction.Identity),
        ];
        _elementNodes[node.Output[0]] = node;
        return true;
    }

    private List<(string Tensor, ElementFunction Function)> Chains(string tensor) =>
        _functions.TryGetValue(tensor, out var functions) ? functions : _tensors.ContainsKey(tensor) ? [(tensor, ElementFunction.Identity)] : [];

    /// <summary>A part of a layer as a layer of its own, before something is computed of it.</summary>
    private ImportedTensor Compact(ImportedTensor tensor) => tensor.Plain.IsWhole ? tensor : Natural(tensor.Name, _layers.Laid(tensor, null));

    /// <summary>The tensor with all channels along its last axis.</summary>
    private ImportedTensor ChannelsLast(ImportedTensor tensor)
    {
        tensor = Compact(_layers.Scaled(tensor));
        // Channels that are put together of positions.
        if (tensor.Sizes.Length == 4 && tensor.ChannelAxis != 3)
            tensor = Natural(tensor.Name, _layers.Map(tensor.Transposed(tensor.Name, [0, 3, 1, 2]))).Transposed(tensor.Name, [0, 2, 3, 1]);
        return tensor.ChannelAxis == tensor.Sizes.Length - 1 ? tensor : throw new GraftException("it does not work on the channels");
    }

    /// <summary>A layer's output as ONNX lays it out of itself.</summary>
    private ImportedTensor Natural(string name, string layer) => new(name, layer, _layers.ShapeOf(layer), [1, .. _layers.ShapeOf(layer).Sizes]);

    private void Define(NodeProto node, Operation operation, params string[] inputs) =>
        _tensors[node.Output[0]] = Natural(node.Output[0], _layers.Add(node.Output[0], operation, inputs));

    private static void Explained(NodeProto node, Action action)
    {
        try
        {
            action();
        }
        catch (GraftException problem) when (problem is not UnknownNodeException)
        {
            throw new UnknownNodeException(node, problem.Message.TrimEnd('.'));
        }
    }
}
