namespace Graft.Imaging;

/// <summary>What a picture may cost. The limits are checked before anything is decoded.</summary>
public sealed record DecodingOptions
{
    public static DecodingOptions Default { get; } = new();

    /// <summary>
    /// Width · height that a file may claim in its header: 100 million unless told otherwise, from 1 to 500 million.
    /// Decoding takes at most 8 bytes of memory for each of them, so that a picture of a costly kind (many planes, 64-bit
    /// samples) may have fewer. The result takes 3 bytes a pixel.
    /// </summary>
    public long MaxPixels
    {
        get;
        init => field = Within(value, 500_000_000, nameof(MaxPixels));
    } = 100_000_000;

    /// <summary>Size of the file in bytes: 512 MiB unless told otherwise, from 1 to 2 GB (2 000 000 000).</summary>
    public long MaxFileBytes
    {
        get;
        init => field = Within(value, 2_000_000_000, nameof(MaxFileBytes));
    } = 512L << 20;

    /// <summary>Resizing takes memory by the longer side too. No format but TIFF and PNM knows more.</summary>
    private const int LargestSide = 1_000_000;

    internal long MaxMemoryBytes => 8 * MaxPixels;

    private static long Within(long value, long largest, string name) => value >= 1 && value <= largest
        ? value
        : throw new ArgumentOutOfRangeException(name, value, $"Expected {name} from 1 to {largest}, found {value}.");

    internal void CheckPixels(long width, long height)
    {
        if (width <= 0 || height <= 0)
            throw new UnreadableImageException($"broken header: it says {width} × {height} pixels");
        if (Math.BigMul(width, height, out var pixels) != 0 || pixels < 0 || pixels > MaxPixels)
        {
            throw new UnreadableImageException(
                $"too large: {width} × {height} pixels, where at most {MaxPixels} are decoded. Shrink it.");
        }
        if (Math.Max(width, height) > LargestSide)
            throw new UnreadableImageException($"too long: {width} × {height} pixels, where a side has at most {LargestSide}");
    }

    internal void CheckMemory(long width, long height, long bytes)
    {
        // A small picture's fixed costs are no reason to refuse it.
        const long Negligible = 1 << 20;
        if (bytes > Math.Max(MaxMemoryBytes, Negligible))
        {
            throw new UnreadableImageException(
                $"too large: decoding {width} × {height} pixels of this kind takes {bytes >> 20} MiB of memory, " +
                $"where at most {MaxMemoryBytes >> 20} are used. Shrink it.");
        }
    }
}
