using System.Globalization;

namespace Graft.Backbones;

/// <summary>
/// Groups of ImageNet's 1,000 classes, such as "dog" or "musical instrument": every noun of WordNet 3.0 that stands above some of them, with the classes below it.
/// The table was made from WordNet, see THIRD-PARTY-NOTICES.md.
/// </summary>
public static class WordNetGroups
{
    private static readonly Lazy<Dictionary<string, (int Sense, int[] Members)>> Groups = new(Read);

    /// <summary>The names of all groups, ordinally sorted; "cat" is the first sense of the word that has classes below it.</summary>
    public static IReadOnlyList<string> Names => [.. Groups.Value.Keys.Order(StringComparer.Ordinal)];

    /// <summary>The indices of a group's classes, ascending; null if no group has the name.</summary>
    /// <param name="name">In any case, with blanks or underscores; <c>cat#7</c> for another sense than the first.</param>
    public static IReadOnlyList<int>? Find(string name) => Groups.Value.TryGetValue(Key(name), out var group) ? group.Members : null;

    /// <summary>Names of groups that are spelled like a given one, the nearest first.</summary>
    public static IReadOnlyList<string> Near(string name, int count = 3)
    {
        var wanted = Key(name);
        return
        [
            .. Groups.Value.Keys.Where(key => !key.Contains('#')).Select(key => (Key: key, Distance: Spelling.Distance(wanted, key)))
                .Where(entry => entry.Distance <= Math.Max(1, wanted.Length / 3) || entry.Key.Split(' ').Contains(wanted))
                .OrderBy(entry => entry.Distance).ThenBy(entry => entry.Key, StringComparer.Ordinal).Take(count).Select(entry => entry.Key),
        ];
    }

    private static string Key(string name) => name.Replace('_', ' ').Trim().ToLowerInvariant();

    private static Dictionary<string, (int, int[])> Read()
    {
        var groups = new Dictionary<string, (int Sense, int[] Members)>(StringComparer.Ordinal);
        foreach (var line in ClassNames.Lines("wordnet_groups.txt"))
        {
            var (names, ranges) = line.Split('\t') is [var first, var second] ? (first, second) : throw new InvalidOperationException($"Damaged: '{line}'.");
            int[] members = [.. ranges.Split(',').Select(range => range.Split('-')).SelectMany(ends => Enumerable.Range(Number(ends[0]), Number(ends[^1]) - Number(ends[0]) + 1))];
            foreach (var entry in names.Split('|'))
            {
                var (name, sense) = entry.Split('#') is [var word, var number] ? (Key(word), Number(number)) : throw new InvalidOperationException($"Damaged: '{line}'.");
                groups[$"{name}#{sense}"] = (sense, members);
                if (!groups.TryGetValue(name, out var known) || sense < known.Sense) groups[name] = (sense, members);
            }
        }
        return groups;
    }

    private static int Number(string digits) => int.Parse(digits, NumberStyles.None, CultureInfo.InvariantCulture);
}
