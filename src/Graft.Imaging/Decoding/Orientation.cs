using System.Runtime.Intrinsics;

namespace Graft.Imaging;

/// <summary>EXIF orientation (CIPA DC-008, tag 274): how stored rows and columns lie in the upright picture.</summary>
internal static class Orientation
{
    /// <summary>Upright RGB from stored pixels of 3 (RGB) or 4 (RGBA; the fourth byte is dropped) bytes.</summary>
    /// <param name="orientation">1 to 8; anything else means upright, as in Pillow.</param>
    /// <param name="stored">[height, width, bytesPerPixel].</param>
    /// <param name="width">Stored width, before turning.</param>
    /// <param name="height">Stored height, before turning.</param>
    /// <param name="bytesPerPixel">3 or 4.</param>
    public static RgbImage Upright(int orientation, ReadOnlySpan<byte> stored, int width, int height, int bytesPerPixel)
    {
        var turned = orientation is >= 5 and <= 8;
        var image = turned ? RgbImage.Uninitialized(height, width) : RgbImage.Uninitialized(width, height);
        if (orientation is < 2 or > 8)
        {
            PackRgb(stored, bytesPerPixel, image.Pixels);
            return image;
        }
        // Upright pixel (x, y) is stored at origin + x · stepX + y · stepY; in 5 to 8 its x runs along stored columns.
        var (pixel, row) = (bytesPerPixel, width * bytesPerPixel);
        var (right, bottom) = ((width - 1) * pixel, (height - 1) * row);
        var (origin, stepX, stepY) = orientation switch
        {
            2 => (right, -pixel, row),
            3 => (right + bottom, -pixel, -row),
            4 => (bottom, pixel, -row),
            5 => (0, row, pixel),
            6 => (bottom, -row, pixel),
            7 => (right + bottom, -row, -pixel),
            _ => (right, row, -pixel),
        };
        // In squares, so that turning a large photo does not miss the cache at every pixel.
        const int Square = 32;
        for (var top = 0; top < image.Height; top += Square)
        {
            for (var left = 0; left < image.Width; left += Square)
            {
                var end = Math.Min(left + Square, image.Width);
                for (var y = top; y < Math.Min(top + Square, image.Height); y++)
                {
                    var target = image.Row(y)[(left * 3)..(end * 3)];
                    var from = origin + y * stepY + left * stepX;
                    for (var i = 0; i < target.Length; i += 3, from += stepX)
                    {
                        target[i] = stored[from];
                        target[i + 1] = stored[from + 1];
                        target[i + 2] = stored[from + 2];
                    }
                }
            }
        }
        return image;
    }

    private static void PackRgb(ReadOnlySpan<byte> stored, int bytesPerPixel, Span<byte> rgb)
    {
        if (bytesPerPixel == 3)
        {
            stored[..rgb.Length].CopyTo(rgb);
            return;
        }
        var (from, to) = (0, 0);
        if (Vector128.IsHardwareAccelerated)
        {
            // Four pixels a step: 16 bytes are written, of which the next step overwrites the last 4.
            var keep = Vector128.Create((byte)0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 15, 15, 15, 15);
            for (; to + 16 <= rgb.Length; from += 16, to += 12)
                Vector128.Shuffle(Vector128.Create(stored.Slice(from, 16)), keep).CopyTo(rgb[to..]);
        }
        for (; to < rgb.Length; from += 4, to += 3)
        {
            rgb[to] = stored[from];
            rgb[to + 1] = stored[from + 1];
            rgb[to + 2] = stored[from + 2];
        }
    }
}
