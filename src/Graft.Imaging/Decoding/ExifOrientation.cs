using System.Buffers.Binary;

namespace Graft.Imaging;

/// <summary>The EXIF orientation of PNG and WebP files, which Skia reads of JPEG alone.</summary>
internal static class ExifOrientation
{
    private const int Tag = 0x112;

    /// <summary>1 to 8; 1 where the file says nothing, or nonsense.</summary>
    public static int Of(ReadOnlySpan<byte> file, ImageFormat format)
    {
        var exif = format == ImageFormat.Png
            ? Chunk(file[8..], "eXIf"u8, header: 8, trailer: 4, bigEndian: true)
            : Chunk(file[12..], "EXIF"u8, header: 8, trailer: 0, bigEndian: false);
        // Some WebP writers keep the introduction that only JPEG needs.
        if (exif.StartsWith("Exif\0\0"u8)) exif = exif[6..];
        return Orientation(exif);
    }

    private static ReadOnlySpan<byte> Chunk(
        ReadOnlySpan<byte> chunks, ReadOnlySpan<byte> name, int header, int trailer, bool bigEndian)
    {
        while (chunks.Length >= header)
        {
            var length = bigEndian
                ? BinaryPrimitives.ReadUInt32BigEndian(chunks)
                : BinaryPrimitives.ReadUInt32LittleEndian(chunks[4..]);
            var found = chunks.Slice(bigEndian ? 4 : 0, 4).SequenceEqual(name);
            if (length > chunks.Length - header) break;
            if (found) return chunks.Slice(header, (int)length);
            // WebP pads a chunk to an even length.
            var size = header + length + trailer + (bigEndian ? 0 : length % 2);
            if (size >= chunks.Length) break;
            chunks = chunks[(int)size..];
        }
        return [];
    }

    /// <summary>The tag of the first directory of a TIFF block (CIPA DC-008, section 4.6).</summary>
    private static int Orientation(ReadOnlySpan<byte> exif)
    {
        if (exif.Length < 14) return 1;
        var bigEndian = exif[0] == 'M';
        var directory = Number(exif[4..8], bigEndian);
        if (directory > exif.Length - 2) return 1;
        var entries = Number(exif.Slice((int)directory, 2), bigEndian);
        for (var (i, at) = (0, (int)directory + 2); i < entries && at + 12 <= exif.Length; i++, at += 12)
        {
            if (Number(exif.Slice(at, 2), bigEndian) == Tag) return (int)Number(exif.Slice(at + 8, 2), bigEndian);
        }
        return 1;
    }

    private static uint Number(ReadOnlySpan<byte> field, bool bigEndian) => (field.Length, bigEndian) switch
    {
        (2, true) => BinaryPrimitives.ReadUInt16BigEndian(field),
        (2, false) => BinaryPrimitives.ReadUInt16LittleEndian(field),
        (_, true) => BinaryPrimitives.ReadUInt32BigEndian(field),
        _ => BinaryPrimitives.ReadUInt32LittleEndian(field),
    };
}
