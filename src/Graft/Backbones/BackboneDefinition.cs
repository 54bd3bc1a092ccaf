using Graft.Checkpoints.Store;
using Graft.Imaging;
using Graft.Networks;

namespace Graft.Backbones;

/// <summary>Whose definition of a network it is, and so whose weights fit.</summary>
public static class BackboneSource
{
    public const string Keras = "keras";
    public const string Torchvision = "torchvision";
    public const string Graft = "graft";

    internal const string KerasFiles = "https://storage.googleapis.com/tensorflow/keras-applications/";
    internal const string TorchvisionFiles = "https://download.pytorch.org/models/";
}

/// <summary>
/// A pretrained file and everything needed to use it rightly: how to feed it, what its outputs are called, and what it reached.
/// </summary>
public sealed record PretrainedWeights
{
    /// <summary>Where the file is published; null for the one that is part of Graft itself.</summary>
    public PublishedFile? File { get; init; }

    /// <summary>How a photo becomes the network's input.</summary>
    public required Preprocessing Preprocessing { get; init; }

    public required string Licence { get; init; }

    /// <summary>What the outputs are called, in order; null if the file has no classification head.</summary>
    public IReadOnlyList<string>? Classes { get; init; }

    /// <summary>Published accuracy on the ImageNet validation photos, in per cent.</summary>
    public double? Top1 { get; init; }
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

    /// <summary>The first layer (or block) of the classification head: what enters it are the features.</summary>
    public required string Head { get; init; }

    /// <summary>The parameter count that the source states; Keras counts batch-norm statistics, torchvision does not.</summary>
    public required long PublishedParameters { get; init; }

    /// <summary>Pretrained files, the usual one first.</summary>
    public required IReadOnlyList<PretrainedWeights> Weights { get; init; }
}
