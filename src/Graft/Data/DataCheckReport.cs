namespace Graft.Data;

/// <summary>An image of a checked data set.</summary>
/// <param name="File">Its path inside the data set, separated by '/'.</param>
/// <param name="Path">Its path on this machine.</param>
/// <param name="Part">train, val or test; empty where the data set is not divided.</param>
/// <param name="Class">The name of its class.</param>
/// <param name="Format">JPEG, PNG, …, by its content.</param>
/// <param name="Width">In pixels, upright.</param>
/// <param name="Height">In pixels, upright.</param>
/// <param name="IsGrayscale">Whether it is grayscale.</param>
/// <param name="Bytes">The size of the file.</param>
public sealed record CheckedImage(
    string File, string Path, string Part, string Class, string Format, int Width, int Height, bool IsGrayscale, long Bytes)
{
    /// <summary>SHA-256 of the file, in hexadecimal digits.</summary>
    internal string Hash { get; init; } = "";

    internal PerceptualHash? Look { get; init; }
}

/// <summary>
/// Files that show one photo: all with the same bytes (<paramref name="IsExact"/>), or some re-encoded, resized or nearly the same. The
/// first is the one to keep where only one can stay: of those in test/, then val/, then train/, the one with the most pixels.
/// </summary>
public sealed record DuplicateGroup(IReadOnlyList<CheckedImage> Images, bool IsExact)
{
    /// <summary>In training and in evaluation: reported scores will be optimistic.</summary>
    public bool IsLeak => Images.Select(image => image.Part).Distinct().Skip(1).Any();

    /// <summary>One photo in two classes: one of the labels is likely wrong.</summary>
    public bool IsContradiction => Images.Select(image => image.Class).Distinct().Skip(1).Any();
}

/// <summary>What may be wrong with a single image.</summary>
public enum ImageFlaw
{
    Blank,
    Dark,
    Blurred,
    Tiny,
    OddAspect,
}

/// <summary>An image to look at.</summary>
/// <param name="Image">Which one.</param>
/// <param name="Flaw">What it looks like.</param>
/// <param name="Detail">The figure that says so: "12×12 pixels".</param>
public sealed record FlawedImage(CheckedImage Image, ImageFlaw Flaw, string Detail);

/// <summary>An image whose label is likely wrong: a classifier that did not learn from it gives its label too little probability.</summary>
/// <param name="Image">Which one; its class is the label it was given.</param>
/// <param name="Given">The probability of that label, 0 to 1.</param>
/// <param name="Suggested">The class that is most probable.</param>
/// <param name="Probability">The probability of that one, 0 to 1.</param>
public sealed record LabelSuspect(CheckedImage Image, double Given, string Suggested, double Probability);

/// <summary>A check of the labels with a backbone's features.</summary>
/// <param name="Backbone">Its name in the catalog.</param>
/// <param name="Accuracy">
/// The share of images whose given label is the most probable one, each image by a classifier that did not learn from it.
/// </param>
/// <param name="Suspects">Those that are likely wrong, the most likely first.</param>
public sealed record LabelCheck(string Backbone, double Accuracy, IReadOnlyList<LabelSuspect> Suspects);

/// <summary>A file whose extension names another format than its content has.</summary>
public sealed record MisnamedImage(CheckedImage Image, string Extension);

/// <summary>What a check of a data set found.</summary>
public sealed record DataCheckReport
{
    /// <summary>The folder or table that was checked, as it was given.</summary>
    public required string Source { get; init; }

    public required IReadOnlyList<string> Classes { get; init; }

    /// <summary>train, val and test as far as there are any; one empty name where the data set is not divided.</summary>
    public required IReadOnlyList<string> Parts { get; init; }

    /// <summary>All images that can be read, in the order of the data set.</summary>
    public required IReadOnlyList<CheckedImage> Images { get; init; }

    /// <summary>What reading the data set noticed, a sentence each.</summary>
    public required IReadOnlyList<string> Notes { get; init; }

    /// <summary>Those of the notes that say that something is likely wrong.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>Images that do not decode, with the reason.</summary>
    public required IReadOnlyList<SkippedFile> Unreadable { get; init; }

    /// <summary>Other files among the images, or images of a format that is not supported.</summary>
    public required IReadOnlyList<SkippedFile> Others { get; init; }

    public required IReadOnlyList<MisnamedImage> Misnamed { get; init; }

    /// <summary>Leaks first, then contradictions, then the rest, in the order of the data set.</summary>
    public required IReadOnlyList<DuplicateGroup> Duplicates { get; init; }

    public required IReadOnlyList<FlawedImage> Flawed { get; init; }

    /// <summary>
    /// The share of the oddly shaped images that a square crop out of the middle, the rule of many networks, does not see: their mean, 0 to 1;
    /// null if there are none.
    /// </summary>
    public double? CropLoss => Flawed.Where(flawed => flawed.Flaw == ImageFlaw.OddAspect)
        .Select(flawed => (double?)(1 - (double)Math.Min(flawed.Image.Width, flawed.Image.Height) / Math.Max(flawed.Image.Width, flawed.Image.Height)))
        .Average();

    /// <summary>Null unless labels were checked with a backbone.</summary>
    public LabelCheck? Labels { get; init; }

    /// <summary>Images per class, of all parts or of one.</summary>
    public IReadOnlyList<int> CountsOf(string? part = null)
    {
        var counts = Images.Where(image => part is null || image.Part == part)
            .CountBy(image => image.Class, StringComparer.Ordinal).ToDictionary(StringComparer.Ordinal);
        return [.. Classes.Select(name => counts.GetValueOrDefault(name))];
    }

    /// <summary>The largest and the smallest class, if their sizes differ so much that accuracy alone would mislead; else null.</summary>
    public (string Largest, int Most, string Smallest, int Fewest)? Imbalance { get; init; }

    /// <summary>Whether nothing was found.</summary>
    public bool IsClean =>
        Warnings.Count + Unreadable.Count + Others.Count + Misnamed.Count + Duplicates.Count + Flawed.Count == 0 && Imbalance is null
        && Labels is null or { Suspects.Count: 0 };
}
