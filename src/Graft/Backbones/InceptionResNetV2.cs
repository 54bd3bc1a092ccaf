using Graft.Checkpoints.Store;
using Graft.Imaging;
using Graft.Networks;

namespace Graft.Backbones;

/// <summary>
/// Inception-ResNet v2, Szegedy et al. 2016, arXiv:1602.07261, figures 15 to 18; Keras's definition (keras/src/applications/inception_resnet_v2.py).
/// Batch norms have no gamma, and residual branches count a fraction.
/// </summary>
public static class InceptionResNetV2
{
    private const double Epsilon = 1e-3, Momentum = 0.01;

    internal static Network Build()
    {
        var x = new NetworkBuilder("inception_resnet_v2").Input("input_1", channels: 3, size: 299)
            .Conv(32, 3, stride: 2, Padding.None).Conv(32, 3, padding: Padding.None).Conv(64, 3).Pool()
            .Conv(80, 1, padding: Padding.None).Conv(192, 3, padding: Padding.None).Pool();
        x = Concatenate("mixed_5b",
            x.Conv(96, 1),
            x.Conv(48, 1).Conv(64, 5),
            x.Conv(64, 1).Conv(96, 3).Conv(96, 3),
            x.AveragePool(x.Builder.Numbered("average_pooling2d"), kernel: 3, stride: 1, Padding.Same).Conv(64, 1));
        for (var block = 1; block <= 10; block++)
            x = Residual(x, $"block35_{block}", 320, 0.17,
            [
                x.Conv(32, 1),
                x.Conv(32, 1).Conv(32, 3),
                x.Conv(32, 1).Conv(48, 3).Conv(64, 3),
            ]);
        x = Concatenate("mixed_6a",
            x.Conv(384, 3, stride: 2, Padding.None),
            x.Conv(256, 1).Conv(256, 3).Conv(384, 3, stride: 2, Padding.None),
            x.Pool());
        for (var block = 1; block <= 20; block++)
            x = Residual(x, $"block17_{block}", 1088, 0.1,
            [
                x.Conv(192, 1),
                x.Conv(128, 1).Conv(160, (1, 7)).Conv(192, (7, 1)),
            ]);
        x = Concatenate("mixed_7a",
            x.Conv(256, 1).Conv(384, 3, stride: 2, Padding.None),
            x.Conv(256, 1).Conv(288, 3, stride: 2, Padding.None),
            x.Conv(256, 1).Conv(288, 3).Conv(320, 3, stride: 2, Padding.None),
            x.Pool());
        for (var block = 1; block <= 10; block++)
            x = Residual(x, $"block8_{block}", 2080, block < 10 ? 0.2 : 1,
            [
                x.Conv(192, 1),
                x.Conv(192, 1).Conv(224, (1, 3)).Conv(256, (3, 1)),
            ], isActivated: block < 10);
        return x.Builder.Build(
            x.Convolution("conv_7b", 1536, kernel: 1, bias: false).BatchNorm("conv_7b_bn", Epsilon, Momentum, scale: false).Relu("conv_7b_ac")
                .GlobalPool("avg_pool").Dense("predictions", 1000).Softmax("predictions_softmax"),
            LayerOrder.Keras);
    }

    private static Node Residual(Node input, string block, int channels, double share, Node[] branches, bool isActivated = true)
    {
        var up = Concatenate($"{block}_mixed", branches).Convolution($"{block}_conv", channels, kernel: 1);
        var sum = up.Scaling($"{block}_scaled", share).Add(input.Builder.Numbered("custom_scale_layer"), input);
        return isActivated ? sum.Relu($"{block}_ac") : sum;
    }

    private static Node Concatenate(string layer, params ReadOnlySpan<Node> branches) => branches[0].Concatenate(layer, branches[1..]);

    private static Node Conv(this Node x, int filters, Extent kernel, int stride = 1, Padding? padding = null) => x
        .Convolution(x.Builder.Numbered("conv2d"), filters, kernel, stride, padding ?? Padding.Same, bias: false)
        .BatchNorm(x.Builder.Numbered("batch_normalization"), Epsilon, Momentum, scale: false).Relu(x.Builder.Numbered("activation"));

    private static Node Pool(this Node x) => x.MaxPool(x.Builder.Numbered("max_pooling2d"), kernel: 3, stride: 2);

    public static PretrainedWeights ImageNet => BackboneCatalog.WeightsOf("inception_resnet_v2.keras/imagenet");

    public static PretrainedWeights ImageNetNoTop => BackboneCatalog.WeightsOf("inception_resnet_v2.keras/imagenet_notop");

    internal static IEnumerable<BackboneDefinition> Variants =>
    [
        new()
        {
            Name = "inception_resnet_v2",
            Source = BackboneSource.Keras,
            Paper = "Szegedy et al. 2016, arXiv:1602.07261",
            Build = Build,
            Head = "avg_pool",
            PublishedParameters = 55_873_736,
            Weights =
            [
                PretrainedWeights.Keras(
                    "inception_resnet_v2/inception_resnet_v2_weights_tf_dim_ordering_tf_kernels.h5", FileHash.Md5("e693bd0210a403b3192acc6073ad2e96"),
                    Preprocessing.KerasTf(299, Interpolation.Bilinear), top1: 80.3, top5: 95.3),
                PretrainedWeights.KerasNoTop(
                    "inception_resnet_v2/inception_resnet_v2_weights_tf_dim_ordering_tf_kernels_notop.h5", FileHash.Md5("d19885ff4a710c122648d3b5c3b684e4"),
                    Preprocessing.KerasTf(299, Interpolation.Bilinear)),
            ],
        },
    ];
}
