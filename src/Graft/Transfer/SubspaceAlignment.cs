using System.ComponentModel.DataAnnotations;
using Graft.Classifiers;
using static TorchSharp.torch;

namespace Graft.Transfer;

/// <summary>
/// Subspace alignment: Fernando, Habrard, Sebban and Tuytelaars 2013, "Unsupervised visual domain adaptation using subspace alignment". With principal
/// axes Ps and Pt of each domain, the source becomes (x − ms)·Ps·Ps'·Pt and the target (x − mt)·Pt.
/// </summary>
public sealed record SubspaceAlignment : FeatureAlignment
{
    public override string Name => "subspace";

    public override string Title => "principal axes of the source aligned to the target's";

    /// <remarks>Standardized axes would all count the same, the last ones too.</remarks>
    public override FeatureClassifier DefaultClassifier => new LogisticRegression { Standardize = false };

    /// <summary>Principal axes, at most one fewer than the photos of the smaller source. Default 80.</summary>
    [Range(1, int.MaxValue)]
    public int Components { get; init; } = 80;

    internal override Alignment Align(Tensor source, Tensor target, TransferData data, FittingWork work)
    {
        using var scope = NewDisposeScope();
        var (ofSource, ofTarget, from, to) = Maps(source, target);
        return new([Affine("alignment", from, ofSource)], [Affine("alignment", to, ofTarget)]);
    }

    /// <summary>[features, components] of each domain, and their means.</summary>
    internal (Tensor Source, Tensor Target, Tensor SourceMean, Tensor TargetMean) Maps(Tensor source, Tensor target)
    {
        var most = (int)Math.Min(Components, Math.Min(source.shape[0], target.shape[0]) - 1);
        var (ps, from) = PrincipalAxes.Of(source, most);
        var (pt, to) = PrincipalAxes.Of(target, most);
        return (ps.mm(ps.t().mm(pt)), pt, from, to);
    }
}
