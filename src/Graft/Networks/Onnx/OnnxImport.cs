using System.Runtime.InteropServices;
using Google.Protobuf;

namespace Graft.Networks.Onnx;

/// <summary>
/// An ONNX model as a network that can be cut, trained and exported again: the inverse of <see cref="OnnxModel"/>. It understands what convolutional
/// networks consist of, as Graft, PyTorch's exporter and CNTK write them, with the channels first; layers are called after the tensors that hold their
/// outputs. A factor and a shift for each channel become a batch norm with those as its gamma and beta.
/// </summary>
public sealed class OnnxImport
{
    private const int ExternalData = 1; // TensorProto.DataLocation

    private readonly GraphProto _graph;
    private readonly Dictionary<string, TensorProto> _constants = new(StringComparer.Ordinal);
    private readonly Dictionary<string, NodeProto> _producers = new(StringComparer.Ordinal);
    private readonly ILookup<string, NodeProto> _users;
    private readonly HashSet<string> _outputs;
    private readonly ImportedWeights _weights = new();
    private readonly NetworkBuilder _builder;

    /// <summary>The layer whose output a tensor is.</summary>
    private readonly Dictionary<string, Node> _layers = new(StringComparer.Ordinal);

    /// <summary>Tensors between the nodes of what is one layer.</summary>
    private readonly HashSet<string> _parts = new(StringComparer.Ordinal);

    private readonly Dictionary<string, TensorShape> _shapes = new(StringComparer.Ordinal);

    private OnnxImport(string name, ModelProto model)
    {
        _graph = model.Graph;
        _builder = new(name);
        foreach (var constant in _graph.Initializer) _constants[constant.Name] = constant;
        foreach (var node in _graph.Node)
        {
            foreach (var output in node.Output.Where(output => output.Length > 0)) _producers[output] = node;
            if (node.OpType == "Constant" && node.Attribute.FirstOrDefault(attribute => attribute.Name == "value")?.T is { } value)
                _constants[node.Output[0]] = value;
        }
        _users = _graph.Node.SelectMany(node => node.Input.Select(input => (input, node))).ToLookup(pair => pair.input, pair => pair.node, StringComparer.Ordinal);
        _outputs = [.. _graph.Output.Select(output => output.Name)];
    }

    /// <summary>Reads a model, or its part up to a tensor.</summary>
    /// <param name="name">What the network is to be called.</param>
    /// <param name="model">The file's content, weights included.</param>
    /// <param name="output">The tensor that the network ends in; null for the model's only output.</param>
    /// <param name="height">Of the image, in pixels, where the model leaves it open.</param>
    /// <param name="width">Of the image, in pixels, where the model leaves it open.</param>
    /// <exception cref="GraftException">Something in the model has no counterpart among Graft's layers; names the node and its kind.</exception>
    public static (Network Network, IWeights Weights) Read(string name, byte[] model, string? output = null, int? height = null, int? width = null)
    {
        ModelProto parsed;
        try
        {
            parsed = ModelProto.Parser.ParseFrom(model);
        }
        catch (InvalidProtocolBufferException problem)
        {
            throw new GraftException($"{name} is not an ONNX model, or a damaged one.", problem);
        }
        if (parsed.Graph is null) throw new GraftException($"{name} is not an ONNX model, or a damaged one.");
        var import = new OnnxImport(name, parsed);
        return (import.Build(output, height, width), import._weights);
    }

    /// <summary>The tensors that a model computes, in order, and what computes each; none where it is not an ONNX model.</summary>
    public static IReadOnlyList<(string Tensor, string Kind)> Tensors(byte[] model)
    {
        try
        {
            return [.. (ModelProto.Parser.ParseFrom(model).Graph?.Node ?? []).Where(node => node.OpType != "Constant" && node.Output.Count > 0)
                .Select(node => (node.Output[0], node.OpType))];
        }
        catch (InvalidProtocolBufferException)
        {
            return [];
        }
    }

