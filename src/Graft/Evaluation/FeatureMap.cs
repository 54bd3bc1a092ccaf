using Graft.Data;
using static TorchSharp.torch;

namespace Graft.Evaluation;

/// <summary>A place on a plane.</summary>
public readonly record struct MapPoint(double X, double Y);

/// <summary>
/// Features of images on a plane, along the two directions in which they vary most: their first principal components, by randomised
/// singular value decomposition (Halko, Martinsson and Tropp 2011, algorithm 5.1 with three power iterations). Photos that lie together look
/// alike to the network. The same features give the same map.
/// </summary>
public sealed class FeatureMap
{
    /// <summary>More points than these hide each other.</summary>
    private const int MostPoints = 2000;

    /// <summary>128 MB of them.</summary>
    private const int MostNumbers = 1 << 24;

    private const int Directions = 2, MoreDirections = 8, PowerIterations = 3;

    private FeatureMap(IReadOnlyList<MapPoint?> points, IReadOnlyList<double> shares) => (Points, VarianceShares) = (points, shares);

    /// <summary>For each image its place; null for those left out, evenly, of more than 2,000 (fewer where features are many).</summary>
    public IReadOnlyList<MapPoint?> Points { get; }

    /// <summary>The share of the features' variance that lies along x, and along y; from 0 to 1.</summary>
    public IReadOnlyList<double> VarianceShares { get; }

    /// <param name="rows">The features of each image, all of one length; at least one image.</param>
    /// <returns>Null where a feature is no number, so that there is no map.</returns>
    public static FeatureMap? Of(IReadOnlyList<float[]> rows)
    {
        var most = Math.Clamp(MostNumbers / rows[0].Length, 1, MostPoints);
        var step = (rows.Count + most - 1) / most;
        var shown = Enumerable.Range(0, (rows.Count + step - 1) / step).Select(index => index * step).ToList();
        if (shown.Any(index => rows[index].Any(value => !float.IsFinite(value)))) return null;
        var (count, length) = (shown.Count, rows[0].Length);
        var points = new MapPoint?[rows.Count];

        using var inference = inference_mode();
        using var scope = NewDisposeScope();
        var features = empty([count, length], ScalarType.Float32);
        for (var row = 0; row < count; row++) features[row].copy_(tensor(rows[shown[row]]));
        features = features.to_type(ScalarType.Float64);
        features -= features.mean([0], keepdim: true);
        var total = (features * features).sum().item<double>();
        var rank = Math.Min(Directions + MoreDirections, Math.Min(count, length));
        // Its own generator: a map must not change what is trained after it.
        var random = new SplitMix64(1);
        var start = tensor([.. Enumerable.Range(0, length * rank).Select(_ => random.NextGaussian())], [length, rank]);
        var basis = linalg.qr(features.mm(start)).Q;
        for (var iteration = 0; iteration < PowerIterations; iteration++)
            basis = linalg.qr(features.mm(linalg.qr(features.t().mm(basis)).Q)).Q;
        var (_, sizes, directions) = linalg.svd(basis.t().mm(features), fullMatrices: false);
        var places = features.mm(directions.t()).cpu();
        var shares = new double[Directions];
        for (var axis = 0; axis < Math.Min(Directions, rank); axis++)
        {
            shares[axis] = total > 0 ? Math.Pow(sizes[axis].item<double>(), 2) / total : 0;
            // Of the two ways a direction can point, the one in which its largest part is positive.
            var largest = directions[axis].abs().argmax().item<long>();
            if (directions[axis, largest].item<double>() < 0) places.select(1, axis).neg_();
        }
        var (x, y) = (Column(0), Column(1));
        for (var row = 0; row < count; row++) points[shown[row]] = new(x[row], y[row]);
        return new(points, shares);

        double[] Column(int axis) => axis < rank ? places.select(1, axis).contiguous().data<double>().ToArray() : new double[count];
    }
}
