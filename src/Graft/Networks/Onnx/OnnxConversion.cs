namespace Graft.Networks.Onnx;

/// <summary>Turns a network's layers, one after the other, into the nodes and constants of an ONNX graph.</summary>
internal sealed partial class OnnxConversion(Network network, IWeights weights) : OnnxGraphWriter(network.Name), IOperationVisitor<string>
{
    /// <summary>The tensor that holds a layer's output.</summary>
    private readonly Dictionary<string, string> _tensors = new(StringComparer.Ordinal);

    /// <summary>Padding that the convolution after a padding layer does itself.</summary>
    private readonly Dictionary<string, Padding> _paddings = new(StringComparer.Ordinal);


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
        _layer = layer;
        return layer.Operation.Accept(this);
    }

    /// <summary>The layer whose nodes are being added, its name, first input and that one's shape.</summary>
    private Layer _layer = network.Layers[0];

    private string Name => _layer.Name;

    private string X => _tensors[_layer.Inputs[0]];

    private TensorShape Shape => network.ShapeOf(_layer.Inputs[0]);

    string IOperationVisitor<string>.Visit(Input operation) => throw new InvalidOperationException("Only the first layer is an input.");

    string IOperationVisitor<string>.Visit(Convolution operation) => Convolve(_layer, operation, X, Shape);

    string IOperationVisitor<string>.Visit(SeparableConvolution operation)
    {
        var (kernel, channels) = (operation.Kernel, Shape.Channels);
        var first = operation.Depthwise(channels);
        var depthwise = Convolution(
            $"{Name}/depthwise", X, Read(_layer, ParameterRole.DepthwiseKernel), null, [channels, 1, kernel.Height, kernel.Width], first.Stride,
            first.Padding.Resolve(Shape.Height, Shape.Width, kernel, first.Stride), channels);
        var (pointwise, shift, output) = Folded(_layer, Read(_layer, ParameterRole.PointwiseKernel), null);
        return Convolution(output, depthwise, pointwise, shift, [operation.Filters, channels, 1, 1], 1, default);
    }

    string IOperationVisitor<string>.Visit(Dense operation) =>
        Activated(operation.Activation, _layer, output => Linear(output, X, _layer, Shape, operation.Units, operation.Bias));

    string IOperationVisitor<string>.Visit(PointwiseDense operation) => Linear(null, X, _layer, Shape, operation.Units, operation.Bias);

    string IOperationVisitor<string>.Visit(BatchNorm operation) => ScaleAndShift();

    string IOperationVisitor<string>.Visit(LayerScale operation) => ScaleAndShift();

    private string ScaleAndShift()
    {
        var (scale, offset) = Affine(_layer, Shape.Channels);
        var scaled = Node("Mul", offset is null ? Name : $"{Name}/scaled", [X, PerChannel($"{Name}/scale", scale, Shape)]);
        return offset is null ? scaled : Node("Add", Name, [scaled, PerChannel($"{Name}/offset", offset, Shape)]);
    }

    string IOperationVisitor<string>.Visit(Scaling operation) => Node("Mul", Name, [X, Scalar((float)operation.Factor)]);

    string IOperationVisitor<string>.Visit(Activation operation) => Activate(Name, X, operation.Function);

    string IOperationVisitor<string>.Visit(LayerNorm operation)
    {
        string[] parameters =
        [
            Constant($"{Name}/gamma", Read(_layer, ParameterRole.Gamma), [Shape.Channels]),
            Constant($"{Name}/beta", Read(_layer, ParameterRole.Beta), [Shape.Channels]),
        ];
        var epsilon = Of("epsilon", (float)operation.Epsilon);
        if (!Shape.IsMap) return Node("LayerNormalization", Name, [X, .. parameters], Of("axis", -1), epsilon);
        var last = Node("Transpose", $"{Name}/channels_last", [X], Of("perm", [0, 2, 3, 1]));
        var normal = Node("LayerNormalization", $"{Name}/normal", [last, .. parameters], Of("axis", -1), epsilon);
        return Node("Transpose", Name, [normal], Of("perm", [0, 3, 1, 2]));
    }

    string IOperationVisitor<string>.Visit(Pool operation) =>
        Slide(Name, X, operation, operation.Padding.Resolve(Shape.Height, Shape.Width, operation.Kernel, operation.Stride));

    string IOperationVisitor<string>.Visit(GlobalPool operation)
    {
        var pooled = Node(operation.Function == PoolFunction.Average ? "GlobalAveragePool" : "GlobalMaxPool", $"{Name}/map", [X]);
        return Node("Flatten", Name, [pooled], Of("axis", 1));
    }

    string IOperationVisitor<string>.Visit(AdaptiveAveragePool operation) => Average(Name, X, Shape, operation.Size);

    string IOperationVisitor<string>.Visit(ZeroPadding operation) => Surround(_layer, X, operation.Padding);

    string IOperationVisitor<string>.Visit(SamePadding operation) => Surround(_layer, X, operation.Resolve(Shape).Padding);

    string IOperationVisitor<string>.Visit(Flatten operation)
    {
        var x = operation.Order == AxisOrder.ChannelsLast && Shape.IsMap
            ? Node("Transpose", $"{Name}/channels_last", [X], Of("perm", [0, 2, 3, 1]))
            : X;
        return Node("Flatten", Name, [x], Of("axis", 1));
    }

    string IOperationVisitor<string>.Visit(Reshape operation) =>
        Node("Reshape", Name, [X, Constant($"{Name}/shape", [0, .. operation.Shape.Select(size => (long)size)])]);

    string IOperationVisitor<string>.Visit(Dropout operation) => X;

    string IOperationVisitor<string>.Visit(Add operation) => Node("Sum", Name, Inputs(_layer));

    string IOperationVisitor<string>.Visit(Multiply operation) => Node("Mul", Name, Inputs(_layer));

    string IOperationVisitor<string>.Visit(Concatenate operation) => Node("Concat", Name, Inputs(_layer), Of("axis", 1));

    string IOperationVisitor<string>.Visit(ClassToken operation) => PrependToken(_layer, X, Shape);

    string IOperationVisitor<string>.Visit(MapTokens operation) => Tokens(Name, X, Shape);

    string IOperationVisitor<string>.Visit(TokensMap operation)
    {
        var channels = Node("Transpose", $"{Name}/channels", [X], Of("perm", [0, 2, 1]));
        return Node("Reshape", Name, [channels, Constant($"{Name}/shape", [0L, Shape.Channels, operation.Size.Height, operation.Size.Width])]);
    }

    string IOperationVisitor<string>.Visit(PositionEmbedding operation)
    {
        var map = network.ShapeOf(_layer.Inputs[1]);
        var places = TorchOperation.Resampled(Read(_layer, ParameterRole.Embedding), operation.Grid, map.Height, map.Width, Shape.Channels);
        return Node("Add", Name, [X, Constant($"{Name}/places", places, [1, Shape.Sizes[0], Shape.Channels])]);
    }

    string IOperationVisitor<string>.Visit(SelfAttention operation) => Attend(Name, X, network.ShapeOf(Name), operation.Heads);

    string IOperationVisitor<string>.Visit(ProbeAttention operation) => AttendToTheRest(Name, X, Shape, operation.Heads);

    string IOperationVisitor<string>.Visit(FirstToken operation) => Node("Gather", Name, [X, Constant("constant/first", 0)], Of("axis", 1));

    string IOperationVisitor<string>.Visit(TokenMean operation) => Node("ReduceMean", Name, [X], Of("axes", [1]), Of("keepdims", 0));

    string IOperationVisitor<string>.Visit(PatchMerging operation)
    {
        var x = Shape.Height % 2 + Shape.Width % 2 == 0
            ? X
            : Node("Pad", $"{Name}/even", [X, Constant($"{Name}/pads", [0L, 0, 0, 0, 0, 0, Shape.Height % 2, Shape.Width % 2])]);
        var (axes, steps) = (Constant($"{Name}/axes", [2L, 3]), Constant($"{Name}/steps", [2L, 2]));
        var ends = Constant($"{Name}/ends", [Shape.Height + Shape.Height % 2, (long)Shape.Width + Shape.Width % 2]);
        return Node("Concat", Name, [Window(0, 0), Window(1, 0), Window(0, 1), Window(1, 1)], Of("axis", 1));

        string Window(long row, long column) =>
            Node("Slice", $"{Name}/{row}_{column}", [x, Constant($"{Name}/{row}_{column}/start", [row, column]), ends, axes, steps]);
    }

    string IOperationVisitor<string>.Visit(WindowPadding operation) =>
        operation.Resolve(Shape).Padding is var padding && padding == Padding.None ? X : Surround(_layer, X, padding);

    string IOperationVisitor<string>.Visit(WindowAttention operation) => AttendInWindows(Name, X, Shape, operation, network.ShapeOf(Name));

    string IOperationVisitor<string>.Visit(ChannelSlice operation) => Node(
        "Slice", Name,
        [X, Constant($"{Name}/start", [(long)operation.First]), Constant($"{Name}/end", [(long)operation.First + operation.Count]), Constant($"{Name}/axis", [1L])]);

    string IOperationVisitor<string>.Visit(ChannelShuffle operation)
    {
        var groups = Node("Reshape", $"{Name}/groups", [X, Constant(
            $"{Name}/groups_shape", [0L, operation.Groups, Shape.Channels / operation.Groups, Shape.Height, Shape.Width])]);
        var dealt = Node("Transpose", $"{Name}/dealt", [groups], Of("perm", [0, 2, 1, 3, 4]));
        return Node("Reshape", Name, [dealt, Constant($"{Name}/shape", [0L, Shape.Channels, Shape.Height, Shape.Width])]);
    }

    string IOperationVisitor<string>.Visit(AffineTransform operation)
    {
        var (center, factors, shift) = (Read(_layer, ParameterRole.Center), Read(_layer, ParameterRole.Factors), Read(_layer, ParameterRole.Shift));
        var centered = Node("Sub", $"{Name}/centered", [X, Constant($"{Name}/center", center, [center.Length])]);
        var offset = Constant($"{Name}/shift", shift, [shift.Length]);
        if (!operation.IsDiagonal)
            return Node("Gemm", Name, [centered, Constant($"{Name}/factors", factors, [shift.Length, center.Length]), offset], Of("transB", 1));
        var scaled = Node("Mul", $"{Name}/scaled", [centered, Constant($"{Name}/factors", factors, [factors.Length])]);
        return Node("Add", Name, [scaled, offset]);
    }

    string IOperationVisitor<string>.Visit(OnnxGraph operation) => throw NoCounterpart();

    string IOperationVisitor<string>.Visit(GaussianBayes operation) => JointLogLikelihoods(_layer, operation, X);

    string IOperationVisitor<string>.Visit(NeighborVotes operation) => LogShares(_layer, operation, X, Shape);

    string IOperationVisitor<string>.Visit(NormalizedClassMeans operation) => DistancesOnTheSphere(_layer, X, Shape);

    string IOperationVisitor<string>.Visit(RbfMachine operation) => CoupledLogProbabilities(_layer, operation, X, Shape);

    string IOperationVisitor<string>.Visit(SoftmaxVotes operation) => WeighedSoftmaxes(_layer, operation, X, Shape);

    string IOperationVisitor<string>.Visit(UnitLength operation)
    {
        var squares = Node("ReduceSum", $"{Name}/square", [Node("Mul", $"{Name}/squares", [X, X]), Constant("constant/axis_1", [1])], Of("keepdims", 1));
        var length = Node("Max", $"{Name}/length", [Node("Sqrt", $"{Name}/root", [squares]), Constant($"{Name}/least", [UnitLength.Least], [])]);
        return Node("Div", Name, [X, length]);
    }

    private GraftException NoCounterpart() =>
        new($"Layer '{Name}' of network '{network.Name}' ({_layer.Operation.Kind}) has no counterpart in ONNX.");

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
    /// The weights of a linear layer with the normalizations and scales that follow it alone multiplied in, and the last of those layers: its
    /// output is what the weights give.
    /// </summary>
    private (float[] Kernel, float[]? Bias, string Name) Folded(Layer layer, float[] kernel, float[]? bias)
    {
        var last = layer;
        foreach (var index in FoldableLayers.After(network, network.IndexOf(layer.Name)))
        {
            var next = network.Layers[index];
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

    /// <summary>What a normalization with fixed statistics, or a layer scale, does to each channel: times scale, plus offset.</summary>
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
            case ActivationFunction.GeluTanh:
                var cube = Node("Mul", $"{name}/cube", [Node("Mul", $"{name}/square", [x, x]), x]);
                var bent = Node("Add", $"{name}/bent", [x, Node("Mul", $"{name}/cubic", [cube, Scalar(0.044715f)])]);
                var tanh = Node("Tanh", $"{name}/tanh", [Node("Mul", $"{name}/inner", [bent, Scalar(MathF.Sqrt(2 / MathF.PI))])]);
                var raised = Node("Add", $"{name}/raised", [tanh, Scalar(1)]);
                return Node("Mul", name, [Node("Mul", $"{name}/double", [x, raised]), Scalar(0.5f)]);
            case ActivationFunction.QuickGelu:
                return Node("Mul", name, [x, Node("Sigmoid", $"{name}/gate", [Node("Mul", $"{name}/scaled", [x, Scalar(1.702f)])])]);
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
    }

    /// <summary>[count, size]: each row averages over one of the windows that cover a row or column, as even as they can be.</summary>
    internal static float[] Windows(int size, int count)
    {
        var weights = new float[count * size];
        for (var window = 0; window < count; window++)
        {
            var (start, end) = (window * size / count, ((window + 1) * size + count - 1) / count);
            weights.AsSpan(window * size + start, end - start).Fill(1f / (end - start));
        }
        return weights;
    }

    private string Surround(Layer layer, string x, Padding padding)
    {
        if (network.Uses.OnlyUser(network.IndexOf(layer.Name)) is { } user
            && network.Layers[user].Operation is Convolution { Padding.IsSame: false } && padding is { Bottom: >= 0, Right: >= 0 })
        {
            _paddings[layer.Name] = padding;
            return x;
        }
        long[] pads = [0, 0, padding.Top, padding.Left, 0, 0, padding.Bottom, padding.Right];
        if (!MayBeTakenForMinusInfinity(layer)) return Node("Pad", layer.Name, [x, Constant($"{layer.Name}/pads", pads)]);
        var axis = Constant("constant/axis_1", [1L]);
        var padded = Node(
            "Pad", $"{layer.Name}/padded",
            [Node("Unsqueeze", $"{layer.Name}/unsqueezed", [x, axis]), Constant($"{layer.Name}/pads", [0, 0, 0, padding.Top, padding.Left, 0, 0, 0, padding.Bottom, padding.Right])]);
        return Node("Squeeze", layer.Name, [padded, axis]);
    }

    /// <summary>
    /// ONNX Runtime moves padding into a max pooling after it, where it is never the maximum: wrong where all values in a window are below 0, and right
    /// after a ReLU. A Pad over five axes stays as it is.
    /// </summary>
    private bool MayBeTakenForMinusInfinity(Layer padding) =>
        network[padding.Inputs[0]].Operation is not Activation { Function: ActivationFunction.Relu or ActivationFunction.Relu6 }
        && network.Uses.Users(network.IndexOf(padding.Name)).Any(user => network.Layers[user].Operation is Pool { Function: PoolFunction.Max });

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
