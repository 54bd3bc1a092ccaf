using System.Runtime.Intrinsics;

namespace Graft.Imaging;

/// <summary>
/// Takes the rows of a file as they lie there, some at a time, and puts them where its EXIF orientation (CIPA DC-008,
/// tag 274) wants them in the upright picture.
/// </summary>
internal sealed class UprightImage
{
    private readonly int _storedWidth;

    // Stored pixel (x, y) lies at _origin + x · _stepX + y · _stepY of the upright pixels, in bytes.
    private readonly int _origin, _stepX, _stepY;

    /// <param name="orientation">1 to 8; anything else means upright, as in Pillow.</param>
    /// <param name="width">Stored width, before turning.</param>
    /// <param name="height">Stored height, before turning.</param>
    public UprightImage(int orientation, int width, int height)
    {
        _storedWidth = width;
        Image = orientation is >= 5 and <= 8 ? RgbImage.Uninitialized(height, width) : RgbImage.Uninitialized(width, height);
        var row = Image.Width * 3;
        var (right, bottom) = ((Image.Width - 1) * 3, (Image.Height - 1) * row);
        (_origin, _stepX, _stepY) = orientation switch
        {
            2 => (right, -3, row),
            3 => (right + bottom, -3, -row),
            4 => (bottom, 3, -row),
            5 => (0, row, 3),
            6 => (right, row, -3),
            7 => (right + bottom, -row, -3),
            8 => (bottom, -row, 3),
            _ => (0, 3, row),
        };
    }

    /// <summary>Complete once every stored row was written.</summary>
    public RgbImage Image { get; }

    /// <summary>The whole picture at once.</summary>
    public static RgbImage Of(int orientation, ReadOnlySpan<byte> stored, int width, int height, int bytesPerPixel)
    {
        var upright = new UprightImage(orientation, width, height);
        upright.Write(0, stored, bytesPerPixel);
        return upright.Image;
    }

    /// <param name="firstRow">Where the first of the stored rows lies in the file's picture.</param>
    /// <param name="stored">[rows, stored width, bytesPerPixel].</param>
    /// <param name="bytesPerPixel">3 (RGB) or 4 (RGBA; the fourth byte is dropped).</param>
    public void Write(int firstRow, ReadOnlySpan<byte> stored, int bytesPerPixel)
    {
        var rows = stored.Length / (_storedWidth * bytesPerPixel);
        if ((_stepX, _stepY) == (3, Image.Width * 3))
        {
            PackRgb(stored, bytesPerPixel, Image.Pixels.AsSpan(firstRow * _stepY, rows * _stepY));
            return;
        }
        // In squares, so that turning a large photo does not miss the cache at every pixel.
        const int Square = 32;
        var target = Image.Pixels;
        for (var top = 0; top < rows; top += Square)
        {
            for (var left = 0; left < _storedWidth; left += Square)
            {
                var right = Math.Min(left + Square, _storedWidth);
                for (var y = top; y < Math.Min(top + Square, rows); y++)
                {
                    var from = (y * _storedWidth + left) * bytesPerPixel;
                    var to = _origin + left * _stepX + (firstRow + y) * _stepY;
                    for (var x = left; x < right; x++, from += bytesPerPixel, to += _stepX)
                    {
                        target[to] = stored[from];
                        target[to + 1] = stored[from + 1];
                        target[to + 2] = stored[from + 2];
                    }
                }
            }
        }
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
