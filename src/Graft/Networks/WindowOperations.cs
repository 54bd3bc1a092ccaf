using System.Text.Json.Serialization;

namespace Graft.Networks;

/// <summary>Zeros below and to the right of a map, so that windows of <paramref name="Side"/> pixels tile it.</summary>
public sealed record WindowPadding(int Side) : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    [JsonIgnore]
    public override string Kind => nameof(ZeroPadding);

    public ZeroPadding Resolve(TensorShape map) => new(new Padding(0, Missing(map.Height), 0, Missing(map.Width)));

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs) => Resolve(SingleMap(inputs)).OutputShape(inputs);

    private int Missing(int size) => (Side - size % Side) % Side;
}

/// <summary>
/// Scaled dot-product attention within square windows of a map, with a learned number for each offset between two positions (Liu et al. 2021,
/// arXiv:2103.14030): queries, keys and values side by side, [3 · channels, height, width], tiled by windows, and the map before
/// <see cref="WindowPadding"/> → [channels, height, width] of the latter.
/// </summary>
/// <param name="Side">Of a window, in positions.</param>
/// <param name="IsShifted">Whether windows begin half a window further, cyclically, where there are several.</param>
/// <param name="OffsetUnits">
/// Null where each offset has a learned number; else those come of a network of two layers with so many units between them, from the offsets' logarithms
/// (Liu et al. 2021, arXiv:2111.09883, section 3.3).
/// </param>
public sealed record WindowAttention(
    int Heads, int Side, bool IsShifted = false,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] int? OffsetUnits = null) : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs) =>
        inputs is [{ IsMap: true } packed, { IsMap: true } map] && packed.Channels % (3 * Heads) == 0 && packed.Height % Side == 0 && packed.Width % Side == 0
            && packed.Height >= map.Height && packed.Width >= map.Width
            ? TensorShape.Map(packed.Channels / 3, map.Height, map.Width)
            : throw new GraftException(
                $"expected queries, keys and values of {Heads} heads tiled by windows of {Side}, and their map, found {string.Join(" and ", inputs)}");

    public override IEnumerable<Parameter> Parameters(string layer, IReadOnlyList<TensorShape> inputs) =>
        OffsetUnits is not { } units ? [new(layer, ParameterRole.RelativePositions, [(2 * Side - 1) * (2 * Side - 1), Heads])] :
        [
            new(layer, ParameterRole.OffsetKernel, [units, 2]),
            new(layer, ParameterRole.OffsetBias, [units]),
            new(layer, ParameterRole.OffsetHeads, [Heads, units]),
        ];

    /// <summary>For each offset, rows then columns: its logarithms, [offsets, 2], as torchvision scales them.</summary>
    internal float[] OffsetLogarithms()
    {
        var (side, last) = (2 * Side - 1, Math.Max(1, Side - 1));
        var logarithms = new float[2 * side * side];
        for (var index = 0; index < side * side; index++)
            (logarithms[2 * index], logarithms[2 * index + 1]) = (Logarithm(index / side - Side + 1), Logarithm(index % side - Side + 1));
        return logarithms;

        float Logarithm(int offset) => Math.Sign(offset) * MathF.Log2(8f * Math.Abs(offset) / last + 1) / 3;
    }

    public override long MultiplyAdds(IReadOnlyList<TensorShape> inputs, TensorShape output) =>
        2L * (inputs[0].ElementCount / 3) * Side * Side;

    internal Windows WindowsOf(int height, int width) => new(height, width, Side, IsShifted);
}

/// <summary>A learned number for each channel of queries and values, and none for the keys between them (Liu et al. 2021, arXiv:2111.09883): [3 · channels, …] → the same.</summary>
public sealed record QueryValueBias : Operation
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs) =>
        SingleMap(inputs) is { Channels: var channels } map && channels % 3 == 0
            ? map : throw new GraftException($"{inputs[0].Channels} channels do not split into queries, keys and values");

    public override IEnumerable<Parameter> Parameters(string layer, IReadOnlyList<TensorShape> inputs) =>
        [new(layer, ParameterRole.QueryValueBias, [inputs[0].Channels])];
}

