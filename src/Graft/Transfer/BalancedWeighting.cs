using System.ComponentModel.DataAnnotations;
using Graft.Classifiers;

namespace Graft.Transfer;

/// <summary>All labeled photos in one set, each counting 1: the baseline of every method. Without labels of the target, the source alone.</summary>
public sealed record Pooling : InstanceWeighting
{
    public override string Name => "pool";

    public override string Title => "both sources pooled";

    public override bool NeedsWeights => false;

    internal override (double[] Source, double Target) Weights(TransferData data, FittingWork work) => ([.. data.Source.Select(_ => 1.0)], 1);

    internal override TransferFit Fit(TransferData data, FeatureClassifier classifier, FittingWork work)
    {
        var fitted = Described(classifier.Fit(data.Labeled(), work));
        return new() { Classifier = fitted, OnSource = fitted };
    }
}

/// <summary>
/// Both sources count the same, however many photos each has: a labeled photo of the target counts <see cref="Share"/> · source photos / target
/// photos. Wu and Dietterich 2004, "Improving SVM accuracy by training on auxiliary data sources", adapt's <c>BalancedWeighting</c>.
/// </summary>
public sealed record BalancedWeighting : InstanceWeighting
{
    public override string Name => "balanced";

    public override string Title => "both sources weighted to count the same";

    public override bool NeedsLabels => true;

    /// <summary>How much all photos of the target count together, the source counting 1. Above 0. Default 1; the paper's is 4.</summary>
    [Range(0.0, double.MaxValue, MinimumIsExclusive = true)]
    public double Share { get; init; } = 1;

    internal override (double[] Source, double Target) Weights(TransferData data, FittingWork work) =>
        ([.. data.Source.Select(_ => 1.0)], TargetWeight(data, Share));

    /// <summary>Without labels of the target it does not matter: 1.</summary>
    internal static double TargetWeight(TransferData data, double share = 1) =>
        data.Target.Count == 0 ? 1 : share * data.Source.Count / data.Target.Count;
}
