using Graft.Data.Collections;
using Graft.Data.Remote;

namespace Graft.Data;

/// <summary>
/// Checks every image of a data set: unreadable files, duplicates, leaks between training and test, blank, dark, blurred and tiny images.
/// Nothing is changed.
/// </summary>
public static class DataCheck
{
    /// <summary>Usual extensions of each format.</summary>
    private static readonly Dictionary<string, string[]> Extensions = new(StringComparer.Ordinal)
    {
        ["JPEG"] = [".jpg", ".jpeg", ".jpe", ".jfif"],
        ["PNG"] = [".png", ".apng"],
        ["BMP"] = [".bmp", ".dib"],
        ["GIF"] = [".gif"],
        ["WebP"] = [".webp"],
        ["TIFF"] = [".tif", ".tiff"],
        ["PNM"] = [".pbm", ".pgm", ".ppm", ".pnm"],
    };

    /// <summary>Reads a data set's images, each once, on all cores; what is kept of one takes a kilobyte.</summary>
    /// <exception cref="DataException">The options are wrong.</exception>
    public static DataCheckReport Run(
        LabeledImages photos, DataCheckOptions? options = null, IProgress<StepProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        options ??= new();
        if (options.Problems() is { Count: > 0 } problems) throw new DataException("the options", problems);
        var entries = Entries(photos);
        var found = Inspect([.. entries.Select(entry => entry.Image)], progress, cancellation);

        var readable = Enumerable.Range(0, entries.Count).Where(index => found[index].Problem is null).ToList();
        var images = readable.ToDictionary(index => index, index => new CheckedImage(
            entries[index].File, entries[index].Path, entries[index].Part, entries[index].Class, found[index].Format,
            found[index].Width, found[index].Height, found[index].IsGrayscale, found[index].Bytes)
        {
            Hash = found[index].Hash,
            Look = found[index].Look,
        });
        var report = new DataCheckReport
        {
            Source = photos.Source,
            Classes = photos.Classes,
            Parts = [.. entries.Select(entry => entry.Part).Distinct()],
            Images = [.. readable.Select(index => images[index])],
            Notes = [.. photos.Notes, .. NotesOf(readable.Count(index => found[index].IsNarrow))],
            Warnings = photos.Warnings,
            Unreadable =
            [
                .. Enumerable.Range(0, entries.Count).Where(index => found[index].Problem is not null)
                    .Select(index => new SkippedFile(entries[index].Path, found[index].Problem!)),
                .. photos.Skipped.Where(IsEmpty),
            ],
            Others = [.. photos.Skipped.Where(file => !IsEmpty(file))],
            Misnamed = [.. readable.Where(index => IsMisnamed(entries[index].Path, found[index].Format))
                .Select(index => new MisnamedImage(images[index], Path.GetExtension(entries[index].Path)))],
            Duplicates = Described(GroupsOf(readable, found, options).Select(group => group.Select(index => images[index]))),
            Flawed = [.. readable.SelectMany(index => Flaws(images[index], found[index], options))],
        };
        return report with { Imbalance = ImbalanceOf(report, options) };
    }

    private static IEnumerable<string> NotesOf(int narrow)
    {
        if (narrow == 0) yield break;
        yield return $"{narrow} image{(narrow == 1 ? " has" : "s have")} 12-bit data in 16-bit files and decode{(narrow == 1 ? "s" : "")} nearly black. " +
            "Multiply the samples by 16 before you train on them.";
    }

    /// <summary>
    /// Sets of images, by their number in <see cref="LabeledImages.All"/>, that show one photo; and the files that cannot be read.
    /// </summary>
    internal static (IReadOnlyList<IReadOnlyList<int>> Groups, IReadOnlyList<SkippedFile> Unreadable) SamePhotos(
        LabeledImages photos, DataCheckOptions options, IProgress<StepProgress>? progress, CancellationToken cancellation)
    {
        ImageSource[] images = [.. photos.All];
        var found = Inspect(images, progress, cancellation);
        return (
            GroupsOf([.. Enumerable.Range(0, images.Length).Where(index => found[index].Problem is null)], found, options),
            [.. Enumerable.Range(0, images.Length).Where(index => found[index].Problem is not null)
                .Select(index => new SkippedFile(images[index].Path, found[index].Problem!))]);
    }

    /// <summary>The report with pairs that show one photo beside those it knows, by their number in <see cref="DataCheckReport.Images"/>.</summary>
    internal static DataCheckReport WithSamePhotos(DataCheckReport report, IEnumerable<(int First, int Second)> pairs)
    {
        var numbers = report.Images.Select((image, number) => (image.File, number)).ToDictionary(StringComparer.Ordinal);
        var known = report.Duplicates.SelectMany(group =>
            group.Images.Skip(1).Select(image => (numbers[group.Images[0].File], numbers[image.File])));
        var groups = Duplicates.Connect(report.Images.Count, known.Concat(pairs));
        return report with { Duplicates = Described(groups.Select(group => group.Select(number => report.Images[number]))) };
    }

    private static IReadOnlyList<DuplicateGroup> Described(IEnumerable<IEnumerable<CheckedImage>> groups) =>
    [
        .. groups.Select(group => KeepFirst(group))
            .Select(images => new DuplicateGroup(images, IsExact: images.Select(image => image.Hash).Distinct().Count() == 1))
            .OrderBy(group => group.IsLeak ? 0 : group.IsContradiction ? 1 : 2),
    ];

