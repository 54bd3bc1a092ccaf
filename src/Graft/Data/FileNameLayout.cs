using System.Text.RegularExpressions;

namespace Graft.Data;

/// <summary>Classes in file names, as Kaggle's cat.0.jpg: what stands before the number at the end.</summary>
internal static partial class FileNameLayout
{
    private const double NearlyAll = 0.95;

    /// <summary>The classes that the names carry, or none if they do not nearly all carry one.</summary>
    public static IReadOnlySet<string> Classes(IReadOnlyList<string> images, LabeledImagesOptions options)
    {
        var pattern = Pattern(options);
        var named = images.Select(image => Class(image, pattern)).OfType<string>().ToArray();
        return named.Length >= NearlyAll * images.Count
            ? named.ToHashSet(StringComparer.Ordinal)
            : new HashSet<string>();
    }

    public static void Read(string folder, IReadOnlyList<string> images, DataPart part, DataFindings findings)
    {
        if (images.Count == 0) return;
        var pattern = Pattern(findings.Options);
        var classes = Classes(images, findings.Options);
        if (classes.Count == 0)
        {
            var misfits = images.Where(image => Class(image, pattern) is null).Select(Path.GetFileName).ToArray();
            findings.Problem($"The {images.Count} images in '{folder}' lie in no class folders, and " +
                $"{misfits.Length} have names that say no class, such as '{misfits[0]}'. " +
                $"{DataFindings.Layouts(findings.Source)}");
            return;
        }
        foreach (var image in images)
            if (Class(image, pattern) is { } name) findings.Add(part, name, image);
            else findings.Skip(image, "its name says no class");
        if (part == DataPart.Train)
            findings.Note("Classes taken from the file names: " +
                $"{DataFindings.Named(classes.Order(StringComparer.Ordinal))}.");
    }

    private static Regex Pattern(LabeledImagesOptions options) => options.FileNamePattern is { } pattern
        ? new Regex(pattern, RegexOptions.None, TimeSpan.FromSeconds(1))
        : NameBeforeNumber();

    private static string? Class(string path, Regex pattern)
    {
        try
        {
            if (pattern.Match(Path.GetFileName(path)) is not { Success: true } match) return null;
            var group = match.Groups.ContainsKey("class") ? match.Groups["class"] : match.Groups[1];
            return group.Length > 0 ? group.Value : null;
        }
        catch (RegexMatchTimeoutException)
        {
            throw new DataException(
                $"The file name pattern '{pattern}' takes too long on '{path}'. Write a simpler one.");
        }
    }

    // A letter somewhere, then separators, then the number, then the extension, if any: "great_dane (12).jpg".
    [GeneratedRegex(@"^(?<class>[^\p{L}]*\p{L}.*?)[\s._\-(]*[0-9]+\)?(\.[^.]*)?$", RegexOptions.ExplicitCapture)]
    private static partial Regex NameBeforeNumber();
}
