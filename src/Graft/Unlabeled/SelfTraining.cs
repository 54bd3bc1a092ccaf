using Graft.Classifiers;
using Graft.Evaluation;
using static TorchSharp.torch;

namespace Graft.Unlabeled;

/// <summary>Why a photo has the label it has, or none.</summary>
public enum LabelReason
{
    /// <summary>It is labeled.</summary>
    Labeled,

    /// <summary>Not among the surest of its class.</summary>
    Unsure,

    /// <summary>Most of its neighbors are named otherwise.</summary>
    NeighborsDisagree,

    /// <summary>Its features are unlike those of all labeled photos.</summary>
    Unlike,

    /// <summary>Its class has too few labeled photos to be trusted.</summary>
    FewLabels,

    /// <summary>Its class would come to have too many: see <see cref="SelfTraining.MostPerLabel"/> and <see cref="SelfTraining.MostDrift"/>.</summary>
    Quota,
}

/// <summary>What self-training says of one unlabeled photo.</summary>
/// <param name="Class">The most probable one.</param>
/// <param name="Probability">Calibrated, of the last fit.</param>
/// <param name="Round">In which it got its label for the first time in a row; 0 for none.</param>
public readonly record struct PseudoLabel(int Class, double Probability, int Round, LabelReason Reason);

/// <summary>
/// Self-training in a curriculum (Cascante-Bonilla et al. 2021, arXiv:2001.06001): a classifier names unlabeled photos, those it is surest of join the labeled ones,
/// a fifth more of each class in each round, and the classifier is fitted again from scratch. Unlike the paper's, the quota is each class's own, and some photos are
/// left out whatever the classifier thinks: see <see cref="LabelReason"/>.
/// </summary>
public sealed record SelfTraining
{
    /// <summary>Rounds; after the last all photos may have a label. 1 to 20, default 5.</summary>
    public int Rounds { get; init; } = 5;

    /// <summary>The last round that is gone, of <see cref="Rounds"/>: what share of each class it takes stays the same. Null for all.</summary>
    public int? Last { get; init; }

    /// <summary>A class with fewer labeled photos gets no pseudo-labels. Default 3.</summary>
    public int LeastLabels { get; init; } = 3;

    /// <summary>Pseudo-labels of a class for each of its labeled photos, at most. Default 100. (With 10, half of the gain on five labels a class is lost: docs/unlabeled.md.)</summary>
    public int MostPerLabel { get; init; } = 100;

    /// <summary>How many times the share that a class has among the labeled photos it may have among the pseudo-labels. Default 2.</summary>
    public double MostDrift { get; init; } = 2;

    /// <summary>Neighbors that are asked; more than half must be named alike. 0 asks none. Default 5.</summary>
    public int Neighbors { get; init; } = 5;

    /// <summary>
    /// What a photo with a pseudo-label counts where the classifier can weight photos, a labeled one counting 1. Above 0 up to 1, default 0.25.
    /// </summary>
    public double Weight { get; init; } = 0.25;

    /// <summary>The classifier of all rounds: one that is chosen by cross-validation is chosen once, on the labeled photos.</summary>
    internal static FeatureClassifier Settled(
        FeatureClassifier classifier, IReadOnlyList<float[]> labeled, IReadOnlyList<int> labels, int classes, int seed, IProgress<StepProgress>? progress, CancellationToken cancellation)
    {
        if (classifier is not AutomaticClassifier automatic) return classifier;
        using var inference = no_grad();
        using var scope = NewDisposeScope();
        var features = FeatureMatrix.Of(labeled, labels, classes);
        return AutomaticClassifier.CanChoose(features) ? automatic.Choose(features, new(seed, progress, cancellation)).Chosen : classifier;
    }

