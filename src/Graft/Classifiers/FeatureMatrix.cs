using System.Runtime.InteropServices;
using Graft.Data;
using Graft.Networks;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Classifiers;

/// <summary>The features of labeled images as a matrix. Its tensor belongs to the dispose scope it was made in.</summary>
/// <param name="Values">[images, features], float32.</param>
/// <param name="Groups">Rows of one number are views of one image; null where each row is an image.</param>
internal sealed record FeatureMatrix(Tensor Values, int[] Labels, int Classes, int[]? Groups = null)
{
    /// <summary>What two gigabytes hold, the most that can be read in one piece.</summary>
    private const int MostValues = int.MaxValue / sizeof(float);

    /// <summary>How much each row counts; null where all count the same.</summary>
    public double[]? Weights { get; init; }

    public int Count => Labels.Length;

    public int Length { get; } = (int)Values.shape[1];

    /// <exception cref="GraftException">No two classes, a class without images, rows of different lengths, or a feature that is no number.</exception>
    public static FeatureMatrix Of(IReadOnlyList<float[]> rows, IReadOnlyList<int> labels, int classes, IReadOnlyList<int>? groups = null)
    {
        if (rows.Count != labels.Count) throw new GraftException($"Expected a label for each of {rows.Count} images, found {labels.Count}.");
        if (groups is not null && groups.Count != rows.Count)
            throw new GraftException($"Expected the image of each of {rows.Count} rows, found {groups.Count}.");
        if (classes < 2) throw new GraftException($"Expected at least 2 classes, found {classes}. Add a folder of photos for another class.");
        var counts = new int[classes];
        foreach (var label in labels)
        {
            if (label < 0 || label >= classes) throw new GraftException($"Expected classes from 0 to {classes - 1}, found {label}.");
            counts[label]++;
        }
        if (Array.IndexOf(counts, 0) is >= 0 and var empty)
            throw new GraftException($"Class {empty + 1} of {classes} has no image to train on. Add images of it, or leave the class out.");
        var length = rows[0].Length;
        if (length == 0) throw new GraftException("Expected at least 1 feature, found none.");
        if (rows.FirstOrDefault(row => row.Length != length) is { } other)
            throw new GraftException($"Expected {length} features of each image, found {other.Length}.");
        if (rows.Count * (length + 1L) > MostValues) // With the column of the intercept.
        {
            throw new GraftException(
                $"{rows.Count:N0} images × {length:N0} features are more numbers than a classifier can be fitted on ({MostValues:N0}).")
            {
                Code = "too-many-features",
                Remedy = "Pool the features by average, or cut the network at a layer with fewer.",
            };
        }

        var values = empty_strided([rows.Count, length], [length, 1], ScalarType.Float32);
        var destination = TorchNetwork.Values(values);
        for (var i = 0; i < rows.Count; i++)
        {
            if (rows[i].AsSpan().IndexOfAnyExceptInRange(float.MinValue, float.MaxValue) is >= 0 and var place)
            {
                throw new GraftException(
                    $"Feature {place + 1} of training image {i + 1} is {rows[i][place]}, which is no number to fit on. "
                    + "The network's weights do not suit its photos, or are damaged.");
            }
            rows[i].CopyTo(destination[(i * length)..]);
        }
        return new(values, [.. labels], classes, groups is null ? null : [.. groups]);
    }

    /// <summary>Features of images whose classes are not known, to be predicted.</summary>
    public static FeatureMatrix WithoutLabels(IReadOnlyList<float[]> rows, int classes)
    {
        var values = empty_strided([rows.Count, rows[0].Length], [rows[0].Length, 1], ScalarType.Float32);
        var destination = TorchNetwork.Values(values);
        for (var row = 0; row < rows.Count; row++) rows[row].CopyTo(destination[(row * rows[0].Length)..]);
        return new(values, new int[rows.Count], classes);
    }

    public FeatureMatrix Subset(int[] indices) =>
        new(
            Values.index_select(0, tensor([.. indices.Select(index => (long)index)])), [.. indices.Select(index => Labels[index])], Classes,
            Groups is null ? null : [.. indices.Select(index => Groups[index])])
        {
            Weights = Of(indices),
        };

    /// <summary>What a loss needs of some of the images: their labels. The values stay those of all.</summary>
    public FeatureMatrix Labeled(int[] indices) => this with { Labels = [.. indices.Select(index => Labels[index])], Groups = null, Weights = Of(indices) };

    private double[]? Of(int[] indices) => Weights is null ? null : [.. indices.Select(index => Weights[index])];

    /// <summary>For cross-validation: views of one image are held out together.</summary>
    public IReadOnlyList<Fold> Folds(int seed, int count = StratifiedFolds.Count) => StratifiedFolds.Of(Labels, seed, Groups, count);

