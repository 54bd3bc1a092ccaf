namespace Graft.Imaging;

/// <summary>
/// CIE L*a*b* under D50, as TIFF and ICC have it, to sRGB (IEC 61966-2-1; Bradford-adapted primaries).
/// </summary>
internal static class CieLab
{
    /// <param name="l">0 to 255 for L* of 0 to 100.</param>
    /// <param name="a">a* itself.</param>
    /// <param name="b">b* itself.</param>
    /// <param name="rgb">Receives three samples; colors outside sRGB are clipped.</param>
    public static void ToRgb(byte l, sbyte a, sbyte b, Span<byte> rgb)
    {
        var fy = (l * 100 / 255.0 + 16) / 116;
        var (x, y, z) = (0.96422 * Cube(fy + a / 500.0), Cube(fy), 0.82521 * Cube(fy - b / 200.0));
        rgb[0] = Encode(3.1338561 * x - 1.6168667 * y - 0.4906146 * z);
        rgb[1] = Encode(-0.9787684 * x + 1.9161415 * y + 0.0334540 * z);
        rgb[2] = Encode(0.0719453 * x - 0.2289914 * y + 1.4052427 * z);
    }

    private static double Cube(double f) => f > 6 / 29.0 ? f * f * f : (f - 4 / 29.0) * 108 / 841;

    private static byte Encode(double linear)
    {
        var encoded = linear <= 0.0031308 ? 12.92 * linear : 1.055 * Math.Pow(linear, 1 / 2.4) - 0.055;
        return (byte)Math.Clamp(encoded * 255 + 0.5, 0, 255);
    }
}
