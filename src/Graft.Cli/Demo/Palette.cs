using SkiaSharp;

namespace Graft.Cli.Demo;

/// <summary>
/// The colors of one thing. Every class draws from the same distribution, so that color gives no class away.
/// </summary>
internal sealed record Palette(SKColor Main, SKColor Accent, SKColor Line)
{
    public static Palette Sample(Random random)
    {
        var hue = random.Between(0f, 360f);
        var value = random.Between(25f, 95f);
        var accentValue = (value + random.Between(30f, 60f)) % 100;
        var lineValue = value > 50 ? value - random.Between(25f, 45f) : value + random.Between(25f, 45f);
        return new Palette(
            SKColor.FromHsv(hue, random.Between(5f, 60f), value),
            SKColor.FromHsv((hue + random.Between(20f, 340f)) % 360, random.Between(5f, 60f), accentValue),
            SKColor.FromHsv((hue + random.Between(0f, 40f)) % 360, random.Between(5f, 60f), lineValue));
    }
}
