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

    /// <summary>Its class would come to have too many: see <see cref="PseudoLabeling.MostPerLabel"/> and <see cref="PseudoLabeling.MostDrift"/>.</summary>
    Quota,

    /// <summary>No label spreads to it: no way over neighbors leads from it to a labeled photo.</summary>
    Unreached,
}

/// <summary>What a method says of one unlabeled photo.</summary>
/// <param name="Class">The most probable one.</param>
/// <param name="Probability">Of self-training calibrated, of the last fit; of label spreading the share of the labels that have come to the photo.</param>
/// <param name="Round">In which it got its label for the first time in a row; 0 for none.</param>
public readonly record struct PseudoLabel(int Class, double Probability, int Round, LabelReason Reason);

/// <summary>Features of labeled and of unlabeled photos, all of one length.</summary>
/// <param name="Labeled">Of each labeled photo.</param>
/// <param name="Labels">The class of each, from 0.</param>
/// <param name="Classes">At least 2; each has a labeled photo.</param>
/// <param name="Unlabeled">Of each unlabeled photo.</param>
public sealed record PartlyLabeled(IReadOnlyList<float[]> Labeled, IReadOnlyList<int> Labels, int Classes, IReadOnlyList<float[]> Unlabeled)
{
    /// <summary>Whether an unlabeled photo is like no labeled one; null where that is not known.</summary>
    public IReadOnlyList<bool>? IsUnlike { get; init; }

    /// <summary>
    /// Augmented views of the labeled photos, view by view; may be empty. Photos are named as they are (the weak view), and the classifier is fitted on them and on their views (the strong
    /// ones): FixMatch's idea (Sohn et al. 2020, arXiv:2001.07685) with frozen features.
    /// </summary>
    public IReadOnlyList<IReadOnlyList<float[]>> LabeledViews { get; init; } = [];

    /// <summary>As many views of the unlabeled photos.</summary>
    public IReadOnlyList<IReadOnlyList<float[]>> UnlabeledViews { get; init; } = [];

    /// <summary>The neighbors of the unlabeled photos among themselves; for label spreading of these and then of the labeled ones, among all. Null to find them.</summary>
    internal NeighborGraph? Graph { get; init; }

    /// <summary>With some of the labeled photos alone.</summary>
    internal PartlyLabeled WithLabeled(IReadOnlyList<int> kept) => this with
    {
        Labeled = [.. kept.Select(photo => Labeled[photo])],
        Labels = [.. kept.Select(photo => Labels[photo])],
        LabeledViews = [.. LabeledViews.Select(rows => (IReadOnlyList<float[]>)[.. kept.Select(photo => rows[photo])])],
        Graph = Graph is null || Graph.Neighbors.Count <= Unlabeled.Count
            ? Graph
            : Graph.Of([.. Enumerable.Range(0, Unlabeled.Count), .. kept.Select(photo => Unlabeled.Count + photo)]),
    };

    /// <summary>With some of the unlabeled photos alone; without a graph.</summary>
    internal PartlyLabeled WithUnlabeled(IReadOnlyList<int> kept) => this with
    {
        Unlabeled = [.. kept.Select(photo => Unlabeled[photo])],
        UnlabeledViews = [.. UnlabeledViews.Select(rows => (IReadOnlyList<float[]>)[.. kept.Select(photo => rows[photo])])],
        IsUnlike = IsUnlike is null ? null : [.. kept.Select(photo => IsUnlike[photo])],
        Graph = null,
    };
}

/// <summary>
/// A way to learn from unlabeled photos: they are named, and the classifier is fitted on the surest of them beside the labeled ones, in a curriculum (Cascante-Bonilla et al. 2021,
/// arXiv:2001.06001): a fifth more of each class in each round, and each fit from scratch. Unlike the paper's, the quota is each class's own, and some photos are left out however sure
/// their names are: see <see cref="LabelReason"/>.
/// </summary>
public abstract record PseudoLabeling
{
    /// <summary>All of them; the first is the default.</summary>
    public static IReadOnlyList<PseudoLabeling> Methods { get; } = [new SelfTraining(), new LabelSpreading()];

    /// <summary>As the command and the files know it: <c>self-training</c>, <c>label-spreading</c>.</summary>
    public abstract string Name { get; }

    /// <summary>In words, for a summary.</summary>
    public virtual string Title => Name;

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

