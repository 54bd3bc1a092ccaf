namespace Graft.Imaging;

/// <summary>What a picture may cost. Both limits are checked before anything is decoded.</summary>
public sealed record DecodingOptions
{
    public static DecodingOptions Default { get; } = new();

    /// <summary>
    /// Width · height that a file may claim in its header: 100 million unless told otherwise, from 1 to 500 million.
    /// Decoding needs up to 7 bytes a pixel for a moment, and 3 for the result.
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
                $"too large: {width} × {height} pixels, where at most {MaxPixels} are decoded. " +
                $"Shrink it, or raise {nameof(MaxPixels)}.");
        }
    }
}
