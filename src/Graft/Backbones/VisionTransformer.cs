using Graft.Checkpoints;
using Graft.Imaging;
using Graft.Networks;
using static Graft.Networks.ActivationFunction;

namespace Graft.Backbones;

/// <summary>
/// Vision Transformer, Dosovitskiy et al. 2020, arXiv:2010.11929, table 1; torchvision's definition (torchvision/models/vision_transformer.py), whose files
/// hold queries, keys and values packed, as <c>in_proj_weight</c>; timm's files load too.
/// </summary>
public static class VisionTransformer
{
    private const double Epsilon = 1e-6;
    private const int ImageSizePixels = 224;

    /// <summary>The rows of table 1.</summary>
    private readonly record struct Size(int Depth, int Channels, int Hidden, int Heads);

    private static readonly Size Base = new(12, 768, 3072, 12), Large = new(24, 1024, 4096, 16);

    private static Network Build(string name, Size size, int patch)
    {
        var builder = new NetworkBuilder(name);
        var patches = builder.Input("input", channels: 3, ImageSizePixels).Convolution("conv_proj", size.Channels, kernel: patch, stride: patch);
        var x = patches.ClassToken("class_token").PositionEmbedding("encoder.pos_embedding", patches, grid: ImageSizePixels / patch);
        for (var block = 0; block < size.Depth; block++) x = Block(x, BlockName(block), size);
        return builder.Build(x.LayerNorm("encoder.ln", Epsilon).FirstToken("class_token_output").Dense("heads.head", 1000));
    }

    private static string BlockName(int block) => $"encoder.layers.encoder_layer_{block}";

    private static Node Block(Node input, string block, Size size)
    {
        var attended = input.LayerNorm($"{block}.ln_1", Epsilon)
            .PointwiseDense($"{block}.self_attention.in_proj", 3 * size.Channels).SelfAttention($"{block}.self_attention.heads", size.Heads)
            .PointwiseDense($"{block}.self_attention.out_proj", size.Channels).Add($"{block}.add1", input);
        return attended.LayerNorm($"{block}.ln_2", Epsilon)
            .PointwiseDense($"{block}.mlp.0", size.Hidden).Activation($"{block}.mlp.1", Gelu).PointwiseDense($"{block}.mlp.3", size.Channels)
            .Add($"{block}.add2", attended);
    }

    /// <summary>Of the published files, where the dense layers of a block have names.</summary>
    private static readonly KeyMap PublishedKeys = KeyMap.Of(
        new KeyRule("*.self_attention.in_proj.*", "*.self_attention.in_proj_*"),
        new KeyRule("*.mlp.0.*", "*.mlp.linear_1.*"),
        new KeyRule("*.mlp.3.*", "*.mlp.linear_2.*"));

    /// <summary>Of the files that torchvision saves today.</summary>
    private static Dictionary<string, string> TorchvisionNames(Size size) =>
        (from block in Enumerable.Range(0, size.Depth).Select(BlockName)
         from kind in (string[])["weight", "bias"]
         select ($"{block}.self_attention.in_proj.{kind}", $"{block}.self_attention.in_proj_{kind}")).ToDictionary();

    /// <summary>As timm/models/vision_transformer.py names them.</summary>
    private static Dictionary<string, string> TimmNames(Size size)
    {
        var names = new Dictionary<string, string>
        {
            ["conv_proj"] = "patch_embed.proj",
            ["class_token"] = "cls_token",
            ["encoder.pos_embedding"] = "pos_embed",
            ["encoder.ln"] = "norm",
            ["heads.head"] = "head",
        };
        for (var index = 0; index < size.Depth; index++)
            foreach (var (own, timm) in ((string, string)[])
                     [("ln_1", "norm1"), ("self_attention.in_proj", "attn.qkv"), ("self_attention.out_proj", "attn.proj"), ("ln_2", "norm2"), ("mlp.0", "mlp.fc1"), ("mlp.3", "mlp.fc2")])
                names.Add($"{BlockName(index)}.{own}", $"blocks.{index}.{timm}");
        return names;
    }

    public static PretrainedWeights B16ImageNetV1 => BackboneCatalog.WeightsOf("vit_b_16.torchvision/imagenet_v1");

    public static PretrainedWeights B32ImageNetV1 => BackboneCatalog.WeightsOf("vit_b_32.torchvision/imagenet_v1");

    public static PretrainedWeights L16ImageNetV1 => BackboneCatalog.WeightsOf("vit_l_16.torchvision/imagenet_v1");

    public static PretrainedWeights L32ImageNetV1 => BackboneCatalog.WeightsOf("vit_l_32.torchvision/imagenet_v1");

    internal static IEnumerable<BackboneDefinition> Variants =>
    [
        Entry("vit_b_16", Base, patch: 16, 86_567_656,
            PretrainedWeights.Torchvision("vit_b_16-c867db91.pth", 81.072, 95.318)),
        Entry("vit_b_32", Base, patch: 32, 88_224_232,
            PretrainedWeights.Torchvision("vit_b_32-d86f8d99.pth", 75.912, 92.466)),
        Entry("vit_l_16", Large, patch: 16, 304_326_632,
            PretrainedWeights.Torchvision("vit_l_16-852ce7e3.pth", 79.662, 94.638, Preprocessing.Torchvision(resize: 242))),
        Entry("vit_l_32", Large, patch: 32, 306_535_400,
            PretrainedWeights.Torchvision("vit_l_32-c7638314.pth", 76.972, 93.07)),
    ];

    private static BackboneDefinition Entry(string name, Size size, int patch, long parameters, params PretrainedWeights[] weights) =>
        BackboneDefinition.Torchvision(name, "Dosovitskiy et al. 2020, arXiv:2010.11929", () => Build(name, size, patch), parameters, weights) with
        {
            Head = "heads.head",
            OtherNames = [TorchvisionNames(size), TimmNames(size)],
            Weights = [.. weights.Select(file => file with { Keys = PublishedKeys })],
        };
}
