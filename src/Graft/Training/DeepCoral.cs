using Graft.Data;
using Graft.Networks;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Training;

/// <summary>Photos of two sources that are to look alike to the network.</summary>
/// <param name="Weight">How much the difference counts in the loss.</param>
/// <param name="IsTarget">Whether a photo is of the target.</param>
internal sealed record DomainAlignment(double Weight, Func<LabeledImage, bool> IsTarget);

/// <summary>
/// Cross-entropy, and how far apart the covariances of both sources' features are in a batch: ‖Cs − Ct‖² / 4d². Sun and Saenko 2016, "Deep CORAL", arXiv:1607.01719, equation 1.
/// </summary>
/// <param name="layer">The layer whose output has the features; null to leave the covariances out.</param>
/// <param name="labels">The part that goes by labels.</param>
internal sealed class DeepCoral(double weight, string? layer, IObjective labels) : IObjective
{
    public string? FeatureLayer => layer;

    /// <param name="batch">Its target is 1 for photos of the target, 0 for those of the source, [N, 1].</param>
    public Tensor Loss(Tensor logits, Batch batch)
    {
        var loss = labels.Loss(logits, batch with { Targets = [] }) * Number(batch.LabeledShare);
        if (batch.Features is not { } features) return loss;
        var isTarget = batch.Targets[0].squeeze(1).gt(Number(0.5));
        var (source, target) = (features.index_select(0, Places(isTarget.logical_not())), features.index_select(0, Places(isTarget)));
        // One photo has no covariance.
        return source.shape[0] < 2 || target.shape[0] < 2 ? loss : loss.Plus(Difference(source, target) * Number(weight));

        static Tensor Places(Tensor chosen) => chosen.nonzero().squeeze(1);
    }

    internal static Tensor Difference(Tensor source, Tensor target)
    {
        var length = (double)source.shape[1];
        return (Covariance(source) - Covariance(target)).Squared().sum() * Number(1 / (4 * length * length));

        static Tensor Covariance(Tensor features)
        {
            var centered = features - features.mean([0], keepdim: true);
            return centered.t().mm(centered) * Number(1.0 / (features.shape[0] - 1));
        }
    }
}
