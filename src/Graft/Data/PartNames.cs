namespace Graft.Data;

/// <summary>What folders and tables call the parts of a data set.</summary>
internal static class PartNames
{
    private static readonly Dictionary<string, DataPart> Known = new(StringComparer.OrdinalIgnoreCase)
    {
        ["train"] = DataPart.Train,
        ["training"] = DataPart.Train,
        ["trn"] = DataPart.Train,
        ["trainset"] = DataPart.Train,
        ["trainingset"] = DataPart.Train,
        ["val"] = DataPart.Validation,
        ["valid"] = DataPart.Validation,
        ["validation"] = DataPart.Validation,
        ["dev"] = DataPart.Validation,
        ["development"] = DataPart.Validation,
        ["eval"] = DataPart.Validation,
        ["evaluation"] = DataPart.Validation,
        ["valset"] = DataPart.Validation,
        ["validset"] = DataPart.Validation,
        ["validationset"] = DataPart.Validation,
        ["devset"] = DataPart.Validation,
        ["test"] = DataPart.Test,
        ["testing"] = DataPart.Test,
        ["tst"] = DataPart.Test,
        ["testset"] = DataPart.Test,
        ["testingset"] = DataPart.Test,
    };

    /// <summary>The part that a name means: <c>Training</c>, <c>valid</c>, <c>test_set</c>; null if it means none.</summary>
    public static DataPart? Of(string name) => Known.TryGetValue(Joined(name), out var part) ? part : null;

    /// <summary>
    /// The parts that the folders of a data set are, those that are none left out. Names with something in common besides the part
    /// (<c>seg_train</c> and <c>seg_test</c>, <c>train2017</c> and <c>val2017</c>) count too, if they name two parts and at least training.
    /// </summary>
    public static IReadOnlyDictionary<string, DataPart> OfFolders(IReadOnlyList<string> folders)
    {
        var plain = folders.Where(folder => Of(FolderListing.NameOf(folder)) is not null).ToDictionary(folder => folder, folder => Of(FolderListing.NameOf(folder))!.Value);
        if (plain.Count > 0) return plain;
        return folders.Select(folder => (folder, Word: WordIn(FolderListing.NameOf(folder)))).Where(entry => entry.Word is not null)
            .GroupBy(entry => entry.Word!.Value.Remainder, StringComparer.OrdinalIgnoreCase)
            .Select(alike => alike.ToDictionary(entry => entry.folder, entry => entry.Word!.Value.Part))
            .Where(parts => parts.ContainsValue(DataPart.Train) && parts.Values.Distinct().Count() > 1)
            .OrderByDescending(parts => parts.Count).FirstOrDefault() ?? plain;
    }

    /// <summary>The part that one word of a shard's name means, as in <c>train-00000-of-00002</c>; training without one.</summary>
    public static DataPart OfShard(string name) => WordIn(name)?.Part ?? DataPart.Train;

    /// <summary>The one word of a name that means a part, and the rest of the name.</summary>
    private static (DataPart Part, string Remainder)? WordIn(string name)
    {
        var words = name.TrimEnd([.. "0123456789"]).Split('_', '-', '.', ' ');
        if (words.Count(word => Known.ContainsKey(word)) != 1) return null;
        var index = Array.FindIndex(words, Known.ContainsKey);
        var part = Known[words[index]];
        words[index] = "";
        return (part, string.Join(' ', words) + name[name.TrimEnd([.. "0123456789"]).Length..]);
    }

    private static string Joined(string name) => name.Trim().Replace("_", "", StringComparison.Ordinal)
        .Replace("-", "", StringComparison.Ordinal).Replace(" ", "", StringComparison.Ordinal);
}
