using Graft.Imaging;
using Graft.Networks;
using static Graft.Backbones.Blocks;

namespace Graft.Backbones;

/// <summary>MNASNet-B1, Tan et al. 2018, arXiv:1807.11626, figure 7; torchvision's definition (torchvision/models/mnasnet.py).</summary>
public static class MnasNet
{
    private const double Epsilon = 1e-5, Momentum = 1 - 0.9997;

    /// <summary>Channels, kernel, stride, expansion and repeats of each stack of inverted residual blocks.</summary>
    private static readonly (int Channels, int Kernel, int Stride, int Expansion, int Repeats)[] Stacks =
        [(24, 3, 2, 3, 3), (40, 5, 2, 3, 3), (80, 5, 2, 6, 3), (96, 3, 1, 6, 2), (192, 5, 2, 6, 4), (320, 3, 1, 6, 1)];

    private static Network Build(string name, double width)
    {
        var builder = new NetworkBuilder(name);
        var (stem, channels) = (MakeDivisible(32 * width), MakeDivisible(16 * width));
        var x = builder.Input("input", channels: 3, size: 224)
            .Convolution("layers.0", stem, kernel: 3, stride: 2, padding: 1, bias: false).Norm("layers.1").Relu("layers.2")
            .DepthwiseConvolution("layers.3", stem, kernel: 3, padding: 1, bias: false).Norm("layers.4").Relu("layers.5")
            .Convolution("layers.6", channels, kernel: 1, bias: false).Norm("layers.7");
        for (var stack = 0; stack < Stacks.Length; stack++)
        {
            var (filters, kernel, stride, expansion, repeats) = Stacks[stack];
            for (var repeat = 0; repeat < repeats; repeat++)
            {
                x = InvertedResidual(
                    x, $"layers.{stack + 8}.{repeat}.layers", channels, MakeDivisible(filters * width), kernel, repeat == 0 ? stride : 1, expansion);
                channels = MakeDivisible(filters * width);
            }
        }
        return builder.Build(x
            .Convolution("layers.14", 1280, kernel: 1, bias: false).Norm("layers.15").Relu("layers.16")
            .GlobalPool("avgpool").Dropout("classifier.0", 0.2).Dense("classifier.1", 1000));
    }

    private static Node InvertedResidual(Node input, string block, int channels, int filters, int kernel, int stride, int expansion)
    {
        var hidden = channels * expansion;
        var x = input
            .Convolution($"{block}.0", hidden, kernel: 1, bias: false).Norm($"{block}.1").Relu($"{block}.2")
            .DepthwiseConvolution($"{block}.3", hidden, kernel, stride, padding: kernel / 2, bias: false).Norm($"{block}.4").Relu($"{block}.5")
            .Convolution($"{block}.6", filters, kernel: 1, bias: false).Norm($"{block}.7");
        return stride == 1 && channels == filters ? x.Add($"{block}.add", input) : x;
    }

    private static Node Norm(this Node x, string layer) => x.BatchNorm(layer, Epsilon, Momentum);

    public static PretrainedWeights Width05ImageNetV1 => BackboneCatalog.WeightsOf("mnasnet0_5.torchvision/imagenet_v1");

    public static PretrainedWeights Width075ImageNetV1 => BackboneCatalog.WeightsOf("mnasnet0_75.torchvision/imagenet_v1");

    public static PretrainedWeights Width10ImageNetV1 => BackboneCatalog.WeightsOf("mnasnet1_0.torchvision/imagenet_v1");

    public static PretrainedWeights Width13ImageNetV1 => BackboneCatalog.WeightsOf("mnasnet1_3.torchvision/imagenet_v1");

    internal static IEnumerable<BackboneDefinition> Variants =>
    [
        Entry("mnasnet0_5", 0.5, 2_218_512,
            PretrainedWeights.Torchvision("mnasnet0.5_top1_67.823-3ffadce67e.pth", 67.734, 87.49)),
        Entry("mnasnet0_75", 0.75, 3_170_208,
            PretrainedWeights.Torchvision("mnasnet0_75-7090bc5f.pth", 71.18, 90.496, Preprocessing.Torchvision(resize: 232))),
        Entry("mnasnet1_0", 1.0, 4_383_312,
            PretrainedWeights.Torchvision("mnasnet1.0_top1_73.512-f206786ef8.pth", 73.456, 91.51)),
        Entry("mnasnet1_3", 1.3, 6_282_256,
            PretrainedWeights.Torchvision("mnasnet1_3-a4c69d6f.pth", 76.506, 93.522, Preprocessing.Torchvision(resize: 232))),
    ];

    private static BackboneDefinition Entry(string name, double width, long parameters, params PretrainedWeights[] weights) =>
        BackboneDefinition.Torchvision(name, "Tan et al. 2018, arXiv:1807.11626", () => Build(name, width), parameters, weights);
}
