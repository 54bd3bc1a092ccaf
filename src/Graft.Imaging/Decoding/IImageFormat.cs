namespace Graft.Imaging;

/// <summary>A format that <see cref="ImageDecoder"/> does not decode itself, see <see cref="ImageDecoder.Register"/>. Safe to call from many threads.</summary>
public interface IImageFormat
{
    /// <summary>The usual suffixes, with the dot.</summary>
    IReadOnlyList<string> FileExtensions { get; }

    /// <summary>What a file is by its first bytes (12 suffice), such as HEIC; null if it is of another format.</summary>
    string? NameOf(ReadOnlySpan<byte> start);

    /// <summary>Upright width and height in pixels, and the most bytes that decoding takes, the result included; nothing is decoded.</summary>
    /// <exception cref="UnreadableImageException">The file is broken.</exception>
    (int Width, int Height, long Bytes) Measure(ReadOnlySpan<byte> file);

    /// <summary>Decodes a file upright.</summary>
    /// <exception cref="UnreadableImageException">The file is broken.</exception>
    RgbImage Decode(ReadOnlySpan<byte> file);
}
