using ImageMagick;

namespace Graft.Imaging.Heif;

/// <summary>
/// HEIC, HEIF and AVIF photos, decoded by ImageMagick's libheif, whatever else ImageMagick could read: the first picture of a file, upright as the
/// file says, without color management. A package of its own: its native library has 39 MB and many C decoders, which strangers' photos reach.
/// </summary>
public sealed class HeifImages : IImageFormat
{
    /// <summary>What libheif, ImageMagick and the result hold at a time, for each pixel.</summary>
    private const int BytesPerPixel = 12;

    internal HeifImages()
    {
    }

    public IReadOnlyList<string> FileExtensions { get; } = [".heic", ".heif", ".hif", ".avif"];

    /// <summary>From now on Graft decodes these photos in this process, wherever it decodes others. May be called again.</summary>
    public static void Register() => ImageDecoder.Register(new HeifImages());

    public string? NameOf(ReadOnlySpan<byte> start) => start is [_, _, _, _, (byte)'f', (byte)'t', (byte)'y', (byte)'p', ..] && start.Length >= 12
        ? start[8..12] switch
        {
            [(byte)'a', (byte)'v', (byte)'i', (byte)'f' or (byte)'s'] => "AVIF",
            [(byte)'h', (byte)'e', (byte)'i' or (byte)'v', _] or [(byte)'m', (byte)'i' or (byte)'s', (byte)'f', (byte)'1'] => "HEIC",
            _ => null,
        }
        : null;

    public (int Width, int Height, long Bytes) Measure(ReadOnlySpan<byte> file)
    {
        var info = Guarded(file, (bytes, settings) => new MagickImageInfo(bytes, settings));
        return ((int)info.Width, (int)info.Height, (long)info.Width * info.Height * BytesPerPixel);
    }

    public RgbImage Decode(ReadOnlySpan<byte> file)
    {
        using var image = Guarded(file, (bytes, settings) => new MagickImage(bytes, settings));
        using var pixels = image.GetPixelsUnsafe();
        return new((int)image.Width, (int)image.Height, pixels.ToByteArray(PixelMapping.RGB) ?? throw new UnreadableImageException("its pixels cannot be decoded"));
    }

    private T Guarded<T>(ReadOnlySpan<byte> file, Func<byte[], MagickReadSettings, T> read)
    {
        var name = NameOf(file);
        try
        {
            // The format is named, so that no other of ImageMagick's decoders sees the file.
            return read(file.ToArray(), new() { Format = name == "AVIF" ? MagickFormat.Avif : MagickFormat.Heic, FrameIndex = 0, FrameCount = 1 });
        }
        catch (MagickException problem)
        {
            throw new UnreadableImageException($"damaged {name}: {problem.Message}", innerException: problem);
        }
        catch (Exception problem) when (problem is DllNotFoundException or TypeInitializationException or BadImageFormatException)
        {
            throw new UnreadableImageException($"{name} is not decoded on this system, for which Magick.NET has no native library. {ImageDecoder.HeicRemedy}", innerException: problem);
        }
    }
}
