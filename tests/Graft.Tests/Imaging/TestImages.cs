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

    /// <summary>Smooth colours with some noise: compresses as photos do.</summary>
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
}
