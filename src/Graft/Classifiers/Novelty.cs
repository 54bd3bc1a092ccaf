using System.Text.Json;
using System.Text.Json.Serialization;
using Graft.Checkpoints;
using Graft.Networks;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Classifiers;

/// <summary>How the distance of a photo to the training photos is measured.</summary>
[JsonConverter(typeof(LowerCaseEnumConverter<NoveltyMeasure>))]
public enum NoveltyMeasure
{
    /// <summary>To the k-th nearest training photo, of features scaled to length 1 (Sun et al. 2022, arXiv:2204.06507).</summary>
    Neighbors,

    /// <summary>To the nearest class mean, by the classes' common covariance, shrunk as Ledoit and Wolf do (Lee et al. 2018, arXiv:1807.03888).</summary>
    Mahalanobis,
}

/// <summary>
/// How unlike the training photos a photo is: "none of these". The features are projected on their leading principal components; for <see cref="NoveltyMeasure.Neighbors"/>
/// what that leaves out counts as a distance too, so that a photo of another kind is far from all. Where a photo becomes unlike is said by the validation photos: of photos
/// like these, no more than a given share are refused.
/// </summary>
public sealed record Novelty
{
    /// <summary>Components, and training photos that are kept: some 0.5 MB, and for each thousand features as much again.</summary>
    private const int MostComponents = 128;
    internal const int MostExamples = 1000;

    /// <summary>Neighbor whose distance counts, and classes that are left out in turn to choose the measure.</summary>
    private const int Neighbor = 5, MostFolds = 5;

    /// <summary>Photos that suffice to choose by.</summary>
    private const int SampleOfChoice = 300;

    /// <summary>Of its tensors' names in a model file; a slash never stands in a network's.</summary>
    internal const string Prefix = "novelty/";

    /// <summary>The share of photos like the training photos that may be refused where nothing else is said.</summary>
    public const double DefaultRefuse = 0.02;

    private Novelty()
    {
    }

    public required NoveltyMeasure Measure { get; init; }

    /// <summary>The layer whose output, a vector, is measured; "" where it is the features that the model is given.</summary>
    public required string Layer { get; init; }

    /// <summary>Features.</summary>
    public required int Length { get; init; }

    /// <summary>
    /// The area under ROC with which each measure tells validation photos from those of classes that were left out in turn; 0.5 is chance. Of the photos of
    /// <c>_other</c>, where there are any. Empty where neither could be measured.
    /// </summary>
    public IReadOnlyDictionary<NoveltyMeasure, double> RocAuc { get; init; } = new Dictionary<NoveltyMeasure, double>();

    /// <summary>The distance whose k-th smallest counts: 1 of class means.</summary>
    internal int Rank => Measure == NoveltyMeasure.Neighbors ? Math.Min(Neighbor, Examples.Length / Components) : 1;

    /// <summary>Subtracted first, [features].</summary>
    internal float[] Center { get; init; } = [];

    /// <summary>[components, features].</summary>
    internal float[] Factors { get; init; } = [];

    /// <summary>What distances are measured to, [examples, components].</summary>
    internal float[] Examples { get; init; } = [];

    /// <summary>The distances of the validation photos, ascending.</summary>
    internal float[] Known { get; init; } = [];

    /// <summary>Photos whose distances say where a photo becomes unlike.</summary>
    public int ValidationCount => Known.Length;

    internal int Components => Factors.Length / Length;

    /// <summary>
    /// The distance from which on a photo is unlike the training photos: of photos like these, a share of at most <paramref name="refuse"/> lies beyond it, whatever their
    /// distribution (split conformal prediction). Null where there are too few validation photos to promise so little: 1 / <paramref name="refuse"/> are needed.
    /// </summary>
    /// <param name="refuse">Above 0, below 1.</param>
    public double? Cut(double refuse)
    {
        var place = (int)Math.Ceiling((1 - refuse) * (Known.Length + 1));
        return place > Known.Length ? null : Known[place - 1];
    }

    /// <summary>How far each photo is from the training photos; at least 0.</summary>
    public double[] Distances(IReadOnlyList<float[]> rows)
    {
        if (rows.Count == 0) return [];
        using var inference = no_grad();
        using var scope = NewDisposeScope();
        var x = FeatureMatrix.WithoutLabels(rows, classes: 1).Values;
        return Distances(Measure, Projected(Measure, x, tensor(Center), tensor(Factors).view(-1, Length)), tensor(Examples).view(-1, Components), Rank).ToDoubles();
    }