    /// <param name="classifier">Fitted in each round.</param>
    /// <param name="labeled">The features of each labeled photo.</param>
    /// <param name="labels">The class of each, from 0.</param>
    /// <param name="classes">At least 2; each has a photo.</param>
    /// <param name="unlabeled">The features of each unlabeled photo.</param>
    /// <param name="isUnlike">Whether an unlabeled photo is like no labeled one; null where that is not known.</param>
    /// <param name="graph">Of the unlabeled photos; null to make one.</param>
    public SelfTrained Run(
        FeatureClassifier classifier, IReadOnlyList<float[]> labeled, IReadOnlyList<int> labels, int classes, IReadOnlyList<float[]> unlabeled,
        IReadOnlyList<bool>? isUnlike = null, NeighborGraph? graph = null, int seed = 1, IProgress<StepProgress>? progress = null, CancellationToken cancellation = default)
    {
        var counts = new int[classes];
        foreach (var label in labels) counts[label]++;
        graph ??= Neighbors == 0 ? new([], []) : NeighborGraph.Of(unlabeled, Neighbors, cancellation);
        var fitted = classifier.Fit(labeled, labels, classes, seed, cancellation: cancellation);
        var (first, current) = (fitted, new PseudoLabel[unlabeled.Count]);
        Array.Fill(current, new(0, 0, 0, LabelReason.Unsure));
        List<SelfTrainingRound> rounds = [];
        for (var round = 1; round <= (Last ?? Rounds) && unlabeled.Count > 0; round++)
        {
            cancellation.ThrowIfCancellationRequested();
            progress?.Report(new("Self-training", round - 1, Rounds, "rounds"));
            var next = Chosen(fitted.Probabilities(unlabeled), current, round);
            int[] taken = [.. Enumerable.Range(0, next.Length).Where(photo => next[photo].Reason == LabelReason.Labeled)];
            var changed = Enumerable.Range(0, next.Length).Count(photo => next[photo].Reason != current[photo].Reason || next[photo].Class != current[photo].Class);
            current = next;
            if (taken.Length == 0) break;
            fitted = Fit(
                classifier, labeled, labels, [.. taken.Select(photo => unlabeled[photo])], [.. taken.Select(photo => next[photo].Class)], classes, seed, progress: null, cancellation);
            rounds.Add(new(round, taken.Length, changed, fitted));
            if (changed == 0) break;
        }
        progress?.Report(new("Self-training", Rounds, Rounds, "rounds"));
        return new(first, fitted, current, rounds);

        PseudoLabel[] Chosen(IReadOnlyList<float[]> probabilities, PseudoLabel[] before, int round)
        {
            var next = new PseudoLabel[probabilities.Count];
            for (var photo = 0; photo < next.Length; photo++)
            {
                var row = probabilities[photo];
                var best = Array.IndexOf(row, row.Max());
                next[photo] = new(best, row[best], 0, counts[best] < LeastLabels ? LabelReason.FewLabels : isUnlike?[photo] == true ? LabelReason.Unlike : LabelReason.Unsure);
            }
            var disagree = Enumerable.Range(0, next.Length).Where(photo => Neighbors > 0 && next[photo].Reason == LabelReason.Unsure
                && graph.Neighbors[photo].Take(Neighbors).ToArray() is { Length: > 0 } near
                && 2 * near.Count(other => next[other].Class == next[photo].Class) <= near.Length).ToHashSet();
            foreach (var ofClass in Enumerable.Range(0, next.Length).GroupBy(photo => next[photo].Class).ToList())
            {
                // The quota is that of all photos named so: those left out for other reasons leave it smaller.
                int[] candidates = [.. ofClass.Where(photo => next[photo].Reason == LabelReason.Unsure).OrderByDescending(photo => next[photo].Probability)];
                var quota = (int)Math.Ceiling(candidates.Length * (double)round / Rounds);
                foreach (var photo in candidates.Take(quota))
                {
                    next[photo] = disagree.Contains(photo)
                        ? next[photo] with { Reason = LabelReason.NeighborsDisagree }
                        : next[photo] with { Reason = LabelReason.Labeled, Round = before[photo] is { Reason: LabelReason.Labeled } old && old.Class == next[photo].Class ? old.Round : round };
                }
            }
            Limit(next, counts, labels.Count);
            return next;
        }
    }

    /// <summary>A fit on labeled photos and on those with pseudo-labels.</summary>
    internal FittedClassifier Fit(
        FeatureClassifier classifier, IReadOnlyList<float[]> labeled, IReadOnlyList<int> labels, IReadOnlyList<float[]> more, IReadOnlyList<int> pseudoLabels, int classes, int seed,
        IProgress<StepProgress>? progress, CancellationToken cancellation)
    {
        if (classifier.Problems() is { Count: > 0 } problems) throw new GraftException(string.Join(" ", problems));
        using var inference = no_grad();
        using var scope = NewDisposeScope();
        var features = FeatureMatrix.Of([.. labeled, .. more], [.. labels, .. pseudoLabels], classes);
        if (classifier.TakesWeights && Weight != 1)
        {
            // Of mean 1, so that C means the same.
            var mean = (labels.Count + Weight * more.Count) / (labels.Count + more.Count);
            features = features with { Weights = [.. labels.Select(_ => 1 / mean), .. pseudoLabels.Select(_ => Weight / mean)] };
        }
        return classifier.Fit(features, new(seed, progress, cancellation));
    }

    /// <summary>Takes the least sure labels of classes that have too many.</summary>
    private void Limit(PseudoLabel[] next, int[] counts, int labels)
    {
        var ofClass = Enumerable.Range(0, next.Length).Where(photo => next[photo].Reason == LabelReason.Labeled)
            .GroupBy(photo => next[photo].Class).ToDictionary(group => group.Key, group => group.OrderByDescending(photo => next[photo].Probability).ToList());
        var total = ofClass.Values.Sum(photos => photos.Count);
        foreach (var (label, photos) in ofClass)
        {
            var most = Math.Min((double)MostPerLabel * counts[label], Math.Ceiling(MostDrift * total * counts[label] / labels));
            foreach (var photo in photos.Skip((int)most)) next[photo] = next[photo] with { Reason = LabelReason.Quota, Round = 0 };
        }
    }

