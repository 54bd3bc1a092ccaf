using System.Buffers.Binary;

namespace Graft.Imaging;

/// <summary>
/// Finds files that were cut off by walking over their segments or chunks, because Skia fills what is missing: a
/// progressive JPEG cut in the middle decodes to a blurred picture without any error.
/// </summary>
internal static class Completeness
{
    /// <summary>Encoders write about ten; each one costs another pass over the whole picture.</summary>
    private const int MostScans = 64;

    public static void Check(ReadOnlySpan<byte> file, ImageFormat format)
    {
        var complete = format switch
        {
            ImageFormat.Jpeg => IsCompleteJpeg(file),
            ImageFormat.Png => IsCompletePng(file),
            ImageFormat.WebP => BinaryPrimitives.ReadUInt32LittleEndian(file[4..]) + 8L <= file.Length,
            _ => true,
        };
        if (!complete) throw new UnreadableImageException(Truncated(format));
    }

    public static string Truncated(ImageFormat format) =>
        $"truncated {format.Name()}: the file ends before the picture does";

    /// <summary>Every segment lies in the file, and the end-of-image marker is there (ITU T.81, annex B).</summary>
    private static bool IsCompleteJpeg(ReadOnlySpan<byte> file)
    {
        const byte Fill = 0xFF, StartOfImage = 0xD8, EndOfImage = 0xD9, StartOfScan = 0xDA;
        var scans = 0;
        for (var at = 0; ;)
        {
            // In a scan this also passes over its data, in which a 0 follows each 255.
            var found = file[at..].IndexOf(Fill);
            if (found < 0 || at + found + 1 >= file.Length) return false;
            at += found + 1;
            switch (file[at])
            {
                case Fill:
                    continue;
                case EndOfImage:
                    return true;
                case 0 or 1 or (>= 0xD0 and <= StartOfImage):
                    at++;
                    continue;
                case StartOfScan when ++scans > MostScans:
                    throw new UnreadableImageException(
                        $"JPEG of more than {MostScans} scans, which would take too long to decode");
            }
            if (at + 3 > file.Length) return false;
            at += 1 + BinaryPrimitives.ReadUInt16BigEndian(file[(at + 1)..]);
            if (at > file.Length) return false;
        }
    }

    /// <summary>
    /// No chunk reaches beyond the end of the file. A cut or missing IEND is forgiven, as Pillow does.
    /// </summary>
    private static bool IsCompletePng(ReadOnlySpan<byte> file)
    {
        for (var at = 8L; at + 8 <= file.Length;)
        {
            var chunk = file.Slice((int)at, 8);
            if (chunk[4..].SequenceEqual("IEND"u8)) return true;
            at += 12 + BinaryPrimitives.ReadUInt32BigEndian(chunk);
            if (at > file.Length) return false;
        }
        return true;
    }
}
