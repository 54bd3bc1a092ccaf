namespace Graft.Networks;

/// <summary>The order in which a finished network lists its layers.</summary>
public enum LayerOrder
{
    /// <summary>As they were declared.</summary>
    Declared,

    /// <summary>
    /// As Keras's <c>model.layers</c> has them, by distance from the output: the order of its summaries, of layer indices in its
    /// guides, and of the weights in its files.
    /// </summary>
    Keras,
}

/// <summary>Collects the layers of a <see cref="Network"/> as its description calls for them.</summary>
public sealed class NetworkBuilder(string name, IEnumerable<Layer>? layers = null)
{
    private readonly List<Layer> _layers = [.. layers ?? []];
    private readonly Dictionary<string, int> _numbered = new(StringComparer.Ordinal);

    public Node Input(string layer, int channels, Extent size) =>
        Add(layer, new Input(channels, size.Height, size.Width));

    public Node Add(string layer, Operation operation, params ReadOnlySpan<Node> inputs)
    {
        var names = new string[inputs.Length];
        for (var i = 0; i < names.Length; i++) names[i] = inputs[i].Layer;
        _layers.Add(new(layer, operation, names));
        return new(this, layer);
    }

    /// <summary>
    /// Keras's name for a layer that its definition does not name: <c>conv2d</c>, <c>conv2d_1</c>, … in the order of calls.
    /// </summary>
    public string Numbered(string kind)
    {
        var number = _numbered.GetValueOrDefault(kind);
        _numbered[kind] = number + 1;
        return number == 0 ? kind : $"{kind}_{number}";
    }

    public Network Build(Node output, LayerOrder order = LayerOrder.Declared) =>
        new Network(name, order == LayerOrder.Keras ? KerasOrder(output.Layer) : _layers).CutAfter(output.Layer);

    internal Node Node(string layer) => new(this, layer);

    /// <summary>
    /// Keras sorts layers by their longest path to the output, farthest first, and layers of equal distance by when a walk
    /// from the output back to the inputs first meets them (keras/src/models/functional.py, map_graph_network).
    /// </summary>
    private IReadOnlyList<Layer> KerasOrder(string output)
    {
        var byName = _layers.ToDictionary(layer => layer.Name, StringComparer.Ordinal);
        var met = new Dictionary<string, int>(StringComparer.Ordinal);
        var inputsFirst = new List<Layer>();
        Walk(byName[output]);

        var distance = met.Keys.ToDictionary(layer => layer, _ => 0, StringComparer.Ordinal);
        foreach (var layer in Enumerable.Reverse(inputsFirst))
            foreach (var input in layer.Inputs)
                distance[input] = Math.Max(distance[input], distance[layer.Name] + 1);
        return [.. inputsFirst.OrderByDescending(layer => distance[layer.Name]).ThenBy(layer => met[layer.Name])];

        void Walk(Layer layer)
        {
            if (!met.TryAdd(layer.Name, met.Count)) return;
            foreach (var input in layer.Inputs) Walk(byName[input]);
            inputsFirst.Add(layer);
        }
    }
}

