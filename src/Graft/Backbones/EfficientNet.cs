using Graft.Imaging;
using Graft.Networks;
using static Graft.Networks.ActivationFunction;

namespace Graft.Backbones;

/// <summary>
/// EfficientNet-B0, Tan &amp; Le 2019, arXiv:1905.11946, table 1; torchvision's definition (torchvision/models/efficientnet.py),
/// without its stochastic depth.
/// </summary>
internal static class EfficientNet
{
    /// <summary>Expansion, kernel, first stride, channels and repeats of each stage of MBConv blocks.</summary>
    private static readonly (int Expansion, int Kernel, int Stride, int Channels, int Repeats)[] Table1 =
    [
        (1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1),
    ];

    public static Network Build()
    {
        var builder = new NetworkBuilder("efficientnet_b0");
        var channels = 32;
        var x = builder.Input("input", channels: 3, size: 224).ConvNormActivation("features.0", channels, kernel: 3, Silu, stride: 2);
        for (var stage = 0; stage < Table1.Length; stage++)
        {
            var (expansion, kernel, firstStride, filters, repeats) = Table1[stage];
            for (var repeat = 0; repeat < repeats; repeat++)
            {
                x = MobileConv(x, $"features.{stage + 1}.{repeat}", channels, filters, expansion, kernel, repeat == 0 ? firstStride : 1);
                channels = filters;
            }
        }
        return builder.Build(x
            .ConvNormActivation("features.8", 4 * channels, kernel: 1, Silu)
            .GlobalPool("avgpool").Dropout("classifier.0", 0.2).Dense("classifier.1", 1000));
    }

    private static Node MobileConv(Node input, string block, int channels, int filters, int expansion, int kernel, int stride)
    {
        var (x, hidden, part) = (input, channels * expansion, 0);
        if (expansion != 1) x = x.ConvNormActivation($"{block}.block.{part++}", hidden, kernel: 1, Silu);
        x = x.DepthwiseNormActivation($"{block}.block.{part++}", hidden, kernel, Silu, stride)
            .SqueezeExcitation($"{block}.block.{part++}", hidden, squeezed: channels / 4, Silu, gate: Sigmoid)
            .ConvNormActivation($"{block}.block.{part}", filters, kernel: 1, activation: null);
        return stride == 1 && channels == filters ? x.Add($"{block}.add", input) : x;
    }

    public static IEnumerable<BackboneDefinition> Variants =>
    [
        new()
        {
            Name = "efficientnet_b0",
            Source = BackboneSource.Torchvision,
            Paper = "Tan & Le 2019, arXiv:1905.11946",
            Build = Build,
            Head = "avgpool",
            PublishedParameters = 5_288_548,
            Weights =
            [
                PretrainedWeights.Torchvision(
                    "efficientnet_b0_rwightman-7f5810bc.pth", 77.692, 93.532, Preprocessing.Torchvision(interpolation: Interpolation.Bicubic)),
            ],
        },
    ];
}
