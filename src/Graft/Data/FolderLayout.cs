using Graft.Data.Collections;

namespace Graft.Data;

/// <summary>A folder per class, or train/, val/ and test/ folders of such.</summary>
internal static class FolderLayout
{
    public static void Read(string folder, DataFindings findings)
    {
        if (LabeledCollections.Read(folder, findings)) return;
        folder = Wrapped(folder);
        Read(folder, FolderListing.Of(folder, findings), findings);
    }

    /// <summary>Collections that make one data set; where they do not say classes, each is a folder.</summary>
    public static void ReadCollections(IReadOnlyList<string> files, DataFindings findings)
    {
        if (!LabeledCollections.Read([.. files.Select(file => (file, PartNames.OfShard(FolderListing.NameOf(file))))], findings)) Read(findings.Source, new([], files), findings);
    }

    private static void Read(string folder, FolderListing listing, DataFindings findings)
    {
        foreach (var unlabeled in listing.Folders.Where(IsUnlabeled)) ReadUnlabeled(unlabeled, findings);
        string[] folders = [.. listing.Folders.Where(inner => !IsUnlabeled(inner))];
        var parts = PartsOf(folders, findings);
        if (folders.Length == 0)
        {
            if (listing.Images.Count > 0) FileNameLayout.Read(folder, listing.Images, DataPart.Train, findings);
            return;
        }
        if (parts.Count > 0)
        {
            ReadParts(folders, parts, findings);
        }
        else
        {
            WarnOfSameFolders(folders, findings);
            ReadClasses(folders, DataPart.Train, findings);
        }
        SkipOutside(listing.Images, findings);
    }

    /// <summary>The one folder of an archive, in which most archives have all they hold; else the folder itself.</summary>
    private static string Wrapped(string folder) =>
        PhotoCollection.IsAt(folder) && FolderListing.Of(folder, new(folder, new())) is { Images.Count: 0, Folders: [var only] } ? only : folder;

    /// <summary>What holds the classes in each of its folders is likely a part, a batch or a camera, and no class.</summary>
    private static void WarnOfSameFolders(IReadOnlyList<string> folders, DataFindings findings)
    {
        var silent = new DataFindings(findings.Source, findings.Options);
        var inner = folders.Select(folder => FolderListing.Of(folder, silent).Folders.Select(path => Path.GetFileName(path)).ToHashSet(StringComparer.OrdinalIgnoreCase)).ToList();
        if (inner.Count < 2 || inner[0].Count < 2 || !inner.TrueForAll(names => names.SetEquals(inner[0]))) return;
        findings.Warn($"All classes ({DataFindings.Named(folders.Select(FolderListing.NameOf))}) hold the same folders, {DataFindings.Named(inner[0])}. " +
            "If those are the classes, name the folders around them train, val and test, or use a table.");
    }

    /// <summary>The folders that are parts of the data set; none where all folders are classes.</summary>
    private static IReadOnlyDictionary<string, DataPart> PartsOf(IReadOnlyList<string> folders, DataFindings findings)
    {
        var parts = PartNames.OfFolders(folders);
        if (parts.Count == 0 || folders.All(folder => parts.ContainsKey(folder) || IsUnlabeled(folder))) return parts;
        // A folder called "train" may also be a class beside "bus" and "tram": then it holds images and no folders.
        var train = parts.Where(part => part.Value == DataPart.Train).Select(part => part.Key).FirstOrDefault();
        return train is not null
            && (parts.Values.Any(part => part != DataPart.Train) || FolderListing.Of(train, new(findings.Source, findings.Options)).Folders.Count > 0)
            ? parts
            : new Dictionary<string, DataPart>();
    }

    private static bool IsUnlabeled(string folder) => FolderListing.NameOf(folder).ToUpperInvariant() is "UNLABELED" or "UNLABELLED";

    /// <summary>Holds photos of none of the classes.</summary>
    private static bool IsOther(string folder) => FolderListing.NameOf(folder).ToUpperInvariant() is "_OTHER" or "_NONE" or "NONE";

