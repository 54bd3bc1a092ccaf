using Graft.Checkpoints.Store;
using Graft.Imaging;
using Graft.Networks;
using static Graft.Backbones.Blocks;
using static Graft.Networks.ActivationFunction;

namespace Graft.Backbones;

/// <summary>
/// EfficientNet, Tan &amp; Le 2019, arXiv:1905.11946, table 1, scaled in width and depth, and EfficientNetV2, 2021, arXiv:2104.00298, table 4;
/// torchvision's definition (torchvision/models/efficientnet.py), without its stochastic depth.
/// </summary>
public static class EfficientNet
{
    internal const string Paper = "Tan & Le 2019, arXiv:1905.11946", PaperV2 = "Tan & Le 2021, arXiv:2104.00298";

    private static readonly BatchNorm Norm = new(1e-5), TensorFlowNorm = new(1e-3, Momentum: 0.01), V2Norm = new(1e-3);

    /// <summary>Blocks of one width.</summary>
    /// <param name="Fused">Whether one convolution expands and filters, with no squeeze-and-excitation.</param>
    internal readonly record struct Stage(int Expansion, int Kernel, int Stride, int Channels, int Repeats, bool Fused = false);

    private static readonly Stage[] V1 =
    [
        new(1, 3, 1, 16, 1), new(6, 3, 2, 24, 2), new(6, 5, 2, 40, 2), new(6, 3, 2, 80, 3), new(6, 5, 1, 112, 3), new(6, 5, 2, 192, 4), new(6, 3, 1, 320, 1),
    ];

    internal static readonly Stage[] V2S =
    [
        new(1, 3, 1, 24, 2, Fused: true), new(4, 3, 2, 48, 4, Fused: true), new(4, 3, 2, 64, 4, Fused: true),
        new(4, 3, 2, 128, 6), new(6, 3, 1, 160, 9), new(6, 3, 2, 256, 15),
    ];

    internal static readonly Stage[] V2M =
    [
        new(1, 3, 1, 24, 3, Fused: true), new(4, 3, 2, 48, 5, Fused: true), new(4, 3, 2, 80, 5, Fused: true),
        new(4, 3, 2, 160, 7), new(6, 3, 1, 176, 14), new(6, 3, 2, 304, 18), new(6, 3, 1, 512, 5),
    ];

    internal static readonly Stage[] V2L =
    [
        new(1, 3, 1, 32, 4, Fused: true), new(4, 3, 2, 64, 7, Fused: true), new(4, 3, 2, 96, 7, Fused: true),
        new(4, 3, 2, 192, 10), new(6, 3, 1, 224, 19), new(6, 3, 2, 384, 25), new(6, 3, 1, 640, 7),
    ];

    internal static (Stage[] Stages, int Stem, int Last) Scaled(double width, double depth)
    {
        Stage[] stages = [.. V1.Select(stage => stage with
        {
            Channels = MakeDivisible(stage.Channels * width), Repeats = (int)Math.Ceiling(stage.Repeats * depth),
        })];
        return (stages, MakeDivisible(32 * width), 4 * stages[^1].Channels);
    }

    private static Network Build(string name, (Stage[] Stages, int Stem, int Last) table, int imageSizePixels, double dropout, BatchNorm norm)
    {
        var builder = new NetworkBuilder(name);
        var channels = table.Stem;
        var x = builder.Input("input", channels: 3, imageSizePixels).ConvNormActivation("features.0", channels, kernel: 3, Silu, stride: 2, norm);
        for (var index = 0; index < table.Stages.Length; index++)
        {
            var stage = table.Stages[index];
            for (var repeat = 0; repeat < stage.Repeats; repeat++)
            {
                x = Block(x, $"features.{index + 1}.{repeat}", channels, repeat == 0 ? stage : stage with { Stride = 1 }, norm);
                channels = stage.Channels;
            }
        }
        return builder.Build(x
            .ConvNormActivation($"features.{table.Stages.Length + 1}", table.Last, kernel: 1, Silu, norm: norm)
            .GlobalPool("avgpool").Dropout("classifier.0", dropout).Dense("classifier.1", 1000));
    }

