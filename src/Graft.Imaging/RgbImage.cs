namespace Graft.Imaging;

/// <summary>
/// A picture of 8-bit red, green and blue samples, upright, without alpha: <see cref="Pixels"/> is
/// [<see cref="Height"/>, <see cref="Width"/>, 3], row by row from the top, without padding.
/// </summary>
public sealed class RgbImage
{
    /// <summary>Takes the array over; it is not copied.</summary>
    /// <exception cref="ArgumentException">
    /// A side is not positive, or the array is not 3 · width · height long.
    /// </exception>
    public RgbImage(int width, int height, byte[] pixels)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(width);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(height);
        ArgumentNullException.ThrowIfNull(pixels);
        if (pixels.LongLength != 3L * width * height)
        {
            throw new ArgumentException(
                $"Expected 3 · {width} · {height} = {3L * width * height} bytes, found {pixels.LongLength}.",
                nameof(pixels));
        }
        Width = width;
        Height = height;
        Pixels = pixels;
    }

    public int Width { get; }

    public int Height { get; }

    public byte[] Pixels { get; }

    /// <summary>The samples of row <paramref name="y"/>, [Width, 3].</summary>
    public Span<byte> Row(int y) => Pixels.AsSpan(y * Width * 3, Width * 3);

    /// <summary>An image whose samples are still undefined: every one of them must be written.</summary>
    internal static RgbImage Uninitialized(int width, int height) =>
        new(width, height, GC.AllocateUninitializedArray<byte>(checked(3 * width * height)));
}
