using SkiaSharp;

namespace Graft.Cli.Demo;

/// <summary>Ground, texture and clutter behind the subject, and the odd thing that lies in front of it.</summary>
internal static class Background
{
    public static void Draw(SKCanvas canvas, Random random, int sizePixels)
    {
        Ground(canvas, random, sizePixels);
        Action<SKCanvas, Random, int>[] clutters = [Blades, Pebbles, Planks, Blurred, Scraps];
        for (var layer = random.Between(1, 2); layer > 0; layer--)
            clutters[random.Next(clutters.Length)](canvas, random, sizePixels);
        Texture.Overlay(
            canvas, random, sizePixels * random.Between(0.02f, 0.3f),
            stretch: random.Between(1f, 4f), contrast: random.Between(0.2f, 0.7f));
    }

    /// <summary>A scrap over the subject's edge, perhaps; it hides a part, never the middle.</summary>
    public static void DrawInFront(SKCanvas canvas, Random random, int sizePixels)
    {
        if (random.Chance(0.5f))
            return;
        var (y, x) = MathF.SinCos(random.Angle());
        var far = random.Between(0.28f, 0.45f);
        var radius = sizePixels * random.Between(0.08f, 0.2f);
        Scrap(canvas, random, sizePixels * (0.5f + far * x), sizePixels * (0.5f + far * y), radius);
    }

    private static void Ground(SKCanvas canvas, Random random, int size)
    {
        var palette = Palette.Sample(random);
        var (y, x) = MathF.SinCos(random.Angle());
        using var gradient = SKShader.CreateLinearGradient(
            new SKPoint(size * (0.5f - x / 2), size * (0.5f - y / 2)),
            new SKPoint(size * (0.5f + x / 2), size * (0.5f + y / 2)),
            [palette.Main, random.Chance(0.5f) ? palette.Line : palette.Accent], SKShaderTileMode.Clamp);
        using var paint = new SKPaint { Shader = gradient };
        canvas.DrawPaint(paint);
    }

    private static void Blades(SKCanvas canvas, Random random, int size)
    {
        var (palette, lean) = (Palette.Sample(random), random.Angle());
        for (var blade = random.Between(40, 140); blade > 0; blade--)
        {
            using var paint = Fill(Vary(palette.Main, random));
            canvas.Save();
            canvas.Translate(size * random.NextSingle(), size * random.NextSingle());
            canvas.RotateRadians(lean + 0.4f * random.Normal());
            canvas.DrawOval(0, 0, size * random.Between(0.08f, 0.25f), size * random.Between(0.006f, 0.02f), paint);
            canvas.Restore();
        }
    }

    private static void Pebbles(SKCanvas canvas, Random random, int size)
    {
        var (palette, radius) = (Palette.Sample(random), size * random.Between(0.03f, 0.1f));
        for (var pebble = random.Between(40, 160); pebble > 0; pebble--)
        {
            var (x, y) = (size * random.NextSingle(), size * random.NextSingle());
            var r = radius * random.Between(0.5f, 1.2f);
            var color = Vary(palette.Main, random);
            using var round = SKShader.CreateRadialGradient(
                new SKPoint(x - r / 3, y - r / 3), 1.6f * r, [color, Darker(color, 0.35f)], SKShaderTileMode.Clamp);
            using var paint = new SKPaint { Shader = round, IsAntialias = true };
            canvas.DrawOval(x, y, r, r * random.Between(0.6f, 1f), paint);
        }
    }

    private static void Planks(SKCanvas canvas, Random random, int size)
    {
        var (palette, width) = (Palette.Sample(random), size * random.Between(0.06f, 0.3f));
        canvas.Save();
        canvas.Translate(size / 2f, size / 2f);
        canvas.RotateRadians(random.Angle());
        for (var x = -size * 1f; x < size; x += width)
        {
            using var paint = Fill(Vary(palette.Main, random));
            canvas.DrawRect(x, -size, width * random.Between(0.8f, 1f), 2 * size, paint);
        }
        canvas.Restore();
    }

    /// <summary>Things far out of focus.</summary>
    private static void Blurred(SKCanvas canvas, Random random, int size)
    {
        using var blur = SKMaskFilter.CreateBlur(SKBlurStyle.Normal, size * random.Between(0.02f, 0.06f));
        for (var thing = random.Between(6, 16); thing > 0; thing--)
        {
            using var paint = Fill(Palette.Sample(random).Main);
            paint.MaskFilter = blur;
            canvas.DrawOval(
                size * random.NextSingle(), size * random.NextSingle(),
                size * random.Between(0.04f, 0.25f), size * random.Between(0.04f, 0.25f), paint);
        }
    }

    private static void Scraps(SKCanvas canvas, Random random, int size)
    {
        for (var scrap = random.Between(6, 16); scrap > 0; scrap--)
            Scrap(
                canvas, random, size * random.NextSingle(), size * random.NextSingle(),
                radius: size * random.Between(0.05f, 0.2f));
    }

    /// <summary>A thing of no class: rounded or cornered, plain or striped.</summary>
    private static void Scrap(SKCanvas canvas, Random random, float x, float y, float radius)
    {
        canvas.Save();
        canvas.Translate(x, y);
        canvas.RotateRadians(random.Angle());
        canvas.Scale(radius);
        var sketch = new Sketch(canvas, Palette.Sample(random), random);
        var (corners, squash) = (random.Between(3, 9), random.Between(0.15f, 1f));
        using var outline = Sketch.Polyline(closed: true, Enumerable.Range(0, corners).Select(Corner));
        sketch.Fill(outline, sketch.Palette.Main);
        if (random.Chance(0.5f))
            sketch.Within(outline, () =>
            {
                for (var stripe = -1f; stripe < 1; stripe += 0.25f)
                    sketch.Segment(stripe, -1, stripe, 1, sketch.Palette.Accent, 0.06f);
            });
        if (random.Chance(0.5f))
            sketch.Stroke(outline, sketch.Palette.Line, 0.08f);
        canvas.Restore();

        SKPoint Corner(int corner)
        {
            var (sine, cosine) = MathF.SinCos(MathF.Tau * corner / corners);
            var far = random.Between(0.6f, 1f);
            return new SKPoint(far * cosine, squash * far * sine);
        }
    }

    private static SKPaint Fill(SKColor color) => new() { Color = color, IsAntialias = true };

    private static SKColor Vary(SKColor color, Random random)
    {
        color.ToHsv(out var hue, out var saturation, out var value);
        return SKColor.FromHsv(
            (hue + random.Between(340f, 380f)) % 360,
            Math.Clamp(saturation + 12 * random.Normal(), 0, 100), Math.Clamp(value + 14 * random.Normal(), 5, 100));
    }

    private static SKColor Darker(SKColor color, float by) =>
        new((byte)(color.Red * (1 - by)), (byte)(color.Green * (1 - by)), (byte)(color.Blue * (1 - by)));
}
