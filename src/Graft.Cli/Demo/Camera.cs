using SkiaSharp;

namespace Graft.Cli.Demo;

/// <summary>What lies between the scene and the file: focus, shake, exposure, white balance, noise, JPEG.</summary>
internal static class Camera
{
    /// <summary>Takes the picture and returns the bytes of a JPEG file.</summary>
    public static byte[] Photograph(SKImage scene, Random random)
    {
        using var photo = new SKBitmap(scene.Width, scene.Height, SKColorType.Rgba8888, SKAlphaType.Opaque);
        using (var canvas = new SKCanvas(photo))
            Lens(canvas, scene, random);
        Sensor(photo.GetPixelSpan(), random);
        using var file = photo.Encode(SKEncodedImageFormat.Jpeg, random.Between(45, 92));
        return file.ToArray();
    }

    private static void Lens(SKCanvas canvas, SKImage scene, Random random)
    {
        var (focus, shake) = (scene.Width * random.Between(0f, 0.006f), scene.Width * random.Between(0f, 0.004f));
        using var blur = SKImageFilter.CreateBlur(focus + shake, focus, SKShaderTileMode.Clamp);
        using var paint = new SKPaint { ImageFilter = blur };
        canvas.DrawImage(scene, 0, 0, SKSamplingOptions.Default, paint);
    }

    private static void Sensor(Span<byte> rgba, Random random)
    {
        var exposure = MathF.Pow(2, random.Between(-0.3f, 0.5f));
        var warmth = random.Between(-0.2f, 0.2f);
        Span<float> gains =
            [exposure * (1 + warmth), exposure * (1 + random.Between(-0.06f, 0.06f)), exposure * (1 - warmth)];
        var (readNoise, shotNoise) = (random.Between(0f, 3f), random.Between(0f, 0.3f));
        for (var index = 0; index < rgba.Length; index++)
        {
            if (index % 4 == 3)
                continue;
            var light = rgba[index] * gains[index % 4];
            var noise = random.Normal() * (readNoise + shotNoise * MathF.Sqrt(light));
            rgba[index] = (byte)Math.Clamp(light + noise, 0, 255);
        }
    }
}
