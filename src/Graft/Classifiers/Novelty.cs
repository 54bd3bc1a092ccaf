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
/// How unlike the training photos a photo is: "none of these". The features are projected on their leading principal components; what that leaves out counts as a distance
/// too, so that a photo of another kind is far from all. Where a photo becomes unlike is said by the validation photos: of photos
/// like these, no more than a given share are refused.
/// </summary>
public sealed record Novelty
{
    /// <summary>Of its tensors' names in a model file; a slash never stands in a network's.</summary>
    internal const string Prefix = "novelty/";

    /// <summary>The share of photos like the training photos that may be refused where nothing else is said.</summary>
    public const double DefaultRefuse = 0.02;

    internal Novelty()
    {
    }

    public required NoveltyMeasure Measure { get; init; }

    /// <summary>The layer whose output, a vector, is measured; "" where it is the features that the model is given.</summary>
    public required string Layer { get; init; }

    /// <summary>Features.</summary>
    public required int Length { get; init; }

    /// <summary>
    /// The area under ROC with which each measure tells validation photos from those of classes that were left out in turn or, with <see cref="Others"/>, from those; 0.5 is
    /// chance. Empty where neither could be measured.
    /// </summary>
    public IReadOnlyDictionary<NoveltyMeasure, double> RocAuc { get; init; } = new Dictionary<NoveltyMeasure, double>();

    /// <summary>Photos of none of the classes that chose the measure; 0 where left-out classes did.</summary>
    public int Others { get; init; }

    /// <summary>Of <see cref="Others"/>, the distances, ascending; empty in a model that was read from a file.</summary>
    internal float[] OtherDistances { get; init; } = [];

    /// <summary>The example whose distance counts, counted from the nearest.</summary>
    internal int Rank { get; init; } = 1;

    /// <summary>Subtracted first, [features]; zeros for <see cref="NoveltyMeasure.Neighbors"/>, whose features are scaled to length 1.</summary>
    internal float[] Center { get; init; } = [];

    /// <summary>Of length 1 and orthogonal, [components, features].</summary>
    internal float[] Factors { get; init; } = [];

    /// <summary>What makes components of variance 1 within classes, [components, components].</summary>
    internal float[] Whitening { get; init; } = [];

    /// <summary>The variance of each of the features beyond the components.</summary>
    internal double RestVariance { get; init; } = 1;

    /// <summary>What distances are measured to, [examples, components], whitened.</summary>
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

    /// <summary>
    /// The share of <see cref="Others"/> beyond <see cref="Cut"/>, which is called unlike; null without such photos or a cut, and in a model that was read from a file.
    /// </summary>
    /// <param name="refuse">Above 0, below 1.</param>
    public double? RefusedOthers(double refuse) =>
        OtherDistances.Length > 0 && Cut(refuse) is { } cut ? OtherDistances.Average(distance => distance > cut ? 1.0 : 0) : null;

    /// <summary>How far each photo is from the training photos; at least 0.</summary>
    public double[] Distances(IReadOnlyList<float[]> rows)
    {
        if (rows.Count == 0) return [];
        using var inference = no_grad();
        using var scope = NewDisposeScope();
        return new NoveltySpace(
            Measure == NoveltyMeasure.Neighbors, tensor(Center), tensor(Factors).view(-1, Length), tensor(Whitening).view(Components, Components), RestVariance,
            tensor(Examples).view(-1, Components), Rank).Distances(FeatureMatrix.WithoutLabels(rows, classes: 1).Values).ToDoubles();
    }

    /// <summary>What a model file keeps, beside its network's tensors.</summary>
    internal IEnumerable<TensorSource> Tensors =>
    [
        new(Prefix + "center", TensorType.Float32, [Center.Length], Center),
        new(Prefix + "factors", TensorType.Float32, [Components, Length], Factors),
        new(Prefix + "whitening", TensorType.Float32, [Components, Components], Whitening),
        new(Prefix + "examples", TensorType.Float32, [Examples.Length / Components, Components], Examples),
        new(Prefix + "known", TensorType.Float32, [Known.Length], Known),
    ];

