namespace Graft.Networks;

/// <summary>
/// A map's positions as tokens, row by row, or tokens as they are, after a learned token that comes to stand for the whole image:
/// [channels, height, width] → [1 + height · width, channels], or [tokens, channels] → [1 + tokens, channels].
/// </summary>
public sealed record ClassToken : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs)
    {
        if (Single(inputs) is { IsTokens: true } tokens) return TensorShape.Tokens(1 + tokens.Sizes[0], tokens.Channels);
        var map = SingleMap(inputs);
        return TensorShape.Tokens(1 + map.Height * map.Width, map.Channels);
    }

    public override IEnumerable<Parameter> Parameters(string layer, IReadOnlyList<TensorShape> inputs) =>
        [new(layer, ParameterRole.Embedding, [1, 1, inputs[0].Channels])];
}

/// <summary>A map's positions as tokens, row by row: [channels, height, width] → [height · width, channels].</summary>
public sealed record MapTokens : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs)
    {
        var map = SingleMap(inputs);
        return TensorShape.Tokens(map.Height * map.Width, map.Channels);
    }
}

/// <summary>Tokens as the positions of a map of <paramref name="Size"/>, row by row: [height · width, channels] → [channels, height, width].</summary>
public sealed record TokensMap(Extent Size) : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs)
    {
        var tokens = Tokens(Single(inputs));
        return tokens.Sizes[0] == Size.Height * Size.Width
            ? TensorShape.Map(tokens.Channels, Size.Height, Size.Width)
            : throw new GraftException($"{tokens.Sizes[0]} tokens are not a map of {Size}");
    }
}

/// <summary>
/// Adds a learned vector to each token for its place in the map, the layer's second input. It was learned on a map of
/// <paramref name="Grid"/> positions; for any other it is resampled, bicubic with antialiasing, as timm does.
/// </summary>
/// <remarks>Tokens before those of the map, such as a class token, have vectors of their own, which stay as they are.</remarks>
public sealed record PositionEmbedding(Extent Grid) : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs) =>
        inputs is [{ IsTokens: true } tokens, { IsMap: true } map] && tokens.Channels == map.Channels && TokensBefore(inputs) >= 0
            ? tokens
            : throw new GraftException($"expected tokens and their map, found {string.Join(" and ", inputs)}");

    public override IEnumerable<Parameter> Parameters(string layer, IReadOnlyList<TensorShape> inputs) =>
        [new(layer, ParameterRole.Embedding, [1, TokensBefore(inputs) + Grid.Height * Grid.Width, inputs[0].Channels])];

    private static int TokensBefore(IReadOnlyList<TensorShape> inputs) => inputs[0].Sizes[0] - inputs[1].Height * inputs[1].Width;
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

/// <summary>
/// What a learned token, the first, finds among the others: scaled dot-product attention of it to all tokens after it, in <paramref name="Heads"/> equal
/// parts of the channels (Zhai et al. 2021, arXiv:2106.04560, appendix D): queries, keys and values side by side, [1 + tokens, 3 · channels] → [channels].
/// </summary>
public sealed record ProbeAttention(int Heads) : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs) =>
        TensorShape.Vector(new SelfAttention(Heads).OutputShape(inputs).Channels);

    public override long MultiplyAdds(IReadOnlyList<TensorShape> inputs, TensorShape output) =>
        2L * output.ElementCount * (inputs[0].Sizes[0] - 1);
}

/// <summary>The class token alone: [tokens, channels] → [channels].</summary>
public sealed record FirstToken : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs) =>
        TensorShape.Vector(Tokens(Single(inputs)).Channels);
}

/// <summary>The mean over all tokens: [tokens, channels] → [channels].</summary>
public sealed record TokenMean : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs) =>
        TensorShape.Vector(Tokens(Single(inputs)).Channels);
}

/// <summary>
/// The four positions of each 2×2 window side by side as channels: top left, bottom left, top right, bottom right (Liu et al. 2021, arXiv:2103.14030). A last
/// odd row or column is completed by zeros: [channels, height, width] → [4 · channels, ⌈height / 2⌉, ⌈width / 2⌉].
/// </summary>
public sealed record PatchMerging : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs)
    {
        var map = SingleMap(inputs);
        return TensorShape.Map(4 * map.Channels, (map.Height + 1) / 2, (map.Width + 1) / 2);
    }

    /// <summary>For each element of the output, its number in a map of even height and width.</summary>
    internal static int[] Order(TensorShape map)
    {
        var (height, width) = (map.Height / 2, map.Width / 2);
        var order = new int[map.ElementCount];
        for (var index = 0; index < order.Length; index++)
        {
            var (channel, row, column) = (index / width / height, index / width % height, index % width);
            var window = channel / map.Channels;
            order[index] = (channel % map.Channels * map.Height + 2 * row + window % 2) * map.Width + 2 * column + window / 2;
        }
        return order;
    }
}
