using Graft.Checkpoints.Store;
using Graft.Imaging;
using Graft.Networks;
using static Graft.Networks.ActivationFunction;

namespace Graft.Backbones;

/// <summary>
/// DINOv2's ViT-S/14, Oquab et al. 2023, arXiv:2304.07193, distilled without labels from 142 million photos; timm's definition
/// (timm/models/vision_transformer.py). It has no classification head: the features are the class token after the last norm.
/// Learned at 518×518, it takes any size; the rows and columns beyond a multiple of 14 are not looked at.
/// </summary>
public static class DinoV2
{
    private const double Epsilon = 1e-6;
    private const int Patch = 14, Channels = 384, Depth = 12, Heads = 6, ImageSizePixels = 518;

    internal static Network Build()
    {
        var builder = new NetworkBuilder("vit_small_patch14_dinov2");
        var patches = builder.Input("input", channels: 3, ImageSizePixels).Convolution("patch_embed.proj", Channels, kernel: Patch, stride: Patch);
        var x = patches.ClassToken("cls_token").PositionEmbedding("pos_embed", patches, grid: ImageSizePixels / Patch);
        for (var block = 0; block < Depth; block++) x = Block(x, $"blocks.{block}");
        return builder.Build(x.LayerNorm("norm", Epsilon).FirstToken("pool").Dropout("head_drop", 0));
    }

    private static Node Block(Node input, string block)
    {
        var attended = input
            .LayerNorm($"{block}.norm1", Epsilon).PointwiseDense($"{block}.attn.qkv", 3 * Channels)
            .SelfAttention($"{block}.attn.heads", Heads).PointwiseDense($"{block}.attn.proj", Channels)
            .LayerScale($"{block}.ls1.gamma").Add($"{block}.add1", input);
        return attended
            .LayerNorm($"{block}.norm2", Epsilon).PointwiseDense($"{block}.mlp.fc1", 4 * Channels).Activation($"{block}.mlp.act", Gelu)
            .PointwiseDense($"{block}.mlp.fc2", Channels)
            .LayerScale($"{block}.ls2.gamma").Add($"{block}.add2", attended);
    }

    public static PretrainedWeights Lvd142m => BackboneCatalog.WeightsOf("vit_small_patch14_dinov2.timm/lvd142m");

    internal static IEnumerable<BackboneDefinition> Variants =>
    [
        new()
        {
            Name = "vit_small_patch14_dinov2",
            Source = BackboneSource.Timm,
            Paper = "Oquab et al. 2023, arXiv:2304.07193",
            Build = Build,
            Head = "head_drop",
            PublishedParameters = 22_056_192,
            Weights =
            [
                PretrainedWeights.Timm(
                    "vit_small_patch14_dinov2.lvd142m", FileHash.Sha256("04d27f3400d059fc0cfd7d17dd1909a75bf3ea8fb3eeb48b97cb99e57ee20081"),
                    Preprocessing.Torchvision(ImageSizePixels, resize: ImageSizePixels, Interpolation.Bicubic)),
            ],
        },
    ];
}
