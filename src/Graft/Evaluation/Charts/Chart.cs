using System.Globalization;
using System.Net;
using System.Text;
using SkiaSharp;

namespace Graft.Evaluation.Charts;

/// <summary>
/// A chart of a result: paths and words, drawn once, and written as SVG, to stand in a page with its legend as text beside it, or as PNG, with
/// title and legend in it. Colors are told apart by the color-blind too, and the PNG's letters are part of Graft, so that it looks the same
/// everywhere.
/// </summary>
public sealed class Chart
{
    private const double Right = 12, Top = 16, LetterPixels = 12.5;

    /// <summary>Pixels of a PNG for each unit of the drawing.</summary>
    private const float Sharpness = 1.5f;

    private readonly string _title;
    private readonly Axis _x, _y;
    private readonly double _width, _height, _left, _bottom;
    private readonly List<Shape> _shapes = [];
    private readonly List<Label> _labels = [];
    private readonly List<LegendEntry> _legend = [];

    /// <param name="title">What it shows, for the PNG.</param>
    /// <param name="x">The axis below.</param>
    /// <param name="y">The axis on the left.</param>
    /// <param name="plotWidth">Of the space between the axes; of both together with <paramref name="plotHeight"/>, what a page scales.</param>
    internal Chart(string title, Axis x, Axis y, double plotWidth = 376, double plotHeight = 258)
    {
        (_title, _x, _y) = (title, x, y);
        _left = y.IsNamed ? LongestOf(y) + 34 : 52;
        _bottom = x.IsNamed ? LongestOf(x) + 34 : 46;
        (_width, _height) = (_left + plotWidth + Right, Top + plotHeight + _bottom);
        foreach (var (value, name) in x.Ticks)
        {
            if (x.HasGrid) Add(Invariant($"M{X(value)},{Top}V{_height - _bottom}"), stroke: ChartColors.Grid, width: 1);
            _labels.Add(x.IsNamed
                ? new(X(value) + 4, _height - _bottom + 8, name, "end", Rotation: -90)
                : new(X(value), _height - _bottom + 17, name, "middle"));
        }
        foreach (var (value, name) in y.Ticks)
        {
            if (y.HasGrid) Add(Invariant($"M{_left},{Y(value)}H{_width - Right}"), stroke: ChartColors.Grid, width: 1);
            _labels.Add(new(_left - 6, Y(value) + 4.5, name, "end"));
        }
        Add(Invariant($"M{_left},{Top}V{_height - _bottom}H{_width - Right}"), stroke: ChartColors.Soft, width: 1);
        _labels.Add(new((_left + _width - Right) / 2, _height - 8, x.Title, "middle"));
        _labels.Add(new(13, (Top + _height - _bottom) / 2, y.Title, "middle", Rotation: -90));
    }

    internal IReadOnlyList<LegendEntry> Legend => _legend;

    /// <summary>The content of a file.</summary>
    public byte[] ToPng()
    {
        const double TitleHeight = 26, LegendRow = 19, Swatch = 26;
        var legend = _legend.Count == 0 ? 0 : Swatch + 18 + _legend.Max(entry => WidthOf(entry.Text));
        var (width, height) = (Math.Max(_width + legend, WidthOf(_title) * 1.2 + 16), TitleHeight + Math.Max(_height, _legend.Count * LegendRow + Top + 8));
        using var surface = SKSurface.Create(new SKImageInfo((int)Math.Ceiling(width * Sharpness), (int)Math.Ceiling(height * Sharpness)));
        var canvas = surface.Canvas;
        canvas.Clear(SKColors.White);
        canvas.Scale(Sharpness);
        Draw(canvas, new Label(_left, 18, _title, "start"), size: 1.2f);
        canvas.Translate(0, (float)TitleHeight);
        foreach (var shape in _shapes) Draw(canvas, shape);
        foreach (var label in _labels) Draw(canvas, label);
        canvas.Translate((float)_width + 4, (float)Top);
        foreach (var entry in _legend)
        {
            foreach (var shape in entry.Swatch) Draw(canvas, shape);
            Draw(canvas, new Label(Swatch + 6, 10, entry.Text, "start"));
            canvas.Translate(0, (float)LegendRow);
        }
        using var image = surface.Snapshot();
        using var png = image.Encode(SKEncodedImageFormat.Png, 100);
        return png.ToArray();
    }

