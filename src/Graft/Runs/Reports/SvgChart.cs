using System.Globalization;
using System.Text;
using Graft.Evaluation.Charts;

namespace Graft.Runs.Reports;

/// <summary>From the lowest to the highest number of an axis.</summary>
internal readonly record struct AxisRange(double Low, double High)
{
    public static AxisRange Share { get; } = new(0, 1);

    /// <summary>All of the numbers, with a little room; never empty.</summary>
    public static AxisRange Of(IEnumerable<double> values, double room = 0.04)
    {
        var finite = values.Where(double.IsFinite).DefaultIfEmpty(0).ToList();
        var (low, high) = (finite.Min(), finite.Max());
        var margin = high > low ? room * (high - low) : Math.Max(1e-9, 0.5 * Math.Abs(high));
        return new(low - margin, high + margin);
    }

    /// <summary>Round numbers within, about <paramref name="count"/> of them.</summary>
    public IReadOnlyList<double> Ticks(int count, bool areWhole)
    {
        var rough = (High - Low) / count;
        var power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        var step = ((ReadOnlySpan<double>)[1, 2, 5, 10]).ToArray().Select(factor => factor * power).First(candidate => candidate >= rough * 0.999);
        if (areWhole) step = Math.Max(1, Math.Round(step));
        var ticks = new List<double>();
        // Counted, so that 0.3 does not become 0.30000000000000004.
        for (var index = Math.Ceiling(Low / step - 1e-9); index * step <= High + step * 1e-9; index++) ticks.Add(Math.Round(index * step, 12) + 0.0);
        return ticks;
    }
}

/// <summary>How the lines and points of a class look, so that they are told apart without colours too.</summary>
internal static class ClassLook
{
    private static readonly string[] Dashes = ["", "7 3", "2 3", "9 3 2 3", "4 2"];

    public static string Colour(int index) => ChartColours.Hex[index % ChartColours.Hex.Count];

    public static string Dash(int index) => Dashes[index % Dashes.Length];

    /// <summary>A marker around the origin; of 60 classes no two have both colour and shape in common.</summary>
    public static string Marker(int index) => ((index + index / 30) % 6) switch
    {
        0 => "M-3,0a3,3 0 1,0 6,0a3,3 0 1,0 -6,0z",
        1 => "M-2.7-2.7h5.4v5.4h-5.4z",
        2 => "M0-3.6L3.4,2.6h-6.8z",
        3 => "M0-3.8L3.8,0L0,3.8L-3.8,0z",
        4 => "M-1.2-3.6h2.4v2.4h2.4v2.4h-2.4v2.4h-2.4v-2.4h-2.4v-2.4h2.4z",
        _ => "M0,3.6L3.4-2.6h-6.8z",
    };
}

/// <summary>
/// A chart as SVG in a page: it costs next to nothing to draw, is sharp at any size and in print, and its numbers can be pointed at. Only
/// numbers and short words stand in it; names, which may be long, stand beside it in a legend that wraps.
/// </summary>
internal sealed class SvgChart
{
    private const int Width = 440, Height = 320, Left = 52, Right = 12, Top = 14, Bottom = 46;

    private readonly AxisRange _x, _y;
    private readonly StringBuilder _axes = new(), _content = new();

    public SvgChart(string xTitle, AxisRange x, string yTitle, AxisRange y, bool hasWholeX = false, bool hasTicks = true)
    {
        (_x, _y) = (x, y);
        if (hasTicks)
        {
            foreach (var tick in x.Ticks(6, hasWholeX))
                _axes.Append(Invariant($"<path class=\"grid\" d=\"M{X(tick)},{Top}V{Height - Bottom}\"/><text x=\"{X(tick)}\" y=\"{Height - Bottom + 17}\" text-anchor=\"middle\">{Number(tick)}</text>"));
            foreach (var tick in y.Ticks(5, areWhole: false))
                _axes.Append(Invariant($"<path class=\"grid\" d=\"M{Left},{Y(tick)}H{Width - Right}\"/><text x=\"{Left - 6}\" y=\"{Y(tick) + 4.5:0.#}\" text-anchor=\"end\">{Number(tick)}</text>"));
        }
        _axes.Append(Invariant($"<path class=\"axis\" d=\"M{Left},{Top}V{Height - Bottom}H{Width - Right}\"/>"));
        _axes.Append(Html.Of($"<text x=\"{(Left + Width - Right) / 2}\" y=\"{Height - 8}\" text-anchor=\"middle\">{xTitle}</text>").Text);
        _axes.Append(Html.Of($"<text transform=\"translate(13,{(Top + Height - Bottom) / 2}) rotate(-90)\" text-anchor=\"middle\">{yTitle}</text>").Text);
    }

