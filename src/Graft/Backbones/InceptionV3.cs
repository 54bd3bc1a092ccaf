using Graft.Checkpoints.Store;
using Graft.Imaging;
using Graft.Networks;

namespace Graft.Backbones;

/// <summary>
/// Inception v3, Szegedy et al. 2015, arXiv:1512.00567, table 1 and figures 5 to 7; Keras's definition
/// (keras/src/applications/inception_v3.py) and torchvision's (torchvision/models/inception.py). Keras's batch norm has no scale,
/// and its average pooling does not count the padding.
/// </summary>
public static class InceptionV3
{
    private const string Paper = "Szegedy et al. 2015, arXiv:1512.00567";

    internal static Network BuildKeras() => Build(new KerasDialect());

    internal static Network BuildTorchvision() => Build(new TorchvisionDialect());

    private static Network Build(Dialect net)
    {
        var x = net.Input();
        x = net.Conv(x, "Conv2d_1a_3x3", 32, 3, stride: 2);
        x = net.Conv(x, "Conv2d_2a_3x3", 32, 3, same: false);
        x = net.Conv(x, "Conv2d_2b_3x3", 64, 3);
        x = net.MaxPool(x, "maxpool1");
        x = net.Conv(x, "Conv2d_3b_1x1", 80, 1);
        x = net.Conv(x, "Conv2d_4a_3x3", 192, 3, same: false);
        x = net.MaxPool(x, "maxpool2");

        x = FactorizedSquare(net, x, "Mixed_5b", "mixed0", pooled: 32);
        x = FactorizedSquare(net, x, "Mixed_5c", "mixed1", pooled: 64);
        x = FactorizedSquare(net, x, "Mixed_5d", "mixed2", pooled: 64);
        x = GridReduction(net, x, "Mixed_6a", "mixed3");
        x = FactorizedRows(net, x, "Mixed_6b", "mixed4", width: 128);
        x = FactorizedRows(net, x, "Mixed_6c", "mixed5", width: 160);
        x = FactorizedRows(net, x, "Mixed_6d", "mixed6", width: 160);
        x = FactorizedRows(net, x, "Mixed_6e", "mixed7", width: 192);
        x = RowGridReduction(net, x, "Mixed_7a", "mixed8");
        x = ExpandedFilterBank(net, x, "Mixed_7b", 0);
        x = ExpandedFilterBank(net, x, "Mixed_7c", 1);
        return net.Classify(x);
    }

    /// <summary>Figure 5: 5×5 as two 3×3.</summary>
    private static Node FactorizedSquare(Dialect net, Node x, string block, string kerasName, int pooled)
    {
        var narrow = net.Conv(x, $"{block}.branch1x1", 64, 1);
        var square = net.Conv(x, $"{block}.branch5x5_1", 48, 1);
        square = net.Conv(square, $"{block}.branch5x5_2", 64, 5);
        var twice = net.Conv(x, $"{block}.branch3x3dbl_1", 64, 1);
        twice = net.Conv(twice, $"{block}.branch3x3dbl_2", 96, 3);
        twice = net.Conv(twice, $"{block}.branch3x3dbl_3", 96, 3);
        var pool = net.Conv(net.AveragePool(x, $"{block}.avg_pool"), $"{block}.branch_pool", pooled, 1);
        return net.Concatenate($"{block}.concat", kerasName, narrow, square, twice, pool);
    }

    private static Node GridReduction(Dialect net, Node x, string block, string kerasName)
    {
        var square = net.Conv(x, $"{block}.branch3x3", 384, 3, stride: 2);
        var twice = net.Conv(x, $"{block}.branch3x3dbl_1", 64, 1);
        twice = net.Conv(twice, $"{block}.branch3x3dbl_2", 96, 3);
        twice = net.Conv(twice, $"{block}.branch3x3dbl_3", 96, 3, stride: 2);
        return net.Concatenate($"{block}.concat", kerasName, square, twice, net.MaxPool(x, $"{block}.branch_pool"));
    }

    /// <summary>Figure 6: 7×7 as 1×7 and 7×1.</summary>
    private static Node FactorizedRows(Dialect net, Node x, string block, string kerasName, int width)
    {
        var narrow = net.Conv(x, $"{block}.branch1x1", 192, 1);
        var once = net.Conv(x, $"{block}.branch7x7_1", width, 1);
        once = net.Conv(once, $"{block}.branch7x7_2", width, (1, 7));
        once = net.Conv(once, $"{block}.branch7x7_3", 192, (7, 1));
        var twice = net.Conv(x, $"{block}.branch7x7dbl_1", width, 1);
        twice = net.Conv(twice, $"{block}.branch7x7dbl_2", width, (7, 1));
        twice = net.Conv(twice, $"{block}.branch7x7dbl_3", width, (1, 7));
        twice = net.Conv(twice, $"{block}.branch7x7dbl_4", width, (7, 1));
        twice = net.Conv(twice, $"{block}.branch7x7dbl_5", 192, (1, 7));
        var pool = net.Conv(net.AveragePool(x, $"{block}.avg_pool"), $"{block}.branch_pool", 192, 1);
        return net.Concatenate($"{block}.concat", kerasName, narrow, once, twice, pool);
    }

