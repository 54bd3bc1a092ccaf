using System.Buffers.Binary;
using System.IO.Compression;
using Graft.Imaging;
using SkiaSharp;

namespace Graft.Fuzz;

/// <summary>Pictures of every format that is decoded: JPEG, PNG, WebP, BMP, GIF and TIFF of several compressions.</summary>
internal sealed class ImageKind : FuzzKind
{
    private const int Width = 61, Height = 43;

    public override string Name => "images";

    public override IReadOnlyList<byte[]> Words =>
    [
        [0xFF, 0xD8], [0xFF, 0xC0], [0xFF, 0xC2], [0xFF, 0xC4], [0xFF, 0xDA], [0xFF, 0xDB], [0xFF, 0xDD], [0xFF, 0xD9], [0xFF, 0xE1],
        [.. "IHDR"u8], [.. "IDAT"u8], [.. "PLTE"u8], [.. "tRNS"u8], [.. "iCCP"u8], [.. "eXIf"u8], [.. "zTXt"u8], [.. "acTL"u8],
        [.. "VP8 "u8], [.. "VP8L"u8], [.. "VP8X"u8], [.. "ALPH"u8], [.. "ANIM"u8], [.. "ANMF"u8], [0x21, 0xF9, 4], [0x2C], [0x3B],
        [0, 1], [1, 1], [3, 1], [0x44, 1], [0x1C, 1],
    ];

    public override IReadOnlyList<Seed> Seeds(string folder)
    {
        using var bitmap = Picture();
        using var pixmap = bitmap.PeekPixels();
        return
        [
            new("jpg", Bytes(bitmap.Encode(SKEncodedImageFormat.Jpeg, 90))),
            new("gray.jpg", Bytes(pixmap.Encode(new SKJpegEncoderOptions(50, SKJpegEncoderDownsample.Downsample444, SKJpegEncoderAlphaOption.Ignore)))),
            new("png", Bytes(bitmap.Encode(SKEncodedImageFormat.Png, 100))),
            new("webp", Bytes(bitmap.Encode(SKEncodedImageFormat.Webp, 80))),
            new("lossless.webp", Bytes(pixmap.Encode(new SKWebpEncoderOptions(SKWebpEncoderCompression.Lossless, 50)))),
            new("bmp", Bmp(bitmap)), new("gif", Gif()),
            new("raw.tif", Tiff(compression: 1, planes: 1)), new("deflate.tif", Tiff(compression: 8, planes: 1)), new("planes.tif", Tiff(compression: 1, planes: 3)),
        ];
    }

    public override bool Read(byte[] input, string folder)
    {
        try
        {
            return ImageDecoder.Decode(input, Preprocessing.Torchvision().Resize).Width == 224;
        }
        catch (UnreadableImageException)
        {
            return false;
        }
    }

    private static SKBitmap Picture()
    {
        var bitmap = new SKBitmap(Width, Height, SKColorType.Rgba8888, SKAlphaType.Unpremul);
        for (var y = 0; y < Height; y++)
        {
            for (var x = 0; x < Width; x++)
                bitmap.SetPixel(x, y, new((byte)(x * 4), (byte)(y * 5), (byte)(128 + 100 * Math.Sin(x * y / 50.0)), (byte)(x + y < 20 ? 100 : 255)));
        }
        return bitmap;
    }

    private static byte[] Bytes(SKData? data)
    {
        using (data) return data!.ToArray();
    }

    private static byte[] Bmp(SKBitmap bitmap)
    {
        var row = (Width * 3 + 3) / 4 * 4;
        var bmp = new byte[54 + row * Height];
        "BM"u8.CopyTo(bmp);
        foreach (var (at, value) in (ReadOnlySpan<(int, int)>)[(2, bmp.Length), (10, 54), (14, 40), (18, Width), (22, Height), (26, 1 | 24 << 16)])
            BinaryPrimitives.WriteInt32LittleEndian(bmp.AsSpan(at), value);
        for (var y = 0; y < Height; y++)
        {
            for (var x = 0; x < Width; x++)
            {
                var color = bitmap.GetPixel(x, Height - 1 - y);
                (bmp[54 + y * row + 3 * x], bmp[55 + y * row + 3 * x], bmp[56 + y * row + 3 * x]) = (color.Blue, color.Green, color.Red);
            }
        }
        return bmp;
    }