    /// <summary>How many rows each class has.</summary>
    public int[] Counts()
    {
        var counts = new int[Classes];
        foreach (var label in Labels) counts[label]++;
        return counts;
    }

    /// <summary>The mean over each class's images, [classes, columns].</summary>
    /// <param name="values">[images, columns], float64.</param>
    public Tensor Means(Tensor values)
    {
        using var scope = NewDisposeScope();
        var sums = zeros([Classes, values.shape[1]], ScalarType.Float64)
            .index_add_(0, tensor([.. Labels.Select(label => (long)label)]), values, Number(1));
        return (sums / tensor([.. Counts().Select(count => (double)count)]).unsqueeze(1)).MoveToOuterDisposeScope();
    }

    /// <summary>How many images each class has: views of one count as one.</summary>
    public int[] ImageCounts() => Groups is null
        ? Counts()
        : (this with { Labels = [.. Groups.Zip(Labels).DistinctBy(row => row.First).Select(row => row.Second)] }).Counts();

    /// <summary>How much each image counts.</summary>
    public double[] SampleWeights(ClassWeighting weighting)
    {
        var byClass = ClassWeights(weighting);
        return [.. Labels.Select((label, row) => byClass[label] * (Weights?[row] ?? 1))];
    }

    /// <summary>How much an image of each class counts.</summary>
    public double[] ClassWeights(ClassWeighting weighting)
    {
        var counts = Counts();
        var present = counts.Count(count => count > 0);
        return weighting == ClassWeighting.None
            ? [.. counts.Select(_ => 1.0)]
            : [.. counts.Select(count => count == 0 ? 0 : (double)Count / (present * (double)count))];
    }
}

/// <summary>Moves each feature to mean 0 and scales it to variance 1 over the images it was measured on.</summary>
/// <param name="Mean">[features], float64.</param>
/// <param name="Variance">[features], float64, over all images; 1 where the feature does not vary.</param>
internal sealed record Standardization(Tensor Mean, Tensor Variance)
{
    public const string LayerName = "head.norm";

    /// <summary>From 1 to the next float64.</summary>
    private const double MachineEpsilon = 2.220446049250313e-16;

    /// <summary>So much is float64 at a time.</summary>
    private const int ColumnsAtOnce = 64, RowsAtOnce = 256;

    public static Standardization Of(FeatureMatrix features)
    {
        using var scope = NewDisposeScope();
        var (mean, variance) = (empty([features.Length], ScalarType.Float64), empty([features.Length], ScalarType.Float64));
        for (var start = 0; start < features.Length; start += ColumnsAtOnce)
        {
            using var inner = NewDisposeScope();
            var width = Math.Min(ColumnsAtOnce, features.Length - start);
            var values = features.Values.narrow(1, start, width).to_type(ScalarType.Float64);
            var middle = values.mean([0]);
            mean.narrow(0, start, width).copy_(middle);
            variance.narrow(0, start, width).copy_(values.sub_(middle).Squared().mean([0]));
        }
        // scikit-learn's bound below which a variance is nothing but rounding.
        var rounding = (variance * Number(features.Count * MachineEpsilon)).Plus((mean * Number(features.Count * MachineEpsilon)).Squared());
        variance.masked_fill_(variance.le(rounding), Number(1));
        return new(mean.MoveToOuterDisposeScope(), variance.MoveToOuterDisposeScope());
    }

    public FeatureMatrix Apply(FeatureMatrix features)
    {
        var moved = empty_like(features.Values);
        using var scope = NewDisposeScope();
        var deviation = Variance.sqrt();
        for (var start = 0; start < features.Count; start += RowsAtOnce)
        {
            using var inner = NewDisposeScope();
            var count = Math.Min(RowsAtOnce, features.Count - start);
            moved.narrow(0, start, count).copy_(features.Values.narrow(0, start, count).to_type(ScalarType.Float64).sub_(Mean).div_(deviation));
        }
        return features with { Values = moved };
    }

    /// <summary>The same as a layer of a network.</summary>
    public FittedLayer Layer()
    {
        using var scope = NewDisposeScope();
        return new(LayerName, new AffineTransform((int)Mean.shape[0], IsDiagonal: true), new Dictionary<ParameterRole, float[]>
        {
            [ParameterRole.Center] = Mean.ToFloats(),
            [ParameterRole.Factors] = Variance.rsqrt().ToFloats(),
        });
    }
}

internal static class TensorNumbers
{
    public static float[] ToFloats(this Tensor tensor)
    {
        using var plain = tensor.to_type(ScalarType.Float32).contiguous();
        return MemoryMarshal.Cast<byte, float>(plain.bytes).ToArray();
    }

    public static double[] ToDoubles(this Tensor tensor)
    {
        using var plain = tensor.to_type(ScalarType.Float64).contiguous();
        return MemoryMarshal.Cast<byte, double>(plain.bytes).ToArray();
    }
}
