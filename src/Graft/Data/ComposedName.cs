using System.Globalization;
using System.Text;

namespace Graft.Data;

/// <summary>
/// Names in Unicode's composed form (NFC): macOS may store "é" as two characters, a list made elsewhere as one, and both are the same class.
/// .NET composes nothing where globalization is invariant, as it is in Graft.
/// </summary>
internal static class ComposedName
{
    private const int FirstMark = 0x300;

    /// <summary>The primary composites of Unicode 15 (UnicodeData.txt less CompositionExclusions.txt), by their two parts.</summary>
    private static readonly Lazy<Dictionary<(int First, int Second), int>> Composites = new(() =>
    {
        using var resource = typeof(ComposedName).Assembly.GetManifestResourceStream("Graft.Data.compositions.txt")!;
        using var text = new StreamReader(resource);
        var composites = new Dictionary<(int, int), int>();
        while (text.ReadLine()?.Split(' ') is [var first, var second, var whole]) composites.Add((Code(first), Code(second)), Code(whole));
        return composites;

        static int Code(string digits) => int.Parse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
    });

    /// <summary>The name with letters and the marks after them composed. Marks are expected in canonical order, as file systems have them.</summary>
    public static string Of(string name)
    {
        if (!name.Any(letter => letter >= FirstMark)) return name;
        var composed = new List<Rune>();
        var starter = -1;
        foreach (var rune in name.EnumerateRunes())
        {
            if (starter >= 0 && Composite(composed[starter].Value, rune.Value, isNext: starter == composed.Count - 1) is { } whole)
            {
                composed[starter] = new(whole);
                continue;
            }
            if (Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark)) starter = composed.Count;
            composed.Add(rune);
        }
        return string.Concat(composed);
    }

    private static int? Composite(int first, int second, bool isNext)
    {
        // Hangul syllables are computed (The Unicode Standard, 3.12).
        if (isNext && first is >= 0x1100 and < 0x1113 && second is >= 0x1161 and < 0x1176) return 0xAC00 + ((first - 0x1100) * 21 + second - 0x1161) * 28;
        if (isNext && first is >= 0xAC00 and < 0xD7A4 && (first - 0xAC00) % 28 == 0 && second is > 0x11A7 and < 0x11C3) return first + second - 0x11A7;
        return Composites.Value.TryGetValue((first, second), out var whole) ? whole : null;
    }
}
