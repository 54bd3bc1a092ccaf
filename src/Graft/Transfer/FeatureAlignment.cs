using Graft.Classifiers;
using Graft.Networks;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Transfer;

/// <summary>What photos of the source and of the target go through before the classifier.</summary>
/// <param name="Source">In order; empty where they stay as they are.</param>
/// <param name="Target">The same of the target: these become layers of the model.</param>
internal sealed record Alignment(IReadOnlyList<FittedLayer> Source, IReadOnlyList<FittedLayer> Target);

/// <summary>A method that moves features of both sources to where they are alike, by photos of the target that need no labels, and fits a classifier there.</summary>
public abstract record FeatureAlignment : TransferMethod
{
    private const int FewPhotos = 30;

    /// <param name="source">[images, features], float64.</param>
    /// <param name="target">[images, features], float64, labeled photos first.</param>
    /// <param name="data">Labels of both.</param>
    internal abstract Alignment Align(Tensor source, Tensor target, TransferData data, FittingWork work);

    internal override TransferFit Fit(TransferData data, FeatureClassifier classifier, FittingWork work)
    {
        var target = data.AllTarget;
        if (target.Count < 2) throw new GraftException($"The method {Name} aligns the sources and needs at least 2 photos of the target, found {target.Count}.");
        if (data.Source.Count < 2) throw new GraftException($"The method {Name} aligns the sources and needs at least 2 photos of the source, found {data.Source.Count}.");
        work.Progress?.Report(new("Aligning", 0, 1, "sources", Title));
        var (source, others) = (TransferData.Matrix(data.Source), TransferData.Matrix(target));
        var alignment = Align(source, others, data, work);
        work.Progress?.Report(new("Aligning", 1, 1, "sources", Title));
        var rows = Apply(alignment.Source, data.Source);
        IReadOnlyList<float[]> all = data.Target.Count == 0 ? rows : [.. rows, .. Apply(alignment.Target, data.Target)];
        var features = FeatureMatrix.Of(all, [.. data.SourceLabels, .. data.TargetLabels], data.Classes);
        if (classifier.TakesWeights && data.Target.Count > 0)
        {
            var weight = BalancedWeighting.TargetWeight(data);
            double[] weights = [.. data.Source.Select(_ => 1.0), .. data.Target.Select(_ => weight)];
            features = features with { Weights = [.. weights.Select(value => value / weights.Average())] };
        }
        var fitted = Described(classifier.Fit(features, work), $"{target.Count} photos of the target");
        if (target.Count < FewPhotos)
        {
            fitted = fitted with
            {
                Warnings = [.. fitted.Warnings, $"The target's features are estimated from {target.Count} photos; with fewer than {FewPhotos} that is rough. Unlabeled photos of the target help."],
            };
        }
        return new()
        {
            Classifier = fitted with { Layers = [.. alignment.Target, .. fitted.Layers] },
            OnSource = fitted with { Layers = [.. alignment.Source, .. fitted.Layers] },
        };
    }

    private static float[][] Apply(IReadOnlyList<FittedLayer> layers, IReadOnlyList<float[]> rows)
    {
        if (layers.Count == 0) return [.. rows];
        using var scope = NewDisposeScope();
        var map = new FittedClassifier { Name = "", Summary = "", Layers = layers };
        using var module = map.ToModule(new("features", [new("features", Input.Of(TensorShape.Vector(rows[0].Length)), [])]));
        var outputs = module.call(tensor([.. rows.SelectMany(row => row)]).view(rows.Count, -1));
        return [.. outputs.ToFloats().Chunk((int)outputs.shape[1])];
    }

    /// <summary>x → (x − center) · matrix + shift, the vectors [1, features], the matrix [features, outputs].</summary>
    private protected static FittedLayer Affine(string name, Tensor center, Tensor matrix, Tensor? shift = null) => new(
        $"head.{name}", new AffineTransform((int)matrix.shape[1], IsDiagonal: false), Values(center, matrix.t(), shift));

    /// <summary>The same with one factor for each feature, [1, features].</summary>
    private protected static FittedLayer Scaling(string name, Tensor center, Tensor factors, Tensor? shift = null) => new(
        $"head.{name}", new AffineTransform((int)factors.shape[1], IsDiagonal: true), Values(center, factors, shift));

    private protected static FittedLayer Unit(string name) => new($"head.{name}", new UnitLength(), new Dictionary<ParameterRole, float[]>());

    private static Dictionary<ParameterRole, float[]> Values(Tensor center, Tensor factors, Tensor? shift)
    {
        var values = new Dictionary<ParameterRole, float[]> { [ParameterRole.Center] = center.ToFloats(), [ParameterRole.Factors] = factors.ToFloats() };
        if (shift is not null) values[ParameterRole.Shift] = shift.ToFloats();
        return values;
    }
}

/// <summary>Each domain's own mean is subtracted: the first moment of both is the same. No labels.</summary>
public sealed record MeanAlignment : FeatureAlignment
{
    public override string Name => "mean";

    public override string Title => "means of both sources aligned";

    internal override Alignment Align(Tensor source, Tensor target, TransferData data, FittingWork work)
    {
        var (from, to) = (source.mean([0], keepdim: true), target.mean([0], keepdim: true));
        return new([Scaling("alignment", from, ones_like(from), to)], []);
    }
}

/// <summary>
/// Each feature gets the mean and the variance that it has in the target, with a floor under the variances: features that are nearly always 0 would
/// be blown up. Domain adaptation's per-domain z-score.
/// </summary>
public sealed record DomainStandardization : FeatureAlignment
{
    public override string Name => "standardize";

    public override string Title => "means and variances of both sources aligned";

    /// <summary>The least variance, as a share of the mean variance. Above 0. Default 0.1.</summary>
    [System.ComponentModel.DataAnnotations.Range(0.0, 1.0, MinimumIsExclusive = true)]
    public double Floor { get; init; } = 0.1;

    internal override Alignment Align(Tensor source, Tensor target, TransferData data, FittingWork work)
    {
        var (from, to) = (source.mean([0], keepdim: true), target.mean([0], keepdim: true));
        return new([Scaling("alignment", from, Deviation(target, to) / Deviation(source, from), to)], []);

        Tensor Deviation(Tensor rows, Tensor mean)
        {
            var variance = (rows - mean).Squared().mean([0], keepdim: true);
            var floor = Math.Max(variance.mean().Value() * Floor, 1e-30);
            return variance.clamp_min(Number(floor)).sqrt();
        }
    }
}
