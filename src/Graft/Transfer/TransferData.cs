using Graft.Classifiers;
using static TorchSharp.torch;

namespace Graft.Transfer;

/// <summary>Features of photos from two sources, all of one length: labeled ones of the source; labeled ones, unlabeled ones or both of the target.</summary>
public sealed record TransferData
{
    public required IReadOnlyList<float[]> Source { get; init; }

    /// <summary>The class of each source photo, from 0.</summary>
    public required IReadOnlyList<int> SourceLabels { get; init; }

    /// <summary>Labeled photos of the target. Default none.</summary>
    public IReadOnlyList<float[]> Target { get; init; } = [];

    public IReadOnlyList<int> TargetLabels { get; init; } = [];

    /// <summary>Photos of the target without labels. Default none.</summary>
    public IReadOnlyList<float[]> Unlabeled { get; init; } = [];

    /// <summary>How many classes there are, at least 2; each has a labeled photo.</summary>
    public required int Classes { get; init; }

    /// <summary>The labeled photos, those of the source first; rows that hold no number are refused.</summary>
    internal FeatureMatrix Labeled() => FeatureMatrix.Of([.. Source, .. Target], [.. SourceLabels, .. TargetLabels], Classes);

    /// <summary>All photos of the target, labeled ones first.</summary>
    internal IReadOnlyList<float[]> AllTarget => [.. Target, .. Unlabeled];

    /// <summary>[images, features], float64.</summary>
    internal static Tensor Matrix(IReadOnlyList<float[]> rows)
    {
        using var scope = NewDisposeScope();
        return tensor([.. rows.SelectMany(row => row)]).view(rows.Count, -1).to_type(ScalarType.Float64).MoveToOuterDisposeScope();
    }
}

/// <summary>A classifier fitted with the help of another source.</summary>
public sealed record TransferFit
{
    /// <summary>For photos of the target; the map between the domains is among its layers where one is needed.</summary>
    public required FittedClassifier Classifier { get; init; }

    /// <summary>The same for photos of the source, which go through their own map first.</summary>
    public required FittedClassifier OnSource { get; init; }
}
