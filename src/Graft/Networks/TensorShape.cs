namespace Graft.Networks;

/// <summary>
/// The shape of one image's activation, without the batch dimension: [channels, height, width] for a feature map,
/// [tokens, channels] for tokens, [features] for a vector.
/// </summary>
public readonly struct TensorShape(params int[] sizes) : IEquatable<TensorShape>
{
    private readonly int[] _sizes = sizes;

    public IReadOnlyList<int> Sizes => _sizes;
    public bool IsMap => _sizes.Length == 3;
    public bool IsTokens => _sizes.Length == 2;
    public bool IsVector => _sizes.Length == 1;
    public int Channels => IsTokens ? _sizes[1] : _sizes[0];
    public int Height => _sizes[1];
    public int Width => _sizes[2];
    public int ElementCount => _sizes.Aggregate(1, (product, size) => checked(product * size));

    public static TensorShape Map(int channels, int height, int width) => new(channels, height, width);

    public static TensorShape Tokens(int count, int channels) => new(count, channels);

    public static TensorShape Vector(int features) => new(features);

    public TensorShape WithChannels(int channels) =>
        IsTokens ? Tokens(_sizes[0], channels) : new([channels, .. _sizes[1..]]);

    public bool Equals(TensorShape other) => _sizes.AsSpan().SequenceEqual(other._sizes);

    public override bool Equals(object? obj) => obj is TensorShape other && Equals(other);

    public override int GetHashCode() => _sizes.Aggregate(17, HashCode.Combine);

    public static bool operator ==(TensorShape left, TensorShape right) => left.Equals(right);

    public static bool operator !=(TensorShape left, TensorShape right) => !left.Equals(right);

    /// <summary><c>1280×7×7</c>, <c>257×384</c>, <c>1000</c>.</summary>
    public override string ToString() => string.Join('×', _sizes);
}
