using System.ComponentModel.DataAnnotations;
using Graft.Classifiers;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Transfer;

/// <summary>A map of the source that gives it the mean and covariance of the target: x → (x − ms)·A + mt. Photos of the target stay as they are.</summary>
public abstract record CovarianceAlignment : FeatureAlignment
{
    /// <summary>λ, added to each variance, as a multiple of the mean variance; it makes up for few photos. Above 0. Default 10.</summary>
    [Range(0.0, double.MaxValue, MinimumIsExclusive = true)]
    public double Ridge { get; init; } = 10;

    /// <summary>Whether features are scaled to length 1 first, as suits those of networks. Default true.</summary>
    public bool UnitFeatures { get; init; } = true;

    /// <summary>A of covariances Cs and Ct, both with λ added.</summary>
    internal abstract Tensor Map(Tensor source, Tensor target);

    /// <remarks>
    /// Outside of the span of the photos both covariances are λ·I and A is I, so with fewer photos than features everything is computed in the span.
    /// </remarks>
    internal override Alignment Align(Tensor source, Tensor target, TransferData data, FittingWork work)
    {
        using var scope = NewDisposeScope();
        if (UnitFeatures) (source, target) = (TransferComponents.Normalized(source), TransferComponents.Normalized(target));
        var (from, to) = (source.mean([0], keepdim: true), target.mean([0], keepdim: true));
        var (a, b) = (source - from, target - to);
        var (images, features) = (source.shape[0] + target.shape[0], source.shape[1]);
        var span = images < features ? PrincipalAxes.Directions(cat([a, b], 0)).Vectors : null;
        if (span is not null) (a, b) = (a.mm(span), b.mm(span));
        var ridge = Ridge * (a.Squared().sum().Value() / a.shape[0] + b.Squared().sum().Value() / b.shape[0]) / 2 / features;
        if (!(ridge > 0)) throw new GraftException("All photos have the same features: there is nothing to align.");
        var map = Map(WithRidge(PrincipalAxes.Covariance(a), ridge), WithRidge(PrincipalAxes.Covariance(b), ridge));
        if (span is not null)
        {
            map.diagonal().sub_(Number(1));
            map = span.mm(map).mm(span.t());
            map.diagonal().Increase(1);
        }
        FittedLayer[] first = UnitFeatures ? [Unit("length")] : [];
        return new([.. first, Affine("alignment", from, map, to)], first);
    }

    internal static Tensor WithRidge(Tensor covariance, double ridge)
    {
        covariance.diagonal().Increase(ridge);
        return covariance;
    }
}

/// <summary>CORAL: Sun, Feng and Saenko 2016, "Return of frustratingly easy domain adaptation", arXiv:1511.05547: A = Cs^(−1/2) · Ct^(1/2).</summary>
public sealed record Coral : CovarianceAlignment
{
    public override string Name => "coral";

    public override string Title => "covariance of the source aligned to the target's (CORAL)";

    internal override Tensor Map(Tensor source, Tensor target) => PrincipalAxes.Power(source, -0.5).mm(PrincipalAxes.Power(target, 0.5));
}

/// <summary>
/// The linear Monge map between two normal distributions, the closest map that aligns their covariances: Flamary et al. 2019, "Concentration bounds for
/// linear Monge mapping estimation and optimal transport domain adaptation", arXiv:1905.10155: A = Cs^(−1/2) · (Cs^(1/2)·Ct·Cs^(1/2))^(1/2) · Cs^(−1/2).
/// </summary>
public sealed record LinearMonge : CovarianceAlignment
{
    public override string Name => "monge";

    public override string Title => "covariance of the source moved to the target's (linear Monge map)";

    internal override Tensor Map(Tensor source, Tensor target)
    {
        using var scope = NewDisposeScope();
        var (values, vectors) = linalg.eigh(source);
        var roots = values.clamp_min(Number(1e-300)).sqrt();
        var root = (vectors * roots).mm(vectors.t());
        var inverse = (vectors / roots).mm(vectors.t());
        return inverse.mm(PrincipalAxes.Power(root.mm(target).mm(root), 0.5)).mm(inverse).MoveToOuterDisposeScope();
    }
}