    /// <summary>What a model file keeps, beside its network's tensors.</summary>
    internal IEnumerable<TensorSource> Tensors =>
    [
        new(Prefix + "center", TensorType.Float32, [Center.Length], Center),
        new(Prefix + "factors", TensorType.Float32, [Components, Length], Factors),
        new(Prefix + "examples", TensorType.Float32, [Examples.Length / Components, Components], Examples),
        new(Prefix + "known", TensorType.Float32, [Known.Length], Known),
    ];

    /// <summary>What a model file says of itself.</summary>
    internal string ToJson(double refuse) => JsonSerializer.Serialize(new Record(Measure, Layer, refuse, RocAuc));

    /// <exception cref="JsonException">The record or a tensor is damaged.</exception>
    internal static (Novelty Novelty, double Refuse) Read(Checkpoint checkpoint, string json)
    {
        var record = JsonSerializer.Deserialize<Record>(json) ?? throw new JsonException("the record of novelty is empty.");
        if (record.Refuse is not (> 0 and < 1)) throw new JsonException($"expected a share to refuse between 0 and 1, found {record.Refuse}.");
        float[] Values(string name, int rank)
        {
            var entry = checkpoint.Find(Prefix + name);
            if (entry is null || entry.Shape.Count != rank || entry.ElementCount == 0) throw new JsonException($"the tensor '{Prefix}{name}' is missing or damaged.");
            var values = new float[entry.ElementCount];
            checkpoint.Read(Prefix + name, values);
            checkpoint.CheckFinite($"'{Prefix}{name}'", values);
            return values;
        }
        Novelty novelty = new()
        {
            Measure = record.Measure,
            Layer = record.Layer ?? "",
            RocAuc = record.RocAuc ?? new Dictionary<NoveltyMeasure, double>(),
            Center = Values("center", 1),
            Factors = Values("factors", 2),
            Examples = Values("examples", 2),
            Known = Values("known", 1),
            Length = (int)checkpoint.Find(Prefix + "factors")!.Shape[1],
        };
        return novelty.Center.Length == novelty.Length && checkpoint.Find(Prefix + "examples")!.Shape[1] == novelty.Components
            ? (novelty, record.Refuse)
            : throw new JsonException("the tensors of novelty do not fit each other.");
    }

    /// <inheritdoc cref="Fit"/>
    public static Novelty? Of(
        IReadOnlyList<float[]> training, IReadOnlyList<int> labels, IReadOnlyList<float[]> validation, IReadOnlyList<int> validationLabels,
        IReadOnlyList<float[]>? others = null, int seed = 1) => Fit(training, labels, validation, validationLabels, others ?? [], layer: "", seed);

    /// <summary>Chooses the measure that tells photos of classes left out in turn, or of none of the classes, better, and fits it.</summary>
    /// <param name="training">The features of training photos, some or all.</param>
    /// <param name="labels">The class of each.</param>
    /// <param name="validation">Of photos that nothing was fitted on.</param>
    /// <param name="validationLabels">The class of each.</param>
    /// <param name="others">Of photos of none of the classes; may be empty.</param>
    /// <param name="layer">See <see cref="Layer"/>.</param>
    /// <returns>Null where nothing can be said: fewer than 2 training photos, or features that do not vary.</returns>
    internal static Novelty? Fit(
        IReadOnlyList<float[]> training, IReadOnlyList<int> labels, IReadOnlyList<float[]> validation, IReadOnlyList<int> validationLabels,
        IReadOnlyList<float[]> others, string layer, int seed)
    {
        if (training.Count < 2 || validation.Count == 0) return null;
        using var inference = no_grad();
        using var scope = NewDisposeScope();
        int[] kept = Sample(labels, MostExamples, seed);
        var (x, y) = (FeatureMatrix.WithoutLabels([.. kept.Select(photo => training[photo])], 1).Values, kept.Select(photo => labels[photo]).ToArray());
        var known = FeatureMatrix.WithoutLabels(validation, 1).Values;
        var strange = others.Count == 0 ? null : FeatureMatrix.WithoutLabels(others, 1).Values;
        int[] few = Sample(y, SampleOfChoice, seed);
        var (fewRows, fewLabels) = (x.index_select(0, tensor([.. few.Select(photo => (long)photo)])), few.Select(photo => y[photo]).ToArray());
        List<Fitting> fittings = [.. Enum.GetValues<NoveltyMeasure>().Select(measure => Fitting.Of(measure, x)).OfType<Fitting>()];
        if (fittings.Count == 0) return null;
        var areas = fittings.ToDictionary(fitting => fitting.Measure, fitting => strange is null
            ? Fitting.OfLeftOutClasses(fitting.Measure, fewRows, fewLabels, known, validationLabels)
            : fitting.Area(x, y, known, strange));
        var best = fittings.MaxBy(fitting => double.IsNaN(areas[fitting.Measure]) ? 0 : areas[fitting.Measure])!;
        var (factors, examples) = best.Layers(x, y);
        return new()
        {
            Measure = best.Measure,
            Layer = layer,
            Length = training[0].Length,
            RocAuc = areas.Where(area => !double.IsNaN(area.Value)).ToDictionary(),
            Center = best.Center.ToFloats(),
            Factors = factors.ToFloats(),
            Examples = examples.ToFloats(),
            Known = [.. best.Distances(known, factors, examples).ToFloats().Order()],
        };
    }

