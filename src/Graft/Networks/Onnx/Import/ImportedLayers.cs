namespace Graft.Networks.Onnx.Import;

/// <summary>
/// The network that is being made of a model: layers called after the tensors that hold their outputs, and their weights. Where a layer needs its input
/// laid out in a way that the model got by moving elements about, the move becomes a layer.
/// </summary>
internal sealed class ImportedLayers(string network)
{
    private readonly NetworkBuilder _builder = new(network);
    private readonly Dictionary<string, (Node Node, Operation Operation, string[] Inputs, TensorShape Shape)> _layers = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Layer, string Moved), string> _moves = [];

    public ImportedWeights Weights { get; } = new();

    public TensorShape ShapeOf(string layer) => _layers[layer].Shape;

    public Operation this[string layer] => _layers[layer].Operation;

    public IReadOnlyList<string> InputsOf(string layer) => _layers[layer].Inputs;

    public string Add(string name, Operation operation, params string[] inputs)
    {
        while (_layers.ContainsKey(name)) name += "/moved";
        var shape = operation.OutputShape([.. inputs.Select(ShapeOf)]);
        _layers[name] = (_builder.Add(name, operation, [.. inputs.Select(input => _layers[input].Node)]), operation, inputs, shape);
        return name;
    }

    public void Weigh(string layer, params (ParameterRole Role, float[] Values)[] values)
    {
        foreach (var (role, numbers) in values) Weights.Add(new Parameter(layer, role, []).Key, numbers);
    }

    /// <summary>A factor and a shift for each channel, as a batch norm with those as its gamma and beta; without a shift a layer scale.</summary>
    public string ScaleAndShift(string name, string input, float[] scale, float[]? shift)
    {
        if (shift is null)
        {
            name = Add(name, new LayerScale(), input);
            Weigh(name, (ParameterRole.LayerScale, scale));
            return name;
        }
        if (ShapeOf(input).IsTokens) throw new GraftException("Graft has no layer that shifts the channels of tokens");
        name = Add(name, new BatchNorm(0), input);
        Weigh(name, (ParameterRole.Gamma, scale), (ParameterRole.Beta, shift),
            (ParameterRole.MovingMean, new float[scale.Length]), (ParameterRole.MovingVariance, [.. Enumerable.Repeat(1f, scale.Length)]));
        return name;
    }

    public Network Build(ImportedTensor output) => _builder.Build(_layers[Laid(output, null)].Node);

    /// <summary>A layer whose output is the tensor as a map [channels, height, width].</summary>
    public string Map(ImportedTensor tensor) => tensor.Sizes is [1, var channels, var height, var width]
        ? Laid(tensor, TensorShape.Map(channels, height, width))
        : throw new GraftException($"its input '{tensor.Name}' [{string.Join(", ", tensor.Sizes)}] is not a map");

    /// <summary>A layer whose output has the tensor's elements in the tensor's order.</summary>
    /// <param name="shape">Null for what the tensor's sizes say; a map with the channels last is a map then.</param>
    public string Laid(ImportedTensor tensor, TensorShape? shape)
    {
        tensor = Scaled(tensor);
        if (shape is null && tensor.Shape.IsMap && tensor.IsWhole && tensor.Sizes.Length == 4 && tensor.ChannelAxis == 3
            && tensor.Order!.SequenceEqual(ChannelsLast(tensor.Shape))) return tensor.Layer;
        var wanted = shape ?? ShapeOf(tensor.Sizes);
        if (tensor.Order is null && tensor.IsWhole && wanted == tensor.Shape) return tensor.Layer;
        var key = (tensor.Layer, $"{tensor.Name} {wanted}");
        if (!_moves.TryGetValue(key, out var layer)) _moves[key] = layer = Move(tensor, wanted);
        return layer;
    }

    /// <summary>The tensor with its pending factor multiplied in.</summary>
    public ImportedTensor Scaled(ImportedTensor tensor) => tensor.Plain.Factor == 1 ? tensor : tensor.On(
        tensor.Name, ScaleAndShift($"{tensor.Name}/scaled", tensor.Layer, [.. Enumerable.Repeat(tensor.Factor, tensor.Shape.Channels)], null));

    /// <summary>Shuffled channels as a layer, before parts of them are taken; any other tensor as it is.</summary>
    public ImportedTensor Settled(ImportedTensor tensor) =>
        tensor is { Shape.IsMap: true, IsWhole: true, Order: not null, ChannelAxis: null } && tensor.Sizes.AsSpan(1).SequenceEqual([.. tensor.Shape.Sizes])
        && Candidates(tensor, tensor.Shape).Any(candidate => candidate.Order is { } order && tensor.Order.SequenceEqual(order))
            ? new(tensor.Name, Laid(tensor, tensor.Shape), tensor.Shape, tensor.Sizes)
            : tensor;

    private string Move(ImportedTensor tensor, TensorShape wanted)
    {
        var from = tensor.Shape;
        // One number for each channel: pooled at once.
        if (wanted.IsVector && tensor.Order is null && this[tensor.Layer] is AdaptiveAveragePool { Size: { Height: 1, Width: 1 } })
            return Add(tensor.Name, new GlobalPool(PoolFunction.Average), [.. InputsOf(tensor.Layer)]);
        foreach (var (operation, order) in Candidates(tensor, wanted))
            if (order is null ? tensor.Order is null && tensor.IsWhole : tensor.Order is not null && tensor.Order.SequenceEqual(order))
                return Add(tensor.Name, operation, tensor.Layer);
        throw new GraftException($"Graft has no layer that rearranges {from} to {wanted} as '{tensor.Name}' does");
    }

    /// <summary>Layers that only move elements, and for each element of the output its number in the input; null for the same order.</summary>
    private static IEnumerable<(Operation Operation, int[]? Order)> Candidates(ImportedTensor tensor, TensorShape wanted)
    {
        var from = tensor.Shape;
        if (from.ElementCount == wanted.ElementCount)
        {
            if (wanted.IsVector)
            {
                yield return (new Flatten(), null);
                if (from.IsMap) yield return (new Flatten(AxisOrder.ChannelsLast), ChannelsLast(from));
            }
            else if (wanted.IsMap && !from.IsTokens)
            {
                yield return (new Reshape([.. wanted.Sizes]), null);
            }
            if (from.IsMap && wanted.IsTokens && wanted.Channels == from.Channels) yield return (new MapTokens(), ChannelsLast(from));
            if (from.IsTokens && wanted.IsMap && wanted.Channels == from.Channels)
                yield return (new TokensMap((wanted.Height, wanted.Width)), [.. Enumerable.Range(0, from.ElementCount)
                    .Select(element => ImportedTensor.ElementOf(from, ImportedTensor.PositionOf(wanted, element), ImportedTensor.ChannelOf(wanted, element)))]);
            if (from.IsMap && wanted == from)
                for (var groups = 2; groups <= from.Channels / 2; groups++)
                    if (from.Channels % groups == 0 && tensor.ElementAt(from.Height * from.Width) == from.Channels / groups * from.Height * from.Width)
                        yield return (new ChannelShuffle(groups), Shuffled(from, groups));
            if (from.IsMap && wanted == TensorShape.Map(4 * from.Channels, from.Height / 2, from.Width / 2)) yield return (new PatchMerging(), PatchMerging.Order(from));
        }
        else if (from.IsMap && wanted.IsMap && (wanted.Height, wanted.Width) == (from.Height, from.Width))
        {
            var first = tensor.ElementAt(0);
            yield return (new ChannelSlice(first / (from.Height * from.Width), wanted.Channels), [.. Enumerable.Range(first, wanted.ElementCount)]);
        }
        else if (from.IsMap && wanted.IsMap && wanted.Channels == from.Channels && wanted.Height <= from.Height && wanted.Width <= from.Width)
        {
            yield return (new ZeroPadding(new(0, wanted.Height - from.Height, 0, wanted.Width - from.Width)),
            [
                .. Enumerable.Range(0, wanted.ElementCount).Select(element =>
                {
                    var position = ImportedTensor.PositionOf(wanted, element);
                    return ImportedTensor.ElementOf(from, position / wanted.Width * from.Width + position % wanted.Width, ImportedTensor.ChannelOf(wanted, element));
                }),
            ]);
        }
        else if (from.IsTokens && wanted == TensorShape.Vector(from.Channels))
        {
            yield return (new FirstToken(), [.. Enumerable.Range(0, from.Channels)]);
        }
    }

    /// <summary>Position by position, and at each the channels.</summary>
    public static int[] ChannelsLast(TensorShape map) =>
        [.. Enumerable.Range(0, map.ElementCount).Select(index => ImportedTensor.ElementOf(map, index / map.Channels, index % map.Channels))];

    private static int[] Shuffled(TensorShape map, int groups) =>
    [
        .. Enumerable.Range(0, map.ElementCount).Select(element =>
        {
            var (channel, position) = (ImportedTensor.ChannelOf(map, element), ImportedTensor.PositionOf(map, element));
            return ImportedTensor.ElementOf(map, position, channel % groups * (map.Channels / groups) + channel / groups);
        }),
    ];

    private static TensorShape ShapeOf(int[] sizes) => sizes switch
    {
        [1, var channels, var height, var width] => TensorShape.Map(channels, height, width),
        [1, var tokens, var channels] => TensorShape.Tokens(tokens, channels),
        [1, var features] => TensorShape.Vector(features),
        _ => throw new GraftException($"a tensor [{string.Join(", ", sizes)}] is not a map, tokens or features"),
    };
}

/// <summary>Weights by key.</summary>
internal sealed class ImportedWeights : IWeights
{
    private readonly Dictionary<string, float[]> _values = new(StringComparer.Ordinal);

    public float[] this[string key] => _values[key];

    public void Add(string key, float[] values) => _values[key] = values;

    public void Read(Parameter parameter, Span<float> destination) => _values[parameter.Key].CopyTo(destination);
}
