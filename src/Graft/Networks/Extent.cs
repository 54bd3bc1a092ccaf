using System.Text.Json.Serialization;

namespace Graft.Networks;

/// <summary>A height and a width in pixels: of a kernel, a stride, a dilation. A number alone means a square.</summary>
public readonly record struct Extent(int Height, int Width)
{
    public static implicit operator Extent(int side) => new(side, side);

    public static implicit operator Extent((int Height, int Width) size) => new(size.Height, size.Width);

    public override string ToString() => Height == Width ? $"{Height}" : $"{Height}×{Width}";
}

/// <summary>
/// What surrounds a map before a window slides over it: explicit rows and columns, or TensorFlow's 'same', which pads so
/// that the output has ⌈input / stride⌉ pixels and puts the odd pixel at the bottom and right.
/// </summary>
/// <param name="OddFirst">Of 'same': the odd pixel at the top and left instead, as CNTK and ONNX's SAME_LOWER have it.</param>
public readonly record struct Padding(
    int Top, int Bottom, int Left, int Right, bool IsSame = false,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] bool OddFirst = false)
{
    public static Padding None => default;
    public static Padding Same => new(0, 0, 0, 0, IsSame: true);
    public static Padding SameOddFirst => Same with { OddFirst = true };

    public static Padding Symmetric(Extent size) => new(size.Height, size.Height, size.Width, size.Width);

    public static implicit operator Padding(int pixels) => Symmetric(pixels);

    /// <summary>The explicit padding for a map of this size.</summary>
    public Padding Resolve(int height, int width, Extent kernel, Extent stride)
    {
        if (!IsSame) return this;
        var (top, bottom) = Split(height, kernel.Height, stride.Height);
        var (left, right) = Split(width, kernel.Width, stride.Width);
        return OddFirst ? new(bottom, top, right, left) : new(top, bottom, left, right);

        static (int Before, int After) Split(int size, int kernel, int stride)
        {
            var output = (size + stride - 1) / stride;
            var total = Math.Max(0, (output - 1) * stride + kernel - size);
            return (total / 2, total - total / 2);
        }
    }
}
