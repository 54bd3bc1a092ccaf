using System.Globalization;
using System.Text.Json.Serialization;
using Graft.Data;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Classifiers;

/// <summary>A value of C and what cross-validation said of it.</summary>
/// <param name="Accuracy">Share of held-out images classified correctly, each class counting the same if class weights are balanced.</param>
/// <param name="Loss">Mean cross-entropy of the held-out images, in nats; their outputs calibrated where the classifier's are.</param>
public sealed record CandidateC(double C, double Accuracy, double Loss)
{
    /// <param name="logits">[images, classes], float64; rows that begin with NaN were never held out.</param>
    internal static CandidateC Of(double c, Tensor logits, FeatureMatrix features, double[] weights)
    {
        using var scope = NewDisposeScope();
        var rows = logits.select(1, 0).isnan().logical_not_().nonzero().squeeze(1);
        var labels = tensor([.. features.Labels.Select(label => (long)label)]).index_select(0, rows);
        var (kept, weight) = (logits.index_select(0, rows), tensor(weights).index_select(0, rows));
        var correct = kept.argmax(1).eq(labels).to_type(ScalarType.Float64);
        var loss = nn.functional.cross_entropy(kept, labels, reduction: nn.Reduction.None);
        var total = weight.sum();
        return new(c, ((correct * weight).sum() / total).Value(), ((loss * weight).sum() / total).Value());
    }
}

/// <summary>A classifier that weighs how well it fits the training images, times C, against how simple it is.</summary>
public abstract record RegularizedClassifier : FeatureClassifier
{
    /// <summary>
    /// Above 0; the smaller, the stronger the regularization. Default 1. Null to choose it: the highest accuracy of 5-fold stratified
    /// cross-validation on the training images, of equal ones the lowest loss.
    /// </summary>
    public double? C { get; init; } = 1;

    /// <summary>Default none.</summary>
    public ClassWeighting ClassWeights { get; init; }

    /// <summary>What is tried where <see cref="C"/> is to be chosen, ascending.</summary>
    [JsonIgnore]
    internal abstract IReadOnlyList<double> Candidates { get; }

    public override IReadOnlyList<string> Problems() =>
        C is null or (> 0 and < double.PositiveInfinity)
            ? base.Problems()
            : [.. base.Problems(), string.Create(CultureInfo.InvariantCulture, $"Expected a C above 0, or auto, found {C}.")];

    private protected static CandidateC Best(IEnumerable<CandidateC> candidates) =>
        candidates.OrderByDescending(candidate => candidate.Accuracy).ThenBy(candidate => candidate.Loss).First();

    /// <summary>"C = 0.01, the best of 9 by cross-validation (accuracy 91.2 %)" or "C = 1".</summary>
    private protected static string Describe(double c, IReadOnlyList<CandidateC> candidates) => string.Create(
        CultureInfo.InvariantCulture,
        $"C = {c:0.######}{(candidates.Count == 0 ? "" : $", the best of {candidates.Count} by cross-validation "
            + $"(accuracy {100 * Best(candidates).Accuracy:0.0} %)")}");

    private protected Dictionary<string, object?> CommonFacts(double c, IReadOnlyList<CandidateC> candidates) => new(StringComparer.Ordinal)
    {
        ["c"] = c,
        ["c_candidates"] = candidates.Count > 0 ? candidates : null,
        ["class_weights"] = ClassWeights == ClassWeighting.Balanced ? "balanced" : "none",
    };
}