    public SvgChart Line(IEnumerable<(double X, double Y)> points, string colour, string dash = "", string? title = null, double width = 2)
    {
        var path = new StringBuilder();
        foreach (var (x, y) in points.Where(point => double.IsFinite(point.X) && double.IsFinite(point.Y)))
            path.Append(Invariant($"{(path.Length == 0 ? 'M' : 'L')}{X(x)},{Y(y)}"));
        _content.Append(Html.Of($"<path class=\"line\" d=\"{path.ToString()}\" stroke=\"{colour}\" stroke-width=\"{width}\" stroke-dasharray=\"{dash}\">{Title(title)}</path>").Text);
        return this;
    }

    /// <summary>A class's marker at a place.</summary>
    public SvgChart Point(double x, double y, int look, string? title = null, double size = 1, bool isRinged = false)
    {
        _content.Append(Html.Of(
            $"<path d=\"{ClassLook.Marker(look)}\" transform=\"translate({X(x)},{Y(y)}) scale({size:0.##})\" fill=\"{ClassLook.Colour(look)}\"{new Markup(isRinged ? " class=\"ringed\"" : "")}>{Title(title)}</path>").Text);
        return this;
    }

    public SvgChart Disc(double x, double y, double radius, string colour, string? title = null)
    {
        _content.Append(Html.Of($"<circle cx=\"{X(x)}\" cy=\"{Y(y)}\" r=\"{radius:0.#}\" fill=\"{colour}\">{Title(title)}</circle>").Text);
        return this;
    }

    /// <summary>A bar that stands on the x axis.</summary>
    public SvgChart Bar(double from, double to, double height, string colour, string? title = null)
    {
        _content.Append(Html.Of(
            $"<path d=\"M{X(from)},{Y(_y.Low)}V{Y(height)}H{X(to)}V{Y(_y.Low)}z\" fill=\"{colour}\">{Title(title)}</path>").Text);
        return this;
    }

    /// <summary>An upright line with a word at its top, or above it.</summary>
    public SvgChart Mark(double x, string word, string colour, string dash = "", bool isAbove = false)
    {
        // Beside the line, on the side where there is room.
        var isLeft = X(x) > (Left + Width) / 2;
        _content.Append(Html.Of(
            $"<path class=\"line\" d=\"M{X(x)},{Top}V{Height - Bottom}\" stroke=\"{colour}\" stroke-width=\"1.5\" stroke-dasharray=\"{dash}\"/><text class=\"halo\" x=\"{X(x) + (isAbove ? 0 : isLeft ? -4 : 4)}\" y=\"{(isAbove ? Top - 3 : Top + 10)}\" text-anchor=\"{(isLeft ? "end" : "start")}\">{word}</text>").Text);
        return this;
    }

    /// <summary>A word at a place.</summary>
    public SvgChart Word(double x, double y, string word)
    {
        _content.Append(Html.Of($"<text class=\"halo\" x=\"{X(x)}\" y=\"{Y(y) + 4}\" text-anchor=\"middle\">{word}</text>").Text);
        return this;
    }

    /// <param name="description">Read out to those who do not see it.</param>
    public Markup ToMarkup(string description) => Html.Of(
        $"<svg viewBox=\"0 0 {Width} {Height}\" role=\"img\" aria-label=\"{description}\">{new Markup(_axes.ToString())}{new Markup(_content.ToString())}</svg>");

    private double X(double value) => Math.Round(Left + (value - _x.Low) / (_x.High - _x.Low) * (Width - Left - Right), 1);

    private double Y(double value) => Math.Round(Height - Bottom - (value - _y.Low) / (_y.High - _y.Low) * (Height - Top - Bottom), 1);

    private static Markup Title(string? title) => title is null ? Markup.None : Html.Of($"<title>{title}</title>");

    private static string Number(double value) => value.ToString(Math.Abs(value) >= 1000 ? "#,0" : "0.####", CultureInfo.InvariantCulture);

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}
