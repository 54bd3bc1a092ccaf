using SkiaSharp;

namespace Graft.Imaging;

/// <summary>Pictures of one size in rows and columns on one white sheet, to look at.</summary>
public static class ContactSheet
{
    private const int GapPixels = 4;

    /// <param name="rows">Rows of pictures, all of one size; a row may be shorter than the others.</param>
    public static RgbImage Of(IReadOnlyList<IReadOnlyList<RgbImage>> rows)
    {
        var (width, height, columns) = (rows[0][0].Width, rows[0][0].Height, rows.Max(row => row.Count));
        if (rows.Any(row => row.Any(picture => picture.Width != width || picture.Height != height)))
            throw new ArgumentException($"Expected pictures of {width} × {height} pixels only.", nameof(rows));
        var sheetWidth = GapPixels + columns * (width + GapPixels);
        var sheet = new RgbImage(sheetWidth, GapPixels + rows.Count * (height + GapPixels), new byte[3 * sheetWidth * (GapPixels + rows.Count * (height + GapPixels))]);
        sheet.Pixels.AsSpan().Fill(255);
        for (var row = 0; row < rows.Count; row++)
            for (var column = 0; column < rows[row].Count; column++)
                for (var y = 0; y < height; y++)
                    rows[row][column].Row(y).CopyTo(sheet.Row(GapPixels + row * (height + GapPixels) + y)[(3 * (GapPixels + column * (width + GapPixels)))..]);
        return sheet;
    }

    /// <summary>A picture as a PNG file, without loss.</summary>
    public static byte[] ToPng(RgbImage picture)
    {
        using var bitmap = new SKBitmap(picture.Width, picture.Height, SKColorType.Rgb888x, SKAlphaType.Opaque);
        var target = bitmap.GetPixelSpan();
        for (var i = 0; i < picture.Width * picture.Height; i++)
        {
            picture.Pixels.AsSpan(3 * i, 3).CopyTo(target[(4 * i)..]);
            target[4 * i + 3] = 255;
        }
        using var data = bitmap.Encode(SKEncodedImageFormat.Png, quality: 100);
        return data.ToArray();
    }
}
