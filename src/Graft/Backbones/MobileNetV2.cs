using Graft.Checkpoints.Store;
using Graft.Imaging;
using Graft.Networks;
using static Graft.Backbones.Blocks;
using static Graft.Networks.ActivationFunction;

namespace Graft.Backbones;

/// <summary>
/// MobileNet v2, Sandler et al. 2018, arXiv:1801.04381, table 2; torchvision's definition (torchvision/models/mobilenetv2.py) and
/// Keras's (keras/src/applications/mobilenet_v2.py), which differ in names, padding and the epsilon of batch norm.
/// </summary>
public static class MobileNetV2
{
    private const string Paper = "Sandler et al. 2018, arXiv:1801.04381";
    private const double TorchEpsilon = 1e-5, KerasEpsilon = 1e-3, KerasMomentum = 0.001;

    /// <summary>Expansion, channels, repeats and first stride of each group of inverted residual blocks.</summary>
    private static readonly (int Expansion, int Channels, int Repeats, int Stride)[] Table2 =
    [
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
    ];

    internal static Network Build(double width, int classes = 1000, int imageSizePixels = 224)
    {
        var builder = new NetworkBuilder("mobilenet_v2");
        var channels = Width(32);
        var x = builder.Input("input", channels: 3, imageSizePixels).ConvNormActivation("features.0", channels, kernel: 3, Relu6, stride: 2);
        var block = 1;
        foreach (var (expansion, filters, repeats, firstStride) in Table2)
            for (var repeat = 0; repeat < repeats; repeat++)
            {
                var stride = repeat == 0 ? firstStride : 1;
                x = InvertedResidual(x, $"features.{block++}", channels, Width(filters), expansion, stride);
                channels = Width(filters);
            }
        x = x.ConvNormActivation($"features.{block}", MakeDivisible(1280 * Math.Max(1, width)), kernel: 1, Relu6);
        return builder.Build(x.GlobalPool("avgpool").Dropout("classifier.0", 0.2).Dense("classifier.1", classes));

        int Width(int filters) => MakeDivisible(filters * width);
    }

    private static Node InvertedResidual(Node input, string block, int channels, int filters, int expansion, int stride)
    {
        var (x, hidden, part) = (input, channels * expansion, 0);
        if (expansion != 1) x = x.ConvNormActivation($"{block}.conv.{part++}", hidden, kernel: 1, Relu6);
        x = x.DepthwiseNormActivation($"{block}.conv.{part++}", hidden, kernel: 3, Relu6, stride)
            .Convolution($"{block}.conv.{part++}", filters, kernel: 1, bias: false)
            .BatchNorm($"{block}.conv.{part}", TorchEpsilon);
        return stride == 1 && channels == filters ? x.Add($"{block}.add", input) : x;
    }

    internal static Network BuildKeras()
    {
        var builder = new NetworkBuilder("mobilenet_v2");
        var channels = 32;
        var x = builder.Input("input_1", channels: 3, size: 224)
            .Convolution("Conv1", channels, kernel: 3, stride: 2, padding: Padding.Same, bias: false)
            .KerasNorm("bn_Conv1").Relu6("Conv1_relu");
        var block = 0;
        foreach (var (expansion, filters, repeats, firstStride) in Table2)
            for (var repeat = 0; repeat < repeats; repeat++, block++)
            {
                x = KerasInvertedResidual(
                    x, block == 0 ? "expanded_conv" : $"block_{block}", channels, filters, expansion, repeat == 0 ? firstStride : 1);
                channels = filters;
            }
        return builder.Build(x
            .Convolution("Conv_1", 1280, kernel: 1, bias: false).KerasNorm("Conv_1_bn").Relu6("out_relu")
            .GlobalPool("global_average_pooling2d").Dense("predictions", 1000).Softmax("predictions_softmax"), LayerOrder.Keras);
    }

    private static Node KerasInvertedResidual(Node input, string block, int channels, int filters, int expansion, int stride)
    {
        var (x, hidden) = (input, channels * expansion);
        if (expansion != 1)
            x = x.Convolution($"{block}_expand", hidden, kernel: 1, bias: false)
                .KerasNorm($"{block}_expand_BN").Relu6($"{block}_expand_relu");
        if (stride == 2) x = x.SamePadding($"{block}_pad", kernel: 3, stride);
        x = x.DepthwiseConvolution(
                $"{block}_depthwise", hidden, kernel: 3, stride, stride == 1 ? Padding.Same : Padding.None, bias: false)
            .KerasNorm($"{block}_depthwise_BN").Relu6($"{block}_depthwise_relu")
            .Convolution($"{block}_project", filters, kernel: 1, bias: false).KerasNorm($"{block}_project_BN");
        return stride == 1 && channels == filters ? input.Add($"{block}_add", x) : x;
    }

