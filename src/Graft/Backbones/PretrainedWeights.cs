using Graft.Checkpoints;
using Graft.Checkpoints.Store;
using Graft.Imaging;

namespace Graft.Backbones;

/// <summary>
/// A pretrained file and everything needed to use it correctly: how to feed it, what its outputs are called, and what it reached.
/// </summary>
public sealed record PretrainedWeights
{
    private const string KerasFiles = "https://storage.googleapis.com/tensorflow/keras-applications/";
    private const string MetaFiles = "https://dl.fbaipublicfiles.com/";
    private const string TorchvisionFiles = "https://download.pytorch.org/models/";

    /// <summary>What these weights are called among those of their network: <c>imagenet_v2</c> in <c>resnet50.torchvision/imagenet_v2</c>.</summary>
    public required string Tag { get; init; }

    /// <summary>The network's full name in the catalog: <c>resnet50.torchvision</c>.</summary>
    public string Network { get; internal init; } = "";

    /// <summary>The network and the tag, which <see cref="BackboneCatalog.Find"/> takes: <c>resnet50.torchvision/imagenet_v2</c>.</summary>
    public string FullName => $"{Network}/{Tag}";

    /// <summary>Where the file is published; null for one that comes with Graft.</summary>
    public PublishedFile? File { get; init; }

    /// <summary>A file that the build lays beside the application; null for published ones and the one inside Graft's assembly.</summary>
    public BundledFile? Bundled { get; init; }

    /// <summary>Whether the weights are there without a download.</summary>
    public bool IsPartOfGraft => File is null && Bundled is null or { IsPresent: true };

    /// <summary>How a photo becomes the network's input.</summary>
    public required Preprocessing Preprocessing { get; init; }

    public required string License { get; init; }

    /// <summary>How the file names, packs or splits the network's tensors; null where it does as the network's description.</summary>
    public KeyMap? Keys { get; init; }

    /// <summary>What the outputs are called, in order; null if the file has no classification head.</summary>
    public IReadOnlyList<string>? Classes { get; init; }

    /// <summary>Published accuracy on the ImageNet validation photos, in per cent.</summary>
    public double? Top1 { get; init; }

    /// <summary>Published share of ImageNet validation photos whose class is among the first five answers, in per cent.</summary>
    public double? Top5 { get; init; }

    /// <summary>A whole network of keras.io/api/applications, with the MD5 that Keras checks.</summary>
    internal static PretrainedWeights Keras(
        string path, FileHash? hash, Preprocessing preprocessing, long? bytes = null, double? top1 = null, double? top5 = null,
        string tag = "imagenet", string files = KerasFiles) => new()
        {
            Tag = tag,
            File = new() { FileName = path[(path.LastIndexOf('/') + 1)..], Url = new(files + path), Bytes = bytes, Hash = hash },
            Preprocessing = preprocessing,
            License = "Apache-2.0",
            Classes = ClassNames.ImageNet,
            Top1 = top1,
            Top5 = top5,
        };

    /// <summary>The same without the classification head.</summary>
    internal static PretrainedWeights KerasNoTop(
        string path, FileHash? hash, Preprocessing preprocessing, long? bytes = null, string tag = "imagenet_notop", string files = KerasFiles) =>
        Keras(path, hash, preprocessing, bytes, tag: tag, files: files) with { Classes = null };

    /// <summary>Weights of torchvision; the end of the file's name is the beginning of its SHA-256.</summary>
    internal static PretrainedWeights Torchvision(
        string file, double top1, double top5, Preprocessing? preprocessing = null, string tag = "imagenet_v1") => new()
        {
            Tag = tag,
            File = new()
            {
                FileName = file,
                Url = new(TorchvisionFiles + file),
                Hash = FileHash.Sha256Prefix(Path.GetFileNameWithoutExtension(file)[(Path.GetFileNameWithoutExtension(file).LastIndexOf('-') + 1)..]),
            },
            Preprocessing = preprocessing ?? Preprocessing.Torchvision(),
            License = "BSD-3-Clause",
            Classes = ClassNames.ImageNet,
            Top1 = top1,
            Top5 = top5,
        };

    /// <summary>The same where Keras publishes no hash, and ours is of a copy elsewhere.</summary>
    internal PretrainedWeights WithSecondHandHash() => this with { File = File! with { HashIsSecondHand = File.Hash is not null } };

    /// <summary>A file of Meta's research projects.</summary>
    internal static PretrainedWeights Meta(string tag, string path, FileHash? hash, Preprocessing preprocessing) => new()
    {
        Tag = tag,
        File = new() { FileName = path[(path.LastIndexOf('/') + 1)..], Url = new(MetaFiles + path), Hash = hash },
        Preprocessing = preprocessing,
        License = "Apache-2.0",
    };

    /// <summary>Weights of timm on Hugging Face, whose tag is what follows the point; the hash was seen on a copy elsewhere, or is null and not verified.</summary>
    internal static PretrainedWeights Timm(string id, FileHash? hash, Preprocessing preprocessing, double? top1 = null) => new()
    {
        Tag = id[(id.IndexOf('.', StringComparison.Ordinal) + 1)..],
        File = new()
        {
            FileName = $"{id}.safetensors",
            Url = new($"https://huggingface.co/timm/{id}/resolve/main/model.safetensors"),
            Hash = hash,
            HashIsSecondHand = hash is not null,
        },
        Preprocessing = preprocessing,
        License = "Apache-2.0",
        Classes = top1 is null ? null : ClassNames.ImageNet,
        Top1 = top1,
    };
}
