using SkiaSharp;

namespace Graft.Cli.Demo;

/// <summary>The one lamp: it models the subject, casts its shadow and falls off over the scene.</summary>
internal sealed class Light(Random random, int sizePixels)
{
    private readonly float _azimuth = random.Angle();
    private readonly float _height = random.Between(0.5f, 2f);
    private readonly float _softness = random.Between(0.01f, 0.05f);

    private static SKSamplingOptions Smooth => new(SKFilterMode.Linear);

    private SKPoint Away => new(-MathF.Cos(_azimuth), -MathF.Sin(_azimuth));

    /// <summary>Draws the subject over its shadow, rounded as if its outline were puffed up.</summary>
    public void DrawSubject(SKCanvas canvas, SKImage subject)
    {
        CastShadow(canvas, subject);
        using var relief = Relief(subject, sizePixels / 2);
        using var modeling = new SKPaint { BlendMode = SKBlendMode.Multiply };
        using var inside = new SKPaint { BlendMode = SKBlendMode.DstIn };
        canvas.SaveLayer();
        canvas.DrawImage(subject, 0, 0, SKSamplingOptions.Default);
        canvas.DrawImage(relief, SKRect.Create(sizePixels, sizePixels), Smooth, modeling);
        canvas.DrawImage(subject, 0, 0, SKSamplingOptions.Default, inside);
        canvas.Restore();
    }

    /// <summary>The lamp's light on the puffed outline, gray; it is smooth, so a small picture of it does.</summary>
    private SKImage Relief(SKImage subject, int reliefPixels)
    {
        using var surface = SKSurface.Create(new SKImageInfo(reliefPixels, reliefPixels));
        var towards = new SKPoint3(MathF.Cos(_azimuth), MathF.Sin(_azimuth), _height);
        var flat = _height / MathF.Sqrt(1 + _height * _height);
        using var puffed = SKImageFilter.CreateBlur(reliefPixels * 0.02f, reliefPixels * 0.02f);
        using var diffuse = SKImageFilter.CreateDistantLitDiffuse(
            towards, SKColors.White, surfaceScale: reliefPixels * random.Between(0.02f, 0.06f),
            kd: random.Between(0.8f, 1.1f) / flat, puffed);
        using var paint = new SKPaint { ImageFilter = diffuse };
        surface.Canvas.SaveLayer(paint);
        surface.Canvas.DrawImage(subject, SKRect.Create(reliefPixels, reliefPixels), Smooth);
        surface.Canvas.Restore();
        return surface.Snapshot();
    }

    /// <summary>The lamp's fall-off over the whole scene, sometimes broken by the shadow of leaves or bars.</summary>
    public void DrawOver(SKCanvas canvas)
    {
        var middle = new SKPoint(sizePixels / 2f, sizePixels / 2f);
        var reach = new SKPoint(Away.X * sizePixels * 0.6f, Away.Y * sizePixels * 0.6f);
        using var gradient = SKShader.CreateLinearGradient(
            middle - reach, middle + reach,
            [SKColors.Transparent, SKColors.Black.WithAlpha((byte)random.Between(0, 140))], SKShaderTileMode.Clamp);
        using var paint = new SKPaint { Shader = gradient };
        canvas.DrawPaint(paint);
        if (random.Chance(0.2f))
            Texture.Overlay(
                canvas, random, sizePixels * random.Between(0.15f, 0.4f),
                stretch: 1, contrast: random.Between(1f, 1.6f), SKBlendMode.SoftLight);
    }

    private void CastShadow(SKCanvas canvas, SKImage subject)
    {
        var length = sizePixels * random.Between(0.02f, 0.07f);
        using var shadow = SKImageFilter.CreateDropShadowOnly(
            Away.X * length, Away.Y * length, sizePixels * _softness, sizePixels * _softness,
            SKColors.Black.WithAlpha((byte)random.Between(60, 190)));
        using var paint = new SKPaint { ImageFilter = shadow };
        canvas.DrawImage(subject, 0, 0, SKSamplingOptions.Default, paint);
    }
}
