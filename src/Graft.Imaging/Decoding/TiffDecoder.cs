using BitMiracle.LibTiff.Classic;

namespace Graft.Imaging;

/// <summary>
/// The first page of a TIFF: LibTiff.NET unpacks strips and tiles, this class makes RGB of their samples, because
/// libtiff's own RGBA reader multiplies colours by alpha and knows neither floats nor 32-bit integers.
/// </summary>
internal static class TiffDecoder
{
    public static RgbImage Decode(ReadOnlyMemory<byte> file, DecodingOptions options)
    {
        var source = new TiffSource(file);
        try
        {
            TiffHeader.Check(file.Span, options);
            using var tiff = source.Open() ?? throw new UnreadableImageException("damaged TIFF: its directory cannot be read");
            return Page(tiff, options);
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

    private static RgbImage Page(Tiff tiff, DecodingOptions options)
    {
        var layout = TiffLayout.Of(tiff, options);
        var image = RgbImage.Uninitialized(layout.Width, layout.Height);
        var converter = new TiffSamples(tiff, layout);
        var planes = new byte[layout.Separate ? layout.Samples : 1][];
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
                    ReadBlock(tiff, layout, block + plane * perPlane, rows, planes[plane]);
                for (var y = 0; y < rows; y++)
                    converter.Convert(planes, y * layout.RowBytes, image.Row(top + y).Slice(left * 3, columns * 3));
            }
        }
        return Orientation.Upright(layout.Orientation, image.Pixels, image.Width, image.Height, bytesPerPixel: 3);
    }

    private static void ReadBlock(Tiff tiff, TiffLayout layout, int block, int rows, byte[] buffer)
    {
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
