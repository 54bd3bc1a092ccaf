namespace Graft.Networks.Onnx;

/// <summary>Turns a network's layers, one after the other, into the nodes and constants of an ONNX graph.</summary>
internal sealed partial class OnnxConversion(Network network, IWeights weights) : OnnxGraphWriter(network.Name)
{
    /// <summary>The tensor that holds a layer's output.</summary>
    private readonly Dictionary<string, string> _tensors = new(StringComparer.Ordinal);

    /// <summary>Padding that the convolution behind a padding layer does itself.</summary>
    private readonly Dictionary<string, Padding> _paddings = new(StringComparer.Ordinal);

    private readonly ILookup<string, Layer> _consumers = network.Layers
        .SelectMany(layer => layer.Inputs.Select(input => (input, layer))).ToLookup(pair => pair.input, pair => pair.layer, StringComparer.Ordinal);

    public ModelProto Convert()
    {
        var input = network.Layers[0];
        _tensors[input.Name] = input.Name;
        Graph.Input.Add(Value(input.Name, network.InputShape));
        foreach (var layer in network.Layers.Skip(1))
            if (!_tensors.ContainsKey(layer.Name)) _tensors[layer.Name] = Convert(layer);
        if (_tensors[network.Output.Name] != network.Output.Name)
            Node("Identity", network.Output.Name, [_tensors[network.Output.Name]]);
        Graph.Output.Add(Value(network.Output.Name, network.OutputShape));
        return new()
        {
            IrVersion = OnnxModel.IrVersion,
            ProducerName = "Graft",
            OpsetImport = { new OperatorSetIdProto { Version = OnnxModel.Opset } },
            Graph = Graph,
        };
    }

    /// <summary>Adds a layer's nodes; returns the tensor that holds its output.</summary>
    private string Convert(Layer layer)
    {
        var name = layer.Name;
        var x = _tensors[layer.Inputs[0]];
        var shape = network.ShapeOf(layer.Inputs[0]);
        switch (layer.Operation)
        {
            case Convolution op:
                return Convolve(layer, op, x, shape);
            case SeparableConvolution op:
                var depthwise = Convolution($"{name}/depthwise", x, Read(layer, ParameterRole.DepthwiseKernel), null,
                    [shape.Channels, 1, op.Kernel.Height, op.Kernel.Width], 1, Padding.Same.Resolve(shape.Height, shape.Width, op.Kernel, 1),
                    shape.Channels);
                var (pointwise, shift, separable) = Folded(layer, Read(layer, ParameterRole.PointwiseKernel), null);
                return Convolution(separable, depthwise, pointwise, shift, [op.Filters, shape.Channels, 1, 1], 1, default);
            case Dense op:
                return Activated(op.Activation, layer, output => Linear(output, x, layer, shape, op.Units, op.Bias));
            case PointwiseDense op:
                return Linear(null, x, layer, shape, op.Units, op.Bias);
            case BatchNorm or LayerScale:
                var (scale, offset) = Affine(layer, shape.Channels);
                var scaled = Node("Mul", offset is null ? name : $"{name}/scaled", [x, PerChannel($"{name}/scale", scale, shape)]);
                return offset is null ? scaled : Node("Add", name, [scaled, PerChannel($"{name}/offset", offset, shape)]);
            case Activation op:
                return Activate(name, x, op.Function);
            case LayerNorm op:
                string[] parameters =
                [
                    Constant($"{name}/gamma", Read(layer, ParameterRole.Gamma), [shape.Channels]),
                    Constant($"{name}/beta", Read(layer, ParameterRole.Beta), [shape.Channels]),
                ];
                if (!shape.IsMap) return Node("LayerNormalization", name, [x, .. parameters], Of("axis", -1), Of("epsilon", (float)op.Epsilon));
                var last = Node("Transpose", $"{name}/channels_last", [x], Of("perm", [0, 2, 3, 1]));
                var normal = Node(
                    "LayerNormalization", $"{name}/normal", [last, .. parameters], Of("axis", -1), Of("epsilon", (float)op.Epsilon));
                return Node("Transpose", name, [normal], Of("perm", [0, 3, 1, 2]));
            case Pool op:
                return Slide(name, x, op, op.Padding.Resolve(shape.Height, shape.Width, op.Kernel, op.Stride));
            case GlobalPool op:
                var pooled = Node(
                    op.Function == PoolFunction.Average ? "GlobalAveragePool" : "GlobalMaxPool", $"{name}/map", [x]);
                return Node("Flatten", name, [pooled], Of("axis", 1));
            case AdaptiveAveragePool op:
                return Average(name, x, shape, op.Size);
            case ZeroPadding op:
                return Surround(layer, x, op.Padding);
            case SamePadding op:
                return Surround(layer, x, op.Resolve(shape).Padding);
            case Flatten op:
                if (op.Order == AxisOrder.ChannelsLast && shape.IsMap)
                    x = Node("Transpose", $"{name}/channels_last", [x], Of("perm", [0, 2, 3, 1]));
                return Node("Flatten", name, [x], Of("axis", 1));
            case Reshape op:
                return Node("Reshape", name, [x, Constant($"{name}/shape", [0, .. op.Shape.Select(size => (long)size)])]);
            case Dropout:
                return x;
            case Add:
                return Node("Sum", name, Inputs(layer));
            case Multiply:
                return Node("Mul", name, Inputs(layer));
            case Concatenate:
                return Node("Concat", name, Inputs(layer), Of("axis", 1));
            case ClassToken:
                return PrependToken(layer, x, shape);
            case PositionEmbedding op:
                var map = network.ShapeOf(layer.Inputs[1]);
                var places = TorchNetwork.Resampled(Read(layer, ParameterRole.Embedding), op.Grid, map.Height, map.Width, shape.Channels);
                return Node("Add", name, [x, Constant($"{name}/places", places, [1, shape.Sizes[0], shape.Channels])]);
            case SelfAttention op:
                return Attend(name, x, network.ShapeOf(name), op.Heads);
            case GaussianBayes op:
                return JointLogLikelihoods(layer, op, x);
            case NeighborVotes op:
                return LogShares(layer, op, x, shape);
            case RbfMachine op:
                return CoupledLogProbabilities(layer, op, x, shape);
            case FirstToken:
                return Node("Gather", name, [x, Constant("constant/first", 0)], Of("axis", 1));
            default:
                throw new GraftException($"Layer '{name}' of network '{network.Name}' ({layer.Operation.Kind}) has no counterpart in ONNX.");
        }
    }

