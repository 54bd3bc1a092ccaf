using Graft.Data.Collections;
using Graft.Data.Remote;

namespace Graft.Data;

/// <summary>An image and the index of its class in <see cref="LabeledImages.Classes"/>.</summary>
/// <param name="Path">The file's path, or the name of an image that is no file; see <see cref="ImageSource"/>.</param>
public sealed record LabeledImage(string Path, int Class) : ImageSource(Path)
{
    /// <summary>Any image with its class.</summary>
    public LabeledImage(ImageSource image, int @class) : this(image.Path, @class) => Content = image.Content;
}

/// <summary>A file that is left out, and why.</summary>
public sealed record SkippedFile(string Path, string Reason);

/// <summary>
/// Photographs with their classes, divided into training, validation and test images. Reading a source lists files
/// and opens none with an image's extension: what cannot be decoded is found out later and left out by
/// <see cref="WithSkipped"/>. The order is that of the paths inside the source, compared ordinally.
/// </summary>
public sealed class LabeledImages
{
    /// <summary>The source of images that come from no folder and no table.</summary>
    private const string InMemory = "images in memory";

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

    /// <summary>Files that are not usable images, hidden files and files of operating systems excepted.</summary>
    public IReadOnlyList<SkippedFile> Skipped { get; }

    /// <summary>Remarks that stop nothing, a sentence each; <see cref="Warnings"/> first.</summary>
    public IReadOnlyList<string> Notes { get; }

    /// <summary>Whether the source had no validation images, so that training images were split off.</summary>
    public bool ValidationWasSplit { get; }

    /// <summary>Those of the <see cref="Notes"/> that say that something is likely wrong.</summary>
    public IReadOnlyList<string> Warnings { get; internal init; } = [];

    /// <summary>
    /// Images without a label beside the others: those of a folder <c>unlabeled</c>, and what <see cref="WithUnlabeled(string)"/> added.
    /// </summary>
    public IReadOnlyList<ImageSource> Unlabeled { get; internal init; } = [];

    /// <summary>Images of none of the classes, of all parts: those of folders <c>_other</c> or <c>none</c> among the classes' folders.</summary>
    public IReadOnlyList<ImageSource> Others { get; internal init; } = [];

    /// <summary>
    /// Reads a folder (a folder per class, train/val/test folders of such, or file names that carry the class), a CSV
    /// file of path and label, or a collection; see <see cref="FromCollections"/>. On other machines: <c>s3://bucket/prefix</c>, <c>https://host/list.txt</c> with a
    /// path a line, tables, and collections.
    /// </summary>
    /// <exception cref="DataException">The source is absent or unsuitable; all problems are listed.</exception>
    public static LabeledImages Load(string path, LabeledImagesOptions? options = null)
    {
        if (RemotePlace.Is(path)) return FromRemote(RemotePlace.Of(path), options);
        if (Directory.Exists(path)) return FromFolder(path, options);
        if (PhotoCollection.IsAt(path) || (!File.Exists(path) && CollectionPattern.Is(path))) return FromCollections(path, options);
        if (!File.Exists(path)) throw new DataException($"There is no folder or file '{path}'.");
        return Path.GetExtension(path).ToUpperInvariant() is ".CSV" or ".TSV"
            ? FromCsv(path, options)
            : throw new DataException(
                $"'{path}' is neither a folder nor a .csv file, nor a .zip, .tar or .parquet file. {DataFindings.Layouts("photos")}");
    }

    /// <summary>
    /// Reads a folder per class, folders below included; or train/, optionally val/ (valid/, validation/) and test/, of
    /// such. Where a folder holds images and no folders, the classes are taken from the file names.
    /// </summary>
    /// <exception cref="DataException">The folder is absent or unsuitable; all problems are listed.</exception>
    public static LabeledImages FromFolder(string path, LabeledImagesOptions? options = null)
    {
        var findings = Findings(path, options);
        if (!RemotePlace.Is(path) && !Directory.Exists(path)) throw new DataException($"There is no folder '{path}'.");
        FolderLayout.Read(findings.Source, findings);
        return findings.ToLabeledImages();
    }

    /// <summary>
    /// Reads photos in place from a zip or tar archive of folders, from tar shards with a <c>.cls</c> or <c>.json</c> beside each photo
    /// (WebDataset), or from Parquet files with an image and a label in each row (Hugging Face's datasets). A folder of such files is read by
    /// <see cref="FromFolder"/>.
    /// </summary>
    /// <param name="path">A file; or several, in which <c>*</c> stands for any part of the name, <c>{000..012}</c> for numbers.</param>
    /// <exception cref="DataException">A file is absent, damaged or unsuitable; all problems are listed.</exception>
    public static LabeledImages FromCollections(string path, LabeledImagesOptions? options = null)
    {
        var findings = Findings(path, options);
        if (PhotoCollection.IsAt(path)) FolderLayout.Read(path, findings);
        else if (File.Exists(path) || !CollectionPattern.Is(path)) throw new DataException($"There is no tar, zip or Parquet file '{path}'.");
        else FolderLayout.ReadCollections(CollectionPattern.Files(path), findings);
        return findings.ToLabeledImages();
    }

