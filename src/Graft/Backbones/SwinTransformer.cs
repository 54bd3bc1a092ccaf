using Graft.Imaging;
using Graft.Networks;
using static Graft.Networks.ActivationFunction;

namespace Graft.Backbones;

/// <summary>
/// Swin Transformer, Liu et al. 2021, arXiv:2103.14030, section 3.3, and its second version, arXiv:2111.09883, section 3; torchvision's definitions
/// (torchvision/models/swin_transformer.py), without their stochastic depth. Every second block of a stage has its windows shifted.
/// </summary>
public static class SwinTransformer
{
    private const string Paper = "Liu et al. 2021, arXiv:2103.14030", PaperV2 = "Liu et al. 2021, arXiv:2111.09883";
    private const double Epsilon = 1e-5;
    private const int Patch = 4, Window = 7, WindowV2 = 8, OffsetUnits = 512;

    /// <summary>Of the first stage; each one after it has twice as many channels and heads.</summary>
    private readonly record struct Size(int Channels, int Heads, int[] Blocks);

    private static Network Build(string name, Size size)
    {
        var builder = new NetworkBuilder(name);
        var x = builder.Input("input", channels: 3, size: 224)
            .Convolution("features.0.0", size.Channels, kernel: Patch, stride: Patch).LayerNorm("features.0.2", Epsilon);
        for (var stage = 0; stage < size.Blocks.Length; stage++)
        {
            var (channels, heads) = (size.Channels << stage, size.Heads << stage);
            if (stage > 0)
                x = x.PatchMerging($"features.{2 * stage}.merged").LayerNorm($"features.{2 * stage}.norm", Epsilon)
                    .PointwiseDense($"features.{2 * stage}.reduction", channels, bias: false);
            for (var block = 0; block < size.Blocks[stage]; block++)
                x = Block(x, $"features.{2 * stage + 1}.{block}", channels, heads, isShifted: block % 2 == 1);
        }
        return builder.Build(x.LayerNorm("norm", Epsilon).GlobalPool("avgpool").Dense("head", 1000));
    }

    private static Node Block(Node input, string block, int channels, int heads, bool isShifted)
    {
        var normal = input.LayerNorm($"{block}.norm1", Epsilon);
        var attended = normal.WindowPadding($"{block}.attn.padded", Window).PointwiseDense($"{block}.attn.qkv", 3 * channels)
            .WindowAttention($"{block}.attn.relative_position_bias_table", normal, heads, Window, isShifted)
            .PointwiseDense($"{block}.attn.proj", channels).Add($"{block}.add1", input);
        return attended.LayerNorm($"{block}.norm2", Epsilon)
            .PointwiseDense($"{block}.mlp.0", 4 * channels).Activation($"{block}.mlp.1", Gelu).PointwiseDense($"{block}.mlp.3", channels)
            .Add($"{block}.add2", attended);
    }

    /// <summary>The second version normalizes after each branch and after merging, not before.</summary>
    private static Network BuildV2(string name, Size size)
    {
        var x = new NetworkBuilder(name).Input("input", channels: 3, size: 256)
            .Convolution("features.0.0", size.Channels, kernel: Patch, stride: Patch).LayerNorm("features.0.2", Epsilon);
        for (var stage = 0; stage < size.Blocks.Length; stage++)
        {
            var (channels, heads) = (size.Channels << stage, size.Heads << stage);
            if (stage > 0)
                x = x.PatchMerging($"features.{2 * stage}.merged").PointwiseDense($"features.{2 * stage}.reduction", channels, bias: false)
                    .LayerNorm($"features.{2 * stage}.norm", Epsilon);
            for (var block = 0; block < size.Blocks[stage]; block++)
                x = BlockV2(x, $"features.{2 * stage + 1}.{block}", channels, heads, isShifted: block % 2 == 1);
        }
        return x.Builder.Build(x.LayerNorm("norm", Epsilon).GlobalPool("avgpool").Dense("head", 1000));
    }

