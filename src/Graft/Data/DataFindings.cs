using Graft.Data.Collections;
using Graft.Data.Remote;

namespace Graft.Data;

internal enum DataPart { Train, Validation, Test }

/// <summary>
/// What reading a source has turned up so far: images with the names of their classes, and everything worth telling.
/// <see cref="ToLabeledImages"/> judges the whole, so that all problems are reported together.
/// </summary>
internal sealed class DataFindings(string source, LabeledImagesOptions options)
{
    private const double StrongImbalance = 10;
    private const int NamedAtMost = 10;

    private readonly string root = RemotePlace.Is(source) && PhotoCollection.IsList(source) ? RemotePlace.Parent(source)
        : FolderListing.IsFolder(source) ? source : RemotePlace.Is(source) ? RemotePlace.Parent(source) : Path.Join(Path.GetDirectoryName(source), ".");
    private readonly List<(DataPart Part, string Class, ImageSource Image)> images = [];
    private readonly HashSet<string> classFolders = new(StringComparer.Ordinal);
    private readonly List<SkippedFile> skipped = [];
    private readonly List<string> problems = [];
    private readonly List<string> notes = [];
    private readonly List<string> warnings = [];
    private readonly List<ImageSource> unlabeled = [], others = [];

    public string Source => source;

    public LabeledImagesOptions Options => options;

    public bool HasProblems => problems.Count > 0;

    public IReadOnlyList<string> Problems => problems;

    public IReadOnlyList<SkippedFile> Skipped => skipped;

    public void Add(DataPart part, string @class, ImageSource image) => images.Add((part, ComposedName.Of(@class), image));

    public void AddUnlabeled(ImageSource image) => unlabeled.Add(image);

    /// <summary>An image of none of the classes.</summary>
    public void AddOther(ImageSource image) => others.Add(image);

    /// <summary>A training class that exists even if no image turns up for it.</summary>
    public void ExpectClass(string @class) => classFolders.Add(ComposedName.Of(@class));

    /// <summary>Whether these are some of the training classes read so far, or of the model's.</summary>
    public bool Know(IReadOnlySet<string> classes) =>
        classes.Count > 0 && classes.Select(ComposedName.Of).ToHashSet(StringComparer.Ordinal).IsSubsetOf(options.Classes?.Select(ComposedName.Of) ?? Names(DataPart.Train));

    public void Skip(string path, string reason) => skipped.Add(new(path, reason));

    public void Problem(string problem) => problems.Add(problem);

    public void Note(string note) => notes.Add(note);

    /// <summary>A note that something is likely wrong.</summary>
    public void Warn(string warning) => warnings.Add(warning);

    /// <summary>'a', 'b' and 7 more.</summary>
    public static string Named(IEnumerable<string?> names) => Some([.. names.Select(name => $"'{name}'")]);

    /// <summary>At most ten of the items and the number of the others.</summary>
    public static string Some(IReadOnlyCollection<string> items)
    {
        var named = string.Join(", ", items.Take(NamedAtMost));
        return items.Count > NamedAtMost ? $"{named} and {items.Count - NamedAtMost} more" : named;
    }

    public static string Layouts(string source) => $"""
        Expected a folder per class:     {source}/cat/1.jpg   {source}/dog/2.jpg   (also inside train/, val/ and test/)
            or names that say the class: {source}/cat.1.jpg   {source}/dog.2.jpg
            or a CSV file with the columns path,label
            or a zip or tar file of such folders, tar shards with .cls or .json beside each photo, Parquet with image and label
        """;

    public LabeledImages ToLabeledImages()
    {
        var training = Names(DataPart.Train);
        var classes = options.Classes ?? [.. training.Union(classFolders).Order(StringComparer.Ordinal)];
        if (images.Count == 0 && HasProblems)
        {
            // They say why.
        }
        else if (images.Count == 0) ReportNoImages();
        else if (options.Classes is null) CheckTrainingClasses(classes, training);
        CheckKnown(classes);
        CheckNames();
        if (HasProblems) throw new DataException(source, problems);

        var indices = classes.Select((name, index) => (Name: ComposedName.Of(name), index)).DistinctBy(entry => entry.Name, StringComparer.Ordinal)
            .ToDictionary(StringComparer.Ordinal);
        var train = Part(DataPart.Train, indices);
        var validation = Part(DataPart.Validation, indices);
        var test = Part(DataPart.Test, indices);
        var split = validation.Length == 0 && options.ValidationShare > 0;
        if (split) (train, validation) = SplitOff(train);
        NoteAbsent(classes, validation, "validation");
        NoteAbsent(classes, test, "test");
        NoteImbalance(classes, train);
        NoteCaseTwins(new[] { train, validation, test }.SelectMany(part => part).Select(image => classes[image.Class]).Distinct());
        skipped.Sort((a, b) => string.CompareOrdinal(SortKey(a.Path), SortKey(b.Path)));
        return new(source, classes, train, validation, test, skipped, [.. warnings, .. notes], split)
        {
            Warnings = warnings,
            Unlabeled = unlabeled,
            Others = others,
        };
    }

    private HashSet<string> Names(DataPart part) =>
        images.Where(image => image.Part == part).Select(image => image.Class).ToHashSet(StringComparer.Ordinal);

    private void ReportNoImages()
    {
        var others = skipped.Count == 0
            ? ""
            : $" ({skipped.Count} files are unusable: {Named(skipped.Select(file => Path.GetFileName(file.Path)))})";
        Problem($"There are no images in '{source}'{others}. {Layouts(source)}");
    }