    private string[] Inputs(Layer layer) => [.. layer.Inputs.Select(input => _tensors[input])];

    private string Convolve(Layer layer, Convolution op, string x, TensorShape shape)
    {
        var padding = op.Padding.Resolve(shape.Height, shape.Width, op.Kernel, op.Stride);
        if (_paddings.TryGetValue(layer.Inputs[0], out var before))
        {
            padding = new(padding.Top + before.Top, padding.Bottom + before.Bottom, padding.Left + before.Left, padding.Right + before.Right);
        }
        return Activated(op.Activation, layer, output =>
        {
            var kernel = Read(layer, op.Groups > 1 && op.Groups == shape.Channels ? ParameterRole.DepthwiseKernel : ParameterRole.Kernel);
            var (folded, bias, name) = Folded(layer, kernel, op.Bias ? Read(layer, ParameterRole.Bias) : null);
            return Convolution(
                output ?? name, x, folded, bias, [op.Filters, shape.Channels / op.Groups, op.Kernel.Height, op.Kernel.Width], op.Stride, padding,
                op.Groups);
        });
    }

    private string Convolution(
        string output, string x, float[] kernel, float[]? bias, int[] shape, Extent stride, Padding padding, int groups = 1)
    {
        string[] inputs = [x, Constant($"{output}/kernel", kernel, shape)];
        if (bias is not null) inputs = [.. inputs, Constant($"{output}/bias", bias, [bias.Length])];
        return Node(
            "Conv", output, inputs, Of("kernel_shape", [shape[2], shape[3]]), Of("strides", [stride.Height, stride.Width]),
            Of("pads", [padding.Top, padding.Left, padding.Bottom, padding.Right]), Of("group", groups));
    }

    /// <summary>A dense layer over the channels of a vector, of each token, or at each position of a map.</summary>
    private string Linear(string? output, string x, Layer layer, TensorShape shape, int units, bool hasBias)
    {
        var (kernel, bias, name) = Folded(layer, Read(layer, ParameterRole.DenseKernel), hasBias ? Read(layer, ParameterRole.Bias) : null);
        output ??= name;
        if (shape.IsMap) return Convolution(output, x, kernel, bias, [units, shape.Channels, 1, 1], 1, default);
        if (shape.IsVector)
        {
            string[] inputs = [x, Constant($"{output}/kernel", kernel, [units, shape.Channels])];
            if (bias is not null) inputs = [.. inputs, Constant($"{output}/bias", bias, [units])];
            return Node("Gemm", output, inputs, Of("transB", 1));
        }
        var transposed = new float[kernel.Length];
        for (var unit = 0; unit < units; unit++)
            for (var channel = 0; channel < shape.Channels; channel++)
                transposed[channel * units + unit] = kernel[unit * shape.Channels + channel];
        var product = Node(
            "MatMul", bias is null ? output : $"{output}/product", [x, Constant($"{output}/kernel", transposed, [shape.Channels, units])]);
        return bias is null ? product : Node("Add", output, [Constant($"{output}/bias", bias, [units]), product]);
    }

