using Graft.Checkpoints.Store;
using Graft.Imaging;
using Graft.Networks;

namespace Graft.Backbones;

/// <summary>
/// DeiT, Touvron et al. 2020, arXiv:2012.12877, table 1, trained without a teacher (github.com/facebookresearch/deit): vision transformers with timm's names.
/// </summary>
public static class DeiT
{
    private const int ImageSizePixels = 224;

    internal static Network Build(string name, int channels, int heads)
    {
        var features = new TimmTransformer(channels, Depth: 12, heads, Patch: 16, ImageSizePixels).Build(new NetworkBuilder(name));
        return features.Builder.Build(features.Dense("head", 1000));
    }

    public static PretrainedWeights TinyImageNet => BackboneCatalog.WeightsOf("deit_tiny_patch16_224.timm/imagenet");

    public static PretrainedWeights SmallImageNet => BackboneCatalog.WeightsOf("deit_small_patch16_224.timm/imagenet");

    public static PretrainedWeights BaseImageNet => BackboneCatalog.WeightsOf("deit_base_patch16_224.timm/imagenet");

    internal static IEnumerable<BackboneDefinition> Variants =>
    [
        Entry("deit_tiny_patch16_224", 192, heads: 3, 5_717_416, "a1311bcf", 72.2, 91.1),
        Entry("deit_small_patch16_224", 384, heads: 6, 22_050_664, "cd65a155", 79.9, 95.0),
        Entry("deit_base_patch16_224", 768, heads: 12, 86_567_656, "b5f2ef4d", 81.8, 95.6),
    ];

    /// <param name="hash">The beginning of the file's SHA-256, which is the end of its name.</param>
    private static BackboneDefinition Entry(string name, int channels, int heads, long parameters, string hash, double top1, double top5) => new()
    {
        Name = name,
        Source = BackboneSource.Timm,
        Paper = "Touvron et al. 2020, arXiv:2012.12877",
        Build = () => Build(name, channels, heads),
        Head = "head",
        PublishedParameters = parameters,
        Weights = [PretrainedWeights.Meta(
            "imagenet", $"deit/{name}-{hash}.pth", FileHash.Sha256Prefix(hash), Preprocessing.Torchvision(interpolation: Interpolation.Bicubic)) with
        {
            Classes = ClassNames.ImageNet,
            Top1 = top1,
            Top5 = top5,
        }],
    };
}