/// <summary>A layer's output while a network is being described; each method adds a layer on it and returns that layer's output.</summary>
public readonly record struct Node(NetworkBuilder Builder, string Layer)
{
    public Node Convolution(
        string layer, int filters, Extent kernel, Extent? stride = null, Padding padding = default, bool bias = true,
        ActivationFunction? activation = null, int groups = 1) =>
        Then(layer, new Convolution(filters, kernel, stride ?? 1, padding, groups, bias, activation));

    /// <summary>A convolution of each of the <paramref name="channels"/> input channels by itself.</summary>
    public Node DepthwiseConvolution(
        string layer, int channels, Extent kernel, Extent? stride = null, Padding padding = default, bool bias = true) =>
        Then(layer, new Convolution(channels, kernel, stride ?? 1, padding, Groups: channels, Bias: bias));

    public Node SeparableConvolution(string layer, int filters, Extent kernel, Extent? stride = null, Padding? padding = null) =>
        Then(layer, new SeparableConvolution(filters, kernel, stride, padding));

    public Node BatchNorm(string layer, double epsilon, double momentum = 0.1, bool scale = true) =>
        Then(layer, new BatchNorm(epsilon, momentum, scale));

    public Node LayerNorm(string layer, double epsilon) => Then(layer, new LayerNorm(epsilon));

    public Node LayerScale(string layer) => Then(layer, new LayerScale());

    public Node Scaling(string layer, double factor) => Then(layer, new Scaling(factor));

    public Node Activation(string layer, ActivationFunction function) => Then(layer, new Activation(function));

    public Node Relu(string layer) => Activation(layer, ActivationFunction.Relu);

    public Node Relu6(string layer) => Activation(layer, ActivationFunction.Relu6);

    public Node Softmax(string layer) => Activation(layer, ActivationFunction.Softmax);

    public Node MaxPool(string layer, Extent kernel, Extent stride, Padding padding = default, bool roundUp = false) =>
        Then(layer, new Pool(PoolFunction.Max, kernel, stride, padding, roundUp));

    public Node AveragePool(string layer, Extent kernel, Extent stride, Padding padding = default, bool countPadding = false) =>
        Then(layer, new Pool(PoolFunction.Average, kernel, stride, padding, CountPadding: countPadding));

    public Node AdaptiveAveragePool(string layer, Extent size) => Then(layer, new AdaptiveAveragePool(size));

    public Node GlobalPool(string layer, PoolFunction function = PoolFunction.Average) => Then(layer, new GlobalPool(function));

    public Node ZeroPadding(string layer, Padding padding) => Then(layer, new ZeroPadding(padding));

    public Node SamePadding(string layer, Extent kernel, Extent stride) => Then(layer, new SamePadding(kernel, stride));

    public Node Dense(string layer, int units, bool bias = true, ActivationFunction? activation = null) =>
        Then(layer, new Dense(units, bias, activation));

    public Node PointwiseDense(string layer, int units, bool bias = true) => Then(layer, new PointwiseDense(units, bias));

    public Node Flatten(string layer, AxisOrder order = AxisOrder.ChannelsFirst) => Then(layer, new Flatten(order));

    public Node Reshape(string layer, params int[] shape) => Then(layer, new Reshape(shape));

    public Node Dropout(string layer, double rate) => Then(layer, new Dropout(rate));

    public Node Add(string layer, Node other) => Builder.Add(layer, new Add(), this, other);

    public Node Multiply(string layer, Node factors) => Builder.Add(layer, new Multiply(), this, factors);

    public Node ClassToken(string layer) => Then(layer, new ClassToken());

    public Node MapTokens(string layer) => Then(layer, new MapTokens());

    public Node TokensMap(string layer, Extent size) => Then(layer, new TokensMap(size));

    public Node TokenMean(string layer) => Then(layer, new TokenMean());

    public Node PatchMerging(string layer) => Then(layer, new PatchMerging());

    public Node WindowPadding(string layer, int side) => Then(layer, new WindowPadding(side));

    /// <param name="map">What the queries, keys and values were made from, before it was padded.</param>
    /// <param name="offsetUnits">Of the network that computes the numbers for offsets; null where they are learned.</param>
    public Node WindowAttention(string layer, Node map, int heads, int side, bool isShifted, int? offsetUnits = null) =>
        Builder.Add(layer, new WindowAttention(heads, side, isShifted, offsetUnits), this, map);

    public Node QueryValueBias(string layer) => Then(layer, new QueryValueBias());

    public Node CosineHeads(string layer, int heads) => Then(layer, new CosineHeads(heads));

    /// <param name="map">What the tokens were made from.</param>
    /// <param name="grid">The map's size when the embedding was learned.</param>
    public Node PositionEmbedding(string layer, Node map, Extent grid) =>
        Builder.Add(layer, new PositionEmbedding(grid), this, map);

    public Node SelfAttention(string layer, int heads) => Then(layer, new SelfAttention(heads));

    public Node ProbeAttention(string layer, int heads) => Then(layer, new ProbeAttention(heads));

    public Node FirstToken(string layer) => Then(layer, new FirstToken());

    public Node ChannelSlice(string layer, int first, int count) => Then(layer, new ChannelSlice(first, count));

    public Node ChannelShuffle(string layer, int groups) => Then(layer, new ChannelShuffle(groups));

    /// <param name="weights">The numbers, which the network's weights must hold for this layer.</param>
    public Node AffineTransform(string layer, AffineWeights weights) => Then(layer, weights.Operation);

    public Node Concatenate(string layer, params ReadOnlySpan<Node> others) =>
        Builder.Add(layer, new Concatenate(), [this, .. others]);

    private Node Then(string layer, Operation operation) => Builder.Add(layer, operation, this);
}