    /// <summary>Two frames of four colors, the first smaller than the canvas; codes of three bits, cleared before they grow.</summary>
    private static byte[] Gif()
    {
        byte[] Frame(int left, int width, int height)
        {
            var (bits, count) = (new List<byte>(), 0);
            void Code(int code)
            {
                for (var bit = 0; bit < 3; bit++, count++)
                {
                    if (count % 8 == 0) bits.Add(0);
                    bits[^1] |= (byte)((code >> bit & 1) << (count % 8));
                }
            }
            for (var i = 0; i < width * height; i++)
            {
                if (i % 2 == 0) Code(4);
                Code(i % 4);
            }
            Code(5);
            return
            [
                0x21, 0xF9, 4, 1, 5, 0, 2, 0, 0x2C, (byte)left, 0, 1, 0, (byte)width, 0, (byte)height, 0, 0, 2,
                .. bits.Chunk(255).SelectMany(block => (byte[])[(byte)block.Length, .. block]), 0,
            ];
        }
        return
        [
            .. "GIF89a"u8, 20, 0, 16, 0, 0x81, 0, 0, 9, 8, 7, 200, 100, 50, 0, 0, 255, 30, 200, 30,
            .. Frame(2, 15, 12), .. Frame(0, 20, 10), 0x3B,
        ];
    }

    private static byte[] Tiff(int compression, int planes)
    {
        const int Side = 24, Rows = 8;
        byte[] pixels = [.. Enumerable.Range(0, Side * Side * 3).Select(i => (byte)(i * 7 / 3))];
        var blocks = pixels.Chunk(Side * Rows * 3 / planes).Select(block => compression == 1 ? block : Packed(block)).ToArray();
        (int Tag, int Type, int[] Values)[] tags =
        [
            (256, 3, [Side]), (257, 3, [Side]), (258, 3, [8, 8, 8]), (259, 3, [compression]), (262, 3, [2]),
            (273, 4, Offsets()), (277, 3, [3]), (278, 3, [Rows]), (279, 4, [.. blocks.Select(block => block.Length)]), (284, 3, [planes == 1 ? 1 : 2]),
            (305, 2, [.. "fuzz\0"u8.ToArray().Select(letter => (int)letter)]),
        ];
        using var file = new MemoryStream();
        using var writer = new BinaryWriter(file);
        var values = 8 + blocks.Sum(block => block.Length);
        var lists = new MemoryStream();
        var directory = new MemoryStream();
        using (var entry = new BinaryWriter(directory))
        {
            entry.Write((short)tags.Length);
            foreach (var (tag, type, list) in tags)
            {
                byte[] bytes = [.. list.SelectMany(value => BitConverter.GetBytes(value).Take(type switch { 2 => 1, 3 => 2, _ => 4 }))];
                entry.Write((short)tag);
                entry.Write((short)type);
                entry.Write(list.Length);
                if (bytes.Length <= 4) entry.Write([.. bytes, .. new byte[4 - bytes.Length]]);
                else entry.Write(values + (int)lists.Length);
                if (bytes.Length > 4) lists.Write([.. bytes, .. new byte[bytes.Length % 2]]);
            }
            entry.Write(0);
        }
        writer.Write("II"u8);
        writer.Write((short)42);
        writer.Write(values + (int)lists.Length);
        foreach (var block in blocks) writer.Write(block);
        writer.Write(lists.ToArray());
        writer.Write(directory.ToArray());
        return file.ToArray();

        int[] Offsets()
        {
            var at = 8;
            return [.. blocks.Select(block => (at += block.Length) - block.Length)];
        }
    }

    private static byte[] Packed(byte[] block)
    {
        using var packed = new MemoryStream();
        using (var zlib = new ZLibStream(packed, CompressionLevel.Fastest)) zlib.Write(block);
        return packed.ToArray();
    }
}
