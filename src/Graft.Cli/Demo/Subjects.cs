using SkiaSharp;

namespace Graft.Cli.Demo;

/// <summary>The things photographed: one method a class, each thing an individual in proportions and pattern.</summary>
internal static class Subjects
{
    /// <summary>In the order of the class numbers.</summary>
    public static IReadOnlyList<(string Class, Action<Sketch> Draw)> All { get; } =
    [
        ("butterfly", Butterfly),
        ("cup", Cup),
        ("fish", Fish),
        ("leaf", Leaf),
        ("mushroom", Mushroom),
        ("snail", Snail),
    ];

    private static void Butterfly(Sketch sketch)
    {
        var (colors, random) = (sketch.Palette, sketch.Random);
        var (reach, tail) = (random.Between(780, 980), random.Between(650, 950));
        var (opening, rim, veins) = (random.Between(0.6f, 1f), random.Between(0.03f, 0.1f), random.Between(4, 8));
        var spots = Enumerable.Range(0, random.Between(3, 8))
            .Select(_ => (
                Angle: random.Between(-1f, 1.3f), Far: random.Between(0.45f, 0.85f), Size: random.Between(0.03f, 0.1f)))
            .ToList();
        using var hindwing = Sketch.Path(
            $"M 0 0 C 500 -20 900 100 760 500 C 700 {tail} 300 {tail} 220 700 C 100 500 0 300 0 0 Z");
        using var forewing = Sketch.Path(
            $"M 0 -150 C 200 -700 650 -{reach} 950 -800 C 1000 -450 800 0 300 80 C 150 100 0 50 0 -150 Z");

        foreach (var side in (ReadOnlySpan<float>)[-1, 1])
        {
            sketch.Canvas.Save();
            sketch.Canvas.Scale(side * opening, 1);
            Wing(hindwing, colors.Accent, spotColor: colors.Main);
            Wing(forewing, colors.Main, spotColor: colors.Accent);
            sketch.Canvas.Restore();
        }
        sketch.Oval(0, 0.1f, 0.07f, 0.45f, colors.Line);
        sketch.Oval(0, -0.36f, 0.07f, 0.08f, colors.Line);
        using var antennae = Sketch.Path("M 0 -400 Q -60 -700 -250 -850 M 0 -400 Q 60 -700 250 -850");
        sketch.Stroke(antennae, colors.Line, 0.025f);

        void Wing(SKPath outline, SKColor color, SKColor spotColor)
        {
            sketch.Fill(outline, color);
            sketch.Within(outline, () =>
            {
                for (var vein = 0; vein <= veins; vein++)
                {
                    var (y, x) = MathF.SinCos(-1.2f + 2.6f * vein / veins);
                    sketch.Segment(0, 0, 1.3f * x, 1.3f * y, colors.Line, 0.018f);
                }
                foreach (var (angle, far, size) in spots)
                    sketch.Oval(far * MathF.Cos(angle), far * MathF.Sin(angle), size, size, spotColor);
                sketch.Stroke(outline, colors.Line, 2 * rim);
            });
        }
    }

    private static void Cup(Sketch sketch)
    {
        var (colors, random) = (sketch.Palette, sketch.Random);
        var (top, bottom, tilt) = (random.Between(480, 620), random.Between(330, 520), random.Between(60, 190));
        var (handleSide, handleSize) = (random.Sign(), random.Between(0.22f, 0.34f));

        sketch.Canvas.Save();
        sketch.Canvas.Scale(handleSide, 1);
        sketch.Canvas.Translate(-0.15f, 0);
        sketch.Ring(top / 1000f + 0.07f, 0, 0.29f, handleSize + 0.05f, colors.Main, 0.13f);
        using var wall = Sketch.Path($"""
            M -{top} -600 L -{bottom} 600 A {bottom} {tilt} 0 0 0 {bottom} 600
            L {top} -600 A {top} {tilt} 0 0 1 -{top} -600 Z
            """);
        sketch.Fill(wall, colors.Main);
        sketch.Within(wall, () => Decoration(random.Between(0, 3)));
        Shade(wall, top / 1000f);
        sketch.Oval(0, -0.6f, top / 1000f, tilt / 1000f, colors.Main);
        sketch.Oval(0, -0.58f, top / 1000f - 0.06f, tilt / 1000f - 0.04f, colors.Line);
        sketch.Canvas.Restore();

        void Decoration(int kind)
        {
            if (kind == 0)
                for (var y = random.Between(-0.5f, -0.2f); y < 0.9f; y += random.Between(0.2f, 0.45f))
                    sketch.Oval(0, y, 0.7f, 0.06f, colors.Accent);
            else if (kind == 1)
                for (var dot = random.Between(6, 20); dot > 0; dot--)
                    sketch.Oval(random.Between(-0.6f, 0.6f), random.Between(-0.4f, 0.8f), 0.07f, 0.07f, colors.Accent);
            else if (kind == 2)
                sketch.Oval(
                    random.Between(-0.2f, 0.2f), 0.15f,
                    random.Between(0.15f, 0.3f), random.Between(0.15f, 0.3f), colors.Accent);
        }

        void Shade(SKPath path, float halfWidth)
        {
            using var round = SKShader.CreateLinearGradient(
                new SKPoint(-halfWidth, 0), new SKPoint(halfWidth, 0),
                [SKColors.Black.WithAlpha(130), SKColors.Transparent, SKColors.Black.WithAlpha(150)], [0, 0.4f, 1],
                SKShaderTileMode.Clamp);
            using var paint = new SKPaint { Shader = round, IsAntialias = true };
            sketch.Canvas.DrawPath(path, paint);
        }
    }

