using static Graft.Networks.Onnx.Import.OnnxSource;

namespace Graft.Networks.Onnx.Import;

/// <content>Nodes that are layers.</content>
internal sealed partial class OnnxNodes
{
    private void TakeLayer(NodeProto node)
    {
        var name = node.Output[0];
        switch (node.OpType)
        {
            case "Conv":
                Convolve(node);
                break;
            case "BatchNormalization":
                Normalize(node);
                break;
            case "LayerNormalization":
                NormalizeChannels(node);
                break;
            case "ReduceMean" when OnnxPatterns.LayerNormAt(_source, node) is { } norm:
                NormalizeChannels(norm);
                break;
            case "LpNormalization" when Int(node, "p", 2) == 2:
                _tensors[name] = this[node.Input[0]].Normalized(name, (int)Int(node, "axis", -1));
                break;
            case "ReduceL2" when OnnxPatterns.DirectionsAt(_source, node) is var (parts, directions, axis):
                _tensors[directions] = this[node.Input[0]].Normalized(directions, axis);
                _parts.UnionWith(parts);
                break;
            case "MaxPool" or "AveragePool":
                Slide(node);
                break;
            case "GlobalAveragePool":
                Define(node, new AdaptiveAveragePool(1), _layers.Map(this[node.Input[0]]));
                break;
            case "GlobalMaxPool":
                Define(node, new GlobalPool(PoolFunction.Max), _layers.Map(this[node.Input[0]]));
                _tensors[name] = _tensors[name].Reshaped(name, [1, _tensors[name].Shape.Channels, 1, 1]);
                break;
            case "ReduceMean":
                Average(node);
                break;
            case "Gemm" when Int(node, "transA", 0) == 0:
                var shift = HasInput(node, 2) ? _source.Floats(node.Input[2]).Select(value => value * Float(node, "beta", 1)).ToArray() : null;
                Multiply(node, node, Int(node, "transB", 0) == 1, shift, Float(node, "alpha", 1));
                break;
            case "MatMul":
                MultiplyMatrices(node);
                break;
            case "Softmax" when _attention.Has(Known(node.Input[0])):
                _attention.Softmax(name, Known(node.Input[0]), Int(node, "axis", -1));
                break;
            case "Mul" or "Div" when node.Input.FirstOrDefault(input => _attention.Has(Known(input))) is { } product && _source.Number(OtherInput(node, product)) is { } number:
                _attention.Scale(name, Known(product), node.OpType == "Mul" ? number : 1 / number);
                break;
            case "Mul" when node.Input.FirstOrDefault(input => _attention.Has(Known(input))) is { } ofHeads && OtherInput(node, ofHeads) is { } factors && _source.IsConstant(factors):
                _attention.ScaleHeads(name, Known(ofHeads), _source.Floats(factors), _source.Sizes(factors));
                break;
            case "Add" when node.Input.FirstOrDefault(input => _attention.Has(Known(input))) is { } products && OtherInput(node, products) is { } bias && _source.IsConstant(bias):
                _attention.Add(name, Known(products), _source.Floats(bias), _source.Sizes(bias));
                break;
            case "Reshape" when _attention.Has(Known(node.Input[0])):
                _attention.Reshape(name, Known(node.Input[0]), _source.Longs(node.Input[1]));
                break;
            case "Softmax" when this[node.Input[0]] is { } input && input.Count == input.Shape.Channels:
                Define(node, new Activation(ActivationFunction.Softmax), _layers.Laid(input, TensorShape.Vector(input.Count)));
                break;
            case "Add" or "Sum" when !node.Input.Any(_source.IsConstant):
                Sum(node);
                break;
            case "Mul" when !node.Input.Any(_source.IsConstant):
                Gate(node);
                break;
            case "Mul" or "Add" or "Sub" or "Div" when node.Input.Count == 2 && node.Input.Any(_source.IsConstant):
                ScaleAndShift(node);
                break;
            case "Concat":
                Concatenate(node);
                break;
            case "Pad":
                Surround(node);
                break;
            default:
                if (!Move(node)) throw new GraftException("Graft has no such layer, or not with these attributes");
                break;
        }
    }

