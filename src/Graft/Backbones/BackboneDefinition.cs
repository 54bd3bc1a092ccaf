using Graft.Checkpoints;
using Graft.Networks;

namespace Graft.Backbones;

/// <summary>Whose definition of a network it is, and so whose weights fit.</summary>
public static class BackboneSource
{
    public const string Keras = "keras";
    public const string Torchvision = "torchvision";
    public const string Timm = "timm";
    public const string Graft = "graft";
}

/// <summary>An entry of the catalogue: a network's description and its pretrained files.</summary>
public sealed record BackboneDefinition
{
    /// <summary>The field's name for the network, width in hundredths: <c>mobilenet_v1_075</c>.</summary>
    public required string Name { get; init; }

    /// <summary>One of <see cref="BackboneSource"/>; networks of one name differ between sources.</summary>
    public required string Source { get; init; }

    /// <summary>Name and source, which is always unambiguous: <c>resnet50.keras</c>.</summary>
    public string FullName => $"{Name}.{Source}";

    public required string Paper { get; init; }

    /// <summary>Describes the whole network, head included, at its usual input size.</summary>
    public required Func<Network> Build { get; init; }

    /// <summary>
    /// Describes a second head that helped in the original training: its tensors are in the published files and parameter count, and
    /// nothing in transfer or inference runs them. Null where there is none.
    /// </summary>
    public Func<Network>? Auxiliary { get; init; }

    /// <summary>
    /// What timm (github.com/huggingface/pytorch-image-models) calls the layers of this very network, where otherwise than it is
    /// described here: its files load too. Empty where timm has none, or one that computes something else.
    /// </summary>
    public IReadOnlyDictionary<string, string> TimmNames { get; init; } = new Dictionary<string, string>();

    /// <summary>How weights files of other origins name and pack the tensors: timm's names, and the <see cref="PretrainedWeights.Keys"/> of the records.</summary>
    internal IReadOnlyList<KeyMap> OtherKeys =>
    [
        .. TimmNames.Count > 0 ? [KeyMap.OfLayers(TimmNames)] : Array.Empty<KeyMap>(),
        .. Weights.Select(weights => weights.Keys).OfType<KeyMap>().Distinct(),
    ];

    /// <summary>The first layer (or block) of the classification head: what enters it are the features.</summary>
    public required string Head { get; init; }

    /// <summary>The parameter count that the source states; Keras counts batch-norm statistics, torchvision does not.</summary>
    public required long PublishedParameters { get; init; }

    /// <summary>Pretrained files, the usual one first.</summary>
    public required IReadOnlyList<PretrainedWeights> Weights { get; init; }

    /// <summary>The record of a file that has its published name, wherever it lies; else, and for no file, the usual one.</summary>
    public PretrainedWeights WeightsOf(string? file) =>
        Weights.FirstOrDefault(weights => file is not null && weights.File?.FileName == Path.GetFileName(file)) ?? Weights[0];
}
