using Graft.Imaging;

namespace Graft.Evaluation;

/// <summary>
/// Which places of a photo speak for a class: <paramref name="Height"/> rows of <paramref name="Width"/> numbers, 0 or more, over the part of
/// the photo that the network sees. Their size means nothing but in proportion.
/// </summary>
/// <param name="Values">Row by row from the top.</param>
/// <param name="Seen">The part of the photo that the map covers.</param>
public sealed record HeatMap(int Width, int Height, IReadOnlyList<float> Values, PhotoPart Seen)
{
    /// <summary>How much of the color covers the hottest place.</summary>
    private const double MostCover = 0.75;

    /// <summary>What is left of the light where the network does not look.</summary>
    private const double UnseenLight = 0.35;

    /// <summary>Whether no place speaks for the class.</summary>
    public bool IsBlank => !Values.Any(value => value > 0);

    /// <summary>
    /// The heat at a place of the photo, from 0 to 1, between the map's values (bilinear); null where the network does not look.
    /// </summary>
    /// <param name="x">From 0, the photo's left edge, to 1.</param>
    /// <param name="y">From 0, its top, to 1.</param>
    public double? At(double x, double y)
    {
        var (column, row) = ((x - Seen.Left) / Seen.Width, (y - Seen.Top) / Seen.Height);
        if (column is < 0 or > 1 || row is < 0 or > 1) return null;
        var most = Values.Max();
        if (most <= 0) return 0;
        return Sample(Values, Width, Height, column, row) / most;
    }

    /// <summary>The photo in gray with the heat over it, from black through violet and orange to yellow; what is not looked at is darkened.</summary>
    public RgbImage Over(RgbImage photo)
    {
        var pixels = new byte[photo.Pixels.Length];
        for (var y = 0; y < photo.Height; y++)
        {
            for (var x = 0; x < photo.Width; x++)
            {
                var place = 3 * (y * photo.Width + x);
                var gray = 0.299 * photo.Pixels[place] + 0.587 * photo.Pixels[place + 1] + 0.114 * photo.Pixels[place + 2];
                var heat = At((x + 0.5) / photo.Width, (y + 0.5) / photo.Height);
                var cover = heat is { } warm ? MostCover * Math.Sqrt(warm) : 0;
                var light = heat is null ? UnseenLight : 1;
                var (red, green, blue) = Inferno(heat ?? 0);
                pixels[place] = Blend(red);
                pixels[place + 1] = Blend(green);
                pixels[place + 2] = Blend(blue);

                byte Blend(double color) => (byte)Math.Clamp(Math.Round(light * gray * (1 - cover) + 255 * color * cover), 0, 255);
            }
        }
        return new(photo.Width, photo.Height, pixels);
    }

    /// <summary>A value between those of a grid whose cells have their values in the middle; beyond the middles the nearest.</summary>
    internal static double Sample(IReadOnlyList<float> values, int width, int height, double x, double y)
    {
        var (column, row) = (Math.Clamp(x * width - 0.5, 0, width - 1), Math.Clamp(y * height - 0.5, 0, height - 1));
        var (left, top) = ((int)column, (int)row);
        var (right, bottom) = (Math.Min(left + 1, width - 1), Math.Min(top + 1, height - 1));
        var (dx, dy) = (column - left, row - top);
        return (1 - dy) * ((1 - dx) * values[top * width + left] + dx * values[top * width + right])
            + dy * ((1 - dx) * values[bottom * width + left] + dx * values[bottom * width + right]);
    }

    /// <summary>
    /// The color map of matplotlib, whose light rises evenly, so that it can be read without seeing colors too (van der Walt and Smith 2015);
    /// a polynomial through it.
    /// </summary>
    private static (double Red, double Green, double Blue) Inferno(double t)
    {
        return (
            Polynomial(0.00021894, 0.10651342, 11.60249308, -41.70399613, 77.16293570, -71.31942824, 25.13112622),
            Polynomial(0.00165100, 0.56395643, -3.97285397, 17.43639888, -33.40235894, 32.62606426, -12.24266895),
            Polynomial(-0.01948090, 3.93271239, -15.94239411, 44.35414520, -81.80730926, 73.20951986, -23.07032500));

        double Polynomial(params ReadOnlySpan<double> factors)
        {
            var value = 0.0;
            for (var power = factors.Length - 1; power >= 0; power--) value = value * t + factors[power];
            return Math.Clamp(value, 0, 1);
        }
    }
}

/// <summary>A part of a photo, in shares of its width and height; it reaches beyond the photo where that is padded.</summary>
public readonly record struct PhotoPart(double Left, double Top, double Width, double Height)
{
    public static PhotoPart Whole { get; } = new(0, 0, 1, 1);

    /// <summary>What is left of a photo when it is made a network's input.</summary>
    public static PhotoPart SeenBy(Preprocessing preprocessing, int photoWidth, int photoHeight)
    {
        if (preprocessing.ResizeRule is ResizeRule.LongerSideThenPad)
        {
            // More than the photo: the padding is seen too.
            var (padded, tall) = preprocessing.ResizedSize(photoWidth, photoHeight);
            var (across, down) = ((double)preprocessing.InputWidth / padded, (double)preprocessing.InputHeight / tall);
            return new((1 - across) / 2, (1 - down) / 2, across, down);
        }
        if (preprocessing.ResizeRule is not ResizeRule.ShorterSideThenCrop(var pixels)) return Whole;
        var scale = (double)pixels / Math.Min(photoWidth, photoHeight);
        var (width, height) = (preprocessing.InputWidth / (photoWidth * scale), preprocessing.InputHeight / (photoHeight * scale));
        return new((1 - width) / 2, (1 - height) / 2, width, height);
    }
}