    private void Convolve(NodeProto node)
    {
        if (_source.Sizes(node.Input[1]) is not [var filters, var depth, var height, var width]) throw new GraftException("its kernel is not of two dimensions");
        if (Ints(node, "dilations") is { } dilations && dilations.Any(step => step != 1)) throw new GraftException("its windows have gaps (dilations)");
        var input = _layers.Map(this[node.Input[0]]);
        var groups = (int)Int(node, "group", 1);
        var isDepthwise = groups > 1 && depth == 1 && groups == _layers.ShapeOf(input).Channels;
        var hasBias = HasInput(node, 2);
        Define(node, new Convolution(filters, (height, width), StrideOf(node), PaddingOf(node), groups, hasBias), input);
        var layer = _tensors[node.Output[0]].Layer;
        _layers.Weigh(layer, (isDepthwise ? ParameterRole.DepthwiseKernel : ParameterRole.Kernel, _source.Floats(node.Input[1])));
        if (hasBias) _layers.Weigh(layer, (ParameterRole.Bias, _source.Floats(node.Input[2])));
    }

    private void Normalize(NodeProto node)
    {
        var x = Compact(_layers.Scaled(this[node.Input[0]]));
        if (x.ChannelAxis != 1 || x.Shape.IsTokens) throw new GraftException("it does not normalize the channels of a map");
        var layer = _layers.Add(node.Output[0], new BatchNorm(Float(node, "epsilon", 1e-5f), 1 - Float(node, "momentum", 0.9f)), x.Layer);
        _layers.Weigh(layer, (ParameterRole.Gamma, _source.Floats(node.Input[1])), (ParameterRole.Beta, _source.Floats(node.Input[2])),
            (ParameterRole.MovingMean, _source.Floats(node.Input[3])), (ParameterRole.MovingVariance, _source.Floats(node.Input[4])));
        _tensors[node.Output[0]] = x.On(node.Output[0], layer);
    }

    private void NormalizeChannels(NodeProto node)
    {
        if (Int(node, "axis", -1) is var axis && axis != -1 && axis != this[node.Input[0]].Sizes.Length - 1) throw new GraftException("it does not normalize the channels");
        NormalizeChannels(new OnnxPatterns.LayerNormalization([], node.Input[0], node.Output[0], Float(node, "epsilon", 1e-5f), node.Input[1], HasInput(node, 2) ? node.Input[2] : null));
    }

    private void NormalizeChannels(OnnxPatterns.LayerNormalization norm)
    {
        var x = ChannelsLast(this[norm.Input]);
        float[] gamma = norm.Gamma is null ? Ones() : _source.Floats(norm.Gamma), beta = norm.Beta is null ? new float[x.Shape.Channels] : _source.Floats(norm.Beta);
        if (gamma.Length == 1) gamma = [.. Ones().Select(_ => gamma[0])];
        if (gamma.Length != x.Shape.Channels || beta.Length != x.Shape.Channels) throw new GraftException("it does not scale the channels");
        var layer = _layers.Add(norm.Output, new LayerNorm(norm.Epsilon), x.Layer);
        _layers.Weigh(layer, (ParameterRole.Gamma, gamma), (ParameterRole.Beta, beta));
        _parts.UnionWith(norm.Parts);
        _tensors[norm.Output] = x.On(norm.Output, layer);

        float[] Ones() => [.. Enumerable.Repeat(1f, x.Shape.Channels)];
    }

    private void Slide(NodeProto node)
    {
        var kernel = Ints(node, "kernel_shape") is [var height, var width] ? new Extent((int)height, (int)width) : throw new GraftException("its window is not of two dimensions");
        if (Ints(node, "dilations") is { } dilations && dilations.Any(step => step != 1)) throw new GraftException("its windows have gaps (dilations)");
        var input = _layers.Map(this[node.Input[0]]);
        var (shape, padding, function) = (_layers.ShapeOf(input), PaddingOf(node), node.OpType == "MaxPool" ? PoolFunction.Max : PoolFunction.Average);
        // A window over the whole map: the same for images of another size.
        if (function == PoolFunction.Average && (kernel.Height, kernel.Width) == (shape.Height, shape.Width) && padding == Padding.None)
            Define(node, new AdaptiveAveragePool(1), input);
        else
            Define(node, new Pool(function, kernel, StrideOf(node), padding, Int(node, "ceil_mode", 0) == 1, Int(node, "count_include_pad", 0) == 1), input);
    }

