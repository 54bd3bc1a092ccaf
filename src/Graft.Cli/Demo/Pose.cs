using SkiaSharp;

namespace Graft.Cli.Demo;

/// <summary>Puts the flat drawing into the scene: turned, sized, mirrored, seen at a slant and bent.</summary>
internal static class Pose
{
    private const int Cells = 8;

    /// <summary>Draws the square drawing onto a scene of the given size, as a bent net of cells.</summary>
    public static void Draw(SKCanvas canvas, SKImage drawing, Random random, int sizePixels)
    {
        var place = Placement(random, sizePixels);
        var (bend, wave) = (random.Between(0f, 0.05f), (random.Angle(), random.Angle()));
        var nodes = Enumerable.Range(0, (Cells + 1) * (Cells + 1)).Select(node => new SKPoint(
            2f * (node % (Cells + 1)) / Cells - 1, 2f * (node / (Cells + 1)) / Cells - 1)).ToArray();
        var from = nodes.Select(node =>
            new SKPoint((node.X + 1) * drawing.Width / 2, (node.Y + 1) * drawing.Height / 2));
        var to = nodes.Select(node => place.MapPoint(new SKPoint(
            node.X + bend * MathF.Sin(3 * node.Y + wave.Item1), node.Y + bend * MathF.Sin(3 * node.X + wave.Item2))));
        using var shader = drawing.ToShader(
            SKShaderTileMode.Decal, SKShaderTileMode.Decal, new SKSamplingOptions(SKFilterMode.Linear));
        using var paint = new SKPaint { Shader = shader };
        canvas.DrawVertices(SKVertexMode.Triangles, [.. to], [.. from], null, SKBlendMode.Modulate, Triangles(), paint);
    }

    /// <summary>From the drawing's [-1, 1] to pixels.</summary>
    private static SKMatrix Placement(Random random, int sizePixels)
    {
        var half = sizePixels / 2f;
        var scale = half * random.Between(0.85f, 1.1f);
        var slant = SKMatrix.Identity;
        slant.Persp0 = random.Between(-0.1f, 0.1f);
        slant.Persp1 = random.Between(-0.1f, 0.1f);
        var view = SKMatrix.CreateTranslation(
            half + half * random.Between(-0.12f, 0.12f), half + half * random.Between(-0.12f, 0.12f));
        view = view.PreConcat(SKMatrix.CreateScale(scale * random.Sign(), scale * random.Between(0.85f, 1f)));
        view = view.PreConcat(SKMatrix.CreateSkew(random.Between(-0.1f, 0.1f), 0));
        view = view.PreConcat(slant);
        return view.PreConcat(SKMatrix.CreateRotation(0.15f * random.Normal()));
    }

    private static ushort[] Triangles()
    {
        var corners =
            from row in Enumerable.Range(0, Cells)
            from column in Enumerable.Range(0, Cells)
            let corner = row * (Cells + 1) + column
            from offset in (int[])[0, 1, Cells + 1, 1, Cells + 1, Cells + 2]
            select (ushort)(corner + offset);
        return [.. corners];
    }
}
