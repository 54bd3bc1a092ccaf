using Graft.Checkpoints.Store;
using Graft.Imaging;
using Graft.Networks;

namespace Graft.Backbones;

/// <summary>
/// ResNet v1, He et al. 2015, arXiv:1512.03385, table 1: two different ResNet-50s. Keras's (keras/src/applications/resnet.py) has
/// the stride in a block's first 1×1 convolution and a bias in every convolution; torchvision's (torchvision/models/resnet.py) has
/// the stride in the 3×3 and no biases.
/// </summary>
internal static class ResNet
{
    private const string Paper = "He et al. 2015, arXiv:1512.03385";
    private const double KerasEpsilon = 1.001e-5, KerasMomentum = 0.01, TorchEpsilon = 1e-5;

    private static readonly (int Filters, int Stride)[] Table1 = [(64, 1), (128, 2), (256, 2), (512, 2)];

    /// <summary>Blocks in each of the four stages.</summary>
    private static readonly int[] Layers18 = [2, 2, 2, 2], Layers34 = [3, 4, 6, 3], Layers50 = [3, 4, 6, 3], Layers101 = [3, 4, 23, 3];

    public static Network BuildKeras()
    {
        var builder = new NetworkBuilder("resnet50");
        var x = builder.Input("input_1", channels: 3, size: 224)
            .ZeroPadding("conv1_pad", 3).Convolution("conv1_conv", 64, kernel: 7, stride: 2)
            .KerasNorm("conv1_bn").Relu("conv1_relu")
            .ZeroPadding("pool1_pad", 1).MaxPool("pool1_pool", kernel: 3, stride: 2);
        for (var stage = 0; stage < Table1.Length; stage++)
            for (var block = 1; block <= Layers50[stage]; block++)
                x = KerasBottleneck(
                    x, $"conv{stage + 2}_block{block}", Table1[stage].Filters, block == 1 ? Table1[stage].Stride : 1, project: block == 1);
        return builder.Build(
            x.GlobalPool("avg_pool").Dense("predictions", 1000).Softmax("predictions_softmax"), LayerOrder.Keras);
    }

    private static Node KerasBottleneck(Node input, string block, int filters, int stride, bool project)
    {
        var shortcut = project
            ? input.Convolution($"{block}_0_conv", 4 * filters, kernel: 1, stride).KerasNorm($"{block}_0_bn")
            : input;
        var residual = input
            .Convolution($"{block}_1_conv", filters, kernel: 1, stride).KerasNorm($"{block}_1_bn").Relu($"{block}_1_relu")
            .Convolution($"{block}_2_conv", filters, kernel: 3, padding: Padding.Same).KerasNorm($"{block}_2_bn").Relu($"{block}_2_relu")
            .Convolution($"{block}_3_conv", 4 * filters, kernel: 1).KerasNorm($"{block}_3_bn");
        return shortcut.Add($"{block}_add", residual).Relu($"{block}_out");
    }

    private static Node KerasNorm(this Node x, string layer) => x.BatchNorm(layer, KerasEpsilon, KerasMomentum);

    public static Network BuildTorchvision(string name, int[] blocks, bool bottleneck)
    {
        var builder = new NetworkBuilder(name);
        var x = builder.Input("input", channels: 3, size: 224)
            .Convolution("conv1", 64, kernel: 7, stride: 2, padding: 3, bias: false).BatchNorm("bn1", TorchEpsilon).Relu("relu")
            .MaxPool("maxpool", kernel: 3, stride: 2, padding: 1);
        for (var stage = 0; stage < Table1.Length; stage++)
            for (var index = 0; index < blocks[stage]; index++)
            {
                var (block, filters, stride) = ($"layer{stage + 1}.{index}", Table1[stage].Filters, index == 0 ? Table1[stage].Stride : 1);
                x = bottleneck
                    ? Bottleneck(x, block, filters, stride, project: index == 0)
                    : BasicBlock(x, block, filters, stride, project: stride != 1);
            }
        return builder.Build(x.GlobalPool("avgpool").Dense("fc", 1000));
    }

    private static Node BasicBlock(Node input, string block, int filters, int stride, bool project)
    {
        var residual = input
            .Convolution($"{block}.conv1", filters, kernel: 3, stride, padding: 1, bias: false)
            .BatchNorm($"{block}.bn1", TorchEpsilon).Relu($"{block}.relu1")
            .Convolution($"{block}.conv2", filters, kernel: 3, padding: 1, bias: false).BatchNorm($"{block}.bn2", TorchEpsilon);
        return residual.Add($"{block}.add", Shortcut(input, block, filters, stride, project)).Relu($"{block}.relu");
    }

