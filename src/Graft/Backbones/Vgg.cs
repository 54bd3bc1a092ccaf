using Graft.Checkpoints.Store;
using Graft.Imaging;
using Graft.Networks;

namespace Graft.Backbones;

/// <summary>
/// VGG, Simonyan &amp; Zisserman 2014, arXiv:1409.1556, table 1, columns A, B, D and E; Keras's definition
/// (keras/src/applications/vgg16.py) and torchvision's (torchvision/models/vgg.py). The networks differ in names, in how the last map
/// becomes a vector, and in the input that the weights were trained on.
/// </summary>
public static class Vgg
{
    private const string Paper = "Simonyan & Zisserman 2014, arXiv:1409.1556";

    private static readonly int[] Widths = [64, 128, 256, 512, 512];

    /// <summary>Convolutions before each of the five poolings.</summary>
    private static readonly int[] ColumnA = [1, 1, 2, 2, 2], ColumnB = [2, 2, 2, 2, 2], ColumnD = [2, 2, 3, 3, 3], ColumnE = [2, 2, 4, 4, 4];

    internal static Network BuildKeras(string name, int[] column)
    {
        var builder = new NetworkBuilder(name);
        var x = builder.Input("input_1", channels: 3, size: 224);
        for (var block = 1; block <= column.Length; block++)
        {
            for (var conv = 1; conv <= column[block - 1]; conv++)
                x = x.Convolution(
                    $"block{block}_conv{conv}", Widths[block - 1], kernel: 3, padding: Padding.Same, activation: ActivationFunction.Relu);
            x = x.MaxPool($"block{block}_pool", kernel: 2, stride: 2);
        }
        return builder.Build(x
            .Flatten("flatten", AxisOrder.ChannelsLast)
            .Dense("fc1", 4096, activation: ActivationFunction.Relu)
            .Dense("fc2", 4096, activation: ActivationFunction.Relu)
            .Dense("predictions", 1000).Softmax("predictions_softmax"));
    }

    internal static Network BuildTorchvision(string name, int[] column, bool batchNorm = false)
    {
        var builder = new NetworkBuilder(name);
        var x = builder.Input("input", channels: 3, size: 224);
        var index = 0;
        for (var block = 0; block < column.Length; block++)
        {
            for (var conv = 0; conv < column[block]; conv++)
            {
                x = x.Convolution($"features.{index++}", Widths[block], kernel: 3, padding: 1);
                if (batchNorm) x = x.BatchNorm($"features.{index++}", 1e-5);
                x = x.Relu($"features.{index++}");
            }
            x = x.MaxPool($"features.{index++}", kernel: 2, stride: 2);
        }
        return builder.Build(x
            .AdaptiveAveragePool("avgpool", 7).Flatten("flatten")
            .Dense("classifier.0", 4096).Relu("classifier.1").Dropout("classifier.2", 0.5)
            .Dense("classifier.3", 4096).Relu("classifier.4").Dropout("classifier.5", 0.5)
            .Dense("classifier.6", 1000));
    }

    /// <summary>timm/models/vgg.py has the dense layers as convolutions: of 7×7 pixels, then of one.</summary>
    private static readonly Dictionary<string, string> TimmNames = new()
    {
        ["classifier.0"] = "pre_logits.fc1",
        ["classifier.3"] = "pre_logits.fc2",
        ["classifier.6"] = "head.fc",
    };

    public static PretrainedWeights Vgg11ImageNetV1 => BackboneCatalog.WeightsOf("vgg11.torchvision/imagenet_v1");

    public static PretrainedWeights Vgg11BatchNormImageNetV1 => BackboneCatalog.WeightsOf("vgg11_bn.torchvision/imagenet_v1");

    public static PretrainedWeights Vgg13ImageNetV1 => BackboneCatalog.WeightsOf("vgg13.torchvision/imagenet_v1");

    public static PretrainedWeights Vgg13BatchNormImageNetV1 => BackboneCatalog.WeightsOf("vgg13_bn.torchvision/imagenet_v1");

    public static PretrainedWeights Vgg16ImageNetV1 => BackboneCatalog.WeightsOf("vgg16.torchvision/imagenet_v1");

    public static PretrainedWeights Vgg16BatchNormImageNetV1 => BackboneCatalog.WeightsOf("vgg16_bn.torchvision/imagenet_v1");

    public static PretrainedWeights Vgg19ImageNetV1 => BackboneCatalog.WeightsOf("vgg19.torchvision/imagenet_v1");

    public static PretrainedWeights Vgg19BatchNormImageNetV1 => BackboneCatalog.WeightsOf("vgg19_bn.torchvision/imagenet_v1");