    /// <summary>The mean over all positions of a map or all tokens.</summary>
    private void Average(NodeProto node)
    {
        var name = node.Output[0];
        var x = Compact(_layers.Scaled(this[node.Input[0]]));
        var rank = x.Sizes.Length;
        var axes = (_source.Longs(node, 1, "axes") ?? []).Select(axis => (int)(axis < 0 ? axis + rank : axis)).ToHashSet();
        if (x.ChannelAxis is not { } channels || axes.Contains(channels) || Enumerable.Range(0, rank).Any(axis => axis != channels && x.Sizes[axis] > 1 && !axes.Contains(axis)))
            throw new GraftException("it does not average over all positions");
        int[] sizes = [.. Enumerable.Range(0, rank).Where(axis => Int(node, "keepdims", 1) == 1 || !axes.Contains(axis)).Select(axis => axes.Contains(axis) ? 1 : x.Sizes[axis])];
        Define(node, x.Shape.IsTokens ? new TokenMean() : new AdaptiveAveragePool(1), x.Layer);
        _tensors[name] = _tensors[name].Reshaped(name, sizes);
    }

    private void MultiplyMatrices(NodeProto node)
    {
        var (left, right) = (Known(node.Input[0]), Known(node.Input[1]));
        if (_attention.Has(left))
        {
            _tensors[node.Output[0]] = _attention.Attend(node.Output[0], left, this[right]);
        }
        else if (!_source.IsConstant(right))
        {
            _attention.Multiply(node.Output[0], this[left], this[right]);
        }
        else if (this[left] is { Shape.IsMap: true, ChannelAxis: 1 } map && OnnxPatterns.AverageAt(_source, node, map.Shape) is var (last, windows))
        {
            _parts.Add(node.Output[0]);
            Define(last, new AdaptiveAveragePool(windows), _layers.Map(map));
        }
        else
        {
            var sum = OnnxPatterns.BiasAfter(_source, node.Output[0]);
            var units = _source.Sizes(right)[^1];
            if (sum is var (_, constant) && _source.Floats(constant).Length != units) sum = null;
            if (sum is not null) _parts.Add(node.Output[0]);
            Multiply(node, sum?.Node ?? node, isTransposed: false, sum is null ? null : _source.Floats(sum.Value.Bias));
        }
    }

    /// <summary>A dense layer: the product, and the node that its output comes from.</summary>
    private void Multiply(NodeProto product, NodeProto last, bool isTransposed, float[]? bias, float factor = 1)
    {
        if (_source.Sizes(product.Input[1]) is not [var first, var second]) throw new GraftException("it does not multiply by a matrix");
        var values = _source.Floats(product.Input[1]);
        var units = isTransposed ? first : second;
        if (!isTransposed)
        {
            var turned = new float[values.Length];
            for (var row = 0; row < first; row++)
                for (var column = 0; column < second; column++) turned[column * first + row] = values[row * second + column];
            values = turned;
        }
        if (factor != 1) values = [.. values.Select(value => value * factor)];
        if (bias?.Length == 1) bias = [.. Enumerable.Repeat(bias[0], units)];
        if (bias is not null && bias.Length != units) throw new GraftException("its bias differs from token to token");
        var (name, x) = (last.Output[0], this[product.Input[0]]);
        string layer;
        if (x.Count == values.Length / units)
        {
            layer = _layers.Add(name, new Dense(units, bias is not null), _layers.Laid(x, TensorShape.Vector(x.Count)));
            _tensors[name] = Natural(name, layer).Reshaped(name, [.. x.Sizes.SkipLast(1), units]);
        }
        else
        {
            x = ChannelsLast(x);
            layer = _layers.Add(name, new PointwiseDense(units, bias is not null), x.Layer);
            _tensors[name] = x.WithChannels(name, layer, _layers.ShapeOf(layer));
        }
        _layers.Weigh(layer, (ParameterRole.DenseKernel, values));
        if (bias is not null) _layers.Weigh(layer, (ParameterRole.Bias, bias));
    }

    private void Sum(NodeProto node)
    {
        var parts = node.Input.Select(input => _layers.Scaled(this[input])).ToList();
        var first = parts[0];
        if (parts.All(part => part.IsWhole && part.Shape == first.Shape && part.Sizes.SequenceEqual(first.Sizes)
                && (ReferenceEquals(part.Order, first.Order) || (part.Order is not null && first.Order is not null && part.Order.SequenceEqual(first.Order)))))
            _tensors[node.Output[0]] = first.On(node.Output[0], _layers.Add(node.Output[0], new Add(), [.. parts.Select(part => part.Layer)]));
        else
            Define(node, new Add(), [.. parts.Select(part => _layers.Laid(part, null))]);
    }

