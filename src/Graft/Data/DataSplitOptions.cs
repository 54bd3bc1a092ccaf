using System.Text.RegularExpressions;

namespace Graft.Data;

/// <summary>How a data set is divided into training, validation and, with a third figure, test images.</summary>
public sealed record DataSplitOptions
{
    /// <summary>
    /// Hundredths of each class for train, val and, if there is a third, test; together at most 100, and what is left is left out.
    /// Default 60, 20, 20. Without effect where <see cref="Counts"/> are given.
    /// </summary>
    public IReadOnlyList<double> Ratios { get; init; } = [60, 20, 20];

    /// <summary>Images of each class for train, val and, if there is a third, test: 1000, 500, 500; the rest is left out.</summary>
    public IReadOnlyList<int>? Counts { get; init; }

    /// <summary>Decides which images go where; the same seed gives the same split on every machine. Default 1.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>
    /// A regular expression on an image's path inside the data set, with '/' between folders: images of which its group <c>group</c>, its
    /// first group or the whole match is the same stay together, as all photos of one patient should: <c>patient(\d+)</c>. Default null.
    /// </summary>
    public string? GroupPattern { get; init; }

    /// <summary>Whether pictures of one photo, re-encoded or resized, stay together, for which all are read. Default true.</summary>
    public bool KeepDuplicatesTogether { get; init; } = true;

    /// <summary>What is wrong with these options, a sentence each; empty if nothing is.</summary>
    public IReadOnlyList<string> Problems()
    {
        var problems = new List<string>();
        if (Counts is { } counts)
        {
            if (counts.Count is not (2 or 3) || counts.Any(count => count < 1))
                problems.Add($"Expected two or three counts of at least 1, such as 1000/500/500, found {string.Join('/', counts)}.");
        }
        else if (Ratios.Count is not (2 or 3) || Ratios.Any(ratio => !(ratio > 0)) || Ratios.Sum() > 100 + 1e-9)
        {
            problems.Add(
                $"Expected two or three ratios over 0, together at most 100, such as 60/20/20, found {string.Join('/', Ratios)}.");
        }
        if (GroupPattern is { } pattern)
        {
            try
            {
                _ = new Regex(pattern);
            }
            catch (ArgumentException broken)
            {
                problems.Add($"The group pattern is not a regular expression: {broken.Message}");
            }
        }
        return problems;
    }
}