    private static Node RowGridReduction(Dialect net, Node x, string block, string kerasName)
    {
        var square = net.Conv(x, $"{block}.branch3x3_1", 192, 1);
        square = net.Conv(square, $"{block}.branch3x3_2", 320, 3, stride: 2);
        var rows = net.Conv(x, $"{block}.branch7x7x3_1", 192, 1);
        rows = net.Conv(rows, $"{block}.branch7x7x3_2", 192, (1, 7));
        rows = net.Conv(rows, $"{block}.branch7x7x3_3", 192, (7, 1));
        rows = net.Conv(rows, $"{block}.branch7x7x3_4", 192, 3, stride: 2);
        return net.Concatenate($"{block}.concat", kerasName, square, rows, net.MaxPool(x, $"{block}.branch_pool"));
    }

    /// <summary>Figure 7: 3×3 as 1×3 beside 3×1.</summary>
    private static Node ExpandedFilterBank(Dialect net, Node x, string block, int index)
    {
        var narrow = net.Conv(x, $"{block}.branch1x1", 320, 1);
        var square = net.Conv(x, $"{block}.branch3x3_1", 384, 1);
        square = net.Concatenate(
            $"{block}.branch3x3.concat", $"mixed9_{index}",
            net.Conv(square, $"{block}.branch3x3_2a", 384, (1, 3)), net.Conv(square, $"{block}.branch3x3_2b", 384, (3, 1)));
        var twice = net.Conv(x, $"{block}.branch3x3dbl_1", 448, 1);
        twice = net.Conv(twice, $"{block}.branch3x3dbl_2", 384, 3);
        twice = net.Concatenate(
            $"{block}.branch3x3dbl.concat", null,
            net.Conv(twice, $"{block}.branch3x3dbl_3a", 384, (1, 3)), net.Conv(twice, $"{block}.branch3x3dbl_3b", 384, (3, 1)));
        var pool = net.Conv(net.AveragePool(x, $"{block}.avg_pool"), $"{block}.branch_pool", 192, 1);
        return net.Concatenate($"{block}.concat", $"mixed{9 + index}", narrow, square, twice, pool);
    }

    /// <summary>The head on the last 17×17 map that helped in training (section 4).</summary>
    private static Network BuildAuxiliary()
    {
        var net = new TorchvisionDialect();
        var x = net.Builder.Input("Mixed_6e", channels: 768, size: 17).AveragePool("AuxLogits.pool", kernel: 5, stride: 3);
        x = net.Conv(net.Conv(x, "AuxLogits.conv0", 128, 1), "AuxLogits.conv1", 768, 5, same: false);
        return net.Builder.Build(x.GlobalPool("AuxLogits.avgpool").Dense("AuxLogits.fc", 1000));
    }

    /// <summary>What the two definitions do differently.</summary>
    private abstract class Dialect
    {
        protected const double Epsilon = 1e-3;

        public NetworkBuilder Builder { get; } = new("inception_v3");

        public abstract Node Input();

        /// <summary>A convolution without bias, batch norm and ReLU. Strided ones are never padded.</summary>
        public Node Conv(Node x, string block, int filters, Extent kernel, int stride = 1, bool same = true) =>
            ConvNormRelu(x, block, filters, kernel, stride, same && stride == 1
                ? Padding.Symmetric((kernel.Height / 2, kernel.Width / 2))
                : Padding.None);

        public abstract Node MaxPool(Node x, string layer);

        public abstract Node AveragePool(Node x, string layer);

        public abstract Node Concatenate(string layer, string? kerasName, Node first, params ReadOnlySpan<Node> others);

        public abstract Network Classify(Node features);

        protected abstract Node ConvNormRelu(Node x, string block, int filters, Extent kernel, int stride, Padding padding);
    }

    private sealed class KerasDialect : Dialect
    {
        public override Node Input() => Builder.Input("input_1", channels: 3, size: 299);

        public override Node MaxPool(Node x, string layer) => x.MaxPool(Builder.Numbered("max_pooling2d"), kernel: 3, stride: 2);

        public override Node AveragePool(Node x, string layer) =>
            x.AveragePool(Builder.Numbered("average_pooling2d"), kernel: 3, stride: 1, padding: 1);