    private Network Build(string? output, int? height, int? width)
    {
        output ??= _outputs.Count == 1
            ? _outputs.Single()
            : throw new GraftException($"the model has {_outputs.Count} outputs, and not one: {string.Join(", ", _outputs)}");
        var images = _graph.Input.Where(value => !_constants.ContainsKey(value.Name)).ToList();
        if (images is not [{ Type.TensorType.Shape.Dim: [_, { DimValue: > 0 and var channels }, var rows, var columns] } image])
            throw new GraftException("the model does not take one image [N, channels, height, width]");
        var size = new Extent(
            (int)(rows.DimValue > 0 ? rows.DimValue : height ?? throw new GraftException("the model takes images of any height")),
            (int)(columns.DimValue > 0 ? columns.DimValue : width ?? throw new GraftException("the model takes images of any width")));
        if (channels > 4) throw new GraftException($"the model takes images of {channels} channels: they may lie last");
        Define(image.Name, _builder.Input(image.Name, (int)channels, size), TensorShape.Map((int)channels, size.Height, size.Width));
        foreach (var node in InOrder(output))
        {
            try
            {
                Add(node);
            }
            catch (GraftException problem)
            {
                throw new GraftException($"Node '{TitleOf(node)}' ({node.OpType}) has no counterpart: {problem.Message}.", problem);
            }
        }
        return _builder.Build(_layers[output]);
    }

    /// <summary>The nodes that a tensor needs, each after those it takes.</summary>
    private List<NodeProto> InOrder(string output)
    {
        var needed = new HashSet<NodeProto>();
        var open = new Stack<string>([output]);
        while (open.TryPop(out var tensor))
            if (_producers.TryGetValue(tensor, out var node) && !_constants.ContainsKey(tensor) && needed.Add(node))
                foreach (var input in node.Input) open.Push(input);
        if (needed.Count == 0) throw new GraftException($"the model has no tensor '{output}'");
        // As the format demands, a file lists them so.
        return [.. _graph.Node.Where(needed.Contains)];
    }

