using System.Buffers.Binary;

namespace Graft.Imaging;

/// <summary>
/// Reads the first directory's sizes before LibTiff.NET sees the file: libtiff allocates what the tags claim, so a file
/// of a hundred bytes could ask for gigabytes.
/// </summary>
internal static class TiffHeader
{
    private const int ImageWidth = 256, ImageLength = 257, StripOffsets = 273, StripByteCounts = 279;
    private const int TileWidth = 322, TileLength = 323, TileOffsets = 324, TileByteCounts = 325;

    public static void Check(ReadOnlySpan<byte> file, DecodingOptions options)
    {
        var reader = new Reader(file, bigEndian: file[0] == 'M');
        if (reader.Number(2, 2) == 43)
            throw new UnreadableImageException("BigTIFF, which is not decoded. Convert it to TIFF first.");
        var directory = reader.Number(4, 4);
        var entries = reader.Number(directory, 2);
        long width = 0, height = 0, tileWidth = 0, tileHeight = 0;
        for (var i = 0; i < entries; i++)
        {
            var entry = directory + 2 + 12L * i;
            var tag = (int)reader.Number(entry, 2);
            var type = (int)reader.Number(entry + 2, 2);
            var count = reader.Number(entry + 4, 4);
            var bytes = count * Size(type);
            if (tag is StripOffsets or StripByteCounts or TileOffsets or TileByteCounts && bytes > 4)
            {
                var at = reader.Number(entry + 8, 4);
                if (at + bytes > file.Length)
                {
                    throw new UnreadableImageException(
                        $"damaged TIFF: tag {tag} has {count} values, more than the file holds");
                }
            }
            if (count < 1) continue;
            var value = type == 3 ? reader.Number(entry + 8, 2) : reader.Number(entry + 8, 4);
            switch (tag)
            {
                case ImageWidth: width = value; break;
                case ImageLength: height = value; break;
                case TileWidth: tileWidth = value; break;
                case TileLength: tileHeight = value; break;
            }
        }
        options.CheckPixels(width, height);
        if (tileWidth != 0 || tileHeight != 0) options.CheckPixels(tileWidth, tileHeight);
    }

    private static int Size(int type) => type switch
    {
        3 or 8 => 2,
        4 or 9 or 11 or 13 => 4,
        5 or 10 or 12 => 8,
        _ => 1,
    };

    private readonly ref struct Reader(ReadOnlySpan<byte> file, bool bigEndian)
    {
        private readonly ReadOnlySpan<byte> _file = file;

        public long Number(long at, int bytes)
        {
            if (at < 0 || at + bytes > _file.Length)
                throw new UnreadableImageException("truncated TIFF: its directory lies beyond the end of the file");
            var field = _file.Slice((int)at, bytes);
            return (bytes, bigEndian) switch
            {
                (2, true) => BinaryPrimitives.ReadUInt16BigEndian(field),
                (2, false) => BinaryPrimitives.ReadUInt16LittleEndian(field),
                (_, true) => BinaryPrimitives.ReadUInt32BigEndian(field),
                _ => BinaryPrimitives.ReadUInt32LittleEndian(field),
            };
        }
    }
}
