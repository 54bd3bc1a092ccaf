using Graft.Classifiers;

namespace Graft.Transfer;

/// <summary>
/// The network's batch norms take the statistics of the photos at hand: those of the source for its photos, those of the target for its own; then all labeled photos are
/// pooled. Li et al. 2016, "Revisiting batch normalization for practical domain adaptation", arXiv:1603.04779. It wants some 200 photos of the target, whose classes are
/// mixed as the source's are, and a network that was trained on the source: one with ImageNet's weights gets worse.
/// </summary>
public sealed record AdaptiveBatchNorm : TransferMethod
{
    public override string Name => "adabn";

    public override string Title => "batch norms by each source's own statistics, both sources pooled";

    public override bool AdaptsNetwork => true;

    internal override TransferFit Fit(TransferData data, FeatureClassifier classifier, FittingWork work)
    {
        var fitted = Described(classifier.Fit(data.Labeled(), work));
        return new() { Classifier = fitted, OnSource = fitted };
    }
}
