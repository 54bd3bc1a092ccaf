namespace Graft.Data;

/// <summary>An image file and the index of its class in <see cref="LabeledImages.Classes"/>.</summary>
public sealed record LabeledImage(string Path, int Class);

/// <summary>A file that is left out, and why.</summary>
public sealed record SkippedFile(string Path, string Reason);

/// <summary>
/// Photographs with their classes, divided into training, validation and test images. Reading a source lists files
/// and opens none with an image's extension: what cannot be decoded is found out later and left out by
/// <see cref="WithSkipped"/>. The order is that of the paths inside the source, compared ordinally.
/// </summary>
public sealed class LabeledImages
{
    internal LabeledImages(
        string source, IReadOnlyList<string> classes,
        IReadOnlyList<LabeledImage> train, IReadOnlyList<LabeledImage> validation, IReadOnlyList<LabeledImage> test,
        IReadOnlyList<SkippedFile> skipped, IReadOnlyList<string> notes, bool validationWasSplit)
    {
        (Source, Classes, Train, Validation, Test) = (source, classes, train, validation, test);
        (Skipped, Notes, ValidationWasSplit) = (skipped, notes, validationWasSplit);
    }

    /// <summary>The folder or file this was read from, as it was given.</summary>
    public string Source { get; }

    /// <summary>Sorted ordinally, unless the options gave them.</summary>
    public IReadOnlyList<string> Classes { get; }

    public IReadOnlyList<LabeledImage> Train { get; }

    public IReadOnlyList<LabeledImage> Validation { get; }

    public IReadOnlyList<LabeledImage> Test { get; }

    /// <summary>Train, validation and test images, in this order.</summary>
    public IEnumerable<LabeledImage> All => Train.Concat(Validation).Concat(Test);

    /// <summary>Files that are no usable images, but for hidden ones and what systems leave behind.</summary>
    public IReadOnlyList<SkippedFile> Skipped { get; }

    /// <summary>What is worth saying but stops nothing, a sentence each.</summary>
    public IReadOnlyList<string> Notes { get; }

    /// <summary>Whether the source had no validation images, so that training images were split off.</summary>
    public bool ValidationWasSplit { get; }

    /// <summary>
    /// Reads a folder (a folder per class, train/val/test folders of such, or file names that carry the class) or a CSV
    /// file of path and label.
    /// </summary>
    /// <exception cref="DataException">The source is absent or unsuitable; all problems are listed.</exception>
    public static LabeledImages Load(string path, LabeledImagesOptions? options = null)
    {
        if (Directory.Exists(path)) return FromFolder(path, options);
        if (!File.Exists(path)) throw new DataException($"There is no folder or file '{path}'.");
        return Path.GetExtension(path).ToUpperInvariant() is ".CSV" or ".TSV"
            ? FromCsv(path, options)
            : throw new DataException(
                $"'{path}' is neither a folder nor a .csv file. {DataFindings.Layouts("photos")}");
    }

    /// <summary>
    /// Reads a folder per class, folders below included; or train/, optionally val/ (valid/, validation/) and test/, of
    /// such. Where a folder holds images and no folders, the classes are taken from the file names.
    /// </summary>
    /// <exception cref="DataException">The folder is absent or unsuitable; all problems are listed.</exception>
    public static LabeledImages FromFolder(string path, LabeledImagesOptions? options = null)
    {
        var findings = Findings(path, options);
        if (!Directory.Exists(path)) throw new DataException($"There is no folder '{path}'.");
        FolderLayout.Read(path, findings);
        return findings.ToLabeledImages();
    }

    /// <summary>
    /// Reads the images directly in a folder; the class is what stands before the number at the end of the name
    /// (cat.0.jpg, dog_12.png), or what <see cref="LabeledImagesOptions.FileNamePattern"/> says.
    /// </summary>
    /// <exception cref="DataException">The folder is absent or its names do not carry classes.</exception>
    public static LabeledImages FromFileNames(string path, LabeledImagesOptions? options = null)
    {
        var findings = Findings(path, options);
        if (!Directory.Exists(path)) throw new DataException($"There is no folder '{path}'.");
        FileNameLayout.Read(path, FolderListing.Of(path, findings).Images, DataPart.Train, findings);
        return findings.ToLabeledImages();
    }

    /// <summary>
    /// Reads a table with the columns path (or file, filename, image) and label (or class, category), separated by
    /// comma, semicolon or tab, and optionally split (train, val or test). Relative paths start from the table's
    /// folder.
    /// </summary>
    /// <exception cref="DataException">The file, a column or an image is missing; all problems are listed.</exception>
    public static LabeledImages FromCsv(string path, LabeledImagesOptions? options = null)
    {
        var findings = Findings(path, options);
        if (!File.Exists(path)) throw new DataException($"There is no file '{path}'.");
        CsvLayout.Read(path, findings);
        return findings.ToLabeledImages();
    }

    /// <summary>
    /// A copy without these files, for images that turn out not to decode; they are added to <see cref="Skipped"/>.
    /// </summary>
    /// <exception cref="DataException">A class has no training image left, or no validation image is left.</exception>
    public LabeledImages WithSkipped(IEnumerable<SkippedFile> broken)
    {
        var added = broken.DistinctBy(file => file.Path).ToArray();
        var paths = added.Select(file => file.Path).ToHashSet(StringComparer.Ordinal);
        var (train, validation, test) = (Without(Train, paths), Without(Validation, paths), Without(Test, paths));

        var left = train.Select(image => image.Class).ToHashSet();
        var problems = Train.CountBy(image => image.Class)
            .Where(size => !left.Contains(size.Key)).OrderBy(size => size.Key)
            .Select(size => $"The class '{Classes[size.Key]}' has no usable training image: " +
                $"none of its {size.Value} can be read.").ToList();
        if (Validation.Count > 0 && validation.Length == 0)
            problems.Add($"None of the {Validation.Count} validation images can be read.");
        if (problems.Count > 0) throw new DataException(Source, problems);

        return new(Source, Classes, train, validation, test, [.. Skipped, .. added], Notes, ValidationWasSplit);
    }

    private static LabeledImage[] Without(IReadOnlyList<LabeledImage> images, HashSet<string> paths) =>
        [.. images.Where(image => !paths.Contains(image.Path))];

    private static DataFindings Findings(string path, LabeledImagesOptions? options)
    {
        options ??= new();
        options.Validate();
        return new(path, options);
    }
}