    private void Add(NodeProto node)
    {
        var name = node.Output[0];
        if (_layers.ContainsKey(name) || _parts.Contains(name)) return;
        switch (node.OpType)
        {
            case "Identity" or "Dropout":
                Alias(name, node.Input[0]);
                break;
            case "Conv":
                Convolve(node);
                break;
            case "BatchNormalization":
                Operate(node, new BatchNorm(Float(node, "epsilon", 1e-5f), 1 - Float(node, "momentum", 0.9f)), [node.Input[0]]);
                Weigh(name, (ParameterRole.Gamma, Floats(node.Input[1])), (ParameterRole.Beta, Floats(node.Input[2])),
                    (ParameterRole.MovingMean, Floats(node.Input[3])), (ParameterRole.MovingVariance, Floats(node.Input[4])));
                break;
            case "Relu" or "HardSwish":
                Operate(node, new Activation(Enum.Parse<ActivationFunction>(node.OpType)), [node.Input[0]]);
                break;
            case "Sigmoid" when ProductWith(node) is { } product:
                Operate(product, new Activation(ActivationFunction.Silu), [node.Input[0]]);
                break;
            case "HardSigmoid" when IsSixth(node) && ProductWith(node) is { } product:
                Operate(product, new Activation(ActivationFunction.HardSwish), [node.Input[0]]);
                break;
            case "Sigmoid":
                Operate(node, new Activation(ActivationFunction.Sigmoid), [node.Input[0]]);
                break;
            case "HardSigmoid" when IsSixth(node):
                Operate(node, new Activation(ActivationFunction.HardSigmoid), [node.Input[0]]);
                break;
            case "Softmax" when _shapes[node.Input[0]].IsVector:
                Operate(node, new Activation(ActivationFunction.Softmax), [node.Input[0]]);
                break;
            case "Clip" when (Bound(node, 1, "min"), Bound(node, 2, "max")) is (0, 6):
                Operate(node, new Activation(ActivationFunction.Relu6), [node.Input[0]]);
                break;
            case "Div" when GeluAfter(node) is { } last:
                Operate(last, new Activation(ActivationFunction.Gelu), [node.Input[0]]);
                break;
            case "MaxPool" or "AveragePool":
                Slide(node);
                break;
            case "GlobalAveragePool" or "ReduceMean" when node.OpType == "GlobalAveragePool" || Ints(node, "axes") is [2 or -2, 3 or -1]:
                if (node.OpType == "ReduceMean" && Int(node, "keepdims", 1) == 0) Operate(node, new GlobalPool(PoolFunction.Average), [node.Input[0]]);
                else if (FlattenAfter(node) is { } flat) Operate(flat, new GlobalPool(PoolFunction.Average), [node.Input[0]]);
                else Operate(node, new AdaptiveAveragePool(1), [node.Input[0]]);
                break;
            case "GlobalMaxPool" when FlattenAfter(node) is { } flat:
                Operate(flat, new GlobalPool(PoolFunction.Max), [node.Input[0]]);
                break;
            case "Flatten" when Int(node, "axis", 1) == 1:
                Flatten(node);
                break;
            case "Squeeze" when _shapes[node.Input[0]] is { IsMap: true, Height: 1, Width: 1 }:
                Flatten(node);
                break;
            case "Reshape":
                Reshape(node);
                break;
            case "Gemm" when Int(node, "transA", 0) == 0 && Float(node, "alpha", 1) == 1 && Float(node, "beta", 1) == 1:
                Multiply(node, node, Int(node, "transB", 0) == 1, node.Input.Count > 2 ? node.Input[2] : null);
                break;
            case "MatMul" when _shapes.TryGetValue(node.Input[0], out var vector) && vector.IsVector:
                var sum = OnlyUser(name) is { OpType: "Add" } add && OtherInput(add, name) is { } shift && IsConstant(shift) ? add : null;
                Multiply(node, sum ?? node, isTransposed: false, sum is null ? null : OtherInput(sum, name));
                break;
            case "MatMul" when AverageAfter(node) is var (narrowed, windows):
                Operate(narrowed, new AdaptiveAveragePool(windows), [node.Input[0]]);
                break;
            case "Add" or "Sum" when node.Input.All(_layers.ContainsKey):
                Operate(node, new Add(), [.. node.Input]);
                break;
            case "Mul" when node.Input.All(_layers.ContainsKey):
                Product(node);
                break;
            case "Mul" or "Add" when node.Input.Any(IsConstant):
                ScaleAndShift(node);
                break;
            case "Concat" when Int(node, "axis", 1) is 1:
                Operate(node, new Concatenate(), [.. node.Input]);
                break;
            case "Pad" when IsZero(node) && Pads(node) is [0, 0, var top, var left, 0, 0, var bottom, var right]:
                Operate(node, new ZeroPadding(new((int)top, (int)bottom, (int)left, (int)right)), [node.Input[0]]);
                break;
            case "Slice" when node.Input.Count >= 4 && Longs(node.Input[1]) is [var first] && Longs(node.Input[2]) is [var end] && Longs(node.Input[3]) is [1]
                              && _shapes[node.Input[0]] is { IsMap: true } map:
                Operate(node, new ChannelSlice((int)first, (int)Math.Min(end, map.Channels) - (int)first), [node.Input[0]]);
                break;
            default:
                throw new GraftException("Graft has no such layer, or not with these attributes");
        }
    }

    private void Convolve(NodeProto node)
    {
        var kernel = Tensor(node.Input[1]);
        if (kernel.Dims is not [var filters, var depth, var height, var width]) throw new GraftException("its kernel is not of two dimensions");
        if (Ints(node, "dilations") is { } dilations && dilations.Any(step => step != 1)) throw new GraftException("its windows have gaps (dilations)");
        Extent size = ((int)height, (int)width), stride = StrideOf(node);
        var groups = (int)Int(node, "group", 1);
        var isDepthwise = groups > 1 && depth == 1 && groups == _shapes[node.Input[0]].Channels;
        var hasBias = node.Input.Count > 2 && node.Input[2].Length > 0;
        Operate(node, new Convolution((int)filters, size, stride, PaddingOf(node), groups, hasBias), [node.Input[0]]);
        Weigh(node.Output[0], (isDepthwise ? ParameterRole.DepthwiseKernel : ParameterRole.Kernel, Floats(node.Input[1])));
        if (hasBias) Weigh(node.Output[0], (ParameterRole.Bias, Floats(node.Input[2])));
    }