    /// <summary>A map times a factor for each channel.</summary>
    private void Gate(NodeProto node)
    {
        var (map, factors) = (_layers.Scaled(this[node.Input[0]]), this[node.Input[1]]);
        // The factors may stand first.
        if (map.Count < factors.Count) (map, factors) = (_layers.Scaled(factors), map);
        var axis = map.ChannelAxis is { } channels ? factors.Sizes.Length - map.Sizes.Length + channels : -1;
        if (!map.Shape.IsMap || axis < 0 || factors.Count != map.Shape.Channels || factors.Sizes[axis] != factors.Count)
            throw new GraftException("it does not multiply a map by a factor for each channel");
        map = Compact(map);
        var gate = _layers.Laid(factors.Reshaped(factors.Name, [1, factors.Count, 1, 1]), TensorShape.Map(factors.Count, 1, 1));
        _tensors[node.Output[0]] = map.On(node.Output[0], _layers.Add(node.Output[0], new Multiply(), map.Layer, gate));
    }

    /// <summary>Times a number for each channel, and plus one if that follows; or plus learned places of tokens.</summary>
    private void ScaleAndShift(NodeProto node)
    {
        var isFirst = _source.IsConstant(node.Input[0]);
        var (value, constant) = isFirst ? (node.Input[1], node.Input[0]) : (node.Input[0], node.Input[1]);
        if (node.OpType == "Mul" && this[value].Stretched(node.Output[0], _source.Floats(constant), _source.Sizes(constant)) is { } stretched)
        {
            _tensors[node.Output[0]] = stretched;
            return;
        }
        var x = Compact(this[value]);
        var last = node;
        var channels = x.PerChannel(_source.Floats(constant), _source.Sizes(constant));
        if (node.OpType == "Add" && (channels is null || x.Shape.IsTokens))
        {
            AddPlaces(node, x, constant);
            return;
        }
        if (node.OpType == "Add" && channels is not null && x is { Shape.IsMap: true, Factor: 1 } && OnnxAttention.IsOfQueriesAndValues(channels))
        {
            _tensors[node.Output[0]] = x.On(node.Output[0], _attention.AddQueryValueBias(node.Output[0], x.Layer, channels));
            return;
        }
        if (channels is null || (isFirst && node.OpType == "Div")) throw new GraftException($"it does not take one number for each of {x.Shape.Channels} channels");
        float[] ones = [.. channels.Select(_ => 1f)];
        (float[] scale, float[]? shift) = node.OpType switch
        {
            "Mul" => (channels, null),
            "Div" => (channels.Select(number => 1 / number).ToArray(), null),
            "Add" => (ones, channels),
            _ => isFirst ? (ones.Select(_ => -1f).ToArray(), channels) : (ones, channels.Select(number => -number).ToArray()),
        };
        if (shift is null && OnnxPatterns.BiasAfter(_source, node.Output[0]) is var (sum, bias) && !x.Shape.IsTokens
            && x.PerChannel(_source.Floats(bias), _source.Sizes(bias)) is { } shifts)
        {
            (shift, last) = (shifts, sum);
            _parts.Add(node.Output[0]);
        }
        var name = last.Output[0];
        _tensors[name] = x.On(name, _layers.ScaleAndShift(name, x.Layer, [.. scale.Select(number => number * x.Factor)], shift));
    }

    private void AddPlaces(NodeProto node, ImportedTensor x, string constant)
    {
        if (x.Shape.IsMap && x.Sizes is [1, _, _]) x = Natural(x.Name, _layers.Laid(x, null));
        x = _layers.Scaled(x);
        if (!x.Shape.IsTokens || _layers[x.Layer] is not (ClassToken or MapTokens) || x.PerElement(_source.Floats(constant), _source.Sizes(constant)) is not { } places)
            throw new GraftException("it adds other numbers than one for each channel, or places of tokens");
        var map = _layers.InputsOf(x.Layer)[0];
        var layer = _layers.Add(node.Output[0], new PositionEmbedding((_layers.ShapeOf(map).Height, _layers.ShapeOf(map).Width)), x.Layer, map);
        _layers.Weigh(layer, (ParameterRole.Embedding, places));
        _tensors[node.Output[0]] = x.On(node.Output[0], layer);
    }

