using Graft.Checkpoints.Store;
using Graft.Imaging;
using Graft.Networks;

namespace Graft.Backbones;

/// <summary>
/// ResNet, He et al. 2015, arXiv:1512.03385, table 1, and what was made of it: two different ResNet-50s. Keras's (keras/src/applications/resnet.py) has
/// the stride in a block's first 1×1 convolution and a bias in every convolution; torchvision's (torchvision/models/resnet.py) has
/// the stride in the 3×3 and no biases.
/// </summary>
public static class ResNet
{
    private const string Paper = "He et al. 2015, arXiv:1512.03385";
    private const double KerasEpsilon = 1.001e-5, KerasMomentum = 0.01, TorchEpsilon = 1e-5;

    private static readonly (int Filters, int Stride)[] Table1 = [(64, 1), (128, 2), (256, 2), (512, 2)];

    /// <summary>Blocks in each of the four stages.</summary>
    private static readonly int[] Layers18 = [2, 2, 2, 2], Layers34 = [3, 4, 6, 3], Layers50 = [3, 4, 6, 3], Layers101 = [3, 4, 23, 3],
        Layers152 = [3, 8, 36, 3];

    internal static Network BuildKeras(string name, int[] blocks)
    {
        var builder = new NetworkBuilder(name);
        var x = builder.Input("input_1", channels: 3, size: 224)
            .ZeroPadding("conv1_pad", 3).Convolution("conv1_conv", 64, kernel: 7, stride: 2)
            .KerasNorm("conv1_bn").Relu("conv1_relu")
            .ZeroPadding("pool1_pad", 1).MaxPool("pool1_pool", kernel: 3, stride: 2);
        for (var stage = 0; stage < Table1.Length; stage++)
            for (var block = 1; block <= blocks[stage]; block++)
                x = KerasBottleneck(
                    x, $"conv{stage + 2}_block{block}", Table1[stage].Filters, block == 1 ? Table1[stage].Stride : 1, project: block == 1);
        return builder.Build(
            x.GlobalPool("avg_pool").Dense("predictions", 1000).Softmax("predictions_softmax"), LayerOrder.Keras);
    }

    /// <summary>
    /// ResNet v2, He et al. 2016, arXiv:1603.05027: batch norm and ReLU before the convolutions. In Keras (keras/src/applications/resnet_v2.py) the last
    /// block of a stage has its stride.
    /// </summary>
    internal static Network BuildKerasV2(string name, int[] blocks)
    {
        var builder = new NetworkBuilder(name);
        var x = builder.Input("input_1", channels: 3, size: 224)
            .ZeroPadding("conv1_pad", 3).Convolution("conv1_conv", 64, kernel: 7, stride: 2)
            .ZeroPadding("pool1_pad", 1).MaxPool("pool1_pool", kernel: 3, stride: 2);
        for (var stage = 0; stage < Table1.Length; stage++)
            for (var block = 1; block <= blocks[stage]; block++)
            {
                var stride = block == blocks[stage] && stage < Table1.Length - 1 ? 2 : 1;
                x = KerasPreactivated(x, $"conv{stage + 2}_block{block}", Table1[stage].Filters, stride, project: block == 1);
            }
        return builder.Build(
            x.KerasNorm("post_bn").Relu("post_relu").GlobalPool("avg_pool").Dense("predictions", 1000).Softmax("predictions_softmax"), LayerOrder.Keras);
    }

