using Graft.Classifiers;
using Graft.Data;

namespace Graft.Runs;

/// <summary>The classic classifier that a request names.</summary>
internal static class RequestedClassifier
{
    private static readonly string[] WithC = ["logistic", "svm", "rbf-svm"];

    public static IReadOnlyList<string> Names { get; } = ["logistic", "svm", "rbf-svm", "bayes", "knn", "mean"];

    /// <summary>The classifiers that have a setting; null where all have it.</summary>
    public static IReadOnlyList<string>? OwnersOf(string setting) => setting switch
    {
        nameof(TrainingRequest.C) => WithC,
        nameof(TrainingRequest.Neighbors) => ["knn"],
        nameof(TrainingRequest.ClassWeights) => [.. WithC, "bayes"],
        _ => null,
    };

    /// <summary>Null for a softmax head.</summary>
    public static FeatureClassifier? Of(TrainingRequest request)
    {
        double? c = request.C is { } given ? double.IsPositiveInfinity(given) ? null : given : 1;
        var weights = request.ClassWeights ?? ClassWeighting.None;
        var standardize = request.Standardize ?? true;
        return request.ClassifierOrDefault switch
        {
            "logistic" => new LogisticRegression { C = c, ClassWeights = weights, Standardize = standardize },
            "svm" => new LinearSvm { C = c, ClassWeights = weights, Standardize = standardize },
            "rbf-svm" => new RbfSvm { C = c, ClassWeights = weights, Standardize = standardize },
            "bayes" => new GaussianNaiveBayes { ClassWeights = weights, Standardize = standardize },
            "knn" => new NearestNeighbors { Neighbors = request.Neighbors ?? new NearestNeighbors().Neighbors, Standardize = standardize },
            "mean" => new NearestClassMean { Standardize = standardize },
            _ => null,
        };
    }
}