    private void Concatenate(NodeProto node)
    {
        var name = node.Output[0];
        if (node.Input.Count == 2 && _source.IsConstant(node.Input[0]) && Int(node, "axis", 1) == 1)
        {
            AddToken(name, this[node.Input[1]], _source.Floats(node.Input[0]));
            return;
        }
        var parts = node.Input.Select(input => this[input]).ToList();
        var axis = (int)Int(node, "axis", 1);
        if (axis < 0) axis += parts[0].Sizes.Length;
        if (parts.All(part => part.Layer == parts[0].Layer && part.Factor == 1) && ImportedTensor.Joined(name, parts, axis) is var joined
            && Enumerable.Range(0, joined.Count).Select(joined.ElementAt).Distinct().Count() == joined.Count)
        {
            _tensors[name] = joined;
            return;
        }
        parts = [.. parts.Select(_layers.Scaled).Select(part => part.IsWhole && part.ChannelAxis == axis && part.Sizes.Length == 4 && axis == 3 ? part : Natural(part.Name, _layers.Laid(part, null)))];
        if (parts.Any(part => part.ChannelAxis != axis || part.Shape.IsTokens)) throw new GraftException("it does not join channels");
        Define(node, new Concatenate(), [.. parts.Select(part => part.Layer)]);
        if (axis == 3) _tensors[name] = _tensors[name].Transposed(name, [0, 2, 3, 1]);
    }

    private void AddToken(string name, ImportedTensor x, float[] token)
    {
        x = _layers.Scaled(x);
        var isOfTokens = x.Shape.IsTokens && x is { IsWhole: true, Order: null } && token.Length == x.Shape.Channels;
        if (!isOfTokens && (!x.Shape.IsMap || !x.IsWhole || x.Sizes is not [1, _, var channels] || x.ChannelAxis != 2 || token.Length != channels
            || !x.Order!.SequenceEqual(ImportedLayers.ChannelsLast(x.Shape)))) throw new GraftException("it does not put a token before others");
        var layer = _layers.Add(name, new ClassToken(), x.Layer);
        _layers.Weigh(layer, (ParameterRole.Embedding, token));
        _tensors[name] = Natural(name, layer);
    }

    private void Surround(NodeProto node)
    {
        var x = this[node.Input[0]];
        if (OnnxPatterns.ClassTokenAt(_source, node) is var (sum, token))
        {
            AddToken(sum.Output[0], x, _source.Floats(token)[..x.Sizes[2]]);
            _parts.Add(node.Output[0]);
            return;
        }
        var isZero = Text(node, "mode", "constant") == "constant" && (HasInput(node, 2) ? _source.Number(node.Input[2]) : Float(node, "value", 0)) == 0;
        if (!isZero || _source.Longs(node, 1, "pads") is not { } pads) throw new GraftException("it does not surround a map by zeros");
        x = Compact(_layers.Scaled(x));
        var rank = x.Sizes.Length;
        // With the channels first, behind axes of size 1; or last.
        var isLast = rank == 4 && x.ChannelAxis == 3;
        var row = isLast ? 1 : rank - 2;
        if (Enumerable.Range(0, rank).Any(axis => axis != row && axis != row + 1 && (pads[axis] != 0 || pads[axis + rank] != 0)))
            throw new GraftException("it surrounds more than a map");
        var padding = new ZeroPadding(new((int)pads[row], (int)pads[row + rank], (int)pads[row + 1], (int)pads[row + 1 + rank]));
        var layer = isLast ? _layers.Laid(x, null) : _layers.Map(x.Reshaped(x.Name, [1, .. x.Sizes[^3..]]));
        Define(node, padding, layer);
        var padded = _tensors[node.Output[0]];
        _tensors[node.Output[0]] = isLast
            ? padded.Transposed(padded.Name, [0, 2, 3, 1])
            : padded.Reshaped(padded.Name, [.. Enumerable.Repeat(1, rank - 3), .. padded.Shape.Sizes]);
    }

    private static Extent StrideOf(NodeProto node) => Ints(node, "strides") is [var down, var across] ? ((int)down, (int)across) : 1;

    private static Padding PaddingOf(NodeProto node) => Text(node, "auto_pad", "NOTSET") switch
    {
        "SAME_UPPER" => Padding.Same,
        "SAME_LOWER" => Padding.SameOddFirst,
        "VALID" => Padding.None,
        _ when Ints(node, "pads") is [var top, var left, var bottom, var right] => new((int)top, (int)bottom, (int)left, (int)right),
        _ => Padding.None,
    };
}