    private void Slide(NodeProto node)
    {
        var kernel = Ints(node, "kernel_shape") is [var height, var width] ? new Extent((int)height, (int)width) : throw new GraftException("its window is not of two dimensions");
        if (Ints(node, "dilations") is { } dilations && dilations.Any(step => step != 1)) throw new GraftException("its windows have gaps (dilations)");
        var (shape, padding, function) = (_shapes[node.Input[0]], PaddingOf(node), node.OpType == "MaxPool" ? PoolFunction.Max : PoolFunction.Average);
        // A window over the whole map: the same for images of another size.
        if (function == PoolFunction.Average && (kernel.Height, kernel.Width) == (shape.Height, shape.Width) && padding == Padding.None)
            Operate(node, new AdaptiveAveragePool(1), [node.Input[0]]);
        else
            Operate(
                node, new Pool(function, kernel, StrideOf(node), padding, Int(node, "ceil_mode", 0) == 1, Int(node, "count_include_pad", 0) == 1), [node.Input[0]]);
    }

    private void Flatten(NodeProto node)
    {
        if (_shapes[node.Input[0]].IsVector) Alias(node.Output[0], node.Input[0]);
        else Operate(node, new Flatten(), [node.Input[0]]);
    }

    private void Reshape(NodeProto node)
    {
        var (from, to) = (_shapes[node.Input[0]], Longs(node.Input[1]));
        if (to is [_, -1] || (to is [_, var features] && features == from.ElementCount))
            Flatten(node);
        else if (to is [0 or -1 or 1, _, _, _] && to.Skip(1).All(size => size > 0))
            Operate(node, new Reshape([.. to.Skip(1).Select(size => (int)size)]), [node.Input[0]]);
        else
            throw new GraftException($"it reshapes {from} to [{string.Join(", ", to)}]");
    }

    /// <summary>A dense layer: the product, and the node that its output comes from.</summary>
    private void Multiply(NodeProto product, NodeProto last, bool isTransposed, string? bias)
    {
        var (matrix, values) = (Tensor(product.Input[1]), Floats(product.Input[1]));
        if (matrix.Dims is not [var first, var second]) throw new GraftException("it does not multiply by a matrix");
        if (!isTransposed)
        {
            var turned = new float[values.Length];
            for (var row = 0; row < first; row++)
                for (var column = 0; column < second; column++) turned[column * first + row] = values[row * second + column];
            values = turned;
        }
        Operate(last, new Dense((int)(isTransposed ? first : second), bias is not null), [product.Input[0]]);
        Weigh(last.Output[0], (ParameterRole.DenseKernel, values));
        if (bias is not null) Weigh(last.Output[0], (ParameterRole.Bias, Floats(bias)));
    }

    private void Product(NodeProto node)
    {
        var (left, right) = (node.Input[0], node.Input[1]);
        // The factors may stand first.
        if (_shapes[left] is { IsMap: true, Height: 1, Width: 1 } && _shapes[right] is { IsMap: true } map && map.Height * map.Width > 1)
            (left, right) = (right, left);
        Operate(node, new Multiply(), [left, right]);
    }

    /// <summary>Times a number for each channel, and plus one if that follows.</summary>
    private void ScaleAndShift(NodeProto node)
    {
        var (value, constant) = IsConstant(node.Input[1]) ? (node.Input[0], node.Input[1]) : (node.Input[1], node.Input[0]);
        var channels = _shapes[value].Channels;
        var (scale, shift, last) = (PerChannel(constant), new float[channels], node);
        if (node.OpType == "Add")
        {
            (scale, shift) = ([.. Enumerable.Repeat(1f, channels)], scale);
        }
        else if (OnlyUser(node.Output[0]) is { OpType: "Add" } add && OtherInput(add, node.Output[0]) is { } other && IsConstant(other))
        {
            (shift, last) = (PerChannel(other), add);
        }
        Operate(last, new BatchNorm(0), [value]);
        Weigh(last.Output[0], (ParameterRole.Gamma, scale), (ParameterRole.Beta, shift),
            (ParameterRole.MovingMean, new float[channels]), (ParameterRole.MovingVariance, [.. Enumerable.Repeat(1f, channels)]));

        float[] PerChannel(string name)
        {
            var values = Floats(name);
            var dims = Tensor(name).Dims;
            var isMap = _shapes[value].IsMap;
            if (values.Length == 1) return [.. Enumerable.Repeat(values[0], channels)];
            // The channels stand third from the end in a map, last in a vector.
            return values.Length == channels && (isMap ? dims.Count >= 3 && dims[^3] == channels : dims[^1] == channels)
                ? values
                : throw new GraftException($"it has {values.Length} numbers for {channels} channels");
        }
    }