    private static void Fish(Sketch sketch)
    {
        var (colors, random) = (sketch.Palette, sketch.Random);
        var (belly, fork) = (random.Between(330, 620), random.Between(250, 480));
        var (scale, stripes) = (random.Between(0.09f, 0.16f), random.Chance(0.4f) ? random.Between(2, 5) : 0);
        using var body = Sketch.Path(
            $"M -850 0 C -500 -{belly} 100 -{belly} 620 -60 L 620 60 C 100 {belly} -500 {belly} -850 0 Z");
        using var tail = Sketch.Path(
            $"M 560 0 C 700 -100 800 -{fork} 960 -{fork} Q 850 0 960 {fork} C 800 {fork} 700 100 560 0 Z");
        using var fins = Sketch.Path($"""
            M -350 -{belly / 2} C -200 -{belly + 250} 150 -{belly + 200} 350 -{belly / 3} Z
            M -150 {belly / 2} Q 50 {belly + 200} 150 {belly} L 150 {belly / 2} Z
            """);

        Fin(fins, 0, 0);
        Fin(tail, 0.56f, 0);
        sketch.Fill(body, colors.Main);
        sketch.Within(body, () =>
        {
            for (var stripe = 0; stripe < stripes; stripe++)
                sketch.Oval(-0.4f + 0.9f * stripe / stripes, 0, random.Between(0.05f, 0.1f), 0.7f, colors.Accent);
            Scales();
        });
        using var gill = Sketch.Path($"M -480 -{belly / 2} Q -350 0 -480 {belly / 2}");
        sketch.Stroke(gill, colors.Line, 0.03f);
        sketch.Oval(-0.63f, -0.08f, 0.09f, 0.09f, SKColors.WhiteSmoke);
        sketch.Oval(-0.64f, -0.08f, 0.05f, 0.05f, SKColors.Black);

        void Scales()
        {
            using var arc = Sketch.Path("M 0 -500 Q 700 0 0 500");
            for (var column = 0; column * scale < 1.1f; column++)
                for (var y = -0.7f + column % 2 * scale / 2; y < 0.7f; y += scale)
                {
                    sketch.Canvas.Save();
                    sketch.Canvas.Translate(-0.42f + column * scale * 0.8f, y);
                    sketch.Canvas.Scale(scale);
                    sketch.Stroke(arc, colors.Line.WithAlpha(150), 0.12f);
                    sketch.Canvas.Restore();
                }
        }

        void Fin(SKPath outline, float rootX, float rootY)
        {
            sketch.Fill(outline, colors.Accent);
            sketch.Within(outline, () =>
            {
                for (var ray = 0; ray < 24; ray++)
                {
                    var (y, x) = MathF.SinCos(MathF.Tau * ray / 24);
                    sketch.Segment(rootX, rootY, rootX + x, rootY + y, colors.Line, 0.015f);
                }
            });
        }
    }

    private static void Leaf(Sketch sketch)
    {
        var (colors, random) = (sketch.Palette, sketch.Random);
        var (width, widest) = (random.Between(0.4f, 0.75f), random.Between(0.6f, 1.3f));
        var (teeth, depth) = (random.Between(4, 14), random.Between(0.05f, 0.3f));
        const int steps = 120;
        using var blade = Sketch.Polyline(closed: true, Enumerable.Range(0, 2 * steps).Select(Margin));

        sketch.Segment(0, 0.7f, random.Between(-0.15f, 0.15f), 1f, colors.Line, 0.06f);
        sketch.Fill(blade, colors.Main);
        sketch.Within(blade, () =>
        {
            for (var blotch = random.Between(0, 5); blotch > 0; blotch--)
                sketch.Oval(
                    random.Between(-0.6f, 0.6f), random.Between(-0.8f, 0.7f),
                    random.Between(0.05f, 0.25f), random.Between(0.05f, 0.25f), colors.Accent.WithAlpha(200));
            sketch.Segment(0, 0.75f, 0, -0.9f, colors.Line, 0.045f);
            for (var vein = 0; vein < teeth; vein++)
            {
                var y = 650 - 1400f * vein / teeth;
                using var pair = Sketch.Path($"M -900 {y - 550} Q -400 {y - 100} 0 {y} Q 400 {y - 100} 900 {y - 550}");
                sketch.Stroke(pair, colors.Line, 0.022f);
            }
        });

        SKPoint Margin(int step)
        {
            var (side, along) = step < steps ? (1, step / (float)steps) : (-1, (2 * steps - step) / (float)steps);
            var tooth = along * teeth % 1;
            var jag = 1 - depth + 2 * depth * (1 - tooth) * MathF.Min(1, 6 * tooth);
            var half = width * MathF.Sin(MathF.PI * MathF.Pow(along, widest)) * jag;
            return new SKPoint(side * half, 0.8f - 1.7f * along - depth * 0.3f * (1 - tooth));
        }
    }

