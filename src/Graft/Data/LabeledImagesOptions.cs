using System.ComponentModel.DataAnnotations;
using System.Text.RegularExpressions;

namespace Graft.Data;

/// <summary>How a data set is read. The defaults suit training.</summary>
public sealed record LabeledImagesOptions
{
    /// <summary>
    /// The share of the training images that validates where the source has no validation images: at least 0 and below 1, default 0.2.
    /// Copies of one photo stay on one side. With 0 nothing is held back and <see cref="LabeledImages.Validation"/> may be empty.
    /// </summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true)]
    public double ValidationShare { get; init; } = 0.2;

    /// <summary>Decides which images validate; the same seed gives the same split everywhere. Default 1.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>
    /// A regular expression for file names that carry their class, in its group <c>class</c> or its first group, such
    /// as <c>^(\w+)-</c>. Default null: the class is what stands before the number at the end, as in cat.0.jpg or
    /// golden_retriever_12.png.
    /// </summary>
    public string? FileNamePattern { get; init; }

    /// <summary>
    /// The classes of a trained model, in its order. Labels then index into these; a class that the model does not know
    /// is an error, and any of them may be without images. Default null: the classes found, sorted ordinally.
    /// </summary>
    public IReadOnlyList<string>? Classes { get; init; }

    /// <summary>
    /// The heading of a table's column that names the image. Default null: path, file, filename, image, image_path, image_id, id and the like.
    /// </summary>
    public string? PathColumn { get; init; }

    /// <summary>
    /// The heading of a table's column that names the class. Default null: label, class, category, target, species, breed and the like.
    /// </summary>
    public string? LabelColumn { get; init; }

    /// <summary>
    /// The heading of a table's column that says which images train, validate and test. Default null: split, subset, set, fold, is_valid,
    /// is_test and the like, if its values are names of parts.
    /// </summary>
    public string? SplitColumn { get; init; }

    /// <summary>The folder that relative paths in a table start from. Default null: the table's own.</summary>
    public string? ImageFolder { get; init; }

    /// <summary>What a table leaves out at the end of each path, such as <c>.jpg</c>. Default null: nothing.</summary>
    public string? ImageSuffix { get; init; }

    /// <summary>Whether a single class will do, with a warning: enough to look at photos, too few to learn from. Default false.</summary>
    public bool AllowsSingleClass { get; init; }

    /// <summary>For looking at images, see <see cref="DataCheck"/>: nothing is split off, and a single class will do.</summary>
    public static LabeledImagesOptions ForChecking { get; } = new() { ValidationShare = 0, AllowsSingleClass = true };

    /// <summary>For images that a trained model is tried on: its classes, and nothing is split off.</summary>
    public static LabeledImagesOptions ForEvaluation(IReadOnlyList<string> classes) =>
        new() { Classes = classes, ValidationShare = 0 };

    internal void Validate()
    {
        var problems = new List<string>();
        if (ValidationShare is not (>= 0 and < 1))
            problems.Add($"The validation share is {ValidationShare}; expected at least 0 and below 1.");
        if (Classes is { } classes
            && (classes.Count == 0 || classes.Distinct(StringComparer.Ordinal).Count() < classes.Count))
            problems.Add("The given classes are empty or hold a name twice.");
        if (ImageFolder is { } folder && !Directory.Exists(folder)) problems.Add($"There is no folder '{folder}' for the images of a table.");
        if (FileNamePattern is { } pattern && PatternProblem(pattern) is { } problem) problems.Add(problem);
        if (problems.Count > 0) throw new DataException("the options", problems);
    }

    private static string? PatternProblem(string pattern)
    {
        try
        {
            return new Regex(pattern).GetGroupNumbers().Length > 1
                ? null
                : $"The file name pattern '{pattern}' has no group that holds the class. " +
                    "Put parentheses round it: ^(\\w+)-";
        }
        catch (ArgumentException broken)
        {
            return $"The file name pattern is not a regular expression: {broken.Message}";
        }
    }
}
