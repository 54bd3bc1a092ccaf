using System.ComponentModel.DataAnnotations;

namespace Graft.Labeling;

/// <summary>Which photos are labeled, and how far the labels must be trusted.</summary>
public sealed record LabelRequest
{
    /// <summary>Files; folders, with those below them; patterns. At least one.</summary>
    public required IReadOnlyList<string> Photos { get; init; }

    /// <summary>Folders whose photos do not count where <see cref="Photos"/> would reach them, such as those that results are written to.</summary>
    public IReadOnlyList<string> Except { get; init; } = [];

    /// <summary>Classes that stand for several of the model's; null for the model's own. What belongs to none of them is no label.</summary>
    public IReadOnlyList<ClassGroup>? Groups { get; init; }

    /// <summary>Labels less probable are not given. Default 0: all.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true)]
    public double Threshold { get; init; }

    /// <summary>The share of each class's labels that is to be right; only as many are given. Null for no promise.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true, MaximumIsExclusive = true)]
    public double? Precision { get; init; }

    /// <summary>In what share of cases a class may fall short of <see cref="Precision"/>. Default 0.05.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true, MaximumIsExclusive = true)]
    public double Risk { get; init; } = 0.05;

    /// <summary>Labeled photos that the precision is measured on. Default: those of the run.</summary>
    public string? Labeled { get; init; }

    /// <summary>What is wrong with it, a sentence each.</summary>
    public IReadOnlyList<string> Problems() =>
        [.. DeclaredRanges.ProblemsOf(this), .. Labeled is not null && Precision is null ? (string[])["Labeled photos say how precise labels are: a precision must be asked for."] : []];
}

/// <summary>What came of labeling.</summary>
/// <param name="Classes">The labels that there can be.</param>
/// <param name="Thresholds">Of each class, where a precision was asked for; else null.</param>
/// <param name="Measured">Photos of known class that the thresholds were measured on, and where they come from; null without.</param>
public sealed record LabelResult(
    LabelRequest Request, IReadOnlyList<string> Classes, PhotoLabels Labels, IReadOnlyList<Unlabeled.PrecisionThreshold>? Thresholds, (int Photos, string Source)? Measured)
{
    /// <summary>Photos with each label, in the order of the classes.</summary>
    public IReadOnlyList<int> Counts => [.. Classes.Select(name => Labels.Photos.Count(photo => photo.Label == name))];

    public int Labeled => Labels.Photos.Count(photo => photo.Label is not null);

    /// <summary>How many photos have no label for each reason, the most frequent first; what cannot be read under one head.</summary>
    public IReadOnlyList<(string Reason, int Photos)> LeftOut =>
    [
        .. Labels.Photos.Where(photo => photo.Label is null).CountBy(photo => photo.Hash.Length == 0 ? LabelReasons.Unreadable : photo.Reason!, StringComparer.Ordinal)
            .OrderByDescending(entry => entry.Value).Select(entry => (entry.Key, entry.Value)),
    ];
}

/// <summary>Why a photo has no label, as tables say it.</summary>
public static class LabelReasons
{
    public const string Unsure = "unsure", Unlike = "unlike the training photos", None = "none of the classes", Unreadable = "cannot be read", NoPromise = "class cannot keep the precision";
}
