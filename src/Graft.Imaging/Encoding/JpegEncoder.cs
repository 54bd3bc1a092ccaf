using SkiaSharp;

namespace Graft.Imaging;

/// <summary>Writes pictures as JPEG, for pages and previews.</summary>
public static class JpegEncoder
{
    /// <param name="image">The picture.</param>
    /// <param name="quality">1 to 100; default 85.</param>
    /// <returns>A whole JPEG file.</returns>
    public static unsafe byte[] Encode(RgbImage image, int quality = 85)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentOutOfRangeException.ThrowIfLessThan(quality, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(quality, 100);
        var pixels = new byte[4L * image.Width * image.Height];
        for (int from = 0, to = 0; from < image.Pixels.Length; from += 3, to += 4)
            (pixels[to], pixels[to + 1], pixels[to + 2], pixels[to + 3]) =
                (image.Pixels[from], image.Pixels[from + 1], image.Pixels[from + 2], byte.MaxValue);
        fixed (byte* start = pixels)
        {
            var info = new SKImageInfo(image.Width, image.Height, SKColorType.Rgba8888, SKAlphaType.Opaque);
            using var map = new SKPixmap(info, (nint)start, info.RowBytes);
            using var data = map.Encode(SKEncodedImageFormat.Jpeg, quality)
                ?? throw new InvalidOperationException($"A picture of {image.Width}×{image.Height} pixels cannot be written as JPEG.");
            return data.ToArray();
        }
    }

    /// <summary>The picture shrunk, in its own proportions, to fit a square of so many pixels, as JPEG; never enlarged.</summary>
    public static byte[] EncodeThumbnail(RgbImage image, int sidePixels, int quality = 80) =>
        Encode(Resampler.Shrink(image, sidePixels), quality);
}