    public static PretrainedWeights Vgg16TvIn1k => BackboneCatalog.WeightsOf("vgg16.torchvision/tv_in1k");

    public static PretrainedWeights KerasVgg16ImageNet => BackboneCatalog.WeightsOf("vgg16.keras/imagenet");

    public static PretrainedWeights KerasVgg16ImageNetNoTop => BackboneCatalog.WeightsOf("vgg16.keras/imagenet_notop");

    public static PretrainedWeights KerasVgg19ImageNet => BackboneCatalog.WeightsOf("vgg19.keras/imagenet");

    public static PretrainedWeights KerasVgg19ImageNetNoTop => BackboneCatalog.WeightsOf("vgg19.keras/imagenet_notop");

    internal static IEnumerable<BackboneDefinition> Variants =>
    [
        Keras("vgg16", ColumnD, 138_357_544,
            ("64373286793e3c8b2b4e3219cbf3544b", 553_467_096), ("6d6bbae143d832006294945121d1f1fc", 58_889_256), top1: 71.3, top5: 90.1),
        Keras("vgg19", ColumnE, 143_667_240,
            ("cbe5617147190e668d6c5d5026f83318", 574_710_816), ("253f8cb515780f3b799900260a226db6", 80_134_624), top1: 71.3, top5: 90.0),
        Torchvision("vgg16", ColumnD, 138_357_544,
            PretrainedWeights.Torchvision("vgg16-397923af.pth", 71.592, 90.382),
            PretrainedWeights.Timm(
                "vgg16.tv_in1k", FileHash.Sha256("57b026918159a6bf9faf8405c3a551903768e7138989d9c6224a14227203fad8"),
                Preprocessing.Torchvision(), top1: 71.594) with { License = "BSD-3-Clause" }),
        Torchvision("vgg19", ColumnE, 143_667_240, PretrainedWeights.Torchvision("vgg19-dcbb9e9d.pth", 72.376, 90.876)),
        Torchvision("vgg11", ColumnA, 132_863_336,
            PretrainedWeights.Torchvision("vgg11-8a719046.pth", 69.02, 88.628)),
        Torchvision("vgg13", ColumnB, 133_047_848,
            PretrainedWeights.Torchvision("vgg13-19584684.pth", 69.928, 89.246)),
        Torchvision("vgg11_bn", ColumnA, 132_868_840,
            PretrainedWeights.Torchvision("vgg11_bn-6002323d.pth", 70.37, 89.81)),
        Torchvision("vgg13_bn", ColumnB, 133_053_736,
            PretrainedWeights.Torchvision("vgg13_bn-abd245e5.pth", 71.586, 90.374)),
        Torchvision("vgg16_bn", ColumnD, 138_365_992,
            PretrainedWeights.Torchvision("vgg16_bn-6c64b313.pth", 73.36, 91.516)),
        Torchvision("vgg19_bn", ColumnE, 143_678_248,
            PretrainedWeights.Torchvision("vgg19_bn-c79401a0.pth", 74.218, 91.842)),
    ];

    private static BackboneDefinition Keras(
        string name, int[] column, long parameters, (string Md5, long Bytes) whole, (string Md5, long Bytes) noTop, double top1, double top5)
    {
        var (path, preprocessing) = ($"{name}/{name}_weights_tf_dim_ordering_tf_kernels", Preprocessing.KerasCaffe(224, Interpolation.Bilinear));
        return new()
        {
            Name = name,
            Source = BackboneSource.Keras,
            Paper = Paper,
            Build = () => BuildKeras(name, column),
            Head = "flatten",
            PublishedParameters = parameters,
            Weights =
            [
                PretrainedWeights.Keras($"{path}.h5", FileHash.Md5(whole.Md5), preprocessing, whole.Bytes, top1, top5) with { License = "CC-BY-4.0" },
                PretrainedWeights.KerasNoTop($"{path}_notop.h5", FileHash.Md5(noTop.Md5), preprocessing, noTop.Bytes) with { License = "CC-BY-4.0" },
            ],
        };
    }

    private static BackboneDefinition Torchvision(string name, int[] column, long parameters, params PretrainedWeights[] weights) => new()
    {
        Name = name,
        Source = BackboneSource.Torchvision,
        Paper = Paper,
        Build = () => BuildTorchvision(name, column, batchNorm: name.EndsWith("_bn", StringComparison.Ordinal)),
        OtherNames = [TimmNames],
        Head = "avgpool",
        PublishedParameters = parameters,
        Weights = weights,
    };
}
