using ScottPlot;
using SkiaSharp;

namespace Graft.Evaluation.Charts;

/// <summary>
/// A chart of a result, to be written as PNG. Colours are told apart by the colour-blind too (Okabe and Ito 2008), and the letters are part of
/// Graft, so that it looks the same everywhere.
/// </summary>
public sealed class Chart
{
    private const string FontName = "Graft";
    private const int FontSize = 14;

    private readonly Plot _plot;
    private readonly int _width, _height;

    static Chart()
    {
        // The charts' own font: on Linux, SkiaSharp without dependencies knows none of the machine's.
        Fonts.FontResolvers.Insert(0, new EmbeddedFont());
        Fonts.Default = Fonts.Sans = FontName;
    }

    private Chart(Plot plot, int width, int height) => (_plot, _width, _height) = (plot, width, height);

    /// <summary>The file's content.</summary>
    public byte[] ToPng() => _plot.GetImageBytes(_width, _height, ImageFormat.Png);

    internal static IPalette Palette { get; } = new ScottPlot.Palettes.Custom([.. ChartColours.Hex], "", "");

    internal static Color ColorOf(int index) => Palette.GetColor(index % Palette.Colors.Length);

    /// <summary>A chart with its title, ready to be drawn on.</summary>
    internal static Chart Of(string title, int width, int height, Action<Plot> draw)
    {
        var plot = new Plot();
        plot.Title(title, size: FontSize + 2);
        draw(plot);
        plot.Font.Set(FontName);
        plot.Axes.Bottom.TickLabelStyle.FontSize = plot.Axes.Left.TickLabelStyle.FontSize = FontSize - 1;
        plot.Axes.Bottom.Label.FontSize = plot.Axes.Left.Label.FontSize = FontSize;
        plot.Axes.Bottom.Label.Bold = plot.Axes.Left.Label.Bold = false;
        plot.Legend.FontSize = FontSize - 1;
        return new(plot, width, height);
    }

    /// <summary>How wide a text is, in pixels, in the charts' letters.</summary>
    internal static int WidthOf(string text)
    {
        using var font = new SKFont(EmbeddedFont.Typeface, FontSize);
        return (int)Math.Ceiling(font.MeasureText(text));
    }

    /// <summary>A name that fits, with … where something was left out.</summary>
    internal static string Shortened(string name, int letters = 28) => name.Length <= letters ? name : name[..(letters - 1)] + "…";

    private sealed class EmbeddedFont : IFontResolver
    {
        public static SKTypeface Typeface { get; } = Load();

        public SKTypeface? CreateTypeface(string fontName, bool bold, bool italic) => fontName == FontName ? Typeface : null;

        public SKTypeface? CreateTypeface(string fontName, FontWeight weight, FontSlant slant, FontSpacing spacing) =>
            fontName == FontName ? Typeface : null;

        private static SKTypeface Load()
        {
            using var font = typeof(Chart).Assembly.GetManifestResourceStream("Graft.Evaluation.Charts.DejaVuSans.ttf")!;
            return SKTypeface.FromStream(font);
        }
    }
}