    private static Node BlockV2(Node input, string block, int channels, int heads, bool isShifted)
    {
        var attended = input.WindowPadding($"{block}.attn.padded", WindowV2)
            .PointwiseDense($"{block}.attn.qkv", 3 * channels, bias: false).QueryValueBias($"{block}.attn.qkv.bias").CosineHeads($"{block}.attn.logit_scale", heads)
            .WindowAttention($"{block}.attn.cpb_mlp", input, heads, WindowV2, isShifted, OffsetUnits)
            .PointwiseDense($"{block}.attn.proj", channels).LayerNorm($"{block}.norm1", Epsilon).Add($"{block}.add1", input);
        return attended
            .PointwiseDense($"{block}.mlp.0", 4 * channels).Activation($"{block}.mlp.1", Gelu).PointwiseDense($"{block}.mlp.3", channels)
            .LayerNorm($"{block}.norm2", Epsilon).Add($"{block}.add2", attended);
    }

    public static PretrainedWeights TinyImageNetV1 => BackboneCatalog.WeightsOf("swin_t.torchvision/imagenet_v1");

    public static PretrainedWeights SmallImageNetV1 => BackboneCatalog.WeightsOf("swin_s.torchvision/imagenet_v1");

    public static PretrainedWeights BaseImageNetV1 => BackboneCatalog.WeightsOf("swin_b.torchvision/imagenet_v1");

    public static PretrainedWeights V2TinyImageNetV1 => BackboneCatalog.WeightsOf("swin_v2_t.torchvision/imagenet_v1");

    public static PretrainedWeights V2SmallImageNetV1 => BackboneCatalog.WeightsOf("swin_v2_s.torchvision/imagenet_v1");

    public static PretrainedWeights V2BaseImageNetV1 => BackboneCatalog.WeightsOf("swin_v2_b.torchvision/imagenet_v1");

    internal static IEnumerable<BackboneDefinition> Variants =>
    [
        Entry("swin_t", new(96, 3, [2, 2, 6, 2]), 28_288_354, PretrainedWeights.Torchvision("swin_t-704ceda3.pth", 81.474, 95.776, Resized(232))),
        Entry("swin_s", new(96, 3, [2, 2, 18, 2]), 49_606_258, PretrainedWeights.Torchvision("swin_s-5e29d889.pth", 83.196, 96.36, Resized(246))),
        Entry("swin_b", new(128, 4, [2, 2, 18, 2]), 87_768_224, PretrainedWeights.Torchvision("swin_b-68c6b09e.pth", 83.582, 96.64, Resized(238))),
        EntryV2("swin_v2_t", new(96, 3, [2, 2, 6, 2]), 28_351_570, PretrainedWeights.Torchvision("swin_v2_t-b137f0e2.pth", 82.072, 96.132, ResizedV2(260))),
        EntryV2("swin_v2_s", new(96, 3, [2, 2, 18, 2]), 49_737_442, PretrainedWeights.Torchvision("swin_v2_s-637d8ceb.pth", 83.712, 96.816, ResizedV2(260))),
        EntryV2("swin_v2_b", new(128, 4, [2, 2, 18, 2]), 87_930_848, PretrainedWeights.Torchvision("swin_v2_b-781e5279.pth", 84.112, 96.864, ResizedV2(272))),
    ];

    private static Preprocessing Resized(int pixels) => Preprocessing.Torchvision(resize: pixels, interpolation: Interpolation.Bicubic);

    private static Preprocessing ResizedV2(int pixels) => Preprocessing.Torchvision(crop: 256, resize: pixels, Interpolation.Bicubic);

    private static BackboneDefinition EntryV2(string name, Size size, long parameters, PretrainedWeights weights) =>
        BackboneDefinition.Torchvision(name, PaperV2, () => BuildV2(name, size), parameters, weights);

    private static BackboneDefinition Entry(string name, Size size, long parameters, PretrainedWeights weights) =>
        BackboneDefinition.Torchvision(name, Paper, () => Build(name, size), parameters, weights);
}