    /// <summary>
    /// Neighbors that are asked; more than half of them must be named alike. Self-training: 0 asks none, default 5. Label spreading joins each photo with so many: at least 1, default 10.
    /// </summary>
    public int Neighbors { get; init; } = 5;

    /// <summary>
    /// What a photo with a pseudo-label counts where the classifier can weight photos, a labeled one counting 1. Above 0 up to 1, default 0.25.
    /// </summary>
    public double Weight { get; init; } = 0.25;

    /// <summary>See <see cref="PartlyLabeled.Graph"/>.</summary>
    private protected abstract NeighborGraph GraphOf(PartlyLabeled data, CancellationToken cancellation);

    /// <summary>What gives each unlabeled photo its probabilities in a round, from the fit of the round before; zeros alone where nothing can be said.</summary>
    private protected abstract Func<FittedClassifier, IReadOnlyList<float[]>> Naming(PartlyLabeled data, CancellationToken cancellation);

    /// <summary>With the neighbors, so that they are found once.</summary>
    internal PartlyLabeled WithGraph(PartlyLabeled data, CancellationToken cancellation) => data.Graph is null ? data with { Graph = GraphOf(data, cancellation) } : data;

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
    /// <param name="data">The photos.</param>
    /// <param name="seed">Decides the folds that the classifier is calibrated by.</param>
    public PseudoLabelingResult Run(
        FeatureClassifier classifier, PartlyLabeled data, int seed = 1, IProgress<StepProgress>? progress = null, CancellationToken cancellation = default)
    {
        data = WithGraph(data, cancellation);
        var (graph, count, counts) = (data.Graph!, data.Unlabeled.Count, new int[data.Classes]);
        foreach (var label in data.Labels) counts[label]++;
        var probabilities = Naming(data, cancellation);
        var fitted = Fit(classifier, data.WithUnlabeled([]), [], seed, progress: null, cancellation);
        var (first, current) = (fitted, new PseudoLabel[count]);
        Array.Fill(current, new(0, 0, 0, LabelReason.Unsure));
        List<PseudoLabelingRound> rounds = [];
        for (var round = 1; round <= (Last ?? Rounds) && count > 0; round++)
        {
            cancellation.ThrowIfCancellationRequested();
            progress?.Report(new("Unlabeled photos", round - 1, Rounds, "rounds"));
            var next = Chosen(probabilities(fitted), current, round);
            int[] taken = [.. Enumerable.Range(0, count).Where(photo => next[photo].Reason == LabelReason.Labeled)];
            var changed = Enumerable.Range(0, count).Count(photo => next[photo].Reason != current[photo].Reason || next[photo].Class != current[photo].Class);
            current = next;
            if (taken.Length == 0) break;
            fitted = Fit(classifier, data.WithUnlabeled(taken), [.. taken.Select(photo => next[photo].Class)], seed, progress: null, cancellation);
            rounds.Add(new(round, taken.Length, changed, fitted));
            if (changed == 0) break;
        }
        progress?.Report(new("Unlabeled photos", Rounds, Rounds, "rounds"));
        return new(first, fitted, current, rounds);

        PseudoLabel[] Chosen(IReadOnlyList<float[]> probabilities, PseudoLabel[] before, int round)
        {
            var next = new PseudoLabel[probabilities.Count];
            for (var photo = 0; photo < next.Length; photo++)
            {
                var row = probabilities[photo];
                var best = Array.IndexOf(row, row.Max());
                next[photo] = new(
                    best, row[best], 0,
                    row[best] <= 0 ? LabelReason.Unreached
                        : counts[best] < LeastLabels ? LabelReason.FewLabels
                        : data.IsUnlike?[photo] == true ? LabelReason.Unlike : LabelReason.Unsure);
            }
            var disagree = Enumerable.Range(0, next.Length).Where(photo => Neighbors > 0 && next[photo].Reason == LabelReason.Unsure
                && graph.Neighbors[photo].Take(Neighbors).Where(other => other < count).ToArray() is { Length: > 0 } near
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
            Limit(next, counts, data.Labels.Count);
            return next;
        }
    }

    /// <summary>A fit on the labeled photos, on all unlabeled ones with these pseudo-labels, and on the views of both.</summary>
    internal FittedClassifier Fit(
        FeatureClassifier classifier, PartlyLabeled data, IReadOnlyList<int> pseudoLabels, int seed, IProgress<StepProgress>? progress, CancellationToken cancellation)
    {
        if (classifier.Problems() is { Count: > 0 } problems) throw new GraftException(string.Join(" ", problems));
        using var inference = no_grad();
        using var scope = NewDisposeScope();
        var (labeled, photos, views) = (data.Labels.Count, data.Labels.Count + pseudoLabels.Count, 1 + data.LabeledViews.Count);
        var features = FeatureMatrix.Of(
            [.. data.Labeled, .. data.Unlabeled, .. data.LabeledViews.Zip(data.UnlabeledViews, (ofLabeled, ofUnlabeled) => ofLabeled.Concat(ofUnlabeled)).SelectMany(rows => rows)],
            [.. Enumerable.Repeat(data.Labels.Concat(pseudoLabels), views).SelectMany(ofView => ofView)], data.Classes,
            views == 1 ? null : [.. Enumerable.Range(0, views * photos).Select(row => row % photos)]);
        if (classifier.TakesWeights && Weight != 1 && photos > labeled)
        {
            // Of mean 1, so that C means the same.
            var mean = (labeled + Weight * (photos - labeled)) / photos;
            features = features with { Weights = [.. Enumerable.Range(0, features.Count).Select(row => (row % photos < labeled ? 1 : Weight) / mean)] };
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
    public PseudoLabelingTrial Try(
        FeatureClassifier classifier, PartlyLabeled data, int seed = 1, IProgress<StepProgress>? progress = null, CancellationToken cancellation = default)
    {
        data = WithGraph(data, cancellation);
        var losses = new double[Rounds + 1];
        var correct = Enumerable.Range(0, Rounds + 1).Select(_ => new List<bool>()).ToArray();
        var folds = StratifiedFolds.Of(data.Labels, seed);
        for (var fold = 0; fold < folds.Count; fold++)
        {
            progress?.Report(new("Unlabeled photos", fold, folds.Count, "folds"));
            var (kept, held) = (folds[fold].Kept, folds[fold].HeldOut);
            var result = Run(classifier, data.WithLabeled(kept), seed, null, cancellation);
            float[][] rows = [.. held.Select(photo => data.Labeled[photo])];
            for (var round = 0; round <= Rounds; round++)
            {
                // After the last change nothing changes any more.
                var fitted = round == 0 || result.Rounds.Count == 0 ? result.Before : result.Rounds[Math.Min(round, result.Rounds.Count) - 1].Fitted;
                foreach (var (row, photo) in fitted.Probabilities(rows).Zip(held))
                {
                    losses[round] -= Math.Log(Math.Max(row[data.Labels[photo]], 1e-12));
                    correct[round].Add(Array.IndexOf(row, row.Max()) == data.Labels[photo]);
                }
            }
        }
        progress?.Report(new("Unlabeled photos", folds.Count, folds.Count, "folds"));
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
public sealed record PseudoLabelingRound(int Round, int Labels, int Changed, FittedClassifier Fitted);

/// <summary>What cross-validation said of pseudo-labels.</summary>
/// <param name="Rounds">The number that does best; 0 for the labeled photos alone.</param>
/// <param name="Losses">Mean cross-entropy of held-out labeled photos after 0, 1, … rounds, in nats.</param>
/// <param name="Accuracies">The share of them that is named correctly.</param>
/// <param name="Test">That number of rounds against none, on these photos.</param>
public sealed record PseudoLabelingTrial(int Rounds, IReadOnlyList<double> Losses, IReadOnlyList<double> Accuracies, McNemarTest Test);

/// <summary>What came of pseudo-labels.</summary>
/// <param name="Before">Fitted on the labeled photos alone.</param>
/// <param name="After">Fitted on the pseudo-labels of the last round too; the same as <paramref name="Before"/> where there were none.</param>
/// <param name="Labels">Of each unlabeled photo.</param>
public sealed record PseudoLabelingResult(
    FittedClassifier Before, FittedClassifier After, IReadOnlyList<PseudoLabel> Labels, IReadOnlyList<PseudoLabelingRound> Rounds)
{
    /// <summary>How many photos were left out for each reason, those without a label alone.</summary>
    public IReadOnlyDictionary<LabelReason, int> LeftOut => Labels.Where(label => label.Reason != LabelReason.Labeled)
        .CountBy(label => label.Reason).OrderByDescending(pair => pair.Value).ToDictionary(pair => pair.Key, pair => pair.Value);
}
