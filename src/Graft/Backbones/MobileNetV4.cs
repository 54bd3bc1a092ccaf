using Graft.Imaging;
using Graft.Networks;

namespace Graft.Backbones;

/// <summary>
/// MobileNetV4, Qin et al. 2024, arXiv:2404.10518, tables 11 to 13, the variants of convolutions alone; timm's definition (timm/models/mobilenetv3.py,
/// _efficientnet_blocks.py), without its stochastic depth. timm is not to be had where Graft's references are made: parity is with the tables written out in PyTorch.
/// </summary>
public static class MobileNetV4
{
    private const double Epsilon = 1e-5;

    /// <summary>A block, or several of one kind, of which the first has the stride.</summary>
    private abstract record Row(int Channels, int Stride, int Repeats);

    private sealed record Conv(int Kernel, int Channels, int Stride = 1) : Row(Channels, Stride, 1);

    /// <summary>One convolution expands and filters, a second projects.</summary>
    private sealed record Fused(int Expansion, int Channels, int Stride) : Row(Channels, Stride, 1);

    /// <summary>The universal inverted bottleneck: depthwise convolutions before and after the expansion, each of which may be missing.</summary>
    /// <param name="Start">Kernel of the first; 0 for none.</param>
    /// <param name="Middle">Kernel of the second; 0 for none.</param>
    private sealed record Uib(int Start, int Middle, int Expansion, int Channels, int Stride = 1, int Repeats = 1) : Row(Channels, Stride, Repeats);

    private static readonly Row[][] Small =
    [
        [new Conv(3, 32, Stride: 2), new Conv(1, 32)],
        [new Conv(3, 96, Stride: 2), new Conv(1, 64)],
        [new Uib(5, 5, 3, 96, Stride: 2), new Uib(0, 3, 2, 96, Repeats: 4), new Uib(3, 0, 4, 96)],
        [new Uib(3, 3, 6, 128, Stride: 2), new Uib(5, 5, 4, 128), new Uib(0, 5, 4, 128), new Uib(0, 5, 3, 128), new Uib(0, 3, 4, 128, Repeats: 2)],
        [new Conv(1, 960)],
    ];

    private static readonly Row[][] Medium =
    [
        [new Fused(4, 48, Stride: 2)],
        [new Uib(3, 5, 4, 80, Stride: 2), new Uib(3, 3, 2, 80)],
        [
            new Uib(3, 5, 6, 160, Stride: 2), new Uib(3, 3, 4, 160, Repeats: 2), new Uib(3, 5, 4, 160), new Uib(3, 3, 4, 160), new Uib(3, 0, 4, 160),
            new Uib(0, 0, 2, 160), new Uib(3, 0, 4, 160),
        ],
        [
            new Uib(5, 5, 6, 256, Stride: 2), new Uib(5, 5, 4, 256), new Uib(3, 5, 4, 256, Repeats: 2), new Uib(0, 0, 4, 256), new Uib(3, 0, 4, 256),
            new Uib(3, 5, 2, 256), new Uib(5, 5, 4, 256), new Uib(0, 0, 4, 256, Repeats: 2), new Uib(5, 0, 2, 256),
        ],
        [new Conv(1, 960)],
    ];

    private static readonly Row[][] Large =
    [
        [new Fused(4, 48, Stride: 2)],
        [new Uib(3, 5, 4, 96, Stride: 2), new Uib(3, 3, 4, 96)],
        [new Uib(3, 5, 4, 192, Stride: 2), new Uib(3, 3, 4, 192, Repeats: 3), new Uib(3, 5, 4, 192), new Uib(5, 3, 4, 192, Repeats: 5), new Uib(3, 0, 4, 192)],
        [
            new Uib(5, 5, 4, 512, Stride: 2, Repeats: 4), new Uib(5, 0, 4, 512), new Uib(5, 3, 4, 512), new Uib(5, 0, 4, 512, Repeats: 2),
            new Uib(5, 3, 4, 512), new Uib(5, 5, 4, 512), new Uib(5, 0, 4, 512, Repeats: 3),
        ],
        [new Conv(1, 960)],
    ];

