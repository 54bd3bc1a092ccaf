using BitMiracle.LibTiff.Classic;

namespace Graft.Imaging;

/// <summary>
/// What the tags of a TIFF page say of its pixels; checked, so that no later step trusts a lying tag.
/// </summary>
internal sealed record TiffLayout
{
    /// <summary>Each strip or tile is a WebP picture. LibTiff.NET does not know it; Skia does.</summary>
    public const Compression WebP = (Compression)50001;

    public required int Width { get; init; }
    public required int Height { get; init; }
    public required int Bits { get; init; }
    public required int Samples { get; init; }
    public required SampleFormat Format { get; init; }
    public required Photometric Photometric { get; init; }
    public required bool Separate { get; init; }
    public required Compression Compression { get; init; }
    public required bool PremultipliedAlpha { get; init; }
    public required int Orientation { get; init; }
    public required bool Tiled { get; init; }

    /// <summary>Columns and rows of a tile; a strip is as wide as the picture.</summary>
    public required int BlockWidth { get; init; }

    public required int BlockHeight { get; init; }

    public int BlocksAcross => (Width + BlockWidth - 1) / BlockWidth;

    public int BlocksDown => (Height + BlockHeight - 1) / BlockHeight;

    /// <summary>Bytes of one row of a block, which begins at a byte.</summary>
    public int RowBytes => checked((int)(((long)BlockWidth * Bits * (Separate ? 1 : Samples) + 7) / 8));

    public int BlockBytes => checked(RowBytes * BlockHeight);

    /// <summary>Blocks that hold the samples of one place: one, unless each sample has its own.</summary>
    public int Planes => Separate ? Samples : 1;

    /// <summary>All samples of the picture, unpacked.</summary>
    public long RawBytes => (long)RowBytes * BlocksAcross * Height * Planes;

    /// <summary>
    /// The most that is allocated at a time: the result, twice if it is turned; a block of each plane; and what a compression that knows
    /// no rows keeps of a block besides (progressive JPEG, WebP).
    /// </summary>
    public long MemoryBytes => 3L * Width * Height * (Orientation == 1 ? 1 : 2) + (long)BlockBytes * Planes + (Compression switch
    {
        Compression.JPEG or Compression.OJPEG => 2L * BlockBytes,
        WebP => 8L * BlockWidth * BlockHeight,
        _ => 0,
    });

    /// <summary>Samples that make the color; further ones are alpha or unknown and are dropped.</summary>
    public int ColorSamples => Photometric switch
    {
        Photometric.RGB or Photometric.YCBCR or Photometric.CIELAB => 3,
        Photometric.SEPARATED => 4,
        _ => 1,
    };

    public static TiffLayout Of(Tiff tiff, DecodingOptions options)
    {
        var (width, height) = (Number(tiff, TiffTag.IMAGEWIDTH, 0), Number(tiff, TiffTag.IMAGELENGTH, 0));
        options.CheckPixels(width, height);
        var tiled = tiff.IsTiled();
        var photometric = (Photometric)Number(tiff, TiffTag.PHOTOMETRIC, (int)Photometric.MINISBLACK);
        var compression = (Compression)Number(tiff, TiffTag.COMPRESSION, (int)Compression.NONE);
        if (photometric == Photometric.YCBCR && compression == Compression.JPEG)
        {
            tiff.SetField(TiffTag.JPEGCOLORMODE, JpegColorMode.RGB);
            photometric = Photometric.RGB;
        }
        var extra = tiff.GetField(TiffTag.EXTRASAMPLES);
        var layout = new TiffLayout
        {
            Width = width,
            Height = height,
            Bits = Number(tiff, TiffTag.BITSPERSAMPLE, 1),
            Samples = Number(tiff, TiffTag.SAMPLESPERPIXEL, 1),
            Format = (SampleFormat)Number(tiff, TiffTag.SAMPLEFORMAT, (int)SampleFormat.UINT),
            Photometric = photometric,
            Separate = Number(tiff, TiffTag.PLANARCONFIG, (int)PlanarConfig.CONTIG) == (int)PlanarConfig.SEPARATE,
            Compression = compression,
            PremultipliedAlpha = extra is not null && extra[0].ToInt() > 0 &&
                extra[1].ToByteArray()[0] == (byte)ExtraSample.ASSOCALPHA,
            Orientation = Number(tiff, TiffTag.ORIENTATION, 1),
            Tiled = tiled,
            BlockWidth = tiled ? Number(tiff, TiffTag.TILEWIDTH, 0) : width,
            BlockHeight = tiled
                ? Number(tiff, TiffTag.TILELENGTH, 0)
                : (int)Math.Min((uint)Number(tiff, TiffTag.ROWSPERSTRIP, height), (uint)height),
        };
        layout.Check(options);
        return layout;
    }

    private void Check(DecodingOptions options)
    {
        options.CheckPixels(BlockWidth, BlockHeight);
        if (Samples is < 1 or > 32 || Samples < ColorSamples)
            throw Unusual($"{Samples} samples a pixel");
        if (Bits is not (> 0 and <= 16 or 32 or 64)
            || (Bits > 16 && Photometric is not (Photometric.MINISBLACK or Photometric.RGB)))
        {
            throw Unusual($"{Bits}-bit {Photometric} samples");
        }
        if (Format == SampleFormat.IEEEFP ? Bits is not (32 or 64) : Bits == 64)
            throw Unusual($"{Bits}-bit {Format} samples");
        if (Format is not (SampleFormat.UINT or SampleFormat.INT or SampleFormat.IEEEFP or SampleFormat.VOID))
            throw Unusual($"{Format} samples");
        if (Photometric is Photometric.PALETTE && Bits > 8) throw Unusual($"a palette of {Bits} bits");
        if (Photometric is Photometric.CIELAB && Bits != 8) throw Unusual($"{Bits}-bit Lab colors");
        if (Photometric is not (Photometric.MINISBLACK or Photometric.MINISWHITE or Photometric.RGB
            or Photometric.PALETTE or Photometric.SEPARATED or Photometric.CIELAB))
        {
            throw Unusual($"{Photometric} colors");
        }
        if (Compression == WebP && (Photometric != Photometric.RGB || Samples != 3 || Bits != 8 || Separate))
            throw Unusual("WebP with other than three 8-bit samples");
        if ((long)RowBytes * BlockHeight > options.MaxMemoryBytes) throw Unusual("blocks of impossible size");
        // A picture of many planes may fit into memory plane by plane and yet take minutes.
        if (RawBytes > options.MaxMemoryBytes)
        {
            throw new UnreadableImageException(
                $"too large: {Width} × {Height} pixels of {Samples} samples of {Bits} bits, where at most {options.MaxMemoryBytes} bytes are decoded. Shrink it.");
        }
    }

    private static UnreadableImageException Unusual(string what) => new($"TIFF of a kind that is not decoded: {what}");

    private static int Number(Tiff tiff, TiffTag tag, int otherwise) =>
        tiff.GetField(tag) is [var value, ..] ? value.ToInt() : otherwise;
}