    /// <summary>What a model file says of itself.</summary>
    internal string ToJson(double refuse) => JsonSerializer.Serialize(new Record(Measure, Layer, refuse, RocAuc, Others, Rank, RestVariance));

    /// <exception cref="JsonException">The record or a tensor is damaged.</exception>
    internal static (Novelty Novelty, double Refuse) Read(Checkpoint checkpoint, string json)
    {
        var record = JsonSerializer.Deserialize<Record>(json) ?? throw new JsonException("the record of novelty is empty.");
        if (record.Rank < 1 || !(record.RestVariance > 0)) throw new JsonException($"expected a rank and a variance above 0, found {record.Rank} and {record.RestVariance}.");
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
            Others = record.Others,
            Rank = record.Rank,
            RestVariance = record.RestVariance,
            RocAuc = record.RocAuc ?? new Dictionary<NoveltyMeasure, double>(),
            Center = Values("center", 1),
            Factors = Values("factors", 2),
            Whitening = Values("whitening", 2),
            Examples = Values("examples", 2),
            Known = Values("known", 1),
            Length = (int)checkpoint.Find(Prefix + "factors")!.Shape[1],
        };
        return novelty.Center.Length == novelty.Length && checkpoint.Find(Prefix + "examples")!.Shape[1] == novelty.Components
            && checkpoint.Find(Prefix + "whitening")!.Shape.All(size => size == novelty.Components) && record.Rank <= novelty.Examples.Length / novelty.Components
            ? (novelty, record.Refuse)
            : throw new JsonException("the tensors of novelty do not fit each other.");
    }

    /// <inheritdoc cref="NoveltyFit.Fit"/>
    public static Novelty? Of(
        IReadOnlyList<float[]> training, IReadOnlyList<int> labels, IReadOnlyList<float[]> validation, IReadOnlyList<int> validationLabels,
        IReadOnlyList<float[]>? others = null, int seed = 1) => NoveltyFit.Fit(training, labels, validation, validationLabels, others ?? [], layer: "", seed);

    private sealed record Record(
        [property: JsonPropertyName("measure")] NoveltyMeasure Measure,
        [property: JsonPropertyName("layer")] string? Layer,
        [property: JsonPropertyName("refuse")] double Refuse,
        [property: JsonPropertyName("roc_auc")] IReadOnlyDictionary<NoveltyMeasure, double>? RocAuc,
        [property: JsonPropertyName("others")] int Others,
        [property: JsonPropertyName("rank")] int Rank,
        [property: JsonPropertyName("rest_variance")] double RestVariance);
}

/// <summary>The space that distances of <see cref="Novelty"/> are measured in.</summary>
/// <param name="IsUnitLength">Whether features are scaled to length 1 first.</param>
/// <param name="Center">[features]</param>
/// <param name="Factors">[components, features]</param>
/// <param name="Whitening">[components, components]</param>
/// <param name="Examples">[examples, components]</param>
internal sealed record NoveltySpace(bool IsUnitLength, Tensor Center, Tensor Factors, Tensor Whitening, double RestVariance, Tensor Examples, int Rank)
{
    /// <summary>float32 [photos, features] → [photos].</summary>
    public Tensor Distances(Tensor x)
    {
        using var scope = NewDisposeScope();
        var y = Moved(x).to_type(ScalarType.Float64);
        var z = y.mm(Factors.to_type(ScalarType.Float64).t());
        var rest = (y.Squared().sum(1) - z.Squared().sum(1)).clamp_min(Number(0)) / Number(RestVariance);
        var squares = TorchClassifiers.SquaredDistances(z.mm(Whitening.to_type(ScalarType.Float64).t()), Examples.to_type(ScalarType.Float64));
        var (smallest, _) = squares.topk(Math.Min(Rank, (int)Examples.shape[0]), dim: 1, largest: false);
        return smallest.amax([1]).Plus(rest).sqrt().to_type(ScalarType.Float32).MoveToOuterDisposeScope();
    }

    private Tensor Moved(Tensor x) => IsUnitLength ? NoveltyFit.UnitLength(x) : x - Center;
}
