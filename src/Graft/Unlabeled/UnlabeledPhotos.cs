using System.Globalization;
using Graft.Classifiers;
using Graft.Data;
using Graft.Features;

namespace Graft.Unlabeled;

/// <summary>Unlabeled photos that a training has learned from, or has decided not to.</summary>
/// <param name="Images">Those that could be read.</param>
/// <param name="Method">What has named them.</param>
/// <param name="PseudoLabels">What it says of each.</param>
/// <param name="Trial">Why so many rounds, by cross-validation on the labeled photos.</param>
/// <param name="Broken">Those that could not be read.</param>
public sealed record UnlabeledPhotos(
    IReadOnlyList<LabeledImage> Images, PseudoLabeling Method, IReadOnlyList<PseudoLabel> PseudoLabels, PseudoLabelingTrial Trial, IReadOnlyList<SkippedFile> Broken)
{
    /// <summary>Rounds of pseudo-labels that the classifier learns from; 0 for none.</summary>
    public int Rounds => Trial.Rounds;

    /// <summary>What to tell the user, a sentence each.</summary>
    public IReadOnlyList<string> Warnings { get; private init; } = [];

    /// <summary>Photos with a pseudo-label that the classifier learns from.</summary>
    public int Used => Rounds == 0 ? 0 : PseudoLabels.Count(label => label.Reason == LabelReason.Labeled);

    /// <summary>Those.</summary>
    internal IReadOnlyList<LabeledImage> Learned => Rounds == 0 ? []
        : [.. Images.Zip(PseudoLabels).Where(pair => pair.Second.Reason == LabelReason.Labeled).Select(pair => pair.First with { Class = pair.Second.Class })];

    /// <summary>Their features.</summary>
    internal IReadOnlyList<float[]> Rows { get; private init; } = [];

    /// <summary>Those of their views, view by view.</summary>
    internal IReadOnlyList<IReadOnlyList<float[]>> Views { get; private init; } = [];

    /// <summary>The class of each of <see cref="Rows"/>.</summary>
    internal IReadOnlyList<int> Labels { get; private init; } = [];

    /// <summary>In a sentence or two.</summary>
    public string Summary
    {
        get
        {
            var (before, after) = (100 * Trial.Accuracies[0], 100 * Trial.Accuracies[Rounds]);
            var leftOut = string.Join(", ", PseudoLabels.Where(label => label.Reason != LabelReason.Labeled).CountBy(label => label.Reason)
                .OrderByDescending(entry => entry.Value).Select(entry => string.Create(CultureInfo.InvariantCulture, $"{entry.Value:N0} {Text(entry.Key)}")));
            return Rounds == 0
                ? string.Create(CultureInfo.InvariantCulture, $"Unlabeled photos: {Images.Count:N0} were tried by {Method.Title} and bring nothing: in cross-validation on the labeled photos, those alone do best ({before:0.0} %). The model has learned from the labeled photos alone.")
                : string.Create(CultureInfo.InvariantCulture, $"Unlabeled photos: {Used:N0} of {Images.Count:N0} were named by {Method.Title} in {Rounds} round{(Rounds == 1 ? "" : "s")} and learned from{(leftOut.Length == 0 ? "" : $"; left out: {leftOut}")}. In cross-validation on the labeled photos, {before:0.0} % are named correctly without them and {after:0.0} % with them (McNemar p = {Trial.Test.PValue:0.##}).");
        }
    }

    internal static string Text(LabelReason reason) => reason switch
    {
        LabelReason.NeighborsDisagree => "whose neighbors are named otherwise",
        LabelReason.Unlike => "unlike the labeled photos",
        LabelReason.Unreached => "with no way over neighbors to a labeled photo",
        LabelReason.FewLabels => "of classes with few labels",
        LabelReason.Quota => "beyond their class's share",
        LabelReason.Unsure => "unsure",
        _ => "labeled",
    };

    /// <param name="unlabeled">What <paramref name="data"/> has the features of.</param>
    /// <param name="classes">Their names.</param>
    internal static UnlabeledPhotos Learn(
        PseudoLabeling method, FeatureClassifier classifier, PartlyLabeled data, IReadOnlyList<string> classes, FeatureSet unlabeled, int seed, IProgress<StepProgress>? progress,
        CancellationToken cancellation)
    {
        data = method.WithGraph(data, cancellation);
        var trial = method.Try(classifier, data, seed, progress, cancellation);
        // Of no round, the labels are shown all the same: those of one.
        var result = (method with { Last = Math.Max(1, trial.Rounds) }).Run(classifier, data, seed, progress, cancellation);
        int[] taken = trial.Rounds == 0 ? [] : [.. Enumerable.Range(0, result.Labels.Count).Where(photo => result.Labels[photo].Reason == LabelReason.Labeled)];
        string[] few = [.. classes.Where((_, index) => data.Labels.Count(label => label == index) < method.LeastLabels)];
        var learned = data.WithUnlabeled(taken);
        return new(unlabeled.Images, method, result.Labels, trial, unlabeled.Broken)
        {
            Rows = learned.Unlabeled,
            Views = learned.UnlabeledViews,
            Labels = [.. taken.Select(photo => result.Labels[photo].Class)],
            Warnings = few.Length == 0 ? [] : [$"{string.Join(", ", few)} {(few.Length == 1 ? "has" : "have")} fewer than {method.LeastLabels} labeled photos: no unlabeled photo is named so."],
        };
    }
}
