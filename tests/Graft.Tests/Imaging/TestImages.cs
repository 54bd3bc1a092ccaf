using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Graft.Imaging;
using SkiaSharp;

namespace Graft.Tests.Imaging;

internal static class TestImages
{
    public static RgbImage Noise(int width, int height, int seed)
    {
        var pixels = new byte[3 * width * height];
        new Random(seed).NextBytes(pixels);
        return new(width, height, pixels);
    }

    /// <summary>Smooth colors with some noise: compresses as photos do.</summary>
    public static RgbImage Photo(int width, int height)
    {
        var noise = Noise(width, height, seed: 1);
        for (var i = 0; i < noise.Pixels.Length; i++)
        {
            var (x, y) = (i / 3 % width, i / 3 / width);
            noise.Pixels[i] = (byte)(128 + 80 * Math.Sin((x * (i % 3 + 1) + y * 2) / 25.0) + noise.Pixels[i] / 8);
        }
        return noise;
    }

    public static byte[] Encode(RgbImage image, SKEncodedImageFormat format, int quality = 90)
    {
        using var bitmap = new SKBitmap(image.Width, image.Height, SKColorType.Rgba8888, SKAlphaType.Opaque);
        var rgba = image.Pixels.Chunk(3).SelectMany(pixel => (byte[])[.. pixel, 255]).ToArray();
        Marshal.Copy(rgba, 0, bitmap.GetPixels(), rgba.Length);
        using var data = bitmap.Encode(format, quality);
        return data.ToArray();
    }

    public static byte[] Claiming(string format, int width, int height)
    {
        switch (format)
        {
            case "png":
                return new HandmadePng(width, height, 8, 2).WithRows([0, 0, 0]);
            case "gif":
                return Gif(width, height);
            case "tiff":
                return HandmadeTiff.Write(width, 1, 8, 3, 2, new byte[48], claimedHeight: height);
            case "jpeg":
                var jpeg = Encode(Noise(8, 8, 1), SKEncodedImageFormat.Jpeg);
                var frame = jpeg.AsSpan(jpeg.AsSpan().IndexOf((ReadOnlySpan<byte>)[0xFF, 0xC0]));
                BinaryPrimitives.WriteUInt16BigEndian(frame[5..], (ushort)height);
                BinaryPrimitives.WriteUInt16BigEndian(frame[7..], (ushort)width);
                return jpeg;
            default:
                var bmp = new byte[54 + 48];
                "BM"u8.CopyTo(bmp);
                (int At, int Value)[] fields =
                    [(2, bmp.Length), (10, 54), (14, 40), (18, width), (22, height), (26, 1 | 24 << 16)];
                foreach (var (at, value) in fields)
                    BinaryPrimitives.WriteInt32LittleEndian(bmp.AsSpan(at), value);
                return bmp;
        }
    }

    /// <summary>Two pixels of a palette of two, of which the first is transparent.</summary>
    public static byte[] Gif(int width, int height) =>
    [
        .. "GIF89a"u8, (byte)width, (byte)(width >> 8), (byte)height, (byte)(height >> 8),
        0x80, 0, 0, 9, 8, 7, 200, 100, 50,
        0x21, 0xF9, 4, 1, 0, 0, 0, 0,
        0x2C, 0, 0, 0, 0, (byte)width, (byte)(width >> 8), (byte)height, (byte)(height >> 8), 0,
        // Codes of three bits: 4 clear, 0, 1, 5 end.
        2, 2, 0b01_000_100, 0b0000_101_0, 0, 0x3B,
    ];
}
