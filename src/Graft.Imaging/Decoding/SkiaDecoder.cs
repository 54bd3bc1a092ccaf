using System.Runtime.InteropServices;
using SkiaSharp;

namespace Graft.Imaging;

/// <summary>JPEG, PNG, BMP, GIF and WebP, decoded by Skia's codecs without colour management.</summary>
internal static class SkiaDecoder
{
    public static unsafe RgbImage Decode(ReadOnlyMemory<byte> file, ImageFormat format, DecodingOptions options)
    {
        if (format == ImageFormat.Gif) file = GifTransparency.Without(file);
        using var pin = file.Pin();
        using var data = SKData.Create((nint)pin.Pointer, file.Length);
        using var stream = new SKMemoryStream(data);
        using var codec = SKCodec.Create(stream, out var opened)
            ?? throw new UnreadableImageException(Reason(format, opened, "its header cannot be read"));
        var (width, height) = (codec.Info.Width, codec.Info.Height);
        options.CheckPixels(width, height);

        var deep = format == ImageFormat.Png && file.Length > 24 && file.Span[24] == 16;
        var info = new SKImageInfo(
            width, height, deep ? SKColorType.RgbaF16 : SKColorType.Rgba8888, SKAlphaType.Unpremul, colorspace: null);
        var buffer = NativeMemory.Alloc((nuint)info.BytesSize64);
        try
        {
            var decoded = codec.GetPixels(info, (nint)buffer, info.RowBytes, SKCodecOptions.Default);
            if (decoded != SKCodecResult.Success)
                throw new UnreadableImageException(Reason(format, decoded, "its pixels cannot be decoded"));
            var samples = width * height * 4;
            if (deep) Narrow(new ReadOnlySpan<Half>(buffer, samples), new Span<byte>(buffer, samples));
            return Orientation.Upright(
                (int)codec.EncodedOrigin, new ReadOnlySpan<byte>(buffer, samples), width, height, bytesPerPixel: 4);
        }
        finally
        {
            NativeMemory.Free(buffer);
        }
    }

    /// <summary>16-bit samples, which Skia hands out as halves from 0 to 1, to the nearest of 8 bits; in place, front to back.</summary>
    private static void Narrow(ReadOnlySpan<Half> deep, Span<byte> shallow)
    {
        for (var i = 0; i < shallow.Length; i++) shallow[i] = (byte)Math.Clamp((float)deep[i] * 255 + 0.5f, 0, 255);
    }

    private static string Reason(ImageFormat format, SKCodecResult result, string otherwise)
    {
        var name = format == ImageFormat.WebP ? "WebP" : format.ToString().ToUpperInvariant();
        return result switch
        {
            SKCodecResult.IncompleteInput => $"truncated {name}: the file ends before the picture does",
            SKCodecResult.ErrorInInput => $"damaged {name}: {otherwise}",
            SKCodecResult.Unimplemented => $"{name} of a kind that is not decoded: {otherwise}",
            _ => $"broken {name}: {otherwise}",
        };
    }
}
