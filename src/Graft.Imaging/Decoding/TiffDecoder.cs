using BitMiracle.LibTiff.Classic;

namespace Graft.Imaging;

/// <summary>
/// The first page of a TIFF: LibTiff.NET unpacks strips and tiles, this class makes RGB of their samples, because
/// libtiff's own RGBA reader multiplies colors by alpha and knows neither floats nor 32-bit integers.
/// </summary>
internal static class TiffDecoder
{
    public static RgbImage Decode(ReadOnlyMemory<byte> file, DecodingOptions options, DecodingLease lease)
    {
        var source = new TiffSource(file, TiffDirectory.Read(file.Span, options));
        try
        {
            using var tiff = source.Open()
                ?? throw new UnreadableImageException("damaged TIFF: its directory cannot be read");
            var image = Page(tiff, source, options, lease);
            if (source.Complaint is not null) throw new UnreadableImageException("damaged TIFF");
            return image;
        }
        catch (UnreadableImageException unreadable) when (source.Complaint is { } complaint)
        {
            throw new UnreadableImageException($"{unreadable.Reason} ({complaint})", innerException: unreadable);
        }
        // LibTiff.NET, on files that lie, runs into its own null, range, cast and size errors.
        catch (Exception failure) when (failure is not UnreadableImageException)
        {
            throw new UnreadableImageException(
                $"damaged TIFF: {source.Complaint ?? failure.Message}", innerException: failure);
        }
    }

    private static RgbImage Page(Tiff tiff, TiffSource source, DecodingOptions options, DecodingLease lease)
    {
        var layout = TiffLayout.Of(tiff, options);
        CheckBlocks(tiff, layout, source.Length);
        lease.Take(layout.Width, layout.Height, layout.MemoryBytes);
        // What is wrong with a directory seldom matters; but JPEG without the tables in it decodes to noise.
        if (layout.Compression != Compression.JPEG) source.Forgive();
        var image = RgbImage.Uninitialized(layout.Width, layout.Height);
        var converter = new TiffSamples(tiff, layout);
        var planes = new byte[layout.Planes][];
        for (var plane = 0; plane < planes.Length; plane++) planes[plane] = new byte[layout.BlockBytes];
        var block = 0;
        var perPlane = layout.BlocksAcross * layout.BlocksDown;
        for (var top = 0; top < layout.Height; top += layout.BlockHeight)
        {
            for (var left = 0; left < layout.Width; left += layout.BlockWidth, block++)
            {
                var rows = Math.Min(layout.BlockHeight, layout.Height - top);
                var columns = Math.Min(layout.BlockWidth, layout.Width - left);
                for (var plane = 0; plane < planes.Length; plane++)
                    ReadBlock(tiff, layout, block + plane * perPlane, rows, planes[plane], options, lease);
                for (var y = 0; y < rows; y++)
                    converter.Convert(planes, y * layout.RowBytes, image.Row(top + y).Slice(left * 3, columns * 3));
            }
        }
        return layout.Orientation == 1
            ? image
            : UprightImage.Of(layout.Orientation, image.Pixels, image.Width, image.Height, bytesPerPixel: 3);
    }

    /// <summary>
    /// Each strip or tile lies in the file, or libtiff's JPEG decoder would invent the rest; and together they are not
    /// larger than the file, or a small one could be read a million times over.
    /// </summary>
    private static void CheckBlocks(Tiff tiff, TiffLayout layout, long fileBytes)
    {
        var offsets = Numbers(tiff, layout.Tiled ? TiffTag.TILEOFFSETS : TiffTag.STRIPOFFSETS);
        var sizes = Numbers(tiff, layout.Tiled ? TiffTag.TILEBYTECOUNTS : TiffTag.STRIPBYTECOUNTS);
        var blocks = layout.BlocksAcross * layout.BlocksDown * layout.Planes;
        if (offsets.Length < blocks || sizes.Length < blocks)
        {
            throw new UnreadableImageException(
                $"damaged TIFF: {offsets.Length} of its {blocks} strips or tiles are there");
        }
        var compressed = layout.Compression != Compression.NONE;
        long total = 0;
        for (var i = 0; i < blocks; i++)
        {
            var end = offsets[i] + (compressed ? sizes[i] : Math.Min(sizes[i], layout.BlockBytes));
            if (offsets[i] < 0 || sizes[i] < 0 || (end > fileBytes && (compressed || i < blocks - 1)))
                throw new UnreadableImageException(Completeness.Truncated(ImageFormat.Tiff));
            total += sizes[i];
        }
        if (total > 2 * fileBytes + 65536)
            throw new UnreadableImageException("damaged TIFF: its strips or tiles overlap");
        // Of the compressions that are limited, LZW makes the most of a byte: 4096 of 12 bits. Fax rows take a bit, WebP pictures none.
        var isUnlimited = layout.Compression is Compression.CCITTRLE or Compression.CCITTRLEW or Compression.CCITTFAX3 or Compression.CCITTFAX4
            or TiffLayout.WebP;
        if (!isUnlimited && layout.RawBytes > 4096 * total) throw new UnreadableImageException(Completeness.Truncated(ImageFormat.Tiff));
    }

    private static long[] Numbers(Tiff tiff, TiffTag tag) => tiff.GetField(tag) is [{ Value: { } values }, ..]
        ? values switch
        {
            long[] wide => wide,
            ulong[] unsigned => Array.ConvertAll(unsigned, value => value > long.MaxValue ? -1 : (long)value),
            uint[] narrow => Array.ConvertAll(narrow, value => (long)value),
            int[] narrow => Array.ConvertAll(narrow, value => (long)(uint)value),
            _ => [],
        }
        : [];

    private static void ReadBlock(
        Tiff tiff, TiffLayout layout, int block, int rows, byte[] buffer, DecodingOptions options, DecodingLease lease)
    {
        if (layout.Compression == TiffLayout.WebP)
        {
            var raw = new byte[checked((int)tiff.RawStripSize(block))];
            tiff.ReadRawStrip(block, raw, 0, raw.Length);
            var picture = SkiaDecoder.Decode(raw, ImageFormat.WebP, options, lease);
            if (picture.Width != layout.BlockWidth || picture.Height < rows || picture.Height > layout.BlockHeight)
                throw new UnreadableImageException("damaged TIFF: its WebP strips are of another size");
            picture.Pixels.CopyTo(buffer, 0);
            return;
        }
        var wanted = layout.Tiled ? layout.BlockBytes : rows * layout.RowBytes;
        var read = layout.Tiled
            ? tiff.ReadEncodedTile(block, buffer, 0, wanted)
            : tiff.ReadEncodedStrip(block, buffer, 0, wanted);
        if (read < wanted)
        {
            throw new UnreadableImageException(
                $"truncated or damaged TIFF: {(layout.Tiled ? "tile" : "strip")} {block} cannot be decoded");
        }
    }
}