    /// <summary>
    /// How many rounds to go, by cross-validation: labeled photos are held out, all rounds are gone through without them, and the largest number of rounds is
    /// taken that names as many of them correctly as the best within one standard error; 0 where all rounds do worse than the labeled photos alone.
    /// </summary>
    /// <inheritdoc cref="Run"/>
    public SelfTrainingTrial Try(
        FeatureClassifier classifier, IReadOnlyList<float[]> labeled, IReadOnlyList<int> labels, int classes, IReadOnlyList<float[]> unlabeled,
        IReadOnlyList<bool>? isUnlike = null, NeighborGraph? graph = null, int seed = 1, IProgress<StepProgress>? progress = null, CancellationToken cancellation = default)
    {
        graph ??= Neighbors == 0 ? new([], []) : NeighborGraph.Of(unlabeled, Neighbors, cancellation);
        var losses = new double[Rounds + 1];
        var correct = Enumerable.Range(0, Rounds + 1).Select(_ => new List<bool>()).ToArray();
        var folds = StratifiedFolds.Of(labels, seed);
        for (var fold = 0; fold < folds.Count; fold++)
        {
            progress?.Report(new("Self-training", fold, folds.Count, "folds"));
            var (kept, held) = (folds[fold].Kept, folds[fold].HeldOut);
            var result = Run(classifier, [.. kept.Select(photo => labeled[photo])], [.. kept.Select(photo => labels[photo])], classes, unlabeled, isUnlike, graph, seed, null, cancellation);
            float[][] rows = [.. held.Select(photo => labeled[photo])];
            for (var round = 0; round <= Rounds; round++)
            {
                // After the last change nothing changes any more.
                var fitted = round == 0 || result.Rounds.Count == 0 ? result.Before : result.Rounds[Math.Min(round, result.Rounds.Count) - 1].Fitted;
                foreach (var (row, photo) in fitted.Probabilities(rows).Zip(held))
                {
                    losses[round] -= Math.Log(Math.Max(row[labels[photo]], 1e-12));
                    correct[round].Add(Array.IndexOf(row, row.Max()) == labels[photo]);
                }
            }
        }
        progress?.Report(new("Self-training", folds.Count, folds.Count, "folds"));
        var count = Math.Max(1, correct[0].Count);
        // By accuracy, since fits on pseudo-labels are too sure of themselves for the loss to tell. A handful of held-out photos decides nothing: that unlabeled photos help is the
        // usual case, so that rounds are taken back only where more photos are lost than chance loses (one standard error of McNemar's difference).
        var most = Enumerable.Range(0, Rounds + 1).MaxBy(round => correct[round].Count(right => right));
        var best = Enumerable.Range(0, Rounds + 1).Last(round =>
        {
            var (lost, won) = (correct[most].Zip(correct[round]).Count(pair => pair is (true, false)), correct[most].Zip(correct[round]).Count(pair => pair is (false, true)));
            return lost - won <= Math.Sqrt(lost + won);
        });
        return new(
            best, [.. losses.Select(loss => loss / count)], [.. correct.Select(ofRound => ofRound.Count == 0 ? 0 : ofRound.Average(right => right ? 1.0 : 0))],
            McNemarTest.Of(correct[best], correct[0]));
    }
}

/// <summary>One round.</summary>
/// <param name="Labels">Photos with a pseudo-label, which the round's fit was made on.</param>
/// <param name="Changed">Photos whose label came, went or changed.</param>
/// <param name="Fitted">On the labeled photos and these.</param>
public sealed record SelfTrainingRound(int Round, int Labels, int Changed, FittedClassifier Fitted);

/// <summary>What cross-validation said of self-training.</summary>
/// <param name="Rounds">The number that does best; 0 for the labeled photos alone.</param>
/// <param name="Losses">Mean cross-entropy of held-out labeled photos after 0, 1, … rounds, in nats.</param>
/// <param name="Accuracies">The share of them that is named correctly.</param>
/// <param name="Test">That number of rounds against none, on these photos.</param>
public sealed record SelfTrainingTrial(int Rounds, IReadOnlyList<double> Losses, IReadOnlyList<double> Accuracies, McNemarTest Test);

/// <summary>What came of self-training.</summary>
/// <param name="Before">Fitted on the labeled photos alone.</param>
/// <param name="After">Fitted on the pseudo-labels of the last round too; the same as <paramref name="Before"/> where there were none.</param>
/// <param name="Labels">Of each unlabeled photo.</param>
public sealed record SelfTrained(
    FittedClassifier Before, FittedClassifier After, IReadOnlyList<PseudoLabel> Labels, IReadOnlyList<SelfTrainingRound> Rounds)
{
    /// <summary>How many photos were left out for each reason, those without a label alone.</summary>
    public IReadOnlyDictionary<LabelReason, int> LeftOut => Labels.Where(label => label.Reason != LabelReason.Labeled)
        .CountBy(label => label.Reason).OrderByDescending(pair => pair.Value).ToDictionary(pair => pair.Key, pair => pair.Value);
}
