using Graft.Networks;

namespace Graft.Classifiers;

/// <summary>
/// The k nearest training images by Euclidean distance vote, each counting the same; of equal votes the first class wins; scikit-learn's
/// <c>KNeighborsClassifier</c>. The model keeps the features of all training images.
/// </summary>
public sealed record NearestNeighbors : FeatureClassifier
{
    public override string Name => "knn";

    public override string Title => "nearest neighbours";

    /// <summary>How many vote, from 1 to the number of training images. Default 5.</summary>
    public int Neighbors { get; init; } = 5;

    public override IReadOnlyList<string> Problems() => Neighbors >= 1 ? [] : [$"Expected at least 1 neighbour, found {Neighbors}."];

    private protected override FittedClassifier Fit(FeatureMatrix raw, FeatureMatrix features, FittingWork work) =>
        Neighbors > features.Count
            ? throw new GraftException(
                $"Expected at most {features.Count} neighbours, as many as there are training images, found {Neighbors}. Ask for fewer.")
            : new()
            {
                Name = Name,
                Account = $"{Neighbors} nearest neighbours of {features.Count:N0} training images",
                Facts = new Dictionary<string, object?>(StringComparer.Ordinal) { ["neighbors"] = Neighbors },
                Layers = [new("head.classes", new NeighborVotes(features.Classes, Neighbors, features.Count), new Dictionary<ParameterRole, float[]>
                {
                    [ParameterRole.Examples] = features.Values.ToFloats(),
                    [ParameterRole.ExampleLabels] = [.. features.Labels.Select(label => (float)label)],
                })],
            };
}