    /// <summary>x · f(x), where f(x) is used for nothing else.</summary>
    private NodeProto? ProductWith(NodeProto gate) =>
        OnlyUser(gate.Output[0]) is { OpType: "Mul" } product && OtherInput(product, gate.Output[0]) == gate.Input[0] ? product : null;

    private static bool IsSixth(NodeProto node) =>
        Math.Abs(Float(node, "alpha", 0.2f) - 1f / 6) < 1e-6 && Math.Abs(Float(node, "beta", 0.5f) - 0.5f) < 1e-6;

    /// <summary>The last node of x · (erf(x / √2) + 1) · ½, whichever factor comes first.</summary>
    private NodeProto? GeluAfter(NodeProto divided)
    {
        var x = divided.Input[0];
        if (!IsNumber(divided.Input[1], MathF.Sqrt(2)) || OnlyUser(divided.Output[0]) is not { OpType: "Erf" } erf
            || OnlyUser(erf.Output[0]) is not { OpType: "Add" } add || !IsNumber(OtherInput(add, erf.Output[0]), 1)
            || OnlyUser(add.Output[0]) is not { OpType: "Mul" } product) return null;
        var other = OtherInput(product, add.Output[0]);
        var last = other == x
            ? OnlyUser(product.Output[0]) is { OpType: "Mul" } half && IsNumber(OtherInput(half, product.Output[0]), 0.5f) ? half : null
            : other is not null && _producers.TryGetValue(other, out var halved) && halved.OpType == "Mul" && IsNumber(OtherInput(halved, x), 0.5f) ? product
            : null;
        if (last is not null) _parts.UnionWith([erf.Output[0], add.Output[0], product.Output[0]]);
        return last;
    }

    /// <summary>Averages over a grid of windows as Graft writes them: by a matrix for the columns, then one for the rows.</summary>
    private (NodeProto Last, Extent Windows)? AverageAfter(NodeProto columns)
    {
        if (!_shapes.TryGetValue(columns.Input[0], out var map) || !map.IsMap || !IsConstant(columns.Input[1]) || Tensor(columns.Input[1]).Dims is not [var width, var across]
            || OnlyUser(columns.Output[0]) is not { OpType: "MatMul" } rows || !IsConstant(rows.Input[0]) || Tensor(rows.Input[0]).Dims is not [var down, var height]
            || (height, width) != (map.Height, map.Width)) return null;
        var matrix = OnnxConversion.Windows(map.Width, (int)across);
        var turned = Enumerable.Range(0, (int)(width * across)).Select(index => matrix[index % (int)across * map.Width + index / (int)across]);
        return Floats(rows.Input[0]).SequenceEqual(OnnxConversion.Windows(map.Height, (int)down)) && Floats(columns.Input[1]).SequenceEqual(turned)
            ? (rows, ((int)down, (int)across))
            : null;
    }

    /// <summary>What makes a vector of a pooled map, if nothing else uses the map.</summary>
    private NodeProto? FlattenAfter(NodeProto node) =>
        OnlyUser(node.Output[0]) is { } user
        && ((user.OpType == "Flatten" && Int(user, "axis", 1) == 1) || user.OpType == "Squeeze"
            || (user.OpType == "Reshape" && user.Input[0] == node.Output[0] && IsConstant(user.Input[1]) && Longs(user.Input[1]).Length == 2))
            ? user : null;

    private void Operate(NodeProto node, Operation operation, IReadOnlyList<string> inputs)
    {
        var name = node.Output[0];
        if (inputs.FirstOrDefault(input => !_layers.ContainsKey(input)) is { } missing)
            throw new GraftException($"its input '{missing}' is not computed from the image");
        Define(name, _builder.Add(name, operation, [.. inputs.Select(input => _layers[input])]), operation.OutputShape([.. inputs.Select(input => _shapes[input])]));
    }

    private void Alias(string name, string input)
    {
        if (!_layers.TryGetValue(input, out var layer)) throw new GraftException($"its input '{input}' is not computed from the image");
        Define(name, layer, _shapes[input]);
    }

    private void Define(string tensor, Node layer, TensorShape shape) => (_layers[tensor], _shapes[tensor]) = (layer, shape);

    private void Weigh(string layer, params (ParameterRole Role, float[] Values)[] values)
    {
        foreach (var (role, numbers) in values) _weights.Add(new Parameter(layer, role, []).Key, numbers);
    }