    private static Node Bottleneck(Node input, string block, int filters, int stride, bool project)
    {
        var residual = input
            .Convolution($"{block}.conv1", filters, kernel: 1, bias: false).BatchNorm($"{block}.bn1", TorchEpsilon).Relu($"{block}.relu1")
            .Convolution($"{block}.conv2", filters, kernel: 3, stride, padding: 1, bias: false)
            .BatchNorm($"{block}.bn2", TorchEpsilon).Relu($"{block}.relu2")
            .Convolution($"{block}.conv3", 4 * filters, kernel: 1, bias: false).BatchNorm($"{block}.bn3", TorchEpsilon);
        return residual.Add($"{block}.add", Shortcut(input, block, 4 * filters, stride, project)).Relu($"{block}.relu");
    }

    private static Node Shortcut(Node input, string block, int filters, int stride, bool project) => project
        ? input.Convolution($"{block}.downsample.0", filters, kernel: 1, stride, bias: false).BatchNorm($"{block}.downsample.1", TorchEpsilon)
        : input;

    public static IEnumerable<BackboneDefinition> Variants =>
    [
        new()
        {
            Name = "resnet50",
            Source = BackboneSource.Keras,
            Paper = Paper,
            Build = BuildKeras,
            Head = "avg_pool",
            PublishedParameters = 25_636_712,
            Weights =
            [
                PretrainedWeights.Keras(
                    "resnet/resnet50_weights_tf_dim_ordering_tf_kernels.h5", FileHash.Md5("2cb95161c43110f7111970584f804107"),
                    KerasPreprocessing, 102_967_424, top1: 74.9, top5: 92.1) with { Licence = "MIT" },
                PretrainedWeights.KerasNoTop(
                    "resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5", FileHash.Md5("4d473c1dd8becc155b73f8504c6f6626"),
                    KerasPreprocessing, 94_765_736) with { Licence = "MIT" },
            ],
        },
        Torchvision("resnet18", Layers18, bottleneck: false, 11_689_512,
            PretrainedWeights.Torchvision("resnet18-f37072fd.pth", 69.758, 89.078),
            PretrainedWeights.Timm(
                "resnet18.a1_in1k", FileHash.Sha256("80c49dee3da4822c009c5a7fe591e9223c5a2cfcf95a4067ca4dfb5a7b89c612"), A1, top1: 71.504)),
        Torchvision("resnet34", Layers34, bottleneck: false, 21_797_672,
            PretrainedWeights.Torchvision("resnet34-b627a593.pth", 73.314, 91.42)),
        Torchvision("resnet50", Layers50, bottleneck: true, 25_557_032,
            PretrainedWeights.Torchvision("resnet50-0676ba61.pth", 76.130, 92.862),
            PretrainedWeights.Torchvision("resnet50-11ad3fa6.pth", 80.858, 95.434, Preprocessing.Torchvision(resize: 232), "imagenet_v2"),
            PretrainedWeights.Timm(
                "resnet50.a1_in1k", FileHash.Sha256("773525d5821de224f8f30c33377b7a795d7863e08522698200d3217d3f2a41bb"), A1, top1: 80.382)),
        Torchvision("resnet101", Layers101, bottleneck: true, 44_549_160,
            PretrainedWeights.Torchvision("resnet101-63fe2227.pth", 77.374, 93.546),
            PretrainedWeights.Torchvision("resnet101-cd907fc2.pth", 81.886, 95.780, Preprocessing.Torchvision(resize: 232), "imagenet_v2")),
    ];

    private static Preprocessing KerasPreprocessing => Preprocessing.KerasCaffe(224, Interpolation.Bilinear);

    /// <summary>timm's crop of 0.95, bicubic.</summary>
    private static Preprocessing A1 => Preprocessing.Torchvision(224, resize: 235, Interpolation.Bicubic);

    private static BackboneDefinition Torchvision(
        string name, int[] blocks, bool bottleneck, long parameters, params PretrainedWeights[] weights) => new()
        {
            Name = name,
            Source = BackboneSource.Torchvision,
            Paper = Paper,
            Build = () => BuildTorchvision(name, blocks, bottleneck),
            Head = "avgpool",
            PublishedParameters = parameters,
            Weights = weights,
        };
}
