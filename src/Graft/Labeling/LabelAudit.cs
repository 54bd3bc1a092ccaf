using Graft.Data;
using Graft.Evaluation;

namespace Graft.Labeling;

/// <summary>What a person's check of a sample says of all labels.</summary>
/// <param name="Precision">The share of right labels, each class counting by its labels.</param>
/// <param name="Interval">95 %; of the sample as if it were drawn without classes, which is a little wider.</param>
/// <param name="Classes">For each class how many labels were checked, and how many of them are right.</param>
public sealed record AuditResult(double Precision, ConfidenceInterval Interval, IReadOnlyList<(string Class, int Checked, int Right)> Classes)
{
    public int Checked => Classes.Sum(one => one.Checked);
}

/// <summary>A person's answer.</summary>
/// <param name="Label">What the photo was called.</param>
/// <param name="IsCorrect">Whether that is right.</param>
public readonly record struct CheckedLabel(string Label, bool IsCorrect);

/// <summary>Draws labels for a person to check, and says of all what the answers say.</summary>
public static class LabelAudit
{
    /// <summary>A random sample in which every class has its share, but one label at least.</summary>
    /// <param name="count">How many; all where there are fewer.</param>
    public static IReadOnlyList<PhotoLabel> Draw(PhotoLabels labels, int count, int seed = 1)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        var labeled = labels.Photos.Where(photo => photo.Label is not null).OrderBy(photo => photo.Path, StringComparer.Ordinal).ToList();
        if (labeled.Count == 0) throw new GraftException("The table has no labels to check.");
        var random = new SplitMix64((ulong)(uint)seed);
        var classes = labeled.GroupBy(photo => photo.Label!, StringComparer.Ordinal).OrderBy(group => group.Key, StringComparer.Ordinal).Select(group => group.ToArray()).ToList();
        // Largest remainders: the shares sum to the count.
        var exact = classes.Select(photos => Math.Min(photos.Length, (double)count * photos.Length / labeled.Count)).ToList();
        var taken = exact.Select(share => Math.Max(1, (int)share)).ToArray();
        foreach (var place in Enumerable.Range(0, taken.Length).OrderByDescending(place => exact[place] - (int)exact[place]))
            if (taken.Sum() < Math.Min(count, labeled.Count) && taken[place] < classes[place].Length) taken[place]++;
        List<PhotoLabel> drawn = [];
        for (var place = 0; place < taken.Length; place++)
        {
            var order = Enumerable.Range(0, classes[place].Length).ToArray();
            random.Shuffle(order);
            drawn.AddRange(order.Take(taken[place]).Select(photo => classes[place][photo]));
        }
        return drawn;
    }

    /// <param name="labels">All labels.</param>
    /// <param name="answers">Checked photos with the label that was checked and whether it is right; others are left out.</param>
    /// <exception cref="GraftException">No answer is of a photo in the table, or one is of another label than the table has.</exception>
    public static AuditResult Result(PhotoLabels labels, IReadOnlyDictionary<string, CheckedLabel> answers)
    {
        if (labels.Photos.FirstOrDefault(photo => answers.TryGetValue(photo.Path, out var answer) && answer.Label != photo.Label) is { } other)
            throw new GraftException($"The answers are about other labels: they call {other.Path} '{answers[other.Path].Label}', and the table '{other.Label}'. Draw a new sample of this table.");

        var byClass = labels.Photos.Where(photo => photo.Label is not null).GroupBy(photo => photo.Label!, StringComparer.Ordinal)
            .OrderBy(group => group.Key, StringComparer.Ordinal)
            .Select(group =>
            {
                bool[] right = [.. group.Where(photo => answers.ContainsKey(photo.Path)).Select(photo => answers[photo.Path].IsCorrect)];
                return (Class: group.Key, Labels: group.Count(), Checked: right.Length, Right: right.Count(answer => answer));
            }).ToList();
        var known = byClass.Where(one => one.Checked > 0).ToList();
        if (known.Count == 0) throw new GraftException("None of the answers is of a photo with a label in the table.");
        var (right, all) = (known.Sum(one => one.Right), known.Sum(one => one.Checked));
        var precision = known.Sum(one => (double)one.Labels * one.Right / one.Checked) / known.Sum(one => one.Labels);
        return new(precision, ClopperPearson.Interval(right, all), [.. byClass.Select(one => (one.Class, one.Checked, one.Right))]);
    }
}