    private static LabeledImages FromRemote(string path, LabeledImagesOptions? options)
    {
        PhotoCollection.ForgetRemote(path);
        if (IsTable(path)) return FromCsv(path, options);
        // The folder of a list is read as one on a disk.
        if (PhotoCollection.IsList(path)) return FromFolder(PhotoCollection.OpenList(path).Path, options);
        if (PhotoCollection.IsAt(path) || CollectionPattern.Is(path)) return FromCollections(path, options);
        return RemotePlace.IsS3(path) ? FromFolder(path, options) : throw new DataException(
            $"'{path}' names no photos: web servers do not say what is in a folder. Name a list of paths (.txt), a table of path and label (.csv), or a .zip, .tar or .parquet file.");
    }

    /// <summary>Whether there is something at a path that <see cref="Load"/> may read; of other machines, reading tells.</summary>
    internal static bool IsThere(string path) => RemotePlace.Is(path) || Path.Exists(path) || CollectionPattern.Is(path);

    /// <summary>Whether a path names a table, on this machine or another.</summary>
    internal static bool IsTable(string path) =>
        RemotePlace.Is(path) ? Path.GetExtension(path).ToUpperInvariant() is ".CSV" or ".TSV" : File.Exists(path) && !PhotoCollection.IsAt(path);

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
        if (!RemotePlace.Is(path) && !File.Exists(path)) throw new DataException($"There is no file '{path}'.");
        CsvLayout.Read(findings.Source, findings);
        return findings.ToLabeledImages();
    }

    /// <summary>
    /// Images in memory or in files, each with the name of its class. Where there is nothing to validate on, a share of the training images
    /// is split off, see <see cref="LabeledImagesOptions.ValidationShare"/>.
    /// </summary>
    /// <param name="train">A path stands for the file there; see <see cref="ImageSource"/> for bytes and streams.</param>
    /// <exception cref="DataException">
    /// Two images have one name, a class has none to train on, or a class is in validation or test alone; all problems are listed.
    /// </exception>
    public static LabeledImages Of(
        IEnumerable<(ImageSource Image, string Class)> train, IEnumerable<(ImageSource Image, string Class)>? validation = null,
        IEnumerable<(ImageSource Image, string Class)>? test = null, LabeledImagesOptions? options = null)
    {
        var findings = Findings(InMemory, options);
        foreach (var (part, images) in new[] { (DataPart.Train, train), (DataPart.Validation, validation ?? []), (DataPart.Test, test ?? []) })
            foreach (var (image, name) in images) findings.Add(part, name, image);
        return findings.ToLabeledImages();
    }

    /// <summary>
    /// A copy with more images, such as ones that were labeled since; those of new classes are welcome. Nothing is split off anew: added
    /// training images train.
    /// </summary>
    /// <exception cref="DataException">
    /// An image is there already, or a new class has none to train on; all problems are listed.
    /// </exception>
    public LabeledImages With(
        IEnumerable<(ImageSource Image, string Class)>? train = null, IEnumerable<(ImageSource Image, string Class)>? validation = null,
        IEnumerable<(ImageSource Image, string Class)>? test = null)
    {
        var findings = Findings(Source, new() { ValidationShare = 0 });
        foreach (var (part, known, added) in new[]
            {
                (DataPart.Train, Train, train), (DataPart.Validation, Validation, validation), (DataPart.Test, Test, test),
            })
        {
            foreach (var image in known) findings.Add(part, Classes[image.Class], image);
            foreach (var (image, name) in added ?? []) findings.Add(part, name, image);
        }
        var all = findings.ToLabeledImages();
        var labeled = all.All.Select(image => image.Path).ToHashSet(StringComparer.Ordinal);
        return new(Source, all.Classes, all.Train, all.Validation, all.Test, Skipped, Notes, ValidationWasSplit)
        {
            Warnings = Warnings,
            Others = Others,
            // What has a label now is no longer without one.
            Unlabeled = [.. Unlabeled.Where(image => !labeled.Contains(image.Path))],
        };
    }

    /// <summary>A copy with more images that have no label.</summary>
    public LabeledImages WithUnlabeled(IEnumerable<ImageSource> images) =>
        new(Source, Classes, Train, Validation, Test, Skipped, Notes, ValidationWasSplit)
        {
            Warnings = Warnings,
            Others = Others,
            Unlabeled = [.. Unlabeled, .. images],
        };

    /// <summary>A copy with the images of a folder, and of those below it, that have no label; or of a pattern, see <see cref="PhotoPaths"/>.</summary>
    /// <exception cref="DataException">There is no such folder, or it holds no images.</exception>
    public LabeledImages WithUnlabeled(string path)
    {
        var found = PhotoPaths.Find(path);
        return found.Photos.Count == 0
            ? throw new DataException(path, [.. found.Skipped.Select(file => $"'{file.Path}': {file.Reason}.")])
            : WithUnlabeled(found.Photos.Select(ImageSource.FromFile));
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

        return new(Source, Classes, train, validation, test, [.. Skipped, .. added], Notes, ValidationWasSplit)
        {
            Warnings = Warnings,
            Others = [.. Others.Where(image => !paths.Contains(image.Path))],
            Unlabeled = [.. Unlabeled.Where(image => !paths.Contains(image.Path))],
        };
    }

    private static LabeledImage[] Without(IReadOnlyList<LabeledImage> images, HashSet<string> paths) =>
        [.. images.Where(image => !paths.Contains(image.Path))];

    private static DataFindings Findings(string path, LabeledImagesOptions? options)
    {
        options ??= new();
        options.Validate();
        return new(RemotePlace.Of(path), options);
    }
}
