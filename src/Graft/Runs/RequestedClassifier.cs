using Graft.Classifiers;
using Graft.Data;

namespace Graft.Runs;

/// <summary>The classic classifier that a request names.</summary>
internal static class RequestedClassifier
{
    /// <summary>Null for a softmax head.</summary>
    /// <param name="request">Without problems.</param>
    public static FeatureClassifier? Of(TrainingRequest request)
    {
        if (request.ClassifierOrDefault == TrainingRequest.Softmax) return null;
        var usual = new ClassifierOptions();
        // What a method takes by itself, it takes as its paper does.
        var ownStandardize = request.Classifier is null ? request.TransferOrDefault?.DefaultClassifier.Standardize : null;
        var ownNeighbors = request.Classifier is null ? (request.TransferOrDefault?.DefaultClassifier as NearestNeighbors)?.Neighbors : null;
        if (request.ClassifierOrDefault == AutomaticClassifier.CatalogName)
            return new AutomaticClassifier { Standardize = request.Standardize ?? true, Calibrate = request.Calibrate ?? usual.Calibrate };
        return ClassifierCatalog.Create(request.ClassifierOrDefault, usual with
        {
            C = request.C is { } c ? double.IsPositiveInfinity(c) ? null : c : usual.C,
            Gamma = request.Gamma,
            Neighbors = request.Neighbors ?? ownNeighbors ?? usual.Neighbors,
            Shrinkage = request.Shrinkage,
            ClassWeights = request.ClassWeights ?? ClassWeighting.None,
            Standardize = request.Standardize ?? ownStandardize,
            Calibrate = request.Calibrate ?? usual.Calibrate,
        });
    }
}