    private static void Mushroom(Sketch sketch)
    {
        var (colors, random) = (sketch.Palette, sketch.Random);
        var (width, height, gills) = (random.Between(600, 950), random.Between(650, 1150), random.Between(40, 220));
        var (stem, foot, lean) = (random.Between(110, 220), random.Between(150, 330), random.Between(-200, 200));
        using var stalk = Sketch.Path($"""
            M -{stem} -50 C -{stem} 300 {lean - foot} 600 {lean - foot} 850
            Q {lean} 950 {lean + foot} 850 C {lean + foot} 600 {stem} 300 {stem} -50 Z
            """);
        using var cap = Sketch.Path(
            $"M -{width} 0 C -{width} -{height} {width} -{height} {width} 0 A {width} {gills} 0 0 1 -{width} 0 Z");
        using var under = Sketch.Path(
            $"M -{width} 0 A {width} {gills} 0 0 0 {width} 0 A {width} {gills / 3} 0 0 0 -{width} 0 Z");

        sketch.Fill(stalk, colors.Accent);
        sketch.Within(stalk, () =>
        {
            for (var fibre = random.Between(3, 8); fibre > 0; fibre--)
                sketch.Segment(
                    random.Between(-0.2f, 0.2f), -0.1f, lean / 1000f + random.Between(-0.3f, 0.3f), 1,
                    colors.Line.WithAlpha(120), 0.02f);
        });
        sketch.Fill(cap, colors.Main);
        sketch.Within(cap, () =>
        {
            for (var spot = random.Chance(0.5f) ? random.Between(5, 14) : 0; spot > 0; spot--)
            {
                var size = random.Between(0.04f, 0.11f);
                sketch.Oval(
                    random.Between(-0.9f, 0.9f), random.Between(-0.75f, 0.1f), size, 0.8f * size, colors.Accent);
            }
        });
        sketch.Fill(under, colors.Accent);
        sketch.Within(under, () =>
        {
            for (var gill = -20; gill <= 20; gill++)
                sketch.Segment(gill * 0.015f, -0.1f, gill * 0.06f, 0.3f, colors.Line, 0.015f);
        });
    }

    private static void Snail(Sketch sketch)
    {
        var (colors, random) = (sketch.Palette, sketch.Random);
        var (radius, horns) = (random.Between(0.45f, 0.62f), random.Between(-120, 120));
        var (turns, growth) = (random.Between(2.2f, 3.5f), random.Between(0.8f, 1.3f));
        using var foot = Sketch.Path("""
            M 950 720 C 500 400 0 450 -450 480 C -600 480 -620 250 -620 100
            C -620 -80 -950 -80 -940 120 C -930 400 -850 760 -500 780 Q 200 820 950 720 Z
            """);
        using var feelers = Sketch.Path($"""
            M -700 60 Q {-650 + horns} -150 {-620 + horns} -330
            M -850 60 Q {-900 + horns} -150 {-930 + horns} -300
            """);
        using var spiral = Spiral();

        sketch.Stroke(feelers, colors.Accent, 0.05f);
        sketch.Fill(foot, colors.Accent);
        sketch.Within(foot, () =>
        {
            for (var wart = 0; wart < 40; wart++)
                sketch.Oval(
                    random.Between(-0.95f, 0.95f), random.Between(0f, 0.8f), 0.02f, 0.02f, colors.Line.WithAlpha(120));
        });

        sketch.Canvas.Save();
        sketch.Canvas.Translate(0.1f, -0.05f);
        sketch.Canvas.RotateRadians(random.Between(-0.5f, 0.5f));
        sketch.Canvas.Scale(radius, 0.92f * radius);
        sketch.Oval(0, 0, 1, 1, colors.Main);
        for (var band = 0; band < 36; band++)
        {
            var (y, x) = MathF.SinCos(MathF.Tau * band / 36);
            sketch.Segment(0.3f * x, 0.3f * y, x, y, colors.Line.WithAlpha(70), 0.04f);
        }
        sketch.Stroke(spiral, colors.Line, random.Between(0.08f, 0.15f));
        sketch.Ring(0, 0, 1, 1, colors.Line, 0.06f);
        sketch.Canvas.Restore();

        SKPath Spiral()
        {
            return Sketch.Polyline(closed: false, Enumerable.Range(0, 100).Select(step =>
            {
                var far = MathF.Pow(step / 100f, growth);
                var (y, x) = MathF.SinCos(MathF.Tau * turns * step / 100);
                return new SKPoint(far * x, far * y);
            }));
        }
    }
}