    private NodeProto? OnlyUser(string tensor) => !_outputs.Contains(tensor) && _users[tensor].ToList() is [var user] ? user : null;

    private static string? OtherInput(NodeProto node, string one) =>
        node.Input.Count != 2 ? null : node.Input[0] == one ? node.Input[1] : node.Input[1] == one ? node.Input[0] : null;

    private bool IsConstant(string tensor) => _constants.ContainsKey(tensor);

    private bool IsNumber(string? tensor, float number) =>
        tensor is not null && IsConstant(tensor) && Floats(tensor) is [var value] && Math.Abs(value - number) < 1e-5f * Math.Abs(number);

    private TensorProto Tensor(string name) =>
        !_constants.TryGetValue(name, out var tensor) ? throw new GraftException($"its input '{name}' is no constant")
        : tensor.DataLocation == ExternalData ? throw new GraftException("its weights are in a file of their own")
        : tensor;

    private float[] Floats(string name)
    {
        var tensor = Tensor(name);
        if (tensor.DataType != (int)TensorProto.Types.DataType.Float) throw new GraftException($"'{name}' is not of float32");
        float[] values = tensor.FloatData.Count > 0 ? [.. tensor.FloatData] : MemoryMarshal.Cast<byte, float>(tensor.RawData.Span).ToArray();
        return values.Length == tensor.Dims.Aggregate(1L, (product, size) => product * size)
            ? values
            : throw new GraftException($"'{name}' has {values.Length} numbers, which is not what its shape says");
    }

    private long[] Longs(string name)
    {
        var tensor = Tensor(name);
        if (tensor.DataType != (int)TensorProto.Types.DataType.Int64) throw new GraftException($"'{name}' is not of int64");
        return tensor.Int64Data.Count > 0 ? [.. tensor.Int64Data] : MemoryMarshal.Cast<byte, long>(tensor.RawData.Span).ToArray();
    }

    private static AttributeProto? Attribute(NodeProto node, string name) => node.Attribute.FirstOrDefault(attribute => attribute.Name == name);

    private static long Int(NodeProto node, string name, long otherwise) => Attribute(node, name)?.I ?? otherwise;

    private static float Float(NodeProto node, string name, float otherwise) => Attribute(node, name)?.F ?? otherwise;

    private static long[]? Ints(NodeProto node, string name) => Attribute(node, name) is { } attribute ? [.. attribute.Ints] : null;

    /// <summary>A limit of Clip: an input since opset 11, an attribute before.</summary>
    private float? Bound(NodeProto node, int input, string name) =>
        node.Input.Count > input && node.Input[input].Length > 0 ? IsConstant(node.Input[input]) ? Floats(node.Input[input])[0] : null
        : Attribute(node, name)?.F;

    private bool IsZero(NodeProto pad) =>
        (Attribute(pad, "mode")?.S.ToStringUtf8() ?? "constant") == "constant"
        && (pad.Input.Count > 2 && pad.Input[2].Length > 0 ? IsNumberZero(pad.Input[2]) : Float(pad, "value", 0) == 0);

    private bool IsNumberZero(string tensor) => IsConstant(tensor) && Floats(tensor) is [0];

    private long[]? Pads(NodeProto pad) => pad.Input.Count > 1 ? Longs(pad.Input[1]) : Ints(pad, "pads");

    private static Extent StrideOf(NodeProto node) => Ints(node, "strides") is [var down, var across] ? ((int)down, (int)across) : 1;

    private static Padding PaddingOf(NodeProto node) => Attribute(node, "auto_pad")?.S.ToStringUtf8() switch
    {
        "SAME_UPPER" => Padding.Same,
        "SAME_LOWER" => Padding.SameOddFirst,
        "VALID" => Padding.None,
        _ when Ints(node, "pads") is [var top, var left, var bottom, var right] => new((int)top, (int)bottom, (int)left, (int)right),
        _ => Padding.None,
    };

    private static string TitleOf(NodeProto node) => node.Name.Length > 0 ? node.Name : node.Output.FirstOrDefault() ?? "";

    private sealed class ImportedWeights : IWeights
    {
        private readonly Dictionary<string, float[]> _values = new(StringComparer.Ordinal);

        public void Add(string key, float[] values) => _values[key] = values;

        public void Read(Parameter parameter, Span<float> destination) => _values[parameter.Key].CopyTo(destination);
    }
}
