using System.Security.Cryptography;
using Graft.Imaging;

namespace Graft.Data;

/// <summary>What was measured on a file; nothing of it counts where <see cref="Problem"/> says why the file cannot be read.</summary>
internal sealed record ImageInspection
{
    /// <summary>Sharpness is measured with the longer side at most so many pixels, so that it does not depend on the camera's.</summary>
    private const int SharpnessSidePixels = 256;

    /// <summary>Why the file cannot be read; null if it can.</summary>
    public string? Problem { get; private init; }

    public long Bytes { get; private init; }

    /// <summary>SHA-256 of the file, in hexadecimal digits.</summary>
    public string Hash { get; private init; } = "";

    /// <summary>JPEG, PNG, …, by the file's content.</summary>
    public string Format { get; private init; } = "";

    public int Width { get; private init; }

    public int Height { get; private init; }

    /// <summary>Whether red, green and blue are the same everywhere.</summary>
    public bool IsGrayscale { get; private init; }

    /// <summary>Whether the file has 16 bits a sample and uses the lowest 12 or fewer: it decodes to something nearly black.</summary>
    public bool IsNarrow { get; private init; }

    /// <summary>Mean and standard deviation of the brightness, 0 to 255.</summary>
    public double Brightness { get; private init; }

    public double Contrast { get; private init; }

    /// <summary>Variance of the Laplacian of the brightness, at most 256 pixels long (Pech-Pacheco et al. 2000).</summary>
    public double Sharpness { get; private init; }

    public PerceptualHash? Look { get; private init; }

    public static ImageInspection Of(ImageSource source)
    {
        try
        {
            var file = source.Read();
            return ImageDecoder.Decode(file, image => Of(file, image));
        }
        catch (UnreadableImageException problem)
        {
            return new() { Problem = problem.Reason };
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            return new() { Problem = $"the file cannot be read: {problem.Message}" };
        }
    }

    private static ImageInspection Of(byte[] file, RgbImage image)
    {
        var (brightness, contrast, sharpness) = Measure(image);
        return new()
        {
            Bytes = file.Length,
            Hash = Convert.ToHexStringLower(SHA256.HashData(file)),
            Format = ImageDecoder.FormatOf(file) ?? "",
            Width = image.Width,
            Height = image.Height,
            IsGrayscale = HasNoColor(image.Pixels),
            IsNarrow = ImageDecoder.IsSixteenBit(file) && !image.Pixels.AsSpan().ContainsAnyExceptInRange((byte)0, (byte)15),
            Brightness = brightness,
            Contrast = contrast,
            Sharpness = sharpness,
            Look = PerceptualHash.Of(image),
        };
    }

    private static bool HasNoColor(ReadOnlySpan<byte> pixels)
    {
        for (var i = 0; i < pixels.Length; i += 3)
            if (pixels[i] != pixels[i + 1] || pixels[i] != pixels[i + 2]) return false;
        return true;
    }

    private static (double Brightness, double Contrast, double Sharpness) Measure(RgbImage image)
    {
        var scale = (double)SharpnessSidePixels / Math.Max(image.Width, image.Height);
        if (scale < 1)
        {
            image = Resampler.Resize(
                image, Math.Max(1, (int)Math.Round(image.Width * scale)), Math.Max(1, (int)Math.Round(image.Height * scale)),
                Interpolation.Bilinear);
        }
        var (width, height) = (image.Width, image.Height);
        var gray = new float[width * height];
        for (var i = 0; i < gray.Length; i++) gray[i] = PerceptualHash.Luma(image.Pixels.AsSpan(3 * i, 3));
        var (brightness, variance) = Moments(gray);
        if (width < 3 || height < 3) return (brightness, Math.Sqrt(variance), 0);
        var laplacian = new float[(width - 2) * (height - 2)];
        for (int y = 1, to = 0; y < height - 1; y++)
            for (var at = y * width + 1; at < (y + 1) * width - 1; at++)
                laplacian[to++] = gray[at - 1] + gray[at + 1] + gray[at - width] + gray[at + width] - 4 * gray[at];
        return (brightness, Math.Sqrt(variance), Moments(laplacian).Variance);
    }

    private static (double Mean, double Variance) Moments(float[] values)
    {
        var (sum, squares) = (0.0, 0.0);
        foreach (var value in values)
        {
            sum += value;
            squares += (double)value * value;
        }
        var mean = sum / values.Length;
        return (mean, Math.Max(0, squares / values.Length - mean * mean));
    }
}