    /// <summary>Some of the photos, ascending, in which every class has its share.</summary>
    internal static int[] Sample(IReadOnlyList<int> labels, int most, int seed) => labels.Count <= most
        ? [.. Enumerable.Range(0, labels.Count)]
        : Data.StratifiedSplit.Of(labels, (double)most / labels.Count, seed).HeldOut;

    private static Tensor Projected(NoveltyMeasure measure, Tensor x, Tensor center, Tensor factors)
    {
        using var scope = NewDisposeScope();
        if (measure == NoveltyMeasure.Neighbors) return UnitLength(x).mm(factors.t()).MoveToOuterDisposeScope();
        return (x - center).mm(factors.t()).MoveToOuterDisposeScope();
    }

    private static Tensor UnitLength(Tensor x) => x / x.norm(1, keepdim: true).clamp_min(Number(1e-12));

    /// <summary>[photos, components] and [examples, components] → [photos].</summary>
    private static Tensor Distances(NoveltyMeasure measure, Tensor z, Tensor examples, int rank)
    {
        using var scope = NewDisposeScope();
        var squares = TorchClassifiers.SquaredDistances(z.to_type(ScalarType.Float64), examples.to_type(ScalarType.Float64));
        var (smallest, _) = squares.topk(Math.Min(rank, (int)examples.shape[0]), dim: 1, largest: false);
        var square = smallest.amax([1]);
        // Of a row of length 1, what its components lack of that lies across all of them.
        if (measure == NoveltyMeasure.Neighbors) square = square.Plus(ones_like(square) - z.to_type(ScalarType.Float64).Squared().sum(1));
        return square.clamp_min(Number(0)).sqrt().to_type(ScalarType.Float32).MoveToOuterDisposeScope();
    }

    private sealed record Record(
        [property: JsonPropertyName("measure")] NoveltyMeasure Measure,
        [property: JsonPropertyName("layer")] string? Layer,
        [property: JsonPropertyName("refuse")] double Refuse,
        [property: JsonPropertyName("roc_auc")] IReadOnlyDictionary<NoveltyMeasure, double>? RocAuc);

    /// <summary>A measure, and the components of the training photos that it looks at.</summary>
    private sealed record Fitting(NoveltyMeasure Measure, Tensor Center, Tensor Components)
    {
        /// <summary>Null where the photos do not vary.</summary>
        public static Fitting? Of(NoveltyMeasure measure, Tensor x)
        {
            var center = measure == NoveltyMeasure.Neighbors ? zeros([x.shape[1]]) : x.mean([0]);
            var rows = measure == NoveltyMeasure.Neighbors ? UnitLength(x) : x - center;
            var components = Leading(rows, (int)Math.Min(MostComponents, Math.Min(rows.shape[0], rows.shape[1])));
            return components.shape[0] == 0 ? null : new(measure, center, components);
        }

