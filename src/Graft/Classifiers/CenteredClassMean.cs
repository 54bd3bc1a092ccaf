using System.Text.Json.Serialization;
using Graft.Networks;
using static TorchSharp.torch;

namespace Graft.Classifiers;

/// <summary>
/// SimpleShot's CL2N (Wang, Chao, Weinberger and van der Maaten 2019, arXiv:1911.04623): features are centered and scaled to length 1; the class
/// whose mean of these is nearest by Euclidean distance. Made for very few images of a class.
/// </summary>
public sealed record CenteredClassMean : ClosedFormClassifier
{
    /// <summary>Features are centered but, as in the paper, not scaled to variance 1, unless that is asked for.</summary>
    public CenteredClassMean() => Standardize = false;

    internal static ClassifierEntry Entry { get; } = new(
        "centered-mean", "the nearest mean of centered features of length 1 (SimpleShot), for very few images of a class",
        options => new CenteredClassMean { Standardize = options.Standardize ?? false, Calibrate = options.Calibrate });

    public override string Name => "centered-mean";

    public override string Title => "nearest mean of centered, normalized features";

    /// <summary>
    /// What is subtracted from the features, one number for each: the mean over images of many other classes, as in the paper. Default null: the
    /// mean over the training images.
    /// </summary>
    [JsonIgnore]
    public IReadOnlyList<float>? BaseMean { get; init; }

    private protected override FittedLayer FitLayer(FeatureMatrix features, FittingWork work)
    {
        if (BaseMean is { } given && given.Count != features.Length)
            throw new GraftException($"Expected a base mean of {features.Length} features, found {given.Count}.");
        using var scope = NewDisposeScope();
        var x = features.Values.to_type(ScalarType.Float64);
        var center = BaseMean is null ? x.mean([0]) : tensor([.. BaseMean.Select(value => (double)value)]);
        return new("head.classes", new NormalizedClassMeans(features.Classes), new Dictionary<ParameterRole, float[]>
        {
            [ParameterRole.MovingMean] = center.ToFloats(),
            [ParameterRole.ClassMeans] = features.Means(TorchClassifiers.Normalize(x, center)).ToFloats(),
        });
    }
}