    private static Node Block(Node input, string block, int channels, Stage stage, BatchNorm norm)
    {
        var (x, hidden, part) = (input, channels * stage.Expansion, 0);
        if (stage.Fused)
        {
            x = stage.Expansion == 1
                ? x.ConvNormActivation($"{block}.block.0", stage.Channels, stage.Kernel, Silu, stage.Stride, norm)
                : x.ConvNormActivation($"{block}.block.0", hidden, stage.Kernel, Silu, stage.Stride, norm)
                    .ConvNormActivation($"{block}.block.1", stage.Channels, kernel: 1, activation: null, norm: norm);
        }
        else
        {
            if (stage.Expansion != 1) x = x.ConvNormActivation($"{block}.block.{part++}", hidden, kernel: 1, Silu, norm: norm);
            x = x.DepthwiseNormActivation($"{block}.block.{part++}", hidden, stage.Kernel, Silu, stage.Stride, norm)
                .SqueezeExcitation($"{block}.block.{part++}", hidden, squeezed: channels / 4, Silu, gate: Sigmoid)
                .ConvNormActivation($"{block}.block.{part}", stage.Channels, kernel: 1, activation: null, norm: norm);
        }
        return stage.Stride == 1 && channels == stage.Channels ? x.Add($"{block}.add", input) : x;
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
        for (var stage = 0; stage < V1.Length; stage++)
            for (var repeat = 0; repeat < V1[stage].Repeats; repeat++)
            {
                var (block, timm) = ($"features.{stage + 1}.{repeat}.block", $"blocks.{stage}.{repeat}");
                string[] parts = V1[stage].Expansion == 1 ? ["conv_dw", "se", "conv_pw"] : ["conv_pw", "conv_dw", "se", "conv_pwl"];
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

    public static PretrainedWeights B0ImageNetV1 => BackboneCatalog.WeightsOf("efficientnet_b0.torchvision/imagenet_v1");

    public static PretrainedWeights B1ImageNetV1 => BackboneCatalog.WeightsOf("efficientnet_b1.torchvision/imagenet_v1");

    public static PretrainedWeights B1ImageNetV2 => BackboneCatalog.WeightsOf("efficientnet_b1.torchvision/imagenet_v2");

    public static PretrainedWeights B2ImageNetV1 => BackboneCatalog.WeightsOf("efficientnet_b2.torchvision/imagenet_v1");

    public static PretrainedWeights B3ImageNetV1 => BackboneCatalog.WeightsOf("efficientnet_b3.torchvision/imagenet_v1");

    public static PretrainedWeights B4ImageNetV1 => BackboneCatalog.WeightsOf("efficientnet_b4.torchvision/imagenet_v1");

    public static PretrainedWeights B5ImageNetV1 => BackboneCatalog.WeightsOf("efficientnet_b5.torchvision/imagenet_v1");

    public static PretrainedWeights B6ImageNetV1 => BackboneCatalog.WeightsOf("efficientnet_b6.torchvision/imagenet_v1");

    public static PretrainedWeights B7ImageNetV1 => BackboneCatalog.WeightsOf("efficientnet_b7.torchvision/imagenet_v1");

    public static PretrainedWeights B0RaIn1k => BackboneCatalog.WeightsOf("efficientnet_b0.torchvision/ra_in1k");

    public static PretrainedWeights V2SImageNetV1 => BackboneCatalog.WeightsOf("efficientnet_v2_s.torchvision/imagenet_v1");

    public static PretrainedWeights V2MImageNetV1 => BackboneCatalog.WeightsOf("efficientnet_v2_m.torchvision/imagenet_v1");

    public static PretrainedWeights V2LImageNetV1 => BackboneCatalog.WeightsOf("efficientnet_v2_l.torchvision/imagenet_v1");

    internal static IEnumerable<BackboneDefinition> Variants =>
    [
        Entry("efficientnet_b0", Scaled(1.0, 1.0), 224, 0.2, Norm, 5_288_548,
            PretrainedWeights.Torchvision("efficientnet_b0_rwightman-7f5810bc.pth", 77.692, 93.532, Preprocessing.Torchvision(interpolation: Interpolation.Bicubic)),
            PretrainedWeights.Timm(
                "efficientnet_b0.ra_in1k", FileHash.Sha256("d569899762ea9b1384ee07f4af64805cf8caa1c55f9253ebb1080dc40e87a2cd"),
                Preprocessing.Torchvision(interpolation: Interpolation.Bicubic), top1: 77.698)) with { OtherNames = [TimmNames()] },
        Entry("efficientnet_b1", Scaled(1.0, 1.1), 240, 0.2, Norm, 7_794_184,
            PretrainedWeights.Torchvision("efficientnet_b1_rwightman-bac287d4.pth", 78.642, 94.186, Preprocessing.Torchvision(240, 256, Interpolation.Bicubic)),
            PretrainedWeights.Torchvision("efficientnet_b1-c27df63c.pth", 79.838, 94.934, Preprocessing.Torchvision(240, 255), "imagenet_v2")),
        Entry("efficientnet_b2", Scaled(1.1, 1.2), 288, 0.3, Norm, 9_109_994,
            PretrainedWeights.Torchvision("efficientnet_b2_rwightman-c35c1473.pth", 80.608, 95.31, Preprocessing.Torchvision(288, 288, Interpolation.Bicubic))),
        Entry("efficientnet_b3", Scaled(1.2, 1.4), 300, 0.3, Norm, 12_233_232,
            PretrainedWeights.Torchvision("efficientnet_b3_rwightman-b3899882.pth", 82.008, 96.054, Preprocessing.Torchvision(300, 320, Interpolation.Bicubic))),
        Entry("efficientnet_b4", Scaled(1.4, 1.8), 380, 0.4, Norm, 19_341_616,
            PretrainedWeights.Torchvision("efficientnet_b4_rwightman-23ab8bcd.pth", 83.384, 96.594, Preprocessing.Torchvision(380, 384, Interpolation.Bicubic))),
        Entry("efficientnet_b5", Scaled(1.6, 2.2), 456, 0.4, TensorFlowNorm, 30_389_784,
            PretrainedWeights.Torchvision("efficientnet_b5_lukemelas-1a07897c.pth", 83.444, 96.628, Preprocessing.Torchvision(456, 456, Interpolation.Bicubic))),
        Entry("efficientnet_b6", Scaled(1.8, 2.6), 528, 0.5, TensorFlowNorm, 43_040_704,
            PretrainedWeights.Torchvision("efficientnet_b6_lukemelas-24a108a5.pth", 84.008, 96.916, Preprocessing.Torchvision(528, 528, Interpolation.Bicubic))),
        Entry("efficientnet_b7", Scaled(2.0, 3.1), 600, 0.5, TensorFlowNorm, 66_347_960,
            PretrainedWeights.Torchvision("efficientnet_b7_lukemelas-c5b4e57e.pth", 84.122, 96.908, Preprocessing.Torchvision(600, 600, Interpolation.Bicubic))),
        Entry("efficientnet_v2_s", V2S, 384, 0.2, V2Norm, 21_458_488,
            PretrainedWeights.Torchvision("efficientnet_v2_s-dd5fe13b.pth", 84.228, 96.878, Preprocessing.Torchvision(384, 384))),
        Entry("efficientnet_v2_m", V2M, 480, 0.3, V2Norm, 54_139_356,
            PretrainedWeights.Torchvision("efficientnet_v2_m-dc08266a.pth", 85.112, 97.156, Preprocessing.Torchvision(480, 480))),
        Entry("efficientnet_v2_l", V2L, 480, 0.4, V2Norm, 118_515_272,
            PretrainedWeights.Torchvision("efficientnet_v2_l-59c71312.pth", 85.808, 97.788, HalfMean)),
    ];

    /// <summary>Samples from -1 to 1.</summary>
    private static Preprocessing HalfMean => Preprocessing.Torchvision(480, 480, Interpolation.Bicubic) with
    {
        Mean = ChannelValues.Same(0.5),
        StandardDeviation = ChannelValues.Same(0.5),
    };

    private static BackboneDefinition Entry(
        string name, Stage[] stages, int imageSizePixels, double dropout, BatchNorm norm, long parameters, params PretrainedWeights[] weights) =>
        Entry(name, (stages, stages[0].Channels, 1280), imageSizePixels, dropout, norm, parameters, weights) with { Paper = PaperV2 };

    private static BackboneDefinition Entry(
        string name, (Stage[] Stages, int Stem, int Last) table, int imageSizePixels, double dropout, BatchNorm norm, long parameters,
        params PretrainedWeights[] weights) =>
        BackboneDefinition.Torchvision(name, Paper, () => Build(name, table, imageSizePixels, dropout, norm), parameters, weights);
}