        public override Node Concatenate(string layer, string? kerasName, Node first, params ReadOnlySpan<Node> others) =>
            first.Concatenate(kerasName ?? Builder.Numbered("concatenate"), others);

        public override Network Classify(Node features) => Builder.Build(
            features.GlobalPool("avg_pool").Dense("predictions", 1000).Softmax("predictions_softmax"), LayerOrder.Keras);

        protected override Node ConvNormRelu(Node x, string block, int filters, Extent kernel, int stride, Padding padding) =>
            x.Convolution(Builder.Numbered("conv2d"), filters, kernel, stride, padding, bias: false)
                .BatchNorm(Builder.Numbered("batch_normalization"), Epsilon, momentum: 0.01, scale: false)
                .Relu(Builder.Numbered("activation"));
    }

    private sealed class TorchvisionDialect : Dialect
    {
        public override Node Input() => Builder.Input("input", channels: 3, size: 299);

        public override Node MaxPool(Node x, string layer) => x.MaxPool(layer, kernel: 3, stride: 2);

        public override Node AveragePool(Node x, string layer) =>
            x.AveragePool(layer, kernel: 3, stride: 1, padding: 1, countPadding: true);

        public override Node Concatenate(string layer, string? kerasName, Node first, params ReadOnlySpan<Node> others) =>
            first.Concatenate(layer, others);

        public override Network Classify(Node features) =>
            Builder.Build(features.GlobalPool("avgpool").Dropout("dropout", 0.5).Dense("fc", 1000));

        protected override Node ConvNormRelu(Node x, string block, int filters, Extent kernel, int stride, Padding padding) =>
            x.Convolution($"{block}.conv", filters, kernel, stride, padding, bias: false)
                .BatchNorm($"{block}.bn", Epsilon).Relu($"{block}.relu");
    }

    public static PretrainedWeights KerasImageNet => BackboneCatalog.WeightsOf("inception_v3.keras/imagenet");

    public static PretrainedWeights KerasImageNetNoTop => BackboneCatalog.WeightsOf("inception_v3.keras/imagenet_notop");

    public static PretrainedWeights ImageNetV1 => BackboneCatalog.WeightsOf("inception_v3.torchvision/imagenet_v1");

    public static PretrainedWeights TvIn1k => BackboneCatalog.WeightsOf("inception_v3.torchvision/tv_in1k");

    internal static IEnumerable<BackboneDefinition> Variants =>
    [
        new()
        {
            Name = "inception_v3",
            Source = BackboneSource.Keras,
            Paper = Paper,
            Build = BuildKeras,
            Head = "avg_pool",
            PublishedParameters = 23_851_784,
            Weights =
            [
                PretrainedWeights.Keras(
                    "inception_v3/inception_v3_weights_tf_dim_ordering_tf_kernels.h5", FileHash.Md5("9a0d58056eeedaa3f26cb7ebd46da564"),
                    Preprocessing.KerasTf(299, Interpolation.Bilinear), 96_112_376, top1: 77.9, top5: 93.7) with { License = "MIT" },
                PretrainedWeights.KerasNoTop(
                    "inception_v3/inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5", FileHash.Md5("bcbd6486424b2319ff4ef7d526e38f63"),
                    Preprocessing.KerasTf(299, Interpolation.Bilinear), 87_910_968) with { License = "MIT" },
            ],
        },
        new()
        {
            Name = "inception_v3",
            Source = BackboneSource.Torchvision,
            Paper = Paper,
            Build = BuildTorchvision,
            Auxiliary = BuildAuxiliary,
            Head = "avgpool",
            PublishedParameters = 27_161_264,
            Weights =
            [
                PretrainedWeights.Torchvision("inception_v3_google-0cc3c7bd.pth", 77.294, 93.45, HalfMean(Interpolation.Bilinear, resize: 342)),
                PretrainedWeights.Timm(
                    "inception_v3.tv_in1k", FileHash.Sha256("9c452c63a67fd03a38a78c401ba12d4be0e926df63c93403de3a29f6df20fefb"),
                    HalfMean(Interpolation.Bicubic, resize: 341), top1: 77.472),
            ],
        },
    ];

    /// <summary>
    /// Samples from -1 to 1, as the weights came from TensorFlow. torchvision's <c>transform_input</c> makes the same of samples
    /// normalized with ImageNet's mean and deviation.
    /// </summary>
    private static Preprocessing HalfMean(Interpolation interpolation, int resize) => Preprocessing.Torchvision(299, resize, interpolation) with
    {
        Mean = ChannelValues.Same(0.5),
        StandardDeviation = ChannelValues.Same(0.5),
    };
}