    private static Node KerasNorm(this Node x, string layer) => x.BatchNorm(layer, KerasEpsilon, KerasMomentum);

    /// <summary>As timm/models/efficientnet.py names them, where mobilenetv2_100 is.</summary>
    private static Dictionary<string, string> TimmNames()
    {
        var names = new Dictionary<string, string> { ["features.0.0"] = "conv_stem", ["features.0.1"] = "bn1" };
        var index = 1;
        for (var stage = 0; stage < Table2.Length; stage++)
            for (var repeat = 0; repeat < Table2[stage].Repeats; repeat++, index++)
            {
                var (block, timm) = ($"features.{index}.conv", $"blocks.{stage}.{repeat}");
                string[] convolutions = Table2[stage].Expansion == 1 ? ["conv_dw", "conv_pw"] : ["conv_pw", "conv_dw", "conv_pwl"];
                // The last convolution and its norm have no activation, and so no block of their own.
                var last = convolutions.Length - 1;
                for (var part = 0; part <= last; part++)
                {
                    names.Add(part < last ? $"{block}.{part}.0" : $"{block}.{part}", $"{timm}.{convolutions[part]}");
                    names.Add(part < last ? $"{block}.{part}.1" : $"{block}.{part + 1}", $"{timm}.bn{part + 1}");
                }
            }
        names.Add($"features.{index}.0", "conv_head");
        names.Add($"features.{index}.1", "bn2");
        names.Add("classifier.1", "classifier");
        return names;
    }

    public static PretrainedWeights ImageNetV1 => BackboneCatalog.WeightsOf("mobilenet_v2.torchvision/imagenet_v1");

    public static PretrainedWeights ImageNetV2 => BackboneCatalog.WeightsOf("mobilenet_v2.torchvision/imagenet_v2");

    public static PretrainedWeights RaIn1k => BackboneCatalog.WeightsOf("mobilenet_v2.torchvision/ra_in1k");

    public static PretrainedWeights KerasImageNet => BackboneCatalog.WeightsOf("mobilenet_v2.keras/imagenet");

    public static PretrainedWeights KerasImageNetNoTop => BackboneCatalog.WeightsOf("mobilenet_v2.keras/imagenet_notop");

    internal static IEnumerable<BackboneDefinition> Variants =>
    [
        new()
        {
            Name = "mobilenet_v2",
            Source = BackboneSource.Torchvision,
            Paper = Paper,
            Build = () => Build(1.0),
            OtherNames = [TimmNames()],
            Head = "avgpool",
            PublishedParameters = 3_504_872,
            Weights =
            [
                PretrainedWeights.Torchvision("mobilenet_v2-b0353104.pth", 71.878, 90.286),
                PretrainedWeights.Torchvision("mobilenet_v2-7ebf99e0.pth", 72.154, 90.822, Preprocessing.Torchvision(resize: 232), "imagenet_v2"),
                PretrainedWeights.Timm(
                    "mobilenetv2_100.ra_in1k", FileHash.Sha256("55ea4fb3a96010b933710ebf44fc965b070d5cd054d3f35e44f2d1320b4a714e"),
                    Preprocessing.Torchvision(interpolation: Interpolation.Bicubic), top1: 72.910),
            ],
        },
        new()
        {
            Name = "mobilenet_v2",
            Source = BackboneSource.Keras,
            Paper = Paper,
            Build = BuildKeras,
            Head = "global_average_pooling2d",
            PublishedParameters = 3_538_984,
            Weights =
            [
                PretrainedWeights.Keras(
                    "mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5", FileHash.Md5("321911b381f6fd09b744356f6796ee18"),
                    Preprocessing.KerasTf(224, Interpolation.Bilinear), 14_536_120, top1: 71.3, top5: 90.1)
                    .WithSecondHandHash(),
                PretrainedWeights.KerasNoTop(
                    "mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
                    FileHash.Md5("f1a68526548f7541cda07e19ba6c85f4"), Preprocessing.KerasTf(224, Interpolation.Bilinear), 9_406_464)
                    .WithSecondHandHash(),
            ],
        },
    ];
}
