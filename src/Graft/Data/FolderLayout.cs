namespace Graft.Data;

/// <summary>A folder per class, or train/, val/ and test/ folders of such.</summary>
internal static class FolderLayout
{
    public static void Read(string folder, DataFindings findings)
    {
        var listing = FolderListing.Of(folder, findings);
        if (listing.Folders.Count == 0)
        {
            if (listing.Images.Count > 0) FileNameLayout.Read(folder, listing.Images, DataPart.Train, findings);
        }
        else if (IsDivided(listing.Folders, findings)) ReadParts(listing.Folders, findings);
        else ReadClasses(listing.Folders, DataPart.Train, findings);

        if (listing.Folders.Count > 0) SkipOutside(listing.Images, findings);
    }

    private static DataPart? PartOf(string folder) => Path.GetFileName(folder).ToUpperInvariant() switch
    {
        "TRAIN" => DataPart.Train,
        "VAL" or "VALID" or "VALIDATION" => DataPart.Validation,
        "TEST" => DataPart.Test,
        _ => null,
    };

    // A folder called "train" may also be a class beside "bus" and "tram": then it holds images and no folders.
    private static bool IsDivided(IReadOnlyList<string> folders, DataFindings findings)
    {
        if (folders.All(folder => PartOf(folder) is not null)) return true;
        var train = folders.FirstOrDefault(folder => PartOf(folder) == DataPart.Train);
        return train is not null
            && (folders.Any(folder => PartOf(folder) is DataPart.Validation or DataPart.Test)
                || FolderListing.Of(train, new(findings.Source, findings.Options)).Folders.Count > 0);
    }

    private static void ReadParts(IReadOnlyList<string> folders, DataFindings findings)
    {
        foreach (var same in folders.GroupBy(PartOf).Where(group => group.Key is not null && group.Count() > 1))
            findings.Problem($"There are several {same.Key!.ToString()!.ToLowerInvariant()} folders: " +
                $"{DataFindings.Named(same)}. Keep one.");
        if (!folders.Any(folder => PartOf(folder) == DataPart.Train) && findings.Options.Classes is null)
            findings.Problem($"'{findings.Source}' has {DataFindings.Named(folders.Select(Path.GetFileName))} " +
                "but no train folder.");
        var others = folders.Where(folder => PartOf(folder) is null).ToArray();
        if (others.Length > 0)
            findings.Note($"Ignored beside the train folder: {DataFindings.Named(others.Select(Path.GetFileName))}.");
        foreach (var folder in folders.OrderBy(PartOf)) // training first: it says which classes there are
            if (PartOf(folder) is { } part) ReadPart(folder, part, findings);
    }

    private static void ReadPart(string folder, DataPart part, DataFindings findings)
    {
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
            var name = Path.GetFileName(folder);
            if (part == DataPart.Train) findings.ExpectClass(name);
            foreach (var image in FolderListing.ImagesBelow(folder, findings)) findings.Add(part, name, image);
        }
    }

    private static void SkipOutside(IReadOnlyList<string> images, DataFindings findings)
    {
        foreach (var image in images) findings.Skip(image, "lies outside the class folders");
    }
}
