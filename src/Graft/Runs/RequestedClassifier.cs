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
        if (request.ClassifierOrDefault == AutomaticClassifier.CatalogName)
            return new AutomaticClassifier { Standardize = request.Standardize ?? true, Calibrate = request.Calibrate ?? usual.Calibrate };
        return ClassifierCatalog.Create(request.ClassifierOrDefault, usual with
        {
            C = request.C is { } c ? double.IsPositiveInfinity(c) ? null : c : usual.C,
            Gamma = request.Gamma,
            Neighbors = request.Neighbors ?? usual.Neighbors,
            Shrinkage = request.Shrinkage,
            ClassWeights = request.ClassWeights ?? ClassWeighting.None,
            Standardize = request.Standardize,
            Calibrate = request.Calibrate ?? usual.Calibrate,
        });
    }
}
