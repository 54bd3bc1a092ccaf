using System.Text;

namespace Graft;

/// <summary>
/// Text from file names, labels and other data made harmless to show: characters that a terminal or a browser obeys instead of showing them
/// (escape sequences, controls, text direction, characters of no width) become visible.
/// </summary>
internal static class VisibleText
{
    private const int ZeroWidthNonJoiner = 0x200C, ZeroWidthJoiner = 0x200D;

    /// <summary>
    /// The text with what is hidden in it shown: C0 controls as the pictures that Unicode has of them (U+241B for escape), all others as
    /// <c>\u202E</c>, which means the same character in a JSON document.
    /// </summary>
    /// <param name="isOneLine">Whether line breaks and tabs are shown too, so that a name cannot pretend to be several lines.</param>
    public static string Of(string text, bool isOneLine = true)
    {
        return HasHidden(text, isOneLine) ? Replace(text, isOneLine, Shown) : text;

        static string Shown(Rune rune) => rune.Value < ' '
            ? ((char)('\u2400' + rune.Value)).ToString()
            : string.Concat(rune.ToString().Select(unit => $"\\u{(int)unit:X4}"));
    }

    /// <summary>The text with every hidden character, line breaks and tabs excepted, replaced.</summary>
    internal static string Replace(string text, bool isOneLine, Func<Rune, string> replacement)
    {
        var result = new StringBuilder(text.Length + 16);
        for (var index = 0; index < text.Length;)
        {
            // A lone half of a surrogate pair, as broken file names have them, is shown as the replacement character.
            _ = Rune.DecodeFromUtf16(text.AsSpan(index), out var rune, out var length);
            if (IsHidden(text, index, rune, isOneLine)) result.Append(replacement(rune));
            else result.Append(text, index, length);
            index += length;
        }
        return result.ToString();
    }

    internal static bool HasHidden(string text, bool isOneLine)
    {
        for (var index = 0; index < text.Length;)
        {
            _ = Rune.DecodeFromUtf16(text.AsSpan(index), out var rune, out var length);
            if (IsHidden(text, index, rune, isOneLine)) return true;
            index += length;
        }
        return false;
    }

    private static bool IsHidden(string text, int index, Rune rune, bool isOneLine) => rune.Value switch
    {
        '\n' or '\r' or '\t' => isOneLine,
        // C0 and C1 controls and delete.
        < ' ' or (>= 0x7F and < 0xA0) => true,
        < 0xA0 => false,
        // Line and paragraph separators; marks, embeddings, overrides and isolates of text direction.
        0x061C or 0x200E or 0x200F or (>= 0x2028 and <= 0x202E) or (>= 0x2066 and <= 0x2069) => true,
        // Of no width: soft hyphen, joiners of words, invisible operators, deprecated and interlinear controls, tags.
        0x00AD or 0x034F or 0x115F or 0x1160 or 0x17B4 or 0x17B5 or 0x180E or 0x200B or 0x3164 or 0xFEFF or 0xFFA0
            or (>= 0x2060 and <= 0x2065) or (>= 0x206A and <= 0x206F) or (>= 0xFFF9 and <= 0xFFFB) or (>= 0xE0000 and <= 0xE007F) => true,
        // Persian, Indic scripts and emoji need joiners; between Latin letters they only make two names look alike.
        ZeroWidthNonJoiner or ZeroWidthJoiner =>
            index == 0 || index + 1 == text.Length || char.IsAscii(text[index - 1]) || char.IsAscii(text[index + 1]),
        _ => false,
    };
}