    private static Node KerasPreactivated(Node input, string block, int filters, int stride, bool project)
    {
        var active = input.KerasNorm($"{block}_preact_bn").Relu($"{block}_preact_relu");
        var shortcut = project ? active.Convolution($"{block}_0_conv", 4 * filters, kernel: 1, stride)
            : stride > 1 ? input.MaxPool(input.Builder.Numbered("max_pooling2d"), kernel: 1, stride)
            : input;
        var residual = active
            .Convolution($"{block}_1_conv", filters, kernel: 1, bias: false).KerasNorm($"{block}_1_bn").Relu($"{block}_1_relu")
            .ZeroPadding($"{block}_2_pad", 1).Convolution($"{block}_2_conv", filters, kernel: 3, stride, bias: false)
            .KerasNorm($"{block}_2_bn").Relu($"{block}_2_relu")
            .Convolution($"{block}_3_conv", 4 * filters, kernel: 1);
        return shortcut.Add($"{block}_out", residual);
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

    /// <param name="groups">Of a bottleneck's 3×3 convolution: ResNeXt, Xie et al. 2016, arXiv:1611.05431.</param>
    /// <param name="groupWidth">Channels of a group for a stage of 64 filters: Wide ResNet, Zagoruyko &amp; Komodakis 2016, arXiv:1605.07146.</param>
    internal static Network BuildTorchvision(string name, int[] blocks, bool bottleneck, int groups = 1, int groupWidth = 64)
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
                    ? Bottleneck(x, block, filters, stride, project: index == 0, groups, filters * groupWidth / 64 * groups)
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

    private static Node Bottleneck(Node input, string block, int filters, int stride, bool project, int groups, int width)
    {
        var residual = input
            .Convolution($"{block}.conv1", width, kernel: 1, bias: false).BatchNorm($"{block}.bn1", TorchEpsilon).Relu($"{block}.relu1")
            .Convolution($"{block}.conv2", width, kernel: 3, stride, padding: 1, bias: false, groups: groups)
            .BatchNorm($"{block}.bn2", TorchEpsilon).Relu($"{block}.relu2")
            .Convolution($"{block}.conv3", 4 * filters, kernel: 1, bias: false).BatchNorm($"{block}.bn3", TorchEpsilon);
        return residual.Add($"{block}.add", Shortcut(input, block, 4 * filters, stride, project)).Relu($"{block}.relu");
    }

    private static Node Shortcut(Node input, string block, int filters, int stride, bool project) => project
        ? input.Convolution($"{block}.downsample.0", filters, kernel: 1, stride, bias: false).BatchNorm($"{block}.downsample.1", TorchEpsilon)
        : input;

    public static PretrainedWeights ResNet18ImageNetV1 => BackboneCatalog.WeightsOf("resnet18.torchvision/imagenet_v1");

    public static PretrainedWeights ResNet34ImageNetV1 => BackboneCatalog.WeightsOf("resnet34.torchvision/imagenet_v1");

    public static PretrainedWeights ResNet50ImageNetV1 => BackboneCatalog.WeightsOf("resnet50.torchvision/imagenet_v1");

    public static PretrainedWeights ResNet50ImageNetV2 => BackboneCatalog.WeightsOf("resnet50.torchvision/imagenet_v2");

    public static PretrainedWeights ResNet101ImageNetV1 => BackboneCatalog.WeightsOf("resnet101.torchvision/imagenet_v1");

    public static PretrainedWeights ResNet101ImageNetV2 => BackboneCatalog.WeightsOf("resnet101.torchvision/imagenet_v2");

    public static PretrainedWeights ResNet152ImageNetV1 => BackboneCatalog.WeightsOf("resnet152.torchvision/imagenet_v1");

    public static PretrainedWeights ResNet152ImageNetV2 => BackboneCatalog.WeightsOf("resnet152.torchvision/imagenet_v2");

    public static PretrainedWeights ResNet18A1In1k => BackboneCatalog.WeightsOf("resnet18.torchvision/a1_in1k");

    public static PretrainedWeights ResNet50A1In1k => BackboneCatalog.WeightsOf("resnet50.torchvision/a1_in1k");

    public static PretrainedWeights ResNeXt50Groups32ImageNetV1 => BackboneCatalog.WeightsOf("resnext50_32x4d.torchvision/imagenet_v1");

    public static PretrainedWeights ResNeXt50Groups32ImageNetV2 => BackboneCatalog.WeightsOf("resnext50_32x4d.torchvision/imagenet_v2");

    public static PretrainedWeights ResNeXt101Groups32ImageNetV1 => BackboneCatalog.WeightsOf("resnext101_32x8d.torchvision/imagenet_v1");

    public static PretrainedWeights ResNeXt101Groups32ImageNetV2 => BackboneCatalog.WeightsOf("resnext101_32x8d.torchvision/imagenet_v2");

    public static PretrainedWeights ResNeXt101Groups64ImageNetV1 => BackboneCatalog.WeightsOf("resnext101_64x4d.torchvision/imagenet_v1");

    public static PretrainedWeights WideResNet50ImageNetV1 => BackboneCatalog.WeightsOf("wide_resnet50_2.torchvision/imagenet_v1");

    public static PretrainedWeights WideResNet50ImageNetV2 => BackboneCatalog.WeightsOf("wide_resnet50_2.torchvision/imagenet_v2");

    public static PretrainedWeights WideResNet101ImageNetV1 => BackboneCatalog.WeightsOf("wide_resnet101_2.torchvision/imagenet_v1");

    public static PretrainedWeights WideResNet101ImageNetV2 => BackboneCatalog.WeightsOf("wide_resnet101_2.torchvision/imagenet_v2");

    public static PretrainedWeights KerasResNet50ImageNet => BackboneCatalog.WeightsOf("resnet50.keras/imagenet");

    public static PretrainedWeights KerasResNet50ImageNetNoTop => BackboneCatalog.WeightsOf("resnet50.keras/imagenet_notop");

    public static PretrainedWeights KerasResNet50V2ImageNet => BackboneCatalog.WeightsOf("resnet50v2.keras/imagenet");

    public static PretrainedWeights KerasResNet50V2ImageNetNoTop => BackboneCatalog.WeightsOf("resnet50v2.keras/imagenet_notop");

    public static PretrainedWeights KerasResNet101ImageNet => BackboneCatalog.WeightsOf("resnet101.keras/imagenet");

    public static PretrainedWeights KerasResNet101ImageNetNoTop => BackboneCatalog.WeightsOf("resnet101.keras/imagenet_notop");

    public static PretrainedWeights KerasResNet101V2ImageNet => BackboneCatalog.WeightsOf("resnet101v2.keras/imagenet");

    public static PretrainedWeights KerasResNet101V2ImageNetNoTop => BackboneCatalog.WeightsOf("resnet101v2.keras/imagenet_notop");

    public static PretrainedWeights KerasResNet152ImageNet => BackboneCatalog.WeightsOf("resnet152.keras/imagenet");

    public static PretrainedWeights KerasResNet152ImageNetNoTop => BackboneCatalog.WeightsOf("resnet152.keras/imagenet_notop");

    public static PretrainedWeights KerasResNet152V2ImageNet => BackboneCatalog.WeightsOf("resnet152v2.keras/imagenet");

    public static PretrainedWeights KerasResNet152V2ImageNetNoTop => BackboneCatalog.WeightsOf("resnet152v2.keras/imagenet_notop");

    internal static IEnumerable<BackboneDefinition> Variants =>
    [
        Keras("resnet50", () => BuildKeras("resnet50", Layers50), 25_636_712, KerasPreprocessing,
            ("2cb95161c43110f7111970584f804107", 102_967_424), ("4d473c1dd8becc155b73f8504c6f6626", 94_765_736), top1: 74.9, top5: 92.1),
        Keras("resnet101", () => BuildKeras("resnet101", Layers101), 44_707_176, KerasPreprocessing,
            ("f1aeb4b969a6efcfb50fad2f0c20cfc5", null), ("88cf7a10940856eca736dc7b7e228a21", null), top1: 76.4, top5: 92.8),
        Keras("resnet152", () => BuildKeras("resnet152", Layers152), 60_419_944, KerasPreprocessing,
            ("100835be76be38e30d865e96f2aaae62", null), ("ee4c566cf9a93f14d82f913c2dc6dd0c", null), top1: 76.6, top5: 93.1),
        Keras("resnet50v2", () => BuildKerasV2("resnet50v2", Layers50), 25_613_800, V2Preprocessing,
            ("3ef43a0b657b3be2300d5770ece849e0", null), ("fac2f116257151a9d068a22e544a4917", null), top1: 76.0, top5: 93.0),
        Keras("resnet101v2", () => BuildKerasV2("resnet101v2", Layers101), 44_675_560, V2Preprocessing,
            ("6343647c601c52e1368623803854d971", null), ("c0ed64b8031c3730f411d2eb4eea35b5", null), top1: 77.2, top5: 93.8),
        Keras("resnet152v2", () => BuildKerasV2("resnet152v2", Layers152), 60_380_648, V2Preprocessing,
            ("a49b44d1979771252814e80f8ec446f9", null), ("ed17cf2e0169df9d443503ef94b23b33", null), top1: 78.0, top5: 94.2),
        Torchvision("resnet18", Layers18, bottleneck: false, groups: 1, groupWidth: 64, 11_689_512,
            PretrainedWeights.Torchvision("resnet18-f37072fd.pth", 69.758, 89.078),
            PretrainedWeights.Timm(
                "resnet18.a1_in1k", FileHash.Sha256("80c49dee3da4822c009c5a7fe591e9223c5a2cfcf95a4067ca4dfb5a7b89c612"), A1, top1: 71.504)),
        Torchvision("resnet34", Layers34, bottleneck: false, groups: 1, groupWidth: 64, 21_797_672,
            PretrainedWeights.Torchvision("resnet34-b627a593.pth", 73.314, 91.42)),
        Torchvision("resnet50", Layers50, bottleneck: true, groups: 1, groupWidth: 64, 25_557_032,
            PretrainedWeights.Torchvision("resnet50-0676ba61.pth", 76.13, 92.862),
            PretrainedWeights.Torchvision("resnet50-11ad3fa6.pth", 80.858, 95.434, Preprocessing.Torchvision(resize: 232), "imagenet_v2"),
            PretrainedWeights.Timm(
                "resnet50.a1_in1k", FileHash.Sha256("773525d5821de224f8f30c33377b7a795d7863e08522698200d3217d3f2a41bb"), A1, top1: 80.382)),
        Torchvision("resnet101", Layers101, bottleneck: true, groups: 1, groupWidth: 64, 44_549_160,
            PretrainedWeights.Torchvision("resnet101-63fe2227.pth", 77.374, 93.546),
            PretrainedWeights.Torchvision("resnet101-cd907fc2.pth", 81.886, 95.78, Preprocessing.Torchvision(resize: 232), "imagenet_v2")),
        Torchvision("resnet152", Layers152, bottleneck: true, groups: 1, groupWidth: 64, 60_192_808,
            PretrainedWeights.Torchvision("resnet152-394f9c45.pth", 78.312, 94.046),
            PretrainedWeights.Torchvision("resnet152-f82ba261.pth", 82.284, 96.002, Preprocessing.Torchvision(resize: 232), "imagenet_v2")),
        Torchvision("resnext50_32x4d", Layers50, bottleneck: true, groups: 32, groupWidth: 4, 25_028_904,
            PretrainedWeights.Torchvision("resnext50_32x4d-7cdf4587.pth", 77.618, 93.698),
            PretrainedWeights.Torchvision("resnext50_32x4d-1a0047aa.pth", 81.198, 95.34, Preprocessing.Torchvision(resize: 232), "imagenet_v2")),
        Torchvision("resnext101_32x8d", Layers101, bottleneck: true, groups: 32, groupWidth: 8, 88_791_336,
            PretrainedWeights.Torchvision("resnext101_32x8d-8ba56ff5.pth", 79.312, 94.526),
            PretrainedWeights.Torchvision("resnext101_32x8d-110c445d.pth", 82.834, 96.228, Preprocessing.Torchvision(resize: 232), "imagenet_v2")),
        Torchvision("resnext101_64x4d", Layers101, bottleneck: true, groups: 64, groupWidth: 4, 83_455_272,
            PretrainedWeights.Torchvision("resnext101_64x4d-173b62eb.pth", 83.246, 96.454, Preprocessing.Torchvision(resize: 232))),
        Torchvision("wide_resnet50_2", Layers50, bottleneck: true, groups: 1, groupWidth: 128, 68_883_240,
            PretrainedWeights.Torchvision("wide_resnet50_2-95faca4d.pth", 78.468, 94.086),
            PretrainedWeights.Torchvision("wide_resnet50_2-9ba9bcbe.pth", 81.602, 95.758, Preprocessing.Torchvision(resize: 232), "imagenet_v2")),
        Torchvision("wide_resnet101_2", Layers101, bottleneck: true, groups: 1, groupWidth: 128, 126_886_696,
            PretrainedWeights.Torchvision("wide_resnet101_2-32ee1156.pth", 78.848, 94.284),
            PretrainedWeights.Torchvision("wide_resnet101_2-d733dc28.pth", 82.51, 96.02, Preprocessing.Torchvision(resize: 232), "imagenet_v2")),
    ];

    private static Preprocessing KerasPreprocessing => Preprocessing.KerasCaffe(224, Interpolation.Bilinear);

    /// <summary>timm's crop of 0.95, bicubic.</summary>
    private static Preprocessing A1 => Preprocessing.Torchvision(224, resize: 235, Interpolation.Bicubic);

    private static Preprocessing V2Preprocessing => Preprocessing.KerasTf(224, Interpolation.Bilinear);

    private static BackboneDefinition Keras(
        string name, Func<Network> build, long parameters, Preprocessing preprocessing, (string Md5, long? Bytes) whole, (string Md5, long? Bytes) noTop,
        double top1, double top5) => new()
        {
            Name = name,
            Source = BackboneSource.Keras,
            Paper = name.EndsWith("v2", StringComparison.Ordinal) ? "He et al. 2016, arXiv:1603.05027" : Paper,
            Build = build,
            Head = "avg_pool",
            PublishedParameters = parameters,
            Weights =
            [
                PretrainedWeights.Keras(
                    $"resnet/{name}_weights_tf_dim_ordering_tf_kernels.h5", FileHash.Md5(whole.Md5), preprocessing, whole.Bytes, top1, top5) with { License = "MIT" },
                PretrainedWeights.KerasNoTop(
                    $"resnet/{name}_weights_tf_dim_ordering_tf_kernels_notop.h5", FileHash.Md5(noTop.Md5), preprocessing, noTop.Bytes) with { License = "MIT" },
            ],
        };

    private static BackboneDefinition Torchvision(
        string name, int[] blocks, bool bottleneck, int groups, int groupWidth, long parameters, params PretrainedWeights[] weights) =>
        BackboneDefinition.Torchvision(
            name,
            groups > 1 ? "Xie et al. 2016, arXiv:1611.05431" : groupWidth > 64 ? "Zagoruyko & Komodakis 2016, arXiv:1605.07146" : Paper,
            () => BuildTorchvision(name, blocks, bottleneck, groups, groupWidth), parameters, weights);
}