    /// <summary>The path of an image inside its data set, the same wherever that lies.</summary>
    public static string RelativePath(string source, string path) =>
        Path.GetRelativePath(FolderOf(source), path).Replace(Path.DirectorySeparatorChar, '/');

    internal static string RelativePath(string source, ImageSource image) => image.HasPath ? RelativePath(source, image.Path) : image.Path;

    internal static string FolderOf(string source) =>
        RemotePlace.Is(source) ? PhotoCollection.IsAt(source) || !(PhotoCollection.IsList(source) || CollectionPattern.Is(source)) ? source : RemotePlace.Parent(source)
        : Directory.Exists(source) || PhotoCollection.IsAt(source) ? source : Path.GetDirectoryName(Path.GetFullPath(source))!;

    private sealed record Entry(string File, ImageSource Image, string Part, string Class)
    {
        public string Path => Image.Path;
    }

    private static List<Entry> Entries(LabeledImages photos)
    {
        // A validation split of our own is not part of the data set.
        var isDivided = photos.Test.Count > 0 || (photos.Validation.Count > 0 && !photos.ValidationWasSplit);
        return
        [
            .. (photos.ValidationWasSplit ? photos.Train.Concat(photos.Validation) : photos.Train).Select(image => Entry(image, "train")),
            .. (photos.ValidationWasSplit ? [] : photos.Validation).Select(image => Entry(image, "val")),
            .. photos.Test.Select(image => Entry(image, "test")),
        ];

        Entry Entry(LabeledImage image, string part) =>
            new(RelativePath(photos.Source, image), image, isDivided ? part : "", photos.Classes[image.Class]);
    }

    private static ImageInspection[] Inspect(ImageSource[] images, IProgress<StepProgress>? progress, CancellationToken cancellation)
    {
        var found = new ImageInspection[images.Length];
        var (done, gate) = (0, new Lock());
        try
        {
            var cores = new ParallelOptions { CancellationToken = cancellation, MaxDegreeOfParallelism = Environment.ProcessorCount };
            RemotePhotos.OneProblem(() => Parallel.For(0, images.Length, cores, index =>
            {
                found[index] = ImageInspection.Of(images[index]);
                lock (gate) progress?.Report(new("Check", ++done, images.Length, "images"));
            }));
        }
        catch (AggregateException several) when (several.InnerExceptions is [var only])
        {
            throw only;
        }
        return found;
    }

    private static IReadOnlyList<IReadOnlyList<int>> GroupsOf(
        IReadOnlyList<int> readable, ImageInspection[] found, DataCheckOptions options)
    {
        var sameBytes = readable.GroupBy(index => found[index].Hash, StringComparer.Ordinal).Select(group => group.ToArray()).ToList();
        var exact = sameBytes.SelectMany(group => group.Skip(1).Select(index => (group[0], index)));
        // Blank pictures all look alike.
        var distinct = sameBytes.Select(group => group[0]).Where(index => found[index].Contrast >= options.BlankContrast)
            .Select(index => (index, found[index].Look!)).ToList();
        return Duplicates.Connect(found.Length, exact.Concat(Duplicates.LookAlike(distinct, options)));
    }

    private static IReadOnlyList<CheckedImage> KeepFirst(IEnumerable<CheckedImage> images) =>
    [
        .. images.OrderBy(image => image.Part switch { "test" => 0, "val" => 1, _ => 2 })
            .ThenByDescending(image => (long)image.Width * image.Height).ThenByDescending(image => image.Bytes)
            .ThenBy(image => image.File, StringComparer.Ordinal),
    ];

    private static bool IsEmpty(SkippedFile file) => file.Reason == FolderListing.EmptyFile;

    private static bool IsMisnamed(string path, string format)
    {
        var extension = Path.GetExtension(path);
        return Extensions.Values.Any(known => known.Contains(extension, StringComparer.OrdinalIgnoreCase))
            && !Extensions[format].Contains(extension, StringComparer.OrdinalIgnoreCase);
    }

    private static IEnumerable<FlawedImage> Flaws(CheckedImage image, ImageInspection found, DataCheckOptions options)
    {
        var (shorter, longer) = (Math.Min(image.Width, image.Height), Math.Max(image.Width, image.Height));
        if (found.Contrast < options.BlankContrast)
            yield return new(image, ImageFlaw.Blank, $"contrast {found.Contrast:0.0}");
        else if (found.Brightness < options.DarkBrightness)
            yield return new(image, ImageFlaw.Dark, $"brightness {found.Brightness:0}");
        else if (found.Sharpness < options.BlurredSharpness)
            yield return new(image, ImageFlaw.Blurred, $"sharpness {found.Sharpness:0.0}");
        if (shorter < options.TinySidePixels) yield return new(image, ImageFlaw.Tiny, $"{image.Width}×{image.Height} pixels");
        if (longer > options.OddAspect * shorter) yield return new(image, ImageFlaw.OddAspect, $"{image.Width}×{image.Height} pixels");
    }

    private static (string, int, string, int)? ImbalanceOf(DataCheckReport report, DataCheckOptions options)
    {
        if (report.Parts.Count == 0) return null;
        // Of what is learned from: the training images, or all.
        var counts = report.Classes.Zip(report.CountsOf(report.Parts[0])).ToList();
        var (most, fewest) = (counts.MaxBy(count => count.Second), counts.MinBy(count => count.Second));
        return most.Second > options.Imbalance * fewest.Second ? (most.First, most.Second, fewest.First, fewest.Second) : null;
    }
}
