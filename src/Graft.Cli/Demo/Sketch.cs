using SkiaSharp;

namespace Graft.Cli.Demo;

/// <summary>
/// What a shape is drawn with: a canvas whose middle is the origin and whose half side is 1, y downwards, the colors
/// of the thing and the random numbers that make it an individual.
/// </summary>
internal sealed class Sketch(SKCanvas canvas, Palette palette, Random random)
{
    public SKCanvas Canvas => canvas;

    public Palette Palette => palette;

    public Random Random => random;

    public void Fill(SKPath path, SKColor color)
    {
        using var paint = new SKPaint { Color = color, IsAntialias = true };
        canvas.DrawPath(path, paint);
    }

    public void Oval(float x, float y, float radiusX, float radiusY, SKColor color)
    {
        using var paint = new SKPaint { Color = color, IsAntialias = true };
        canvas.DrawOval(x, y, radiusX, radiusY, paint);
    }

    public void Ring(float x, float y, float radiusX, float radiusY, SKColor color, float width)
    {
        using var paint = Line(color, width);
        canvas.DrawOval(x, y, radiusX, radiusY, paint);
    }

    public void Stroke(SKPath path, SKColor color, float width)
    {
        using var paint = Line(color, width);
        canvas.DrawPath(path, paint);
    }

    public void Segment(float x0, float y0, float x1, float y1, SKColor color, float width)
    {
        using var paint = Line(color, width);
        canvas.DrawLine(x0, y0, x1, y1, paint);
    }

    /// <summary>Draws inside the outline only.</summary>
    public void Within(SKPath outline, Action draw)
    {
        canvas.Save();
        canvas.ClipPath(outline, antialias: true);
        draw();
        canvas.Restore();
    }

    public static SKPath Polyline(bool closed, IEnumerable<SKPoint> points)
    {
        using var builder = new SKPathBuilder();
        builder.AddPoly([.. points], closed);
        return builder.Detach();
    }

    /// <summary>A path in SVG's path language, in thousandths of the half side.</summary>
    public static SKPath Path(string svg)
    {
        using var thousandths = SKPath.ParseSvgPathData(svg);
        var path = new SKPath(thousandths);
        path.Transform(SKMatrix.CreateScale(0.001f, 0.001f));
        return path;
    }

    private static SKPaint Line(SKColor color, float width) => new()
    {
        Color = color,
        Style = SKPaintStyle.Stroke,
        StrokeWidth = width,
        StrokeCap = SKStrokeCap.Round,
        StrokeJoin = SKStrokeJoin.Round,
        IsAntialias = true,
    };
}