/// <summary>
/// Queries and keys of length 1 in each head, so that attention compares their directions, and the queries times a learned factor of at most 100 and √width,
/// which attention divides by (Liu et al. 2021, arXiv:2111.09883, section 3.3): queries, keys and values side by side, [3 · channels, height, width] → the same.
/// </summary>
public sealed record CosineHeads(int Heads) : Operation
{
    /// <summary>The logarithm of the largest factor.</summary>
    internal static readonly double Largest = Math.Log(100);

    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs) =>
        SingleMap(inputs) is { Channels: var channels } map && channels % (3 * Heads) == 0
            ? map : throw new GraftException($"{inputs[0].Channels} channels do not split into queries, keys and values of {Heads} heads");

    public override IEnumerable<Parameter> Parameters(string layer, IReadOnlyList<TensorShape> inputs) => [new(layer, ParameterRole.LogitScale, [Heads, 1, 1])];
}

/// <summary>How windows tile a map.</summary>
/// <param name="height">Of the map, a multiple of the window's side.</param>
/// <param name="width">Of the map, a multiple of the window's side.</param>
internal sealed class Windows(int height, int width, int side, bool isShifted)
{
    /// <summary>torchvision's (models/swin_transformer.py); positions that are not neighbors do not attend to each other.</summary>
    public const float Masked = -100;

    private readonly int _down = isShifted && side < height ? side / 2 : 0, _right = isShifted && side < width ? side / 2 : 0;

    public int Count => height / side * (width / side);

    /// <summary>Positions in a window.</summary>
    public int Area => side * side;

    public bool IsMasked => _down + _right > 0;

    /// <summary>Window by window: the positions of the map, row by row.</summary>
    public int[] Positions()
    {
        var positions = new int[height * width];
        for (var index = 0; index < positions.Length; index++)
        {
            var (row, column) = Place(index);
            positions[index] = (row + _down) % height * width + (column + _right) % width;
        }
        return positions;
    }

    /// <summary>For each position of the map's upper left part: its place among <see cref="Positions"/>.</summary>
    public int[] Places(int rows, int columns)
    {
        var place = new int[height * width];
        foreach (var (index, position) in Positions().Index()) place[position] = index;
        return [.. Enumerable.Range(0, rows * columns).Select(index => place[index / columns * width + index % columns])];
    }

    /// <summary>For each query and key of a window: the number of their offset.</summary>
    public int[] Offsets() =>
    [
        .. Enumerable.Range(0, Area * Area).Select(index =>
        {
            var (query, key) = (index / Area, index % Area);
            return (query / side - key / side + side - 1) * (2 * side - 1) + query % side - key % side + side - 1;
        }),
    ];

    /// <summary>[windows, queries, keys]: what is added where cyclic shifting put positions side by side that are not.</summary>
    public float[] Mask()
    {
        var regions = Enumerable.Range(0, height * width).Select(index => Place(index) is var (row, column) ? 3 * Region(row, height, _down) + Region(column, width, _right) : 0).ToArray();
        var mask = new float[Count * Area * Area];
        for (var index = 0; index < mask.Length; index++)
        {
            var window = index / Area / Area * Area;
            if (regions[window + index / Area % Area] != regions[window + index % Area]) mask[index] = Masked;
        }
        return mask;
    }

    private int Region(int place, int size, int shift) => shift == 0 || place < size - side ? 0 : place < size - shift ? 1 : 2;

    /// <summary>The row and column of a position, window by window, in the shifted map.</summary>
    private (int Row, int Column) Place(int index)
    {
        var (window, inside) = (index / Area, index % Area);
        return (window / (width / side) * side + inside / side, window % (width / side) * side + inside % side);
    }
}