    /// <summary>An element for a page. What has a title says it when it is pointed at.</summary>
    /// <param name="description">Read out to those who do not see it.</param>
    internal string ToSvg(string description)
    {
        var svg = new StringBuilder(Invariant($"<svg viewBox=\"0 0 {_width:0.#} {_height:0.#}\" role=\"img\" aria-label=\"{Encoded(description)}\">"));
        foreach (var shape in _shapes) svg.Append(Svg(shape));
        foreach (var label in _labels)
        {
            var place = label.Rotation == 0
                ? Invariant($"x=\"{label.X:0.#}\" y=\"{label.Y:0.#}\"")
                : Invariant($"transform=\"translate({label.X:0.#},{label.Y:0.#}) rotate({label.Rotation})\"");
            svg.Append(Invariant($"<text {place} text-anchor=\"{label.Anchor}\"{(label.HasHalo ? " class=\"halo\"" : "")}{(label.Color is { } color ? $" style=\"fill:{color}\"" : "")}>{Encoded(label.Text)}</text>"));
        }
        return svg.Append("</svg>").ToString();
    }

    /// <summary>The swatch of a legend's entry, 26 by 12.</summary>
    internal static string ToSvg(LegendEntry entry) =>
        $"<svg viewBox=\"0 0 26 12\" aria-hidden=\"true\">{string.Concat(entry.Swatch.Select(Svg))}</svg>";

    /// <param name="points">Those that are not finite are left out.</param>
    internal void Line(IEnumerable<(double X, double Y)> points, string color, string dash = "", string? title = null, double width = 2)
    {
        var path = new StringBuilder();
        foreach (var (x, y) in points.Where(point => double.IsFinite(point.X) && double.IsFinite(point.Y)))
            path.Append(Invariant($"{(path.Length == 0 ? 'M' : 'L')}{X(x)},{Y(y)}"));
        if (path.Length > 0) Add(path.ToString(), stroke: color, width: width, dash: dash, title: title);
    }

    /// <summary>A class's marker at a place.</summary>
    internal void Point(double x, double y, int look, string? title = null, double size = 1, bool isRinged = false)
    {
        if (!double.IsFinite(x) || !double.IsFinite(y)) return;
        _shapes.Add(new(ClassLook.Marker(look), X(x), Y(y), size, ClassLook.Color(look), isRinged ? "#000" : null, 1.3, "", title));
    }

    internal void Disc(double x, double y, double radius, string color, string? title = null, bool isHollow = false) =>
        _shapes.Add(new("M-1,0a1,1 0 1,0 2,0a1,1 0 1,0 -2,0z", X(x), Y(y), radius, isHollow ? null : color, isHollow ? color : null, 1.2 / radius, "", title));

    /// <summary>A bar or a cell, from one corner to the other.</summary>
    internal void Rectangle(double x1, double y1, double x2, double y2, string color, string? title = null) =>
        Add(Invariant($"M{X(x1)},{Y(y1)}V{Y(y2)}H{X(x2)}V{Y(y1)}z"), fill: color, title: title);

    /// <summary>An upright line with a word at its top, or above it.</summary>
    internal void Mark(double x, string word, string color, string dash = "", bool isAbove = false)
    {
        // Beside the line, on the side where there is room.
        var isLeft = X(x) > (_left + _width) / 2;
        Add(Invariant($"M{X(x)},{Top}V{_height - _bottom}"), stroke: color, width: 1.5, dash: dash);
        _labels.Add(new(X(x) + (isAbove ? 0 : isLeft ? -4 : 4), isAbove ? Top - 4 : Top + 10, word, isLeft ? "end" : "start", HasHalo: true));
    }

    /// <summary>A word at a place; with a halo, unless its color is chosen for what it stands on.</summary>
    internal void Word(double x, double y, string word, string? color = null) =>
        _labels.Add(new(X(x), Y(y) + 4, word, "middle", HasHalo: color is null, Color: color));

    /// <summary>Names a line.</summary>
    internal void Explain(string name, string detail, string color, string dash = "", int? marker = null)
    {
        var line = new Shape("M0,6H26", 0, 0, 1, null, color, 2.5, dash, null);
        _legend.Add(new(name, detail, marker is { } look ? [line, new(ClassLook.Marker(look), 13, 6, 1, color, null, 0, "", null)] : [line]));
    }

    /// <summary>Names bars of a color.</summary>
    internal void Explain(string name, string color) => _legend.Add(new(name, "", [new("M7,0H19V12H7z", 0, 0, 1, color, null, 0, "", null)]));

    /// <summary>A name that fits, with … where something was left out.</summary>
    internal static string Shortened(string name, int letters = 28) => name.Length <= letters ? name : name[..(letters - 1)] + "…";

    /// <param name="Name">What it is: a class.</param>
    /// <param name="Detail">A figure of it; may be empty.</param>
    /// <param name="Swatch">How it looks.</param>
    internal sealed record LegendEntry(string Name, string Detail, IReadOnlyList<Shape> Swatch)
    {
        public string Text => Detail.Length == 0 ? Shortened(Name) : $"{Shortened(Name)} {Detail}";
    }

