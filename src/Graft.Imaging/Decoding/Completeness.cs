using System.Buffers.Binary;

namespace Graft.Imaging;

/// <summary>
/// Finds files that were cut off, or that claim more pixels than their bytes can hold, before anything is allocated: Skia
/// fills what is missing, so that a progressive JPEG cut in the middle decodes to a blurred picture without any error.
/// </summary>
internal static class Completeness
{
    /// <summary>What deflate makes of a byte at most.</summary>
    private const long LargestInflation = 1032;

    /// <returns>The most bytes that decoding such a file by Skia has allocated at a time, the result included.</returns>
    public static long Check(ReadOnlySpan<byte> file, ImageFormat format, int width, int height)
    {
        var pixels = (long)width * height;
        // 4 bytes a pixel that Skia writes, 3 of the result.
        var wholePicture = 7 * pixels;
        switch (format)
        {
            case ImageFormat.Jpeg:
                var jpeg = JpegStructure.Read(file);
                return 3 * pixels + 64L * width + (jpeg.IsBuffered ? (long)(2 * jpeg.CoefficientsPerPixel * pixels) : 0);
            case ImageFormat.Png:
                return wholePicture + CheckPng(file, pixels);
            case ImageFormat.WebP:
                if (BinaryPrimitives.ReadUInt32LittleEndian(file[4..]) + 8L > file.Length)
                    throw new UnreadableImageException(Truncated(format));
                // libwebp keeps a copy of its own of lossless pictures.
                return 8 * pixels;
            default:
                CheckBmp(file, width, height);
                return wholePicture;
        }
    }

    public static string Truncated(ImageFormat format) =>
        $"truncated {format.Name()}: the file ends before the picture does";

    /// <summary>
    /// No chunk reaches beyond the end of the file, and the data may inflate to the pixels. A cut or missing IEND is
    /// forgiven, as Pillow does.
    /// </summary>
    /// <returns>What an interlaced picture takes besides.</returns>
    private static long CheckPng(ReadOnlySpan<byte> file, long pixels)
    {
        if (file.Length < 33) throw new UnreadableImageException(Truncated(ImageFormat.Png));
        var (bits, channels) = (file[24], file[25] switch { 2 => 3, 4 => 2, 6 => 4, _ => 1 });
        var rawBytes = pixels * bits * channels / 8;
        var data = 0L;
        for (var at = 8L; at + 8 <= file.Length;)
        {
            var chunk = file.Slice((int)at, 8);
            if (chunk[4..].SequenceEqual("IEND"u8)) break;
            var length = BinaryPrimitives.ReadUInt32BigEndian(chunk);
            at += 12 + length;
            if (at > file.Length) throw new UnreadableImageException(Truncated(ImageFormat.Png));
            if (chunk[4..].SequenceEqual("IDAT"u8)) data += length;
        }
        if (rawBytes > data * LargestInflation) throw new UnreadableImageException(Truncated(ImageFormat.Png));
        return file[28] == 0 ? 0 : rawBytes;
    }

    /// <summary>Offsets 10: where pixels begin; 28: bits of each; 30: compression, 0 and 3 being none.</summary>
    private static void CheckBmp(ReadOnlySpan<byte> file, int width, int height)
    {
        if (file.Length < 34 || BinaryPrimitives.ReadUInt32LittleEndian(file[14..]) < 40) return;
        if (BinaryPrimitives.ReadUInt32LittleEndian(file[30..]) is not (0 or 3)) return;
        var rowBytes = ((long)width * BinaryPrimitives.ReadUInt16LittleEndian(file[28..]) + 31) / 32 * 4;
        // Skia itself finds what is missing at the end; this is for pictures that are hardly there.
        if (rowBytes * height > 2L * file.Length + 65536) throw new UnreadableImageException(Truncated(ImageFormat.Bmp));
    }
}
