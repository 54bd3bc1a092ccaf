using System.Text.RegularExpressions;

namespace Graft.Data;

/// <summary>Classes in file names, as Kaggle's cat.0.jpg: what stands before the number at the end.</summary>
internal static partial class FileNameLayout
{
    private const double NearlyAll = 0.95;

    /// <summary>Whether nearly all names carry a class; false for no images.</summary>
    public static bool Fits(IReadOnlyList<string> images, DataFindings findings)
    {
        var pattern = Pattern(findings.Options);
        return images.Count > 0 && images.Count(image => Class(image, pattern) is not null) >= NearlyAll * images.Count;
    }

    public static void Read(string folder, IReadOnlyList<string> images, DataPart part, DataFindings findings)
    {
        if (images.Count == 0) return;
        var pattern = Pattern(findings.Options);
        if (!Fits(images, findings))
        {
            var misfits = images.Where(image => Class(image, pattern) is null).Select(Path.GetFileName).ToArray();
            findings.Problem($"The {images.Count} images in '{folder}' lie in no class folders, and {misfits.Length} have names " +
                $"that say no class, such as '{misfits[0]}'. {DataFindings.Layouts(findings.Source)}");
            return;
        }
        var classes = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var image in images)
        {
            if (Class(image, pattern) is { } name)
            {
                findings.Add(part, name, image);
                classes.Add(name);
            }
            else findings.Skip(image, "its name says no class");
        }
        if (part == DataPart.Train) findings.Note($"Classes taken from the file names: {DataFindings.Named(classes)}.");
    }

    private static Regex Pattern(LabeledImagesOptions options) => options.FileNamePattern is { } pattern
        ? new Regex(pattern, RegexOptions.None, TimeSpan.FromSeconds(1))
        : NameBeforeNumber();

    private static string? Class(string path, Regex pattern)
    {
        var match = pattern.Match(Path.GetFileName(path));
        var group = match.Groups.ContainsKey("class") ? match.Groups["class"] : match.Groups[1];
        return group.Value.Length > 0 ? group.Value : null;
    }

    // A letter somewhere, then separators, then the number, then the extension, if any: "great_dane (12).jpg".
    [GeneratedRegex(@"^(?<class>[^\p{L}]*\p{L}.*?)[\s._\-(]*[0-9]+\)?(\.[^.]*)?$", RegexOptions.ExplicitCapture)]
    private static partial Regex NameBeforeNumber();
}
