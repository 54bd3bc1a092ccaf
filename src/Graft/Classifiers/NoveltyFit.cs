using Graft.Networks;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Classifiers;

/// <summary>Fits <see cref="Novelty"/>.</summary>
internal static class NoveltyFit
{
    /// <summary>Components, and training photos that are kept: some 0.5 MB, and for each thousand features as much again.</summary>
    private const int MostComponents = 128;
    public const int MostExamples = 1000;

    /// <summary>Neighbor whose distance counts, and classes that are left out in turn to choose the measure.</summary>
    private const int Neighbor = 5, MostFolds = 5;

    /// <summary>Photos that suffice to choose by.</summary>
    private const int SampleOfChoice = 300;

    /// <summary>Chooses the measure that tells photos of classes left out in turn, or of none of the classes, better, and fits it.</summary>
    /// <param name="training">The features of training photos, some or all.</param>
    /// <param name="labels">The class of each.</param>
    /// <param name="validation">Of photos that nothing was fitted on.</param>
    /// <param name="validationLabels">The class of each.</param>
    /// <param name="others">Of photos of none of the classes; may be empty.</param>
    /// <param name="layer">See <see cref="Novelty.Layer"/>.</param>
    /// <returns>Null where nothing can be said: fewer than 2 training photos, or features that do not vary.</returns>
    public static Novelty? Fit(
        IReadOnlyList<float[]> training, IReadOnlyList<int> labels, IReadOnlyList<float[]> validation, IReadOnlyList<int> validationLabels,
        IReadOnlyList<float[]> others, string layer, int seed)
    {
        if (training.Count < 2 || validation.Count == 0) return null;
        using var inference = no_grad();
        using var scope = NewDisposeScope();
        int[] kept = Sample(labels, MostExamples, seed);
        var (x, y) = (FeatureMatrix.WithoutLabels([.. kept.Select(photo => training[photo])], 1).Values, kept.Select(photo => labels[photo]).ToArray());
        var known = FeatureMatrix.WithoutLabels(validation, 1).Values;
        var areas = new Dictionary<NoveltyMeasure, double>();
        var spaces = new Dictionary<NoveltyMeasure, NoveltySpace>();
        int[] few = Sample(y, SampleOfChoice, seed);
        foreach (var measure in Enum.GetValues<NoveltyMeasure>())
        {
            if (Space(measure, x, y) is not { } space) continue;
            spaces[measure] = space;
            var area = others.Count > 0 ? RocAuc(space, known, FeatureMatrix.WithoutLabels(others, 1).Values)
                : OfLeftOutClasses(measure, Rows(x, few), [.. few.Select(photo => y[photo])], known, validationLabels);
            if (!double.IsNaN(area)) areas[measure] = area;
        }
        if (spaces.Count == 0) return null;
        var best = spaces.Keys.MaxBy(measure => areas.GetValueOrDefault(measure));
        var chosen = spaces[best];
        return new()
        {
            Measure = best,
            Layer = layer,
            Length = training[0].Length,
            RocAuc = areas,
            Others = others.Count,
            OtherDistances = others.Count == 0 ? [] : [.. chosen.Distances(FeatureMatrix.WithoutLabels(others, 1).Values).ToFloats().Order()],
            Rank = chosen.Rank,
            Center = chosen.Center.ToFloats(),
            Factors = chosen.Factors.ToFloats(),
            Whitening = chosen.Whitening.ToFloats(),
            RestVariance = chosen.RestVariance,
            Examples = chosen.Examples.ToFloats(),
            Known = [.. chosen.Distances(known).ToFloats().Order()],
        };
    }

    /// <summary>Some of the photos, ascending, in which every class has its share.</summary>
    public static int[] Sample(IReadOnlyList<int> labels, int most, int seed) => labels.Count <= most
        ? [.. Enumerable.Range(0, labels.Count)]
        : Data.StratifiedSplit.Of(labels, (double)most / labels.Count, seed).HeldOut;

    /// <summary>Each row divided by its length.</summary>
    public static Tensor UnitLength(Tensor x) => x / x.norm(1, keepdim: true).clamp_min(Number(1e-12));

    /// <summary>Null where the photos do not vary.</summary>
    private static NoveltySpace? Space(NoveltyMeasure measure, Tensor x, int[] labels)
    {
        var isUnitLength = measure == NoveltyMeasure.Neighbors;
        var center = isUnitLength ? zeros([x.shape[1]]) : x.mean([0]);
        var rows = isUnitLength ? UnitLength(x) : x - center;
        var factors = Leading(rows, (int)Math.Min(MostComponents, Math.Min(rows.shape[0], rows.shape[1])));
        if (factors.shape[0] == 0) return null;
        var z = rows.mm(factors.t()).to_type(ScalarType.Float64);
        if (isUnitLength) return new(true, center, factors, eye(factors.shape[0]), RestVariance: 1, z, Math.Min(Neighbor, labels.Length));

        int[] classes = [.. labels.Distinct().Order()];
        int[] own = [.. labels.Select(label => Array.IndexOf(classes, label))];
        var ofClasses = new FeatureMatrix(z, own, classes.Length);
        var places = tensor([.. own.Select(label => (long)label)]);
        var wide = rows.to_type(ScalarType.Float64);
        var residuals = wide - ofClasses.Means(wide).index_select(0, places);
        var means = ofClasses.Means(z);
        var within = z - means.index_select(0, places);
        // Shrunk in the whole space, as Ledoit and Wolf say: the components that were fitted to these photos would else seem wider than they are, and the rest narrower.
        var (shrinkage, count, length) = (LedoitWolf.Shrinkage(residuals), residuals.shape[0], residuals.shape[1]);
        var (all, inComponents) = (residuals.Squared().sum().Value() / count, within.Squared().sum().Value() / count);
        var mean = all / length;
        if (!(mean > 0)) (shrinkage, mean) = (1, 1);
        var covariance = (within.t().mm(within) * Number((1 - shrinkage) / count)).Plus(eye(z.shape[1], dtype: ScalarType.Float64) * Number(shrinkage * mean));
        var (values, vectors) = linalg.eigh(covariance);
        var whitening = (vectors / values.clamp_min(Number(1e-9 * mean)).sqrt()).t();
        var beyond = Math.Max(1, length - z.shape[1]);
        var rest = Math.Max((1 - shrinkage) * Math.Max(0, all - inComponents) / beyond + shrinkage * mean, 1e-9 * mean);
        return new(false, center, factors, whitening, rest, means.mm(whitening.t()), Rank: 1);
    }

