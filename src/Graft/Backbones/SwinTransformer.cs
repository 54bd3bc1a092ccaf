using Graft.Imaging;
using Graft.Networks;
using static Graft.Networks.ActivationFunction;

namespace Graft.Backbones;

/// <summary>
/// Swin Transformer, Liu et al. 2021, arXiv:2103.14030, section 3.3; torchvision's definition (torchvision/models/swin_transformer.py), without its
/// stochastic depth. Every second block of a stage has its windows shifted.
/// </summary>
public static class SwinTransformer
{
    private const string Paper = "Liu et al. 2021, arXiv:2103.14030";
    private const double Epsilon = 1e-5;
    private const int Patch = 4, Window = 7;

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

    public static PretrainedWeights TinyImageNetV1 => BackboneCatalog.WeightsOf("swin_t.torchvision/imagenet_v1");

    public static PretrainedWeights SmallImageNetV1 => BackboneCatalog.WeightsOf("swin_s.torchvision/imagenet_v1");

    public static PretrainedWeights BaseImageNetV1 => BackboneCatalog.WeightsOf("swin_b.torchvision/imagenet_v1");

    internal static IEnumerable<BackboneDefinition> Variants =>
    [
        Entry("swin_t", new(96, 3, [2, 2, 6, 2]), 28_288_354, PretrainedWeights.Torchvision("swin_t-704ceda3.pth", 81.474, 95.776, Resized(232))),
        Entry("swin_s", new(96, 3, [2, 2, 18, 2]), 49_606_258, PretrainedWeights.Torchvision("swin_s-5e29d889.pth", 83.196, 96.36, Resized(246))),
        Entry("swin_b", new(128, 4, [2, 2, 18, 2]), 87_768_224, PretrainedWeights.Torchvision("swin_b-68c6b09e.pth", 83.582, 96.64, Resized(238))),
    ];

    private static Preprocessing Resized(int pixels) => Preprocessing.Torchvision(resize: pixels, interpolation: Interpolation.Bicubic);

    private static BackboneDefinition Entry(string name, Size size, long parameters, PretrainedWeights weights) =>
        BackboneDefinition.Torchvision(name, Paper, () => Build(name, size), parameters, weights);
}
