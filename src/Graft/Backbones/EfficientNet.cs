using Graft.Checkpoints.Store;
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

    /// <summary>As timm/models/efficientnet.py names them; its efficientnet_b0 is this network, its tf_efficientnet_b0 is not.</summary>
    private static Dictionary<string, string> TimmNames()
    {
        var names = new Dictionary<string, string>
        {
            ["features.0.0"] = "conv_stem",
            ["features.0.1"] = "bn1",
            ["features.8.0"] = "conv_head",
            ["features.8.1"] = "bn2",
            ["classifier.1"] = "classifier",
        };
        for (var stage = 0; stage < Table1.Length; stage++)
            for (var repeat = 0; repeat < Table1[stage].Repeats; repeat++)
            {
                var (block, timm) = ($"features.{stage + 1}.{repeat}.block", $"blocks.{stage}.{repeat}");
                string[] parts = Table1[stage].Expansion == 1 ? ["conv_dw", "se", "conv_pw"] : ["conv_pw", "conv_dw", "se", "conv_pwl"];
                for (var (part, norm) = (0, 1); part < parts.Length; part++)
                    if (parts[part] == "se")
                    {
                        names.Add($"{block}.{part}.fc1", $"{timm}.se.conv_reduce");
                        names.Add($"{block}.{part}.fc2", $"{timm}.se.conv_expand");
                    }
                    else
                    {
                        names.Add($"{block}.{part}.0", $"{timm}.{parts[part]}");
                        names.Add($"{block}.{part}.1", $"{timm}.bn{norm++}");
                    }
            }
        return names;
    }

    public static IEnumerable<BackboneDefinition> Variants =>
    [
        new()
        {
            Name = "efficientnet_b0",
            Source = BackboneSource.Torchvision,
            Paper = "Tan & Le 2019, arXiv:1905.11946",
            Build = Build,
            OtherNames = [TimmNames()],
            Head = "avgpool",
            PublishedParameters = 5_288_548,
            Weights =
            [
                PretrainedWeights.Torchvision(
                    "efficientnet_b0_rwightman-7f5810bc.pth", 77.692, 93.532, Preprocessing.Torchvision(interpolation: Interpolation.Bicubic)),
                PretrainedWeights.Timm(
                    "efficientnet_b0.ra_in1k", FileHash.Sha256("d569899762ea9b1384ee07f4af64805cf8caa1c55f9253ebb1080dc40e87a2cd"),
                    Preprocessing.Torchvision(interpolation: Interpolation.Bicubic), top1: 77.698),
            ],
        },
    ];
}
