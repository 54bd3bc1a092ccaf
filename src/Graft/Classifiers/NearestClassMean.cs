using Graft.Networks;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Classifiers;

/// <summary>
/// The class whose mean is nearest by Euclidean distance; scikit-learn's <c>NearestCentroid</c>. −½|x − mean|² differs between
/// classes by what is linear in x, so it is a dense layer.
/// </summary>
public sealed record NearestClassMean : ClosedFormClassifier
{
    internal static ClassifierEntry Entry { get; } = new(
        "mean", "the nearest class mean",
        options => new NearestClassMean { Standardize = options.Standardize ?? true, Calibrate = options.Calibrate });

    public override string Name => "mean";

    public override string Title => "nearest class mean";

    private protected override FittedLayer FitLayer(FeatureMatrix features, FittingWork work)
    {
        var (kernel, bias) = Linear(features);
        return new("head.decisions", new Dense(features.Classes), new Dictionary<ParameterRole, float[]>
        {
            [ParameterRole.DenseKernel] = kernel.ToFloats(),
            [ParameterRole.Bias] = bias.ToFloats(),
        });
    }

    /// <summary>Kernel [classes, features] and bias [classes], both about the middle of the means, so that few digits cancel.</summary>
    private static (Tensor Kernel, Tensor Bias) Linear(FeatureMatrix features)
    {
        using var scope = NewDisposeScope();
        var means = features.Means(features.Values.to_type(ScalarType.Float64));
        var middle = means.mean([0], keepdim: true);
        // −½|x − m|² = x·m − ½|m|² − ½|x|²; with m = middle + d: x·d − middle·d − ½|d|², and terms that all classes share.
        var kernel = means - middle;
        var bias = -(kernel * middle).sum(1) - kernel.Squared().sum(1) * Number(0.5);
        return (kernel.MoveToOuterDisposeScope(), bias.MoveToOuterDisposeScope());
    }
}
