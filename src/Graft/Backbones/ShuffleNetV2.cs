using Graft.Imaging;
using Graft.Networks;

namespace Graft.Backbones;

/// <summary>ShuffleNet v2, Ma et al. 2018, arXiv:1807.11164, table 5; torchvision's definition (torchvision/models/shufflenetv2.py).</summary>
public static class ShuffleNetV2
{
    private const double Epsilon = 1e-5;
    private const int Stem = 24;

    private static readonly int[] Repeats = [4, 8, 4];

    private static Network Build(string name, int[] stages, int last)
    {
        var builder = new NetworkBuilder(name);
        var x = builder.Input("input", channels: 3, size: 224)
            .Convolution("conv1.0", Stem, kernel: 3, stride: 2, padding: 1, bias: false).BatchNorm("conv1.1", Epsilon).Relu("conv1.2")
            .MaxPool("maxpool", kernel: 3, stride: 2, padding: 1);
        var channels = Stem;
        for (var stage = 0; stage < stages.Length; stage++)
            for (var repeat = 0; repeat < Repeats[stage]; repeat++)
            {
                x = repeat == 0 ? Reduction(x, $"stage{stage + 2}.0", channels, stages[stage]) : Unit(x, $"stage{stage + 2}.{repeat}", stages[stage]);
                channels = stages[stage];
            }
        return builder.Build(x
            .Convolution("conv5.0", last, kernel: 1, bias: false).BatchNorm("conv5.1", Epsilon).Relu("conv5.2")
            .GlobalPool("avgpool").Dense("fc", 1000));
    }

    /// <summary>Half of the channels pass unchanged.</summary>
    private static Node Unit(Node input, string block, int channels)
    {
        var half = channels / 2;
        return input.ChannelSlice($"{block}.left", 0, half)
            .Concatenate($"{block}.concat", Branch(input.ChannelSlice($"{block}.right", half, half), block, half, stride: 1))
            .ChannelShuffle($"{block}.shuffle", groups: 2);
    }

    private static Node Reduction(Node input, string block, int channels, int filters) => input
        .DepthwiseConvolution($"{block}.branch1.0", channels, kernel: 3, stride: 2, padding: 1, bias: false).BatchNorm($"{block}.branch1.1", Epsilon)
        .Convolution($"{block}.branch1.2", filters / 2, kernel: 1, bias: false).BatchNorm($"{block}.branch1.3", Epsilon).Relu($"{block}.branch1.4")
        .Concatenate($"{block}.concat", Branch(input, block, filters / 2, stride: 2))
        .ChannelShuffle($"{block}.shuffle", groups: 2);

    private static Node Branch(Node input, string block, int filters, int stride) => input
        .Convolution($"{block}.branch2.0", filters, kernel: 1, bias: false).BatchNorm($"{block}.branch2.1", Epsilon).Relu($"{block}.branch2.2")
        .DepthwiseConvolution($"{block}.branch2.3", filters, kernel: 3, stride, padding: 1, bias: false).BatchNorm($"{block}.branch2.4", Epsilon)
        .Convolution($"{block}.branch2.5", filters, kernel: 1, bias: false).BatchNorm($"{block}.branch2.6", Epsilon).Relu($"{block}.branch2.7");

    public static PretrainedWeights X05ImageNetV1 => BackboneCatalog.WeightsOf("shufflenet_v2_x0_5.torchvision/imagenet_v1");

    public static PretrainedWeights X10ImageNetV1 => BackboneCatalog.WeightsOf("shufflenet_v2_x1_0.torchvision/imagenet_v1");

    public static PretrainedWeights X15ImageNetV1 => BackboneCatalog.WeightsOf("shufflenet_v2_x1_5.torchvision/imagenet_v1");

    public static PretrainedWeights X20ImageNetV1 => BackboneCatalog.WeightsOf("shufflenet_v2_x2_0.torchvision/imagenet_v1");

    internal static IEnumerable<BackboneDefinition> Variants =>
    [
        Entry("shufflenet_v2_x0_5", [48, 96, 192], last: 1024, 1_366_792,
            PretrainedWeights.Torchvision("shufflenetv2_x0.5-f707e7126e.pth", 60.552, 81.746)),
        Entry("shufflenet_v2_x1_0", [116, 232, 464], last: 1024, 2_278_604,
            PretrainedWeights.Torchvision("shufflenetv2_x1-5666bf0f80.pth", 69.362, 88.316)),
        Entry("shufflenet_v2_x1_5", [176, 352, 704], last: 1024, 3_503_624,
            PretrainedWeights.Torchvision("shufflenetv2_x1_5-3c479a10.pth", 72.996, 91.086, Preprocessing.Torchvision(resize: 232))),
        Entry("shufflenet_v2_x2_0", [244, 488, 976], last: 2048, 7_393_996,
            PretrainedWeights.Torchvision("shufflenetv2_x2_0-8be3c8ee.pth", 76.23, 93.006, Preprocessing.Torchvision(resize: 232))),
    ];

    private static BackboneDefinition Entry(string name, int[] stages, int last, long parameters, params PretrainedWeights[] weights) =>
        BackboneDefinition.Torchvision(name, "Ma et al. 2018, arXiv:1807.11164", () => Build(name, stages, last), parameters, weights);
}