    /// <summary>A path, as SVG writes them, enlarged and moved to a place.</summary>
    internal readonly record struct Shape(
        string Path, double X, double Y, double Scale, string? Fill, string? Stroke, double StrokeWidth, string Dash, string? Title);

    private readonly record struct Label(
        double X, double Y, string Text, string Anchor, bool HasHalo = false, int Rotation = 0, string? Color = null);

    private void Add(string path, string? fill = null, string? stroke = null, double width = 0, string dash = "", string? title = null) =>
        _shapes.Add(new(path, 0, 0, 1, fill, stroke, width, dash, title));

    private double X(double value) =>
        Math.Round(_left + (value - _x.Range.Low) / (_x.Range.High - _x.Range.Low) * (_width - _left - Right), 1);

    private double Y(double value) =>
        Math.Round(_height - _bottom - (value - _y.Range.Low) / (_y.Range.High - _y.Range.Low) * (_height - Top - _bottom), 1);

    private static double LongestOf(Axis axis) => axis.Ticks.Select(tick => WidthOf(tick.Name)).DefaultIfEmpty(0).Max();

    private static double WidthOf(string text)
    {
        using var font = Font(1);
        return font.MeasureText(text);
    }

    private static string Svg(Shape shape)
    {
        var svg = new StringBuilder($"<path d=\"{shape.Path}\" fill=\"{shape.Fill ?? "none"}\"");
        if ((shape.X, shape.Y, shape.Scale) != (0, 0, 1)) svg.Append(Invariant($" transform=\"translate({shape.X},{shape.Y}) scale({shape.Scale:0.##})\""));
        if (shape.Stroke is { } stroke) svg.Append(Invariant($" stroke=\"{stroke}\" stroke-width=\"{shape.StrokeWidth:0.##}\" stroke-linejoin=\"round\""));
        if (shape.Dash.Length > 0) svg.Append($" stroke-dasharray=\"{shape.Dash}\"");
        return (shape.Title is { } title ? svg.Append($"><title>{Encoded(title)}</title></path>") : svg.Append("/>")).ToString();
    }

    private static void Draw(SKCanvas canvas, Shape shape)
    {
        using var path = SKPath.ParseSvgPathData(shape.Path);
        using var paint = new SKPaint { IsAntialias = true };
        canvas.Save();
        canvas.Translate((float)shape.X, (float)shape.Y);
        canvas.Scale((float)shape.Scale);
        if (shape.Fill is { } fill)
        {
            paint.Color = SKColor.Parse(fill);
            canvas.DrawPath(path, paint);
        }
        if (shape.Stroke is { } stroke)
        {
            (paint.Color, paint.Style, paint.StrokeWidth, paint.StrokeJoin) = (SKColor.Parse(stroke), SKPaintStyle.Stroke, (float)shape.StrokeWidth, SKStrokeJoin.Round);
            using var dash = shape.Dash.Length == 0 ? null
                : SKPathEffect.CreateDash([.. shape.Dash.Split(' ').Select(part => float.Parse(part, CultureInfo.InvariantCulture))], 0);
            paint.PathEffect = dash;
            canvas.DrawPath(path, paint);
        }
        canvas.Restore();
    }

    private static void Draw(SKCanvas canvas, Label label, float size = 1)
    {
        using var font = Font(size);
        using var paint = new SKPaint { IsAntialias = true };
        var align = label.Anchor switch { "start" => SKTextAlign.Left, "end" => SKTextAlign.Right, _ => SKTextAlign.Center };
        canvas.Save();
        canvas.Translate((float)label.X, (float)label.Y);
        canvas.RotateDegrees(label.Rotation);
        if (label.HasHalo)
        {
            (paint.Color, paint.Style, paint.StrokeWidth) = (SKColors.White, SKPaintStyle.Stroke, 3);
            canvas.DrawText(label.Text, 0, 0, align, font, paint);
        }
        (paint.Color, paint.Style) = (SKColor.Parse(label.Color ?? ChartColors.Ink), SKPaintStyle.Fill);
        canvas.DrawText(label.Text, 0, 0, align, font, paint);
        canvas.Restore();
    }

    // The charts' own font: on Linux, SkiaSharp without dependencies knows none of the machine's.
    private static readonly SKTypeface Typeface = LoadTypeface();

    private static SKFont Font(float size) => new(Typeface, (float)LetterPixels * size) { Subpixel = true, Edging = SKFontEdging.Antialias };

    private static SKTypeface LoadTypeface()
    {
        using var font = typeof(Chart).Assembly.GetManifestResourceStream("Graft.Evaluation.Charts.DejaVuSans.ttf")!;
        return SKTypeface.FromStream(font);
    }

    private static string Encoded(string text) => WebUtility.HtmlEncode(VisibleText.Of(text));

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}
