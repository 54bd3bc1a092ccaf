using Graft.Classifiers;

namespace Graft.Unlabeled;

/// <summary>
/// Self-training as Yarowsky (1995) and scikit-learn's <c>SelfTrainingClassifier</c> have it: a label once given is never taken back. What
/// <see cref="SelfTraining"/> is compared with.
/// </summary>
public sealed record YarowskySelfTraining
{
    /// <summary>Photos with a larger probability get a label. Default 0.75; null where <see cref="Best"/> decides.</summary>
    public double? Threshold { get; init; } = 0.75;

    /// <summary>So many get a label in each round, the surest; null where <see cref="Threshold"/> decides.</summary>
    public int? Best { get; init; }

    /// <summary>Default 10.</summary>
    public int MostRounds { get; init; } = 10;

    /// <param name="classifier">Fitted in each round.</param>
    /// <param name="labeled">The features of each labeled photo.</param>
    /// <param name="labels">The class of each, from 0.</param>
    /// <param name="classes">At least 2; each has a photo.</param>
    /// <param name="unlabeled">The features of each unlabeled photo.</param>
    public PseudoLabelingResult Run(
        FeatureClassifier classifier, IReadOnlyList<float[]> labeled, IReadOnlyList<int> labels, int classes, IReadOnlyList<float[]> unlabeled,
        CancellationToken cancellation = default)
    {
        var fitted = classifier.Fit(labeled, labels, classes, cancellation: cancellation);
        var (before, given) = (fitted, new PseudoLabel[unlabeled.Count]);
        Array.Fill(given, new(0, 0, 0, LabelReason.Unsure));
        List<PseudoLabelingRound> rounds = [];
        for (var round = 1; round <= MostRounds; round++)
        {
            int[] open = [.. Enumerable.Range(0, given.Length).Where(photo => given[photo].Round == 0)];
            if (open.Length == 0) break;
            var probabilities = fitted.Probabilities([.. open.Select(photo => unlabeled[photo])]);
            var sure = open.Zip(probabilities, (photo, row) => (Photo: photo, Class: Array.IndexOf(row, row.Max()), Probability: row.Max()))
                .OrderByDescending(entry => entry.Probability).Where((entry, place) => Best is { } best ? place < best : entry.Probability > Threshold).ToList();
            if (sure.Count == 0) break;
            foreach (var (photo, label, probability) in sure) given[photo] = new(label, probability, round, LabelReason.Labeled);
            int[] taken = [.. Enumerable.Range(0, given.Length).Where(photo => given[photo].Round > 0)];
            fitted = classifier.Fit(
                [.. labeled, .. taken.Select(photo => unlabeled[photo])], [.. labels, .. taken.Select(photo => given[photo].Class)], classes, cancellation: cancellation);
            rounds.Add(new(round, taken.Length, sure.Count, fitted));
        }
        return new(before, fitted, given, rounds);
    }
}