    private static void ReadOthers(string folder, DataFindings findings)
    {
        var count = 0;
        foreach (var image in FolderListing.ImagesBelow(folder, findings))
        {
            findings.AddOther(image);
            count++;
        }
        if (count > 0) findings.Note($"The {count} images in '{folder}' are taken for photos of none of the classes. If '{FolderListing.NameOf(folder)}' is a class, call its folder otherwise.");
    }

    private static void ReadUnlabeled(string folder, DataFindings findings)
    {
        var count = 0;
        foreach (var image in FolderListing.ImagesBelow(folder, findings))
        {
            findings.AddUnlabeled(image);
            count++;
        }
        if (count > 0) findings.Note($"The {count} images in '{folder}' have no labels; they are neither trained nor measured on.");
    }

    private static void ReadParts(IReadOnlyList<string> folders, IReadOnlyDictionary<string, DataPart> parts, DataFindings findings)
    {
        foreach (var same in parts.GroupBy(part => part.Value, part => part.Key).Where(group => group.Count() > 1))
            findings.Problem($"There are several {same.Key.ToString().ToLowerInvariant()} folders: " +
                $"{DataFindings.Named(same)}. Keep one.");
        if (!parts.Values.Contains(DataPart.Train) && findings.Options.Classes is null)
            findings.Problem($"'{findings.Source}' has {DataFindings.Named(folders.Select(FolderListing.NameOf))} " +
                "but no train folder. Call the folder of the training images train, or name a folder of classes itself.");
        var others = folders.Where(folder => !parts.ContainsKey(folder)).ToArray();
        if (others.Length > 0)
            findings.Note($"Ignored beside the train folder: {DataFindings.Named(others.Select(FolderListing.NameOf))}.");
        foreach (var (folder, part) in parts.OrderBy(part => part.Value)) ReadPart(folder, part, findings); // training first: it says which classes there are
    }

    /// <summary>Archives often have a folder of a part inside one of the same name: <c>train/train</c>, <c>seg_test/seg_test</c>.</summary>
    private static string Unwrapped(string folder)
    {
        var inner = FolderListing.Of(folder, new(folder, new())).Folders;
        return inner is [var only] && string.Equals(FolderListing.NameOf(only), FolderListing.NameOf(folder), StringComparison.OrdinalIgnoreCase)
            && new DirectoryInfo(only).LinkTarget is null
            ? only
            : folder;
    }

    private static void ReadPart(string folder, DataPart part, DataFindings findings)
    {
        folder = Unwrapped(folder);
        var listing = FolderListing.Of(folder, findings);
        if (listing.Folders.Count > 0)
        {
            ReadClasses(listing.Folders, part, findings);
            SkipOutside(listing.Images, findings);
        }
        else if (part == DataPart.Train || findings.Know(FileNameLayout.Classes(listing.Images, findings.Options)))
            FileNameLayout.Read(folder, listing.Images, part, findings);
        else if (listing.Images.Count > 0)
            findings.Note($"The {listing.Images.Count} images directly in '{folder}' have no class and are ignored.");
        else
            findings.Note($"The folder '{folder}' holds no images.");
    }

    private static void ReadClasses(IReadOnlyList<string> folders, DataPart part, DataFindings findings)
    {
        foreach (var folder in folders)
        {
            var name = FolderListing.NameOf(folder);
            if (IsUnlabeled(folder))
            {
                ReadUnlabeled(folder, findings);
                continue;
            }
            if (IsOther(folder))
            {
                ReadOthers(folder, findings);
                continue;
            }
            if (part == DataPart.Train) findings.ExpectClass(name);
            foreach (var image in FolderListing.ImagesBelow(folder, findings)) findings.Add(part, name, image);
        }
    }

    private static void SkipOutside(IReadOnlyList<string> images, DataFindings findings)
    {
        foreach (var image in images) findings.Skip(image, "lies outside the class folders");
    }
}
