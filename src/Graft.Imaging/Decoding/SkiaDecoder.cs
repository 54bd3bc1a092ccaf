using System.Buffers.Binary;
using System.Runtime.InteropServices;
using SkiaSharp;

namespace Graft.Imaging;

/// <summary>JPEG, PNG, BMP and WebP, decoded by Skia's codecs without color management.</summary>
internal static class SkiaDecoder
{
    /// <summary>Rows of a JPEG that are decoded at a time: a row of its largest blocks.</summary>
    private const int StripRows = 16;

    public static unsafe RgbImage Decode(
        ReadOnlyMemory<byte> file, ImageFormat format, DecodingOptions options, DecodingLease lease)
    {
        if (format == ImageFormat.Bmp) CheckClaim(file.Span, options);
        using var pin = file.Pin();
        using var data = SKData.Create((nint)pin.Pointer, file.Length);
        using var stream = new SKMemoryStream(data);
        using var codec = SKCodec.Create(stream, out var opened)
            ?? throw new UnreadableImageException(Reason(format, opened, "its header cannot be read"));
        var (width, height) = (codec.Info.Width, codec.Info.Height);
        options.CheckPixels(width, height);
        lease.Take(width, height, Completeness.Check(file.Span, format, width, height));

        var orientation = format is ImageFormat.Png or ImageFormat.WebP
            ? ExifOrientation.Of(file.Span, format)
            : (int)codec.EncodedOrigin;
        return format == ImageFormat.Jpeg
            ? Strips(codec, format, orientation)
            : Whole(codec, format, orientation);
    }

    private static unsafe RgbImage Whole(SKCodec codec, ImageFormat format, int orientation)
    {
        var info = Rgba(codec.Info.Width, codec.Info.Height);
        var buffer = NativeMemory.Alloc((nuint)info.BytesSize64);
        try
        {
            var decoded = codec.GetPixels(info, (nint)buffer, info.RowBytes, SKCodecOptions.Default);
            if (decoded != SKCodecResult.Success)
                throw new UnreadableImageException(Reason(format, decoded, "its pixels cannot be decoded"));
            return UprightImage.Of(orientation, new(buffer, info.BytesSize), info.Width, info.Height, bytesPerPixel: 4);
        }
        finally
        {
            NativeMemory.Free(buffer);
        }
    }

    /// <summary>The same for codecs that decode row by row, without a second copy of the picture.</summary>
    private static unsafe RgbImage Strips(SKCodec codec, ImageFormat format, int orientation)
    {
        var info = Rgba(codec.Info.Width, codec.Info.Height);
        var started = codec.StartScanlineDecode(info);
        if (started != SKCodecResult.Success)
            throw new UnreadableImageException(Reason(format, started, "its pixels cannot be decoded"));
        var upright = new UprightImage(orientation, info.Width, info.Height);
        var buffer = NativeMemory.Alloc((nuint)(StripRows * info.RowBytes));
        try
        {
            for (var top = 0; top < info.Height; top += StripRows)
            {
                var rows = Math.Min(StripRows, info.Height - top);
                if (codec.GetScanlines((nint)buffer, rows, info.RowBytes) < rows)
                    throw new UnreadableImageException(Reason(format, SKCodecResult.ErrorInInput, $"nothing can be decoded from row {top} on"));
                upright.Write(top, new(buffer, rows * info.RowBytes), bytesPerPixel: 4);
            }
        }
        finally
        {
            NativeMemory.Free(buffer);
        }
        return upright.Image;
    }

    private static SKImageInfo Rgba(int width, int height) =>
        new(width, height, SKColorType.Rgba8888, SKAlphaType.Unpremul, colorspace: null);

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