        /// <summary>Factors and examples, of the photos of some or all classes.</summary>
        public (Tensor Factors, Tensor Examples) Layers(Tensor x, int[] labels)
        {
            var z = Projected(Measure, x, Center, Components);
            if (Measure == NoveltyMeasure.Neighbors) return (Components, z);
            int[] classes = [.. labels.Distinct().Order()];
            int[] own = [.. labels.Select(label => Array.IndexOf(classes, label))];
            var wide = z.to_type(ScalarType.Float64);
            var means = new FeatureMatrix(z, own, classes.Length).Means(wide);
            var residuals = wide - means.index_select(0, tensor([.. own.Select(label => (long)label)]));
            var shrinkage = LedoitWolf.Shrinkage(residuals);
            var covariance = residuals.t().mm(residuals) / Number(residuals.shape[0]);
            var length = covariance.shape[0];
            var mean = covariance.trace().Value() / length;
            if (!(mean > 0)) (shrinkage, mean) = (1, 1);
            covariance = (covariance * Number(1 - shrinkage)).Plus(eye(length, dtype: ScalarType.Float64) * Number(shrinkage * mean));
            var (values, vectors) = linalg.eigh(covariance);
            var whitening = (vectors / values.clamp_min(Number(1e-9 * mean)).sqrt()).t(); // [components, components]
            return (whitening.mm(Components.to_type(ScalarType.Float64)).to_type(ScalarType.Float32), means.mm(whitening.t()).to_type(ScalarType.Float32));
        }

        public Tensor Distances(Tensor x, Tensor factors, Tensor examples) =>
            Novelty.Distances(Measure, Projected(Measure, x, Center, factors), examples, Measure == NoveltyMeasure.Neighbors ? Neighbor : 1);

        public double Area(Tensor x, int[] labels, Tensor known, Tensor strange)
        {
            using var scope = NewDisposeScope();
            var (factors, examples) = Layers(x, labels);
            var (near, far) = (Distances(known, factors, examples).ToDoubles(), Distances(strange, factors, examples).ToDoubles());
            return RocAuc(near, far);
        }

        /// <summary>The share of pairs in which the second is larger, equal ones counting half (Mann and Whitney 1947).</summary>
        private static double RocAuc(double[] first, double[] second)
        {
            var sorted = first.Concat(second).Order().ToArray();
            // The sum of the ranks of the second, of equal values the middle of theirs.
            double Rank(double value)
            {
                var place = Array.BinarySearch(sorted, value);
                var (low, high) = (place, place);
                while (low > 0 && sorted[low - 1] == value) low--;
                while (high < sorted.Length - 1 && sorted[high + 1] == value) high++;
                return (low + high) / 2.0 + 1;
            }
            return (second.Sum(Rank) - second.Length * (second.Length + 1.0) / 2) / ((double)first.Length * second.Length);
        }

        /// <summary>The mean over classes, or groups of them, that are left out in turn.</summary>
        public static double OfLeftOutClasses(NoveltyMeasure measure, Tensor x, int[] labels, Tensor known, IReadOnlyList<int> knownLabels)
        {
            int[] classes = [.. labels.Distinct().Order()];
            if (classes.Length < 2) return double.NaN;
            var folds = Math.Min(MostFolds, classes.Length);
            List<double> areas = [];
            for (var fold = 0; fold < folds; fold++)
            {
                using var scope = NewDisposeScope();
                var without = classes.Where((_, place) => place % folds == fold).ToHashSet();
                var (kept, out1) = Split(labels, without);
                var (near, out2) = Split(knownLabels, without);
                if (kept.Length < 2 || near.Length == 0 || out1.Length + out2.Length == 0) continue;
                var strange = cat([Rows(x, out1), Rows(known, out2)], 0);
                var rest = Rows(x, kept);
                if (Of(measure, rest) is { } fitting) areas.Add(fitting.Area(rest, [.. kept.Select(photo => labels[photo])], Rows(known, near), strange));
            }
            return areas.Count == 0 ? double.NaN : areas.Average();
        }

        private static (int[] Kept, int[] LeftOut) Split(IReadOnlyList<int> labels, HashSet<int> without) => (
            [.. Enumerable.Range(0, labels.Count).Where(photo => !without.Contains(labels[photo]))],
            [.. Enumerable.Range(0, labels.Count).Where(photo => without.Contains(labels[photo]))]);

        private static Tensor Rows(Tensor x, int[] photos) => x.index_select(0, tensor([.. photos.Select(photo => (long)photo)]));
    }

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
