namespace Graft.Networks;

/// <summary>
/// A map's positions as tokens, row by row, after a learned token that comes to stand for the whole image:
/// [channels, height, width] → [1 + height · width, channels].
/// </summary>
public sealed record ClassToken : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs)
    {
        var map = SingleMap(inputs);
        return TensorShape.Tokens(1 + map.Height * map.Width, map.Channels);
    }

    public override IEnumerable<Parameter> Parameters(string layer, IReadOnlyList<TensorShape> inputs) =>
        [new(layer, ParameterRole.Embedding, [1, 1, inputs[0].Channels])];
}

/// <summary>
/// Adds a learned vector to each token for its place in the map, the layer's second input. It was learned on a map of
/// <paramref name="Grid"/> positions; for any other it is resampled, bicubic with antialiasing, as timm does.
/// </summary>
public sealed record PositionEmbedding(Extent Grid) : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs) =>
        inputs is [var tokens, { IsMap: true } map] && new ClassToken().OutputShape([map]) == tokens
            ? tokens
            : throw new GraftException($"expected tokens and their map, found {string.Join(" and ", inputs)}");

    public override IEnumerable<Parameter> Parameters(string layer, IReadOnlyList<TensorShape> inputs) =>
        [new(layer, ParameterRole.Embedding, [1, 1 + Grid.Height * Grid.Width, inputs[0].Channels])];
}

/// <summary>
/// Scaled dot-product attention of every token to every token, in <paramref name="Heads"/> equal parts of the channels (Vaswani
/// et al. 2017, arXiv:1706.03762): queries, keys and values side by side, [tokens, 3 · channels] → [tokens, channels].
/// </summary>
public sealed record SelfAttention(int Heads) : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs)
    {
        var tokens = Tokens(Single(inputs));
        return tokens.Channels % (3 * Heads) == 0
            ? tokens.WithChannels(tokens.Channels / 3)
            : throw new GraftException($"{tokens.Channels} channels do not split into queries, keys and values of {Heads} heads");
    }

    public override long MultiplyAdds(IReadOnlyList<TensorShape> inputs, TensorShape output) =>
        2L * output.ElementCount * output.Sizes[0];
}

/// <summary>The class token alone: [tokens, channels] → [channels].</summary>
public sealed record FirstToken : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs) =>
        TensorShape.Vector(Tokens(Single(inputs)).Channels);
}
