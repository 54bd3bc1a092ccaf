using System.Buffers.Binary;
using System.Runtime.InteropServices;
using SkiaSharp;

namespace Graft.Imaging;

/// <summary>JPEG, PNG, BMP, GIF and WebP, decoded by Skia's codecs without colour management.</summary>
internal static class SkiaDecoder
{
    public static unsafe RgbImage Decode(ReadOnlyMemory<byte> file, ImageFormat format, DecodingOptions options)
    {
        if (format == ImageFormat.Bmp) CheckClaim(file.Span, options);
        if (format == ImageFormat.Gif) file = GifTransparency.Without(file);
        using var pin = file.Pin();
        using var data = SKData.Create((nint)pin.Pointer, file.Length);
        using var stream = new SKMemoryStream(data);
        using var codec = SKCodec.Create(stream, out var opened)
            ?? throw new UnreadableImageException(Reason(format, opened, "its header cannot be read"));
        var (width, height) = (codec.Info.Width, codec.Info.Height);
        options.CheckPixels(width, height);
        Completeness.Check(file.Span, format);

        var info = new SKImageInfo(width, height, SKColorType.Rgba8888, SKAlphaType.Unpremul, colorspace: null);
        var buffer = NativeMemory.Alloc((nuint)info.BytesSize64);
        try
        {
            var decoded = codec.GetPixels(info, (nint)buffer, info.RowBytes, SKCodecOptions.Default);
            if (decoded != SKCodecResult.Success)
                throw new UnreadableImageException(Reason(format, decoded, "its pixels cannot be decoded"));
            var stored = new ReadOnlySpan<byte>(buffer, info.BytesSize);
            var orientation = format is ImageFormat.Png or ImageFormat.WebP
                ? ExifOrientation.Of(file.Span, format)
                : (int)codec.EncodedOrigin;
            return Orientation.Upright(orientation, stored, width, height, bytesPerPixel: 4);
        }
        finally
        {
            NativeMemory.Free(buffer);
        }
    }

    /// <summary>
    /// Skia refuses a BMP of impossible size without saying why. Offset 18: width and height (negative if top-down).
    /// </summary>
    private static void CheckClaim(ReadOnlySpan<byte> bmp, DecodingOptions options)
    {
        if (bmp.Length < 26) throw new UnreadableImageException(Completeness.Truncated(ImageFormat.Bmp));
        if (BinaryPrimitives.ReadUInt32LittleEndian(bmp[14..]) < 16) return;
        options.CheckPixels(
            BinaryPrimitives.ReadInt32LittleEndian(bmp[18..]),
            Math.Abs((long)BinaryPrimitives.ReadInt32LittleEndian(bmp[22..])));
    }

    private static string Reason(ImageFormat format, SKCodecResult result, string problem) => result switch
    {
        SKCodecResult.IncompleteInput => Completeness.Truncated(format),
        SKCodecResult.ErrorInInput => $"damaged {format.Name()}: {problem}",
        SKCodecResult.Unimplemented => $"{format.Name()} of a kind that is not decoded: {problem}",
        _ => $"broken {format.Name()}: {problem}",
    };
}
