using System.Buffers.Binary;

namespace Graft.Imaging;

/// <summary>
/// The first directory of a TIFF, read before LibTiff.NET sees the file, which allocates what any tag claims: a file of a
/// hundred bytes could ask for gigabytes.
/// </summary>
internal sealed class TiffDirectory
{
    private const int ImageWidth = 256, ImageLength = 257, StripOffsets = 273, SamplesPerPixel = 277, RowsPerStrip = 278;
    private const int StripByteCounts = 279, PlanarConfiguration = 284, TileWidth = 322, TileLength = 323, TileOffsets = 324;
    private const int TileByteCounts = 325;

    /// <summary>
    /// The tags that pixels depend on: subfile, size, samples, compression, photometry, fill order, strips, orientation, planes,
    /// fax options, predictor, palette, tiles, inks, extra samples, formats, JPEG tables, the old JPEG, and YCbCr.
    /// </summary>
    private static readonly HashSet<int> Known =
    [
        254, 255, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325, 332, 338, 339, 347,
        512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532,
    ];

    private TiffDirectory(long position, byte[] cleaned) => (Position, Cleaned) = (position, cleaned);

    /// <summary>Where the directory lies in the file.</summary>
    public long Position { get; }

    /// <summary>
    /// What is read in its place, and not longer: entries that pixels do not depend on are left out, whatever they claim, and so
    /// is the way to further pages.
    /// </summary>
    public byte[] Cleaned { get; }

    /// <exception cref="UnreadableImageException">A size is broken or above the limits, or a tag claims more than the file holds.</exception>
    public static TiffDirectory Read(ReadOnlySpan<byte> file, DecodingOptions options)
    {
        var reader = new Reader(file, isBigEndian: file[0] == 'M');
        if (reader.Number(2, 2) == 43)
            throw new UnreadableImageException("BigTIFF, which is not decoded. Convert it to TIFF first.");
        var directory = reader.Number(4, 4);
        var entries = reader.Number(directory, 2);
        var kept = new List<byte[]>();
        var (values, counts) = (new Dictionary<int, long>(), new Dictionary<int, long>());
        for (var i = 0; i < entries; i++)
        {
            var entry = directory + 2 + 12L * i;
            var inPlace = reader.Number(entry + 8, 4);
            var tag = (int)reader.Number(entry, 2);
            var type = (int)reader.Number(entry + 2, 2);
            var count = reader.Number(entry + 4, 4);
            var bytes = count * Size(type);
            if (!Known.Contains(tag) || count == 0) continue;
            var at = bytes > 4 ? inPlace : entry + 8;
            if (at + bytes > file.Length)
            {
                throw new UnreadableImageException(
                    $"damaged TIFF: tag {tag} has {count} values, more than the file holds");
            }
            var value = reader.Number(at, type == 3 ? 2 : type is 1 or 6 or 7 ? 1 : 4);
            if (!values.TryAdd(tag, value))
            {
                if (values[tag] == value && counts[tag] == count) continue;
                throw new UnreadableImageException($"damaged TIFF: tag {tag} is there twice, with different values");
            }
            counts[tag] = count;
            kept.Add(file.Slice((int)entry, 12).ToArray());
        }
        long Value(int tag, long otherwise) => values.GetValueOrDefault(tag, otherwise);
        var (width, height) = (Value(ImageWidth, 0), Value(ImageLength, 0));
        options.CheckPixels(width, height);
        var isTiled = values.ContainsKey(TileWidth) || values.ContainsKey(TileLength);
        var (blockWidth, blockHeight) = isTiled ? (Value(TileWidth, 0), Value(TileLength, 0)) : (width, Math.Min(Value(RowsPerStrip, height), height));
        options.CheckPixels(blockWidth, blockHeight);
        // Offsets of strips or tiles are the only list whose length LibTiff.NET takes from the size of the picture.
        var planes = Value(PlanarConfiguration, 1) == 2 ? Value(SamplesPerPixel, 1) : 1;
        var blocks = planes * ((width + blockWidth - 1) / blockWidth) * ((height + blockHeight - 1) / blockHeight);
        var offsets = counts.GetValueOrDefault(isTiled ? TileOffsets : StripOffsets, counts.GetValueOrDefault(isTiled ? StripOffsets : TileOffsets));
        if (offsets < blocks)
            throw new UnreadableImageException($"damaged TIFF: {offsets} of its {blocks} strips or tiles are there");
        return new(directory, reader.Directory(kept));
    }

    private static int Size(int type) => type switch
    {
        3 or 8 => 2,
        4 or 9 or 11 or 13 => 4,
        5 or 10 or 12 or 16 or 17 or 18 => 8,
        _ => 1,
    };

    private readonly ref struct Reader(ReadOnlySpan<byte> file, bool isBigEndian)
    {
        private readonly ReadOnlySpan<byte> _file = file;

        public long Number(long at, int bytes)
        {
            if (at < 0 || at + bytes > _file.Length)
                throw new UnreadableImageException("truncated TIFF: its directory lies beyond the end of the file");
            var field = _file.Slice((int)at, bytes);
            return (bytes, isBigEndian) switch
            {
                (1, _) => field[0],
                (2, true) => BinaryPrimitives.ReadUInt16BigEndian(field),
                (2, false) => BinaryPrimitives.ReadUInt16LittleEndian(field),
                (_, true) => BinaryPrimitives.ReadUInt32BigEndian(field),
                _ => BinaryPrimitives.ReadUInt32LittleEndian(field),
            };
        }

        /// <summary>The number of entries, the entries, and 0: no other directory follows.</summary>
        public byte[] Directory(List<byte[]> entries)
        {
            Span<byte> count = stackalloc byte[2];
            if (isBigEndian) BinaryPrimitives.WriteUInt16BigEndian(count, (ushort)entries.Count);
            else BinaryPrimitives.WriteUInt16LittleEndian(count, (ushort)entries.Count);
            return [.. count, .. entries.SelectMany(entry => entry), 0, 0, 0, 0];
        }
    }
}