    private void CheckTrainingClasses(IReadOnlyList<string> classes, HashSet<string> training)
    {
        var sizes = images.Where(image => image.Part == DataPart.Train)
            .CountBy(image => image.Class, StringComparer.Ordinal).ToDictionary(StringComparer.Ordinal);
        if (classes.Count == 1)
        {
            var single = $"'{source}' holds a single class, '{classes[0]}'; expected at least two"
                + $"{(FolderListing.IsFolder(source) ? ", each in a folder of its own" : "")}.{WrapperRemedy(classes[0])}";
            if (options.AllowsSingleClass) Warn(single);
            else Problem(single);
        }
        if (sizes.Values.Sum() is var count && count < classes.Count)
            Problem($"There are fewer training images ({count}) than classes ({classes.Count}).");
        foreach (var empty in classes.Where(name => !sizes.ContainsKey(name)))
            Problem($"The class '{empty}' has no images. Add some, or remove the class.");
        if (images.Exists(image => image.Part == DataPart.Validation) || options.ValidationShare == 0) return;
        foreach (var single in classes.Where(name => sizes.GetValueOrDefault(name) == 1))
            Problem($"The class '{single}' has a single image; it needs two, one to train on and one to validate.");
    }

    // An archive often unpacks into a folder of its own inside the folder that was made for it.
    private string WrapperRemedy(string onlyClass)
    {
        var inner = Path.Join(source, onlyClass);
        return FolderListing.IsFolder(inner) && FolderListing.Of(inner, new(source, options)).Folders.Count > 1
            ? $" Did you mean '{inner}'?"
            : "";
    }

    private void CheckKnown(IReadOnlyList<string> classes)
    {
        var known = classes.Select(ComposedName.Of).ToHashSet(StringComparer.Ordinal);
        var unknown = Enum.GetValues<DataPart>().ToDictionary(
            part => part, part => Names(part).Where(name => !known.Contains(name)).Order(StringComparer.Ordinal).ToArray());
        if (options.Classes is not null)
        {
            var all = unknown.Values.SelectMany(names => names).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToArray();
            if (all.Length == 0) return;
            Problem($"'{source}' has classes that the model does not know: {Named(all)}. " +
                $"It knows {Named(classes)}. Name the folders or labels as it does, or leave the others out.");
            return;
        }
        // Without training images there is something else to say, and it was said.
        if (classes.Count == 0 && HasProblems) return;
        foreach (var (part, names) in unknown.Where(entry => entry.Value.Length > 0))
            Problem($"The {part.ToString().ToLowerInvariant()} images have classes that training lacks: {Named(names)}. Training has {Named(classes)}.");
    }

    /// <summary>Results are told apart by them.</summary>
    private void CheckNames()
    {
        var twice = images.GroupBy(image => image.Image.Path, StringComparer.Ordinal).Where(group => group.Skip(1).Any()).Select(group => group.Key).ToList();
        if (twice.Count > 0) Problem($"Several images have one name: {Named(twice)}. Give each a name of its own.");
    }

    private LabeledImage[] Part(DataPart part, Dictionary<string, int> indices) =>
        [.. images.Where(image => image.Part == part).OrderBy(image => SortKey(image.Image), StringComparer.Ordinal)
            .Select(image => new LabeledImage(image.Image, indices[image.Class]))];

    /// <summary>The same wherever the source lies and whatever separates folders there.</summary>
    private string SortKey(ImageSource image) => image.HasPath ? SortKey(image.Path) : image.Path;

    private string SortKey(string path) => Path.GetRelativePath(root, path).Replace(Path.DirectorySeparatorChar, '/');

    private (LabeledImage[] Train, LabeledImage[] Validation) SplitOff(LabeledImage[] all)
    {
        int[] labels = [.. all.Select(image => image.Class)];
        var (kept, heldOut) = StratifiedSplit.Of(labels, options.ValidationShare, options.Seed, TrainingDataCheck.Copies(all));
        // Where hardly a photo is no copy, copies must do.
        if (heldOut.Length == 0) (kept, heldOut) = StratifiedSplit.Of(labels, options.ValidationShare, options.Seed);
        return ([.. kept.Select(index => all[index])], [.. heldOut.Select(index => all[index])]);
    }

    private void NoteAbsent(IReadOnlyList<string> classes, LabeledImage[] part, string name)
    {
        if (part.Length == 0) return;
        var absent = classes.Where((_, index) => !part.Any(image => image.Class == index)).ToArray();
        if (absent.Length > 0) Note($"No {name} images for {Named(absent)}: the {name} figures say nothing about it.");
    }

    private void NoteImbalance(IReadOnlyList<string> classes, LabeledImage[] train)
    {
        if (train.Length == 0) return;
        var sizes = train.CountBy(image => image.Class).ToArray();
        var (most, least) = (sizes.MaxBy(size => size.Value), sizes.MinBy(size => size.Value));
        if (most.Value > StrongImbalance * least.Value)
            Note($"The classes are imbalanced: '{classes[most.Key]}' has {most.Value} training images, " +
                $"'{classes[least.Key]}' {least.Value}. Judge by macro F1 rather than accuracy.");
    }

    private void NoteCaseTwins(IEnumerable<string> classes)
    {
        var sameButCase = classes.GroupBy(name => name, StringComparer.OrdinalIgnoreCase);
        foreach (var twins in sameButCase.Where(group => group.Count() > 1))
            Note($"{Named(twins)} differ only in case and are taken for different classes.");
    }
}
