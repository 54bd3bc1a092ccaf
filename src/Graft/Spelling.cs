namespace Graft;

/// <summary>How alike two names are spelled, to suggest one for another.</summary>
internal static class Spelling
{
    /// <summary>The letters to insert, remove or replace to come from one name to the other (Levenshtein), whatever their case.</summary>
    public static int Distance(string typed, string known)
    {
        var row = Enumerable.Range(0, known.Length + 1).ToArray();
        for (var i = 1; i <= typed.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= known.Length; j++)
            {
                var replaced = diagonal + (char.ToUpperInvariant(typed[i - 1]) == char.ToUpperInvariant(known[j - 1]) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(replaced, 1 + Math.Min(row[j], row[j - 1]));
            }
        }
        return row[^1];
    }
}
