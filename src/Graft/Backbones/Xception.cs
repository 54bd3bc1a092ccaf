using Graft.Checkpoints.Store;
using Graft.Imaging;
using Graft.Networks;

namespace Graft.Backbones;

/// <summary>
/// Xception, Chollet 2016, arXiv:1610.02357, figure 5; Keras's definition (keras/src/applications/xception.py).
/// </summary>
public static class Xception
{
    private const double Epsilon = 1e-3, Momentum = 0.01;

    internal static Network Build()
    {
        var builder = new NetworkBuilder("xception");
        var x = builder.Input("input_1", channels: 3, size: 299)
            .Convolution("block1_conv1", 32, kernel: 3, stride: 2, bias: false).Norm("block1_conv1_bn").Relu("block1_conv1_act")
            .Convolution("block1_conv2", 64, kernel: 3, bias: false).Norm("block1_conv2_bn").Relu("block1_conv2_act");
        x = Reduction(x, "block2", 128, 128, reluFirst: false);
        x = Reduction(x, "block3", 256, 256);
        x = Reduction(x, "block4", 728, 728);
        for (var block = 5; block <= 12; block++) x = Middle(x, $"block{block}");
        x = Reduction(x, "block13", 728, 1024)
            .SeparableConvolution("block14_sepconv1", 1536, kernel: 3).Norm("block14_sepconv1_bn").Relu("block14_sepconv1_act")
            .SeparableConvolution("block14_sepconv2", 2048, kernel: 3).Norm("block14_sepconv2_bn").Relu("block14_sepconv2_act");
        return builder.Build(
            x.GlobalPool("avg_pool").Dense("predictions", 1000).Softmax("predictions_softmax"), LayerOrder.Keras);
    }

    /// <summary>Two separable convolutions and a pooling, beside a strided 1×1 convolution.</summary>
    private static Node Reduction(Node input, string block, int first, int second, bool reluFirst = true)
    {
        var shortcut = input
            .Convolution(input.Builder.Numbered("conv2d"), second, kernel: 1, stride: 2, padding: Padding.Same, bias: false)
            .Norm(input.Builder.Numbered("batch_normalization"));
        var x = reluFirst ? input.Relu($"{block}_sepconv1_act") : input;
        return x
            .SeparableConvolution($"{block}_sepconv1", first, kernel: 3).Norm($"{block}_sepconv1_bn").Relu($"{block}_sepconv2_act")
            .SeparableConvolution($"{block}_sepconv2", second, kernel: 3).Norm($"{block}_sepconv2_bn")
            .MaxPool($"{block}_pool", kernel: 3, stride: 2, padding: Padding.Same)
            .Add(input.Builder.Numbered("add"), shortcut);
    }

    private static Node Middle(Node input, string block)
    {
        var x = input;
        for (var part = 1; part <= 3; part++)
            x = x.Relu($"{block}_sepconv{part}_act")
                .SeparableConvolution($"{block}_sepconv{part}", 728, kernel: 3).Norm($"{block}_sepconv{part}_bn");
        return x.Add(input.Builder.Numbered("add"), input);
    }

    private static Node Norm(this Node x, string layer) => x.BatchNorm(layer, Epsilon, Momentum);

    public static PretrainedWeights ImageNet => BackboneCatalog.WeightsOf("xception.keras/imagenet");

    public static PretrainedWeights ImageNetNoTop => BackboneCatalog.WeightsOf("xception.keras/imagenet_notop");

    internal static IEnumerable<BackboneDefinition> Variants =>
    [
        new()
        {
            Name = "xception",
            Source = BackboneSource.Keras,
            Paper = "Chollet 2016, arXiv:1610.02357",
            Build = Build,
            Head = "avg_pool",
            PublishedParameters = 22_910_480,
            Weights =
            [
                PretrainedWeights.Keras(
                    "xception/xception_weights_tf_dim_ordering_tf_kernels.h5", FileHash.Md5("0a58e3b7378bc2990ea3b43d5981f1f6"),
                    Preprocessing.KerasTf(299, Interpolation.Bilinear), 91_884_032, top1: 79.0, top5: 94.5) with { License = "MIT" },
                PretrainedWeights.KerasNoTop(
                    "xception/xception_weights_tf_dim_ordering_tf_kernels_notop.h5", FileHash.Md5("b0042744bf5b25fce3cb969f33bebb97"),
                    Preprocessing.KerasTf(299, Interpolation.Bilinear), 83_683_744) with { License = "MIT" },
            ],
        },
    ];
}
