using System.Numerics;
using Graft.Imaging;

namespace Graft.Data;

/// <summary>
/// What a picture looks like in 64 bits and 32×32 gray values: nearly the same after re-encoding, resizing or a little editing, and
/// different for another photo, even of the same thing. The bits say of the 8×8 lowest frequencies of a cosine transform which are above
/// their median (Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010); the gray values then confirm.
/// </summary>
internal sealed class PerceptualHash
{
    private const int Side = 32, Frequencies = 8;

    /// <summary>[Frequencies, Side]: the lowest basis functions of the type II cosine transform.</summary>
    private static readonly float[] Cosines = [.. from frequency in Enumerable.Range(0, Frequencies)
                                                  from position in Enumerable.Range(0, Side)
                                                  select (float)Math.Cos(Math.PI * frequency * (2 * position + 1) / (2.0 * Side))];

    /// <summary>Gray values less their mean, divided by their norm: a product of two is their correlation. In 8 bits and a sign.</summary>
    private readonly sbyte[] _gray;
    private readonly double _norm;

    private PerceptualHash(ulong bits, sbyte[] gray) =>
        (Bits, _gray, _norm) = (bits, gray, Math.Sqrt(gray.Sum(value => (double)value * value)));

    public ulong Bits { get; }

    public static PerceptualHash Of(RgbImage image)
    {
        var small = Resampler.Resize(image, Side, Side, Interpolation.Bilinear);
        var gray = new float[Side * Side];
        for (var i = 0; i < gray.Length; i++) gray[i] = Luma(small.Pixels.AsSpan(3 * i, 3));
        var mean = gray.Average();
        var largest = Math.Max(1, gray.Max(value => Math.Abs(value - mean)));
        return new(BitsOf(gray), [.. gray.Select(value => (sbyte)MathF.Round((value - mean) / largest * sbyte.MaxValue))]);
    }

    /// <summary>ITU-R BT.601, as Pillow's convert("L"), 0 to 255.</summary>
    public static float Luma(ReadOnlySpan<byte> pixel) => 0.299f * pixel[0] + 0.587f * pixel[1] + 0.114f * pixel[2];

    /// <summary>How many bits differ: 0 to 63.</summary>
    public int Distance(PerceptualHash other) => BitOperations.PopCount(Bits ^ other.Bits);

    /// <summary>Correlation of the gray values, -1 to 1; 0 where one is blank.</summary>
    public double Correlation(PerceptualHash other)
    {
        if (_norm == 0 || other._norm == 0) return 0;
        var sum = 0;
        for (var i = 0; i < _gray.Length; i++) sum += _gray[i] * other._gray[i];
        return sum / (_norm * other._norm);
    }

    /// <summary>The same with the other picture seen in a mirror, left for right.</summary>
    public double MirroredCorrelation(PerceptualHash other)
    {
        if (_norm == 0 || other._norm == 0) return 0;
        var sum = 0;
        for (var i = 0; i < _gray.Length; i++) sum += _gray[i] * other._gray[i / Side * Side + Side - 1 - i % Side];
        return sum / (_norm * other._norm);
    }

    private static ulong BitsOf(float[] gray)
    {
        // [Side, Frequencies]: rows transformed, of each the lowest frequencies.
        var rows = new float[Side * Frequencies];
        for (var y = 0; y < Side; y++)
            for (var u = 0; u < Frequencies; u++)
                rows[y * Frequencies + u] = Dot(gray.AsSpan(y * Side, Side), Cosines.AsSpan(u * Side, Side));
        var coefficients = new float[Frequencies * Frequencies];
        Span<float> column = stackalloc float[Side];
        for (var u = 0; u < Frequencies; u++)
        {
            for (var y = 0; y < Side; y++) column[y] = rows[y * Frequencies + u];
            for (var v = 0; v < Frequencies; v++) coefficients[v * Frequencies + u] = Dot(column, Cosines.AsSpan(v * Side, Side));
        }
        // The first is the mean brightness, which says nothing about the picture.
        var median = coefficients.Skip(1).Order().ElementAt((coefficients.Length - 1) / 2);
        var bits = 0UL;
        for (var i = 1; i < coefficients.Length; i++)
            if (coefficients[i] > median) bits |= 1UL << i;
        return bits;
    }

    private static float Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        var sum = 0f;
        for (var i = 0; i < a.Length; i++) sum += a[i] * b[i];
        return sum;
    }
}