    /// <summary>
    /// The weights of a linear layer with the normalisations and scales that follow it alone multiplied in, and the last of those layers: its
    /// output is what the weights give.
    /// </summary>
    private (float[] Kernel, float[]? Bias, string Name) Folded(Layer layer, float[] kernel, float[]? bias)
    {
        var last = layer;
        while (last.Operation is not (Convolution { Activation: not null } or Dense { Activation: not null })
               && last != network.Output
               && _consumers[last.Name].ToList() is [{ Operation: BatchNorm or LayerScale } next])
        {
            var channels = network.ShapeOf(next.Name).Channels;
            var (scale, offset) = Affine(next, channels);
            var perChannel = kernel.Length / channels;
            kernel = [.. kernel.Select((value, index) => (float)(value * scale[index / perChannel]))];
            if (bias is not null || offset is not null)
            {
                bias = [.. scale.Select((factor, index) =>
                    (float)((bias is null ? 0 : bias[index] * factor) + (offset is null ? 0 : offset[index])))];
            }
            last = next;
            // Whoever reads the folded layer finds the output under the last name; nobody reads those between.
            _tensors[last.Name] = last.Name;
        }
        return (kernel, bias, last.Name);
    }

    /// <summary>What a normalisation with fixed statistics, or a layer scale, does to each channel: times scale, plus offset.</summary>
    private (double[] Scale, double[]? Offset) Affine(Layer layer, int channels)
    {
        if (layer.Operation is not BatchNorm op)
            return ([.. Read(layer, ParameterRole.LayerScale).Select(value => (double)value)], null);
        var (mean, variance, beta) = (Read(layer, ParameterRole.MovingMean), Read(layer, ParameterRole.MovingVariance), Read(layer, ParameterRole.Beta));
        var gamma = op.Scale ? Read(layer, ParameterRole.Gamma) : null;
        var scale = new double[channels];
        var offset = new double[channels];
        for (var channel = 0; channel < channels; channel++)
        {
            scale[channel] = (gamma?[channel] ?? 1) / Math.Sqrt(variance[channel] + op.Epsilon);
            offset[channel] = beta[channel] - mean[channel] * scale[channel];
        }
        return (scale, offset);
    }

    /// <summary>Adds a linear layer with the activation that is part of it, if any.</summary>
    private string Activated(ActivationFunction? function, Layer layer, Func<string?, string> linear) =>
        function is null ? linear(null) : Activate(layer.Name, linear($"{layer.Name}/linear"), function.Value);

    private string Activate(string name, string x, ActivationFunction function)
    {
        switch (function)
        {
            case ActivationFunction.Relu6:
                return Node("Clip", name, [x, Scalar(0), Scalar(6)]);
            case ActivationFunction.Silu:
                return Node("Mul", name, [x, Node("Sigmoid", $"{name}/sigmoid", [x])]);
            case ActivationFunction.Gelu:
                var scaled = Node("Div", $"{name}/scaled", [x, Scalar(MathF.Sqrt(2))]);
                var shifted = Node("Add", $"{name}/shifted", [Node("Erf", $"{name}/erf", [scaled]), Scalar(1)]);
                return Node("Mul", name, [Node("Mul", $"{name}/double", [x, shifted]), Scalar(0.5f)]);
            case ActivationFunction.HardSigmoid:
                return Node("HardSigmoid", name, [x], Of("alpha", 1f / 6), Of("beta", 0.5f));
            case ActivationFunction.Softmax:
                return Node("Softmax", name, [x], Of("axis", 1));
            default:
                return Node($"{function}", name, [x]); // Relu, Sigmoid and HardSwish have the same name there.
        }
    }

    private string Slide(string name, string x, Pool op, Padding padding)
    {
        List<AttributeProto> attributes =
        [
            Of("kernel_shape", [op.Kernel.Height, op.Kernel.Width]),
            Of("strides", [op.Stride.Height, op.Stride.Width]),
            Of("pads", [padding.Top, padding.Left, padding.Bottom, padding.Right]),
            Of("ceil_mode", op.RoundUp ? 1 : 0),
        ];
        if (op.Function == PoolFunction.Average) attributes.Add(Of("count_include_pad", op.CountPadding ? 1 : 0));
        return Node($"{op.Function}Pool", name, [x], [.. attributes]);
    }

