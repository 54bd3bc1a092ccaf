using Graft.Checkpoints;
using Graft.Checkpoints.Store;
using Graft.Networks;

namespace Graft.Backbones;

/// <summary>Whose definition of a network it is, and so whose weights fit.</summary>
public static class BackboneSource
{
    public const string Keras = "keras";
    public const string Torchvision = "torchvision";
    public const string Timm = "timm";
    public const string Cntk = "cntk";
    public const string OpenAI = "openai";
    public const string Graft = "graft";
}

/// <summary>An entry of the catalog: a network's description and its pretrained files.</summary>
public sealed record BackboneDefinition
{
    /// <summary>The field's name for the network, width in hundredths: <c>mobilenet_v1_075</c>.</summary>
    public required string Name { get; init; }

    /// <summary>One of <see cref="BackboneSource"/>; networks of one name differ between sources.</summary>
    public required string Source { get; init; }

    /// <summary>The weights that were asked for; null for the usual ones.</summary>
    public string? Tag { get; private init; }

    /// <summary>Name and source, which is always unambiguous: <c>resnet50.keras</c>; with the tag of the weights where they were asked for.</summary>
    public string FullName => Tag is null ? $"{Name}.{Source}" : $"{Name}.{Source}/{Tag}";

    public required string Paper { get; init; }

    /// <summary>Networks of one kind stand together: <c>ResNet</c>.</summary>
    public string Family { get; internal init; } = "";

    /// <summary>Describes the whole network, head included, at its usual input size.</summary>
    public required Func<Network> Build { get; init; }

    /// <summary>
    /// Describes a second head that helped in the original training: its tensors are in the published files and parameter count, and
    /// nothing in transfer or inference runs them. Null where there is none.
    /// </summary>
    public Func<Network>? Auxiliary { get; init; }

    /// <summary>
    /// What files of other origins call the layers of this very network, or single tensors by their keys, where otherwise than it is
    /// described here: they load too. A map for each origin; timm's (github.com/huggingface/pytorch-image-models) where it has the network.
    /// </summary>
    public IReadOnlyList<IReadOnlyDictionary<string, string>> OtherNames { get; init; } = [];

    /// <summary>The same where files of other origins pack or split tensors too, and no record has them.</summary>
    internal IReadOnlyList<KeyMap> OtherLayouts { get; init; } = [];

    /// <summary>
    /// How weights files of other origins name and pack the tensors: <see cref="OtherNames"/>, <see cref="OtherLayouts"/>, and the
    /// <see cref="PretrainedWeights.Keys"/> of the records.
    /// </summary>
    internal IReadOnlyList<KeyMap> OtherKeys =>
    [
        .. OtherNames.Select(KeyMap.OfNames), .. OtherLayouts,
        .. Weights.Select(weights => weights.Keys).OfType<KeyMap>().Distinct(),
    ];

    /// <summary>The first layer (or block) of the classification head: what enters it are the features.</summary>
    public required string Head { get; init; }

    /// <summary>The parameter count that the source states; Keras counts batch-norm statistics, torchvision does not.</summary>
    public required long PublishedParameters { get; init; }

    /// <summary>Pretrained files, the usual one first.</summary>
    public required IReadOnlyList<PretrainedWeights> Weights { get; init; }

    /// <summary>An entry with torchvision's definition, whose heads begin with 'avgpool' unless said otherwise.</summary>
    internal static BackboneDefinition Torchvision(
        string name, string paper, Func<Network> build, long parameters, params PretrainedWeights[] weights) => new()
        {
            Name = name,
            Source = BackboneSource.Torchvision,
            Paper = paper,
            Build = build,
            Head = "avgpool",
            PublishedParameters = parameters,
            Weights = weights,
        };

    /// <summary>The record of a file that has its published name, wherever it lies; else, and for no file, the usual one.</summary>
    public PretrainedWeights WeightsOf(string? file) =>
        Weights.FirstOrDefault(weights => file is not null && weights.File?.FileName == Path.GetFileName(file)) ?? Weights[0];

    /// <summary>The file of the usual weights, downloaded and verified where the store does not have it yet; null of weights that are part of Graft.</summary>
    /// <exception cref="GraftException">It cannot be downloaded or kept; the message says how to supply it.</exception>
    internal async Task<string?> FetchWeightsAsync(WeightStore? store, IProgress<DownloadProgress>? progress, CancellationToken cancellation) =>
        Weights[0].File is { } file ? await (store ?? WeightStore.Default).PullAsync(file, progress, cancellation).ConfigureAwait(false) : null;

    /// <summary>The same network with the weights of this tag as the usual ones.</summary>
    /// <exception cref="GraftException">There are none; the message lists the tags.</exception>
    public BackboneDefinition Tagged(string tag)
    {
        var wanted = Weights.FirstOrDefault(weights => weights.Tag == tag)
                     ?? throw new GraftException(
                         $"{FullName} has no weights '{tag}'. It has {string.Join(", ", Weights.Select(weights => weights.Tag))}.");
        return this with { Tag = tag, Weights = [wanted, .. Weights.Where(weights => weights != wanted)] };
    }
}
