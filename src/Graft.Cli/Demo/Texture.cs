using SkiaSharp;

namespace Graft.Cli.Demo;

/// <summary>Fractal noise (Perlin's) laid over what is already drawn.</summary>
internal static class Texture
{
    /// <summary>Grain in shades of gray about the middle; the feature size is that of its coarsest octave.</summary>
    public static void Overlay(
        SKCanvas canvas, Random random, float featurePixels, float stretch, float contrast,
        SKBlendMode mode = SKBlendMode.Overlay)
    {
        using var noise = SKShader.CreatePerlinNoiseFractalNoise(
            1 / (featurePixels * stretch), 1 / featurePixels, 3, random.Next(1, 1 << 15));
        using var turned = noise.WithLocalMatrix(SKMatrix.CreateRotation(random.Angle()));
        using var gray = Gray(contrast);
        using var paint = new SKPaint { Shader = turned, ColorFilter = gray, BlendMode = mode };
        canvas.DrawPaint(paint);
    }

    /// <summary>The noise's first channel as an opaque gray, stretched about the middle.</summary>
    private static SKColorFilter Gray(float contrast)
    {
        var offset = 0.5f - contrast / 2;
        return SKColorFilter.CreateColorMatrix(
        [
            contrast, 0, 0, 0, offset,
            contrast, 0, 0, 0, offset,
            contrast, 0, 0, 0, offset,
            0, 0, 0, 0, 1,
        ]);
    }
}
