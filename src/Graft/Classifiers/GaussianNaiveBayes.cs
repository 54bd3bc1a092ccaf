using Graft.Data;
using Graft.Networks;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Classifiers;

/// <summary>
/// Gaussian naive Bayes: within a class each feature is normal and independent of the others; scikit-learn's <c>GaussianNB</c>. Features
/// of a network are not independent, so its probabilities are too sure of themselves.
/// </summary>
public sealed record GaussianNaiveBayes : ClosedFormClassifier
{
    internal static ClassifierEntry Entry { get; } = new(
        "bayes", "Gaussian naive Bayes",
        options => new GaussianNaiveBayes { ClassWeights = options.ClassWeights, Standardize = options.Standardize ?? true, Calibrate = options.Calibrate },
        nameof(ClassWeights));

    public override string Name => "bayes";

    public override string Title => "Gaussian naive Bayes";

    /// <summary>
    /// Default none: a class is as probable beforehand as it is frequent among the training images; balanced: all the same.
    /// </summary>
    public ClassWeighting ClassWeights { get; init; }

    /// <summary>Of each class, on average.</summary>
    private const int FewImages = 40;

    /// <summary>This share of the largest feature's variance is added to all variances. At least 0. Default 1e-9.</summary>
    public double VarianceSmoothing { get; init; } = 1e-9;

    public override IReadOnlyList<string> Problems() =>
        VarianceSmoothing >= 0 && double.IsFinite(VarianceSmoothing)
            ? []
            : [$"Expected a variance smoothing of at least 0, found {VarianceSmoothing}."];

    private protected override FittedLayer FitLayer(FeatureMatrix features, FittingWork work)
    {
        var x = features.Values.to_type(ScalarType.Float64);
        var added = x.var([0], unbiased: false).max().Value() * VarianceSmoothing;
        // Features that all are constant say nothing, but must not divide by 0.
        if (added == 0) added = VarianceSmoothing > 0 ? VarianceSmoothing : 1e-9;
        var (means, variances) = (new List<Tensor>(), new List<Tensor>());
        for (var label = 0; label < features.Classes; label++)
        {
            work.Cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            long[] images =
                [.. Enumerable.Range(0, features.Count).Where(image => features.Labels[image] == label).Select(image => (long)image)];
            var own = x.index_select(0, tensor(images));
            means.Add(own.mean([0]).MoveToOuterDisposeScope());
            variances.Add(own.var([0], unbiased: false).Increase(added).MoveToOuterDisposeScope());
        }
        var counts = features.Counts();
        return new("head.classes", new GaussianBayes(features.Classes), new Dictionary<ParameterRole, float[]>
        {
            [ParameterRole.ClassMeans] = stack(means).ToFloats(),
            [ParameterRole.ClassVariances] = stack(variances).ToFloats(),
            [ParameterRole.LogPriors] =
            [
                .. counts.Select(count => (float)Math.Log(
                    ClassWeights == ClassWeighting.Balanced ? 1.0 / features.Classes : (double)count / features.Count)),
            ],
        });
    }

    /// <summary>The variances of a class come from its images alone: fitted on four fifths of few, they are much worse than on all.</summary>
    private protected override int CalibrationFolds(FeatureMatrix features) => features.ImageCounts().Sum() < FewImages * features.Classes ? 20 : StratifiedFolds.Count;

    /// <summary>
    /// Where a feature hardly varies within a class, log-likelihoods differ by millions, and no one factor suits these and the others. Heavier
    /// tails than the normal distribution's keep the order of the classes.
    /// </summary>
    private protected override (FittedLayer Layer, Tensor Outputs) Shape(FittedLayer layer, Tensor outputs, FeatureMatrix features)
    {
        using var scope = NewDisposeScope();
        var (_, scale) = Enumerable.Range(-16, 25).Select(power => Math.Pow(10, power / 2.0)).Prepend(0)
            .Select(scale =>
            {
                using var inner = NewDisposeScope();
                return (Loss: Temperature.LossOfFit(TorchClassifiers.WithTails(outputs, scale), features), scale);
            })
            .MinBy(candidate => candidate.Loss);
        return (
            layer with { Operation = (GaussianBayes)layer.Operation with { TailScale = scale } },
            TorchClassifiers.WithTails(outputs, scale).MoveToOuterDisposeScope());
    }

    private protected override (string Summary, Dictionary<string, object?> Facts) Describe(FittedLayer layer, FeatureMatrix features) => (
        Title,
        new(StringComparer.Ordinal) { ["class_weights"] = ClassWeights == ClassWeighting.Balanced ? "balanced" : "none" });
}