    /// <summary>Means over windows that start at ⌊i · size / count⌋ and end at ⌈(i + 1) · size / count⌉, as PyTorch's adaptive pooling.</summary>
    private string Average(string name, string x, TensorShape shape, Extent size)
    {
        if (shape.Height == size.Height && shape.Width == size.Width) return x;
        var rows = Constant($"{name}/rows", Windows(shape.Height, size.Height), [size.Height, shape.Height]);
        var transposed = new float[shape.Width * size.Width];
        var columns = Windows(shape.Width, size.Width);
        for (var window = 0; window < size.Width; window++)
            for (var column = 0; column < shape.Width; column++)
                transposed[column * size.Width + window] = columns[window * shape.Width + column];
        var narrow = Node("MatMul", $"{name}/narrow", [x, Constant($"{name}/columns", transposed, [shape.Width, size.Width])]);
        return Node("MatMul", name, [rows, narrow]);

        static float[] Windows(int size, int count)
        {
            var weights = new float[count * size];
            for (var window = 0; window < count; window++)
            {
                var (start, end) = (window * size / count, ((window + 1) * size + count - 1) / count);
                weights.AsSpan(window * size + start, end - start).Fill(1f / (end - start));
            }
            return weights;
        }
    }

    private string Surround(Layer layer, string x, Padding padding)
    {
        if (layer != network.Output && _consumers[layer.Name].ToList() is [{ Operation: Convolution { Padding.IsSame: false } }])
        {
            _paddings[layer.Name] = padding;
            return x;
        }
        long[] pads = [0, 0, padding.Top, padding.Left, 0, 0, padding.Bottom, padding.Right];
        return Node("Pad", layer.Name, [x, Constant($"{layer.Name}/pads", pads)]);
    }

    /// <summary>[N, channels, height, width] → [N, 1 + height · width, channels]: a row of zeros in front, to which the token is added.</summary>
    private string PrependToken(Layer layer, string x, TensorShape shape)
    {
        var (name, positions) = (layer.Name, shape.Height * shape.Width);
        var flat = Node("Reshape", $"{name}/flat", [x, Constant($"{name}/shape", [0, shape.Channels, positions])]);
        var tokens = Node("Transpose", $"{name}/tokens", [flat], Of("perm", [0, 2, 1]));
        var padded = Node("Pad", $"{name}/padded", [tokens, Constant($"{name}/pads", [0, 1, 0, 0, 0, 0])]);
        var token = new float[(1 + positions) * shape.Channels];
        Read(layer, ParameterRole.Embedding).CopyTo(token, 0);
        return Node("Add", name, [padded, Constant($"{name}/token", token, [1, 1 + positions, shape.Channels])]);
    }

    private string Attend(string name, string x, TensorShape output, int heads)
    {
        var (tokens, width) = (output.Sizes[0], output.Channels / heads);
        var parts = Node("Reshape", $"{name}/parts", [x, Constant($"{name}/shape", [0, tokens, 3, heads, width])]);
        var split = Node("Transpose", $"{name}/split", [parts], Of("perm", [2, 0, 3, 1, 4])); // [3, N, heads, tokens, width]
        string Part(string part, long index) => Node("Gather", $"{name}/{part}", [split, Constant($"{name}/{part}_index", index)], Of("axis", 0));
        var query = Node("Mul", $"{name}/scaled", [Part("query", 0), Scalar(1 / MathF.Sqrt(width))]);
        var key = Node("Transpose", $"{name}/keys", [Part("key", 1)], Of("perm", [0, 1, 3, 2]));
        var shares = Node("Softmax", $"{name}/shares", [Node("MatMul", $"{name}/products", [query, key])], Of("axis", -1));
        var attended = Node("MatMul", $"{name}/attended", [shares, Part("value", 2)]);
        var sideBySide = Node("Transpose", $"{name}/side_by_side", [attended], Of("perm", [0, 2, 1, 3]));
        return Node("Reshape", name, [sideBySide, Constant($"{name}/output_shape", [0, tokens, output.Channels])]);
    }

    private float[] Read(Layer layer, ParameterRole role)
    {
        var parameter = layer.Operation.Parameters(layer.Name, network.InputShapes(layer)).Single(candidate => candidate.Role == role);
        var values = new float[parameter.ElementCount];
        weights.Read(parameter, values);
        return values;
    }

    private string PerChannel(string name, double[] values, TensorShape shape) =>
        Constant(name, [.. values.Select(value => (float)value)], shape.IsMap ? [values.Length, 1, 1] : [values.Length]);

    private static ValueInfoProto Value(string name, TensorShape shape)
    {
        var dimensions = new TensorShapeProto { Dim = { new TensorShapeProto.Types.Dimension { DimParam = "N" } } };
        dimensions.Dim.AddRange(shape.Sizes.Select(size => new TensorShapeProto.Types.Dimension { DimValue = size }));
        return new()
        {
            Name = name,
            Type = new() { TensorType = new() { ElemType = (int)TensorProto.Types.DataType.Float, Shape = dimensions } },
        };
    }
}
