using Graft.Imaging;
using Graft.Networks;
using static Graft.Backbones.Blocks;
using static Graft.Networks.ActivationFunction;

namespace Graft.Backbones;

/// <summary>
/// MobileNet v3, Howard et al. 2019, arXiv:1905.02244, tables 1 and 2; torchvision's definition
/// (torchvision/models/mobilenetv3.py).
/// </summary>
public static class MobileNetV3
{
    private static readonly BatchNorm Norm = new(Epsilon: 1e-3, Momentum: 0.01);

    /// <summary>A row of the tables: a bottleneck's kernel, expanded and output channels, squeeze-and-excitation, activation, stride.</summary>
    private readonly record struct Bottleneck(
        int Kernel, int Expanded, int Filters, bool Squeeze, ActivationFunction Activation, int Stride = 1);

    private static readonly Bottleneck[] Table1 =
    [
        new(3, 16, 16, false, Relu),
        new(3, 64, 24, false, Relu, Stride: 2),
        new(3, 72, 24, false, Relu),
        new(5, 72, 40, true, Relu, Stride: 2),
        new(5, 120, 40, true, Relu),
        new(5, 120, 40, true, Relu),
        new(3, 240, 80, false, HardSwish, Stride: 2),
        new(3, 200, 80, false, HardSwish),
        new(3, 184, 80, false, HardSwish),
        new(3, 184, 80, false, HardSwish),
        new(3, 480, 112, true, HardSwish),
        new(3, 672, 112, true, HardSwish),
        new(5, 672, 160, true, HardSwish, Stride: 2),
        new(5, 960, 160, true, HardSwish),
        new(5, 960, 160, true, HardSwish),
    ];

    private static readonly Bottleneck[] Table2 =
    [
        new(3, 16, 16, true, Relu, Stride: 2),
        new(3, 72, 24, false, Relu, Stride: 2),
        new(3, 88, 24, false, Relu),
        new(5, 96, 40, true, HardSwish, Stride: 2),
        new(5, 240, 40, true, HardSwish),
        new(5, 240, 40, true, HardSwish),
        new(5, 120, 48, true, HardSwish),
        new(5, 144, 48, true, HardSwish),
        new(5, 288, 96, true, HardSwish, Stride: 2),
        new(5, 576, 96, true, HardSwish),
        new(5, 576, 96, true, HardSwish),
    ];

    private static Network Build(string name, Bottleneck[] table, int hiddenUnits)
    {
        var builder = new NetworkBuilder(name);
        var channels = 16;
        var x = builder.Input("input", channels: 3, size: 224)
            .ConvNormActivation("features.0", channels, kernel: 3, HardSwish, stride: 2, Norm);
        for (var index = 0; index < table.Length; index++)
        {
            x = InvertedResidual(x, $"features.{index + 1}", channels, table[index]);
            channels = table[index].Filters;
        }
        return builder.Build(x
            .ConvNormActivation($"features.{table.Length + 1}", 6 * channels, kernel: 1, HardSwish, norm: Norm)
            .GlobalPool("avgpool")
            .Dense("classifier.0", hiddenUnits).Activation("classifier.1", HardSwish)
            .Dropout("classifier.2", 0.2).Dense("classifier.3", 1000));
    }

    private static Node InvertedResidual(Node input, string block, int channels, Bottleneck row)
    {
        var (x, part) = (input, 0);
        if (row.Expanded != channels)
            x = x.ConvNormActivation($"{block}.block.{part++}", row.Expanded, kernel: 1, row.Activation, norm: Norm);
        x = x.DepthwiseNormActivation($"{block}.block.{part++}", row.Expanded, row.Kernel, row.Activation, row.Stride, Norm);
        if (row.Squeeze)
            x = x.SqueezeExcitation($"{block}.block.{part++}", row.Expanded, MakeDivisible(row.Expanded / 4), Relu, gate: HardSigmoid);
        x = x.ConvNormActivation($"{block}.block.{part}", row.Filters, kernel: 1, activation: null, norm: Norm);
        return row.Stride == 1 && channels == row.Filters ? x.Add($"{block}.add", input) : x;
    }

    public static PretrainedWeights SmallImageNetV1 => BackboneCatalog.WeightsOf("mobilenet_v3_small.torchvision/imagenet_v1");

    public static PretrainedWeights LargeImageNetV1 => BackboneCatalog.WeightsOf("mobilenet_v3_large.torchvision/imagenet_v1");

    public static PretrainedWeights LargeImageNetV2 => BackboneCatalog.WeightsOf("mobilenet_v3_large.torchvision/imagenet_v2");

    internal static IEnumerable<BackboneDefinition> Variants =>
    [
        Variant("mobilenet_v3_small", Table2, hiddenUnits: 1024, 2_542_856,
            PretrainedWeights.Torchvision("mobilenet_v3_small-047dcff4.pth", 67.668, 87.402)),
        Variant("mobilenet_v3_large", Table1, hiddenUnits: 1280, 5_483_032,
            PretrainedWeights.Torchvision("mobilenet_v3_large-8738ca79.pth", 74.042, 91.34),
            PretrainedWeights.Torchvision("mobilenet_v3_large-5c1a4163.pth", 75.274, 92.566, Preprocessing.Torchvision(resize: 232), "imagenet_v2")),
    ];

    private static BackboneDefinition Variant(
        string name, Bottleneck[] table, int hiddenUnits, long parameters, params PretrainedWeights[] weights) => new()
        {
            Name = name,
            Source = BackboneSource.Torchvision,
            Paper = "Howard et al. 2019, arXiv:1905.02244",
            Build = () => Build(name, table, hiddenUnits),
            Head = "avgpool",
            PublishedParameters = parameters,
            Weights = weights,
        };
}