    /// <summary>The share of pairs of a known and a strange photo in which the strange one is farther, equal ones counting half (Mann and Whitney 1947).</summary>
    private static double RocAuc(NoveltySpace space, Tensor known, Tensor strange)
    {
        var (near, far) = (space.Distances(known).ToDoubles(), space.Distances(strange).ToDoubles());
        var sorted = near.Concat(far).Order().ToArray();
        return (far.Sum(Rank) - far.Length * (far.Length + 1.0) / 2) / ((double)near.Length * far.Length);

        // Of equal values the middle of their ranks.
        double Rank(double value)
        {
            var place = Array.BinarySearch(sorted, value);
            var (low, high) = (place, place);
            while (low > 0 && sorted[low - 1] == value) low--;
            while (high < sorted.Length - 1 && sorted[high + 1] == value) high++;
            return (low + high) / 2.0 + 1;
        }
    }

    /// <summary>The mean over classes, or groups of them, that are left out in turn; NaN where none can be.</summary>
    private static double OfLeftOutClasses(NoveltyMeasure measure, Tensor x, int[] labels, Tensor known, IReadOnlyList<int> knownLabels)
    {
        int[] classes = [.. labels.Distinct().Order()];
        if (classes.Length < 2) return double.NaN;
        var folds = Math.Min(MostFolds, classes.Length);
        List<double> areas = [];
        for (var fold = 0; fold < folds; fold++)
        {
            using var scope = NewDisposeScope();
            var without = classes.Where((_, place) => place % folds == fold).ToHashSet();
            var (kept, leftOut) = Split(labels, without);
            var (near, far) = Split(knownLabels, without);
            if (kept.Length < 2 || near.Length == 0 || leftOut.Length + far.Length == 0) continue;
            if (Space(measure, Rows(x, kept), [.. kept.Select(photo => labels[photo])]) is { } space)
                areas.Add(RocAuc(space, Rows(known, near), cat([Rows(x, leftOut), Rows(known, far)], 0)));
        }
        return areas.Count == 0 ? double.NaN : areas.Average();
    }

    private static (int[] Kept, int[] LeftOut) Split(IReadOnlyList<int> labels, HashSet<int> without) => (
        [.. Enumerable.Range(0, labels.Count).Where(photo => !without.Contains(labels[photo]))],
        [.. Enumerable.Range(0, labels.Count).Where(photo => without.Contains(labels[photo]))]);

    private static Tensor Rows(Tensor x, int[] photos) => x.index_select(0, tensor([.. photos.Select(photo => (long)photo)]));

    /// <summary>
    /// The leading right singular vectors of rows, [components, features]; of many rows by subspace iteration (Halko, Martinsson and Tropp 2011, algorithm 4.4), exact enough in
    /// a fraction of the time. Those that do not vary are left out.
    /// </summary>
    private static Tensor Leading(Tensor rows, int count)
    {
        using var scope = NewDisposeScope();
        var small = rows;
        if (rows.shape[0] > 3 * MostComponents)
        {
            var wide = Math.Min(count + 10, Math.Min(rows.shape[0], rows.shape[1]));
            var random = new Data.SplitMix64(1);
            var start = tensor([.. Enumerable.Range(0, (int)(rows.shape[1] * wide)).Select(_ => (float)(random.NextDouble() - 0.5))]).view(rows.shape[1], wide);
            var (basis, _) = linalg.qr(rows.mm(start));
            for (var step = 0; step < 2; step++)
            {
                var (back, _) = linalg.qr(rows.t().mm(basis));
                (basis, _) = linalg.qr(rows.mm(back));
            }
            small = basis.t().mm(rows); // [wide, features]
        }
        var (values, vectors) = linalg.eigh(small.mm(small.t()).to_type(ScalarType.Float64)); // ascending
        var most = values.amax([0]).Value();
        var varying = (int)values.gt(Number(Math.Max(most * 1e-10, 1e-20))).sum().Whole();
        var taken = Math.Min(count, varying);
        if (taken == 0) return zeros([0, rows.shape[1]]).MoveToOuterDisposeScope();
        var top = vectors.narrow(1, vectors.shape[1] - taken, taken).flip(1).to_type(ScalarType.Float32);
        var components = top.t().mm(small);
        return (components / components.norm(1, keepdim: true)).contiguous().MoveToOuterDisposeScope();
    }
}
