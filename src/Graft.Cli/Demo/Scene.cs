using SkiaSharp;

namespace Graft.Cli.Demo;

/// <summary>One subject in one place under one light.</summary>
internal static class Scene
{
    public static SKImage Compose(Action<Sketch> drawSubject, Random random, int sizePixels)
    {
        using var scene = Blank(sizePixels);
        using var backdrop = Backdrop(random, sizePixels / 2);
        using var subject = Subject(drawSubject, random, sizePixels);
        var light = new Light(random, sizePixels);
        scene.Canvas.DrawImage(backdrop, scene.Canvas.LocalClipBounds, new SKSamplingOptions(SKFilterMode.Linear));
        light.DrawSubject(scene.Canvas, subject);
        Background.DrawInFront(scene.Canvas, random, sizePixels);
        light.DrawOver(scene.Canvas);
        return scene.Snapshot();
    }

    /// <summary>The background out of focus; half the scene's size shows all that the blur leaves.</summary>
    private static SKImage Backdrop(Random random, int sizePixels)
    {
        using var sharp = Blank(sizePixels);
        Background.Draw(sharp.Canvas, random, sizePixels);
        using var ground = sharp.Snapshot();

        using var defocused = Blank(sizePixels);
        var depth = sizePixels * random.Between(0.04f, 0.1f);
        using var blur = SKImageFilter.CreateBlur(depth, depth, SKShaderTileMode.Clamp);
        using var paint = new SKPaint { ImageFilter = blur };
        defocused.Canvas.DrawImage(ground, 0, 0, SKSamplingOptions.Default, paint);
        return defocused.Snapshot();
    }

    /// <summary>The subject alone, posed, on a transparent ground.</summary>
    private static SKImage Subject(Action<Sketch> draw, Random random, int sizePixels)
    {
        using var flat = Blank(sizePixels);
        flat.Canvas.Translate(sizePixels / 2f, sizePixels / 2f);
        flat.Canvas.Scale(sizePixels / 2.1f);
        draw(new Sketch(flat.Canvas, Palette.Sample(random), random));
        Grain(flat, random, sizePixels);
        using var drawing = flat.Snapshot();

        using var posed = Blank(sizePixels);
        Pose.Draw(posed.Canvas, drawing, random, sizePixels);
        return posed.Snapshot();
    }

    private static void Grain(SKSurface flat, Random random, int sizePixels)
    {
        using var smooth = flat.Snapshot();
        using var inside = new SKPaint { BlendMode = SKBlendMode.DstIn };
        flat.Canvas.ResetMatrix();
        Texture.Overlay(
            flat.Canvas, random, sizePixels * random.Between(0.02f, 0.1f),
            stretch: random.Between(1f, 3f), contrast: random.Between(0.1f, 0.3f));
        flat.Canvas.DrawImage(smooth, 0, 0, SKSamplingOptions.Default, inside);
    }

    private static SKSurface Blank(int sizePixels) =>
        SKSurface.Create(new SKImageInfo(sizePixels, sizePixels, SKColorType.Rgba8888, SKAlphaType.Premul));
}