    private static Network Build(string name, int stem, Row[][] stages, int imageSizePixels)
    {
        var channels = stem;
        var x = new NetworkBuilder(name).Input("input", channels: 3, imageSizePixels).ConvNorm("conv_stem", "bn1", channels, kernel: 3, stride: 2).Relu("act1");
        foreach (var (stage, rows) in stages.Index())
        {
            var block = 0;
            foreach (var row in rows)
                for (var repeat = 0; repeat < row.Repeats; repeat++, channels = row.Channels)
                    x = Block(x, $"blocks.{stage}.{block++}", channels, repeat == 0 ? row : row with { Stride = 1 });
        }
        return x.Builder.Build(x
            .AdaptiveAveragePool("global_pool", 1).ConvNorm("conv_head", "norm_head", 1280, kernel: 1).Relu("act2").Flatten("flatten").Dense("classifier", 1000));
    }

    private static Node Block(Node input, string block, int channels, Row row)
    {
        var x = input;
        switch (row)
        {
            case Conv conv:
                return x.ConvNorm($"{block}.conv", $"{block}.bn1", conv.Channels, conv.Kernel, conv.Stride).Relu($"{block}.act");
            case Fused fused:
                x = x.ConvNorm($"{block}.conv_exp", $"{block}.bn1", fused.Expansion * channels, kernel: 3, fused.Stride).Relu($"{block}.act")
                    .ConvNorm($"{block}.conv_pwl", $"{block}.bn2", fused.Channels, kernel: 1);
                break;
            case Uib uib:
                var hidden = uib.Expansion * channels;
                if (uib.Start > 0) x = x.Depthwise($"{block}.dw_start", channels, uib.Start, uib.Middle > 0 ? 1 : uib.Stride);
                x = x.ConvNorm($"{block}.pw_exp.conv", $"{block}.pw_exp.bn", hidden, kernel: 1).Relu($"{block}.pw_exp.act");
                if (uib.Middle > 0) x = x.Depthwise($"{block}.dw_mid", hidden, uib.Middle, uib.Stride).Relu($"{block}.dw_mid.act");
                x = x.ConvNorm($"{block}.pw_proj.conv", $"{block}.pw_proj.bn", uib.Channels, kernel: 1);
                break;
        }
        return row.Stride == 1 && channels == row.Channels ? x.Add($"{block}.add", input) : x;
    }

    private static Node ConvNorm(this Node x, string layer, string norm, int filters, int kernel, int stride = 1) =>
        x.Convolution(layer, filters, kernel, stride, padding: kernel / 2, bias: false).BatchNorm(norm, Epsilon);

    private static Node Depthwise(this Node x, string block, int channels, int kernel, int stride) =>
        x.DepthwiseConvolution($"{block}.conv", channels, kernel, stride, padding: kernel / 2, bias: false).BatchNorm($"{block}.bn", Epsilon);

    public static PretrainedWeights SmallE2400R224In1k => BackboneCatalog.WeightsOf("mobilenetv4_conv_small.timm/e2400_r224_in1k");

    public static PretrainedWeights MediumE500R256In1k => BackboneCatalog.WeightsOf("mobilenetv4_conv_medium.timm/e500_r256_in1k");

    public static PretrainedWeights LargeE500R256In1k => BackboneCatalog.WeightsOf("mobilenetv4_conv_large.timm/e500_r256_in1k");

    internal static IEnumerable<BackboneDefinition> Variants =>
    [
        Entry("mobilenetv4_conv_small", stem: 32, Small, 3_774_024, "e2400_r224_in1k", 224, resize: 256),
        Entry("mobilenetv4_conv_medium", stem: 32, Medium, 9_715_512, "e500_r256_in1k", 256, resize: 269),
        Entry("mobilenetv4_conv_large", stem: 24, Large, 32_590_864, "e500_r256_in1k", 256, resize: 269),
    ];

    /// <param name="parameters">timm publishes it in millions, to two places: 3.77, 9.72 and 32.59.</param>
    private static BackboneDefinition Entry(string name, int stem, Row[][] stages, long parameters, string tag, int imageSizePixels, int resize) => new()
    {
        Name = name,
        Source = BackboneSource.Timm,
        Paper = "Qin et al. 2024, arXiv:2404.10518",
        Build = () => Build(name, stem, stages, imageSizePixels),
        Head = "global_pool",
        PublishedParameters = parameters,
        // No hash is published, and none is known: what is downloaded is not verified.
        Weights = [PretrainedWeights.Timm($"{name}.{tag}", hash: null, Preprocessing.Torchvision(imageSizePixels, resize, Interpolation.Bicubic)) with { Classes = ClassNames.ImageNet }],
    };
}
