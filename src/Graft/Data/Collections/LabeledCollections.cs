namespace Graft.Data.Collections;

/// <summary>
/// Collections that say the class of each photo themselves: shards of WebDataset, Parquet files. Those of a folder are one data set; a word of
/// a shard's name, or its folder's, says the part: <c>train-00000.tar</c>, <c>test/0.parquet</c>.
/// </summary>
internal static class LabeledCollections
{
    /// <summary>Reads the collections at a path, or in a folder.</summary>
    /// <returns>Whether there are any, and they say classes; else nothing was read.</returns>
    public static bool Read(string path, DataFindings findings) => Read(Under(path, findings), findings);

    /// <summary>Reads these.</summary>
    /// <returns>Whether they say classes.</returns>
    public static bool Read(IReadOnlyList<(string File, DataPart Part)> files, DataFindings findings)
    {
        if (files.Count == 0) return false;
        List<string> silent = [];
        var shards = 0;
        foreach (var (file, part) in files)
        {
            var collection = PhotoCollection.Open(file);
            if (collection.Labels(findings.Options.LabelColumn, findings) is not { } labels)
            {
                silent.Add(file);
                continue;
            }
            shards++;
            foreach (var skipped in collection.Skipped) findings.Skip(skipped.Path, skipped.Reason);
            foreach (var member in collection.Members)
                if (labels.TryGetValue(member.Name, out var label)) Add(collection, member, part, label, findings);
        }
        if (shards > 0 && silent.Count > 0)
            findings.Problem($"{DataFindings.Named(silent)} {(silent.Count == 1 ? "holds" : "hold")} photos without classes beside shards that say them. Keep shards without labels elsewhere.");
        return shards > 0;
    }

    private static void Add(PhotoCollection collection, CollectionMember member, DataPart part, string label, DataFindings findings)
    {
        var path = $"{collection.Path}/{member.Name}";
        // What Parquet holds in its column of images is an image, whatever it is called.
        if (collection is ArchivedPhotos && FolderListing.Objection(path) is { } reason) findings.Skip(path, reason);
        else findings.Add(part, label, path);
    }

    private static IReadOnlyList<(string, DataPart)> Under(string path, DataFindings findings)
    {
        if (PhotoCollection.IsAt(path)) return [(path, DataPart.Train)];
        var silent = new DataFindings(findings.Source, findings.Options);
        var folders = FolderListing.Of(path, silent).Folders;
        if (folders.Count == 0) return [];
        if (folders.All(PhotoCollection.IsAt)) return [.. folders.Select(file => (file, PartNames.OfShard(FolderListing.NameOf(file))))];
        // Hugging Face keeps them in data/.
        if (folders is [var only]) return Under(only, findings);
        var parts = PartNames.OfFolders(folders);
        if (parts.Count < folders.Count) return [];
        var shards = parts.SelectMany(part => FolderListing.Of(part.Key, silent).Folders.Select(file => (file, part.Value))).ToList();
        return shards.TrueForAll(shard => PhotoCollection.IsAt(shard.file)) ? shards : [];
    }
}
