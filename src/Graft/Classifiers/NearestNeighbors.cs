using Graft.Networks;

namespace Graft.Classifiers;

/// <summary>
/// The k nearest training images by Euclidean distance vote, each counting the same; of equal votes the first class wins; scikit-learn's
/// <c>KNeighborsClassifier</c>. The model keeps the features of all training images.
/// </summary>
public sealed record NearestNeighbors : ClosedFormClassifier
{
    /// <summary>
    /// Votes that each class has beforehand where probabilities are calibrated, so that one without a vote is not impossible: Krichevsky and
    /// Trofimov's estimator.
    /// </summary>
    private const double PriorVotes = 0.5;

    internal static ClassifierEntry Entry { get; } = new(
        "knn", "votes of the nearest training images",
        options => new NearestNeighbors { Neighbors = options.Neighbors, Standardize = options.Standardize ?? true, Calibrate = options.Calibrate },
        nameof(Neighbors));

    public override string Name => "knn";

    public override string Title => "nearest neighbors";

    /// <summary>How many vote, from 1 to the number of training images. Default 5.</summary>
    public int Neighbors { get; init; } = 5;

    public override IReadOnlyList<string> Problems() => Neighbors >= 1 ? [] : [$"Expected at least 1 neighbor, found {Neighbors}."];

    private protected override FittedClassifier Fit(FeatureMatrix raw, FeatureMatrix features, FittingWork work) =>
        Neighbors > features.Count
            ? throw new GraftException(
                $"Expected at most {features.Count} neighbors, as many as there are training images, found {Neighbors}. Ask for fewer.")
            : base.Fit(raw, features, work);

    private protected override FittedLayer FitLayer(FeatureMatrix features, FittingWork work) => new(
        "head.classes",
        // A fold may hold fewer images than vote.
        new NeighborVotes(features.Classes, Math.Min(Neighbors, features.Count), features.Count) { PriorVotes = Calibrate ? PriorVotes : 0 },
        new Dictionary<ParameterRole, float[]>
        {
            [ParameterRole.Examples] = features.Values.ToFloats(),
            [ParameterRole.ExampleLabels] = [.. features.Labels.Select(label => (float)label)],
        });

    private protected override (string Summary, Dictionary<string, object?> Facts) Describe(FittedLayer layer, FeatureMatrix features) => (
        $"{Neighbors} nearest neighbors of {features.Count:N0} training images",
        new(StringComparer.Ordinal) { ["neighbors"] = Neighbors });
}
