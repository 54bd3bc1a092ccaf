namespace Graft.Imaging;

/// <summary>What a file is, told by its first bytes; names and suffixes often lie.</summary>
internal enum ImageFormat
{
    Unknown,
    Jpeg,
    Png,
    Bmp,
    Gif,
    WebP,
    Tiff,
    Pnm,
}

internal static class ImageSignature
{
    /// <summary>The longest signature: RIFF, a size, WEBP.</summary>
    public const int Length = 12;

    public static string Name(this ImageFormat format) =>
        format == ImageFormat.WebP ? "WebP" : format.ToString().ToUpperInvariant();

    public static ImageFormat Recognize(ReadOnlySpan<byte> start) => start switch
    {
        [0xFF, 0xD8, 0xFF, ..] => ImageFormat.Jpeg,
        [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A, ..] => ImageFormat.Png,
        [(byte)'B', (byte)'M', ..] => ImageFormat.Bmp,
        [(byte)'G', (byte)'I', (byte)'F', (byte)'8', (byte)'7' or (byte)'9', (byte)'a', ..] => ImageFormat.Gif,
        [(byte)'R', (byte)'I', (byte)'F', (byte)'F', _, _, _, _, (byte)'W', (byte)'E', (byte)'B', (byte)'P', ..] =>
            ImageFormat.WebP,
        [(byte)'I', (byte)'I', 42 or 43, 0, ..] or [(byte)'M', (byte)'M', 0, 42 or 43, ..] => ImageFormat.Tiff,
        [(byte)'P', >= (byte)'1' and <= (byte)'6', (byte)' ' or (>= (byte)'\t' and <= (byte)'\r'), ..] => ImageFormat.Pnm,
        _ => ImageFormat.Unknown,
    };

    /// <summary>
    /// Names a picture format that is recognized but not decoded, so that its owner knows to convert it.
    /// </summary>
    public static string? Foreign(ReadOnlySpan<byte> start) => start switch
    {
        [_, _, _, _, (byte)'f', (byte)'t', (byte)'y', (byte)'p', ..] => start.Length < 12
            ? null
            : start[8..12] switch
            {
                [(byte)'a', (byte)'v', (byte)'i', _] => "an AVIF picture",
                [(byte)'h' or (byte)'m', (byte)'e' or (byte)'i', (byte)'i' or (byte)'v' or (byte)'f', _] =>
                    "a HEIC picture",
                _ => "a video or another media file",
            },
        [0, 0, 0, 12, (byte)'j', (byte)'P', ..] or [0xFF, 0x4F, 0xFF, 0x51, ..] => "a JPEG 2000 picture",
        [0, 0, 0, 12, (byte)'J', (byte)'X', (byte)'L', ..] or [0xFF, 0x0A, ..] => "a JPEG XL picture",
        [(byte)'8', (byte)'B', (byte)'P', (byte)'S', ..] => "a Photoshop document",
        [(byte)'%', (byte)'P', (byte)'D', (byte)'F', ..] => "a PDF document",
        [(byte)'<', (byte)'s', (byte)'v', (byte)'g', ..] => "an SVG drawing",
        [(byte)'<', ..] => "an HTML or XML page",
        _ => null,
    };
}
