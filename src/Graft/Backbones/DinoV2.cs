using Graft.Checkpoints.Store;
using Graft.Imaging;
using Graft.Networks;

namespace Graft.Backbones;

/// <summary>
/// DINOv2, Oquab et al. 2023, arXiv:2304.07193, table 16, distilled without labels from 142 million photos; timm's definition, whose names are those of
/// the publisher's own files too (github.com/facebookresearch/dinov2). It has no classification head: the features are the class token after the last norm.
/// Learned at 518×518, it takes any size; the rows and columns beyond a multiple of 14 are not looked at.
/// </summary>
public static class DinoV2
{
    private const int Patch = 14, ImageSizePixels = 518;

    private static Network Build(string name, TimmTransformer size)
    {
        var features = size.Build(new NetworkBuilder(name));
        return features.Builder.Build(features.Dropout("head_drop", 0));
    }

    public static PretrainedWeights Lvd142m => BackboneCatalog.WeightsOf("vit_small_patch14_dinov2.timm/lvd142m");

    public static PretrainedWeights BaseLvd142m => BackboneCatalog.WeightsOf("vit_base_patch14_dinov2.timm/lvd142m");

    public static PretrainedWeights LargeLvd142m => BackboneCatalog.WeightsOf("vit_large_patch14_dinov2.timm/lvd142m");

    internal static IEnumerable<BackboneDefinition> Variants =>
    [
        Entry("vit_small_patch14_dinov2", 384, depth: 12, heads: 6, 22_056_192,
            PretrainedWeights.Timm(
                "vit_small_patch14_dinov2.lvd142m", FileHash.Sha256("04d27f3400d059fc0cfd7d17dd1909a75bf3ea8fb3eeb48b97cb99e57ee20081"), Whole)),
        Entry("vit_base_patch14_dinov2", 768, depth: 12, heads: 12, 86_579_712, Published("dinov2_vitb14")),
        Entry("vit_large_patch14_dinov2", 1024, depth: 24, heads: 16, 304_367_616, Published("dinov2_vitl14")),
    ];

    private static Preprocessing Whole => Preprocessing.Torchvision(ImageSizePixels, resize: ImageSizePixels, Interpolation.Bicubic);

    /// <summary>The publisher states no hash.</summary>
    private static PretrainedWeights Published(string name) => PretrainedWeights.Meta("lvd142m", $"dinov2/{name}/{name}_pretrain.pth", hash: null, Whole);

    private static BackboneDefinition Entry(string name, int channels, int depth, int heads, long parameters, PretrainedWeights weights)
    {
        var size = new TimmTransformer(channels, depth, heads, Patch, ImageSizePixels, HasLayerScale: true);
        return new()
        {
            Name = name,
            Source = BackboneSource.Timm,
            Paper = "Oquab et al. 2023, arXiv:2304.07193",
            Build = () => Build(name, size),
            Head = "head_drop",
            PublishedParameters = parameters,
            Weights = [weights],
        };
    }
}
