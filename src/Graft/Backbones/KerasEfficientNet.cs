using Graft.Checkpoints.Store;
using Graft.Imaging;
using Graft.Networks;
using static Graft.Backbones.EfficientNet;
using static Graft.Networks.ActivationFunction;

namespace Graft.Backbones;

/// <summary>
/// EfficientNet and EfficientNetV2 as Keras defines them (keras/src/applications/efficientnet.py, efficientnet_v2.py), without stochastic depth. Their tables
/// are <see cref="EfficientNet"/>'s; padding, names and weights differ. What Keras puts before the first convolution to normalize photos is the preprocessing here.
/// </summary>
public static class KerasEfficientNet
{
    private const string OldFiles = "https://storage.googleapis.com/keras-applications/";
    private const double Epsilon = 1e-3;

    /// <summary>The small EfficientNetV2, which the paper does not have.</summary>
    private static readonly Stage[] V2B =
    [
        new(1, 3, 1, 16, 1, Fused: true), new(4, 3, 2, 32, 2, Fused: true), new(4, 3, 2, 48, 2, Fused: true),
        new(4, 3, 2, 96, 3), new(6, 3, 1, 112, 5), new(6, 3, 2, 192, 8),
    ];

    /// <summary>Keras pads EfficientNet's strided depthwise convolutions in layers of their own, and EfficientNetV2's in the convolutions.</summary>
    private readonly record struct Version(bool IsSecond)
    {
        public double Momentum => IsSecond ? 0.1 : 0.01;

        public string Depthwise(string block) => block + (IsSecond ? "dwconv2" : "dwconv");
    }

    private static Network Build(string name, Version version, (Stage[] Stages, int Stem, int Last) table, int imageSizePixels, double dropout)
    {
        var channels = table.Stem;
        var x = new NetworkBuilder(name).Input("input_1", channels: 3, imageSizePixels);
        x = version.IsSecond
            ? x.Convolution("stem_conv", channels, kernel: 3, stride: 2, Padding.Same, bias: false)
            : x.SamePadding("stem_conv_pad", kernel: 3, stride: 2).Convolution("stem_conv", channels, kernel: 3, stride: 2, bias: false);
        x = x.NormSwish("stem_", version);
        foreach (var (index, stage) in table.Stages.Index())
            for (var repeat = 0; repeat < stage.Repeats; repeat++)
            {
                x = Block(x, $"block{index + 1}{(char)('a' + repeat)}_", version, channels, repeat == 0 ? stage : stage with { Stride = 1 });
                channels = stage.Channels;
            }
        return x.Builder.Build(
            x.Convolution("top_conv", table.Last, kernel: 1, bias: false).NormSwish("top_", version)
                .GlobalPool("avg_pool").Dropout("top_dropout", dropout).Dense("predictions", 1000).Softmax("predictions_softmax"),
            LayerOrder.Keras);
    }

    private static Node Block(Node input, string block, Version version, int channels, Stage stage)
    {
        var (x, hidden) = (input, channels * stage.Expansion);
        if (stage.Fused)
        {
            if (stage.Expansion != 1) x = x.Convolution($"{block}expand_conv", hidden, stage.Kernel, stage.Stride, Padding.Same, bias: false).NormSwish($"{block}expand_", version);
            var isOnly = stage.Expansion == 1;
            x = x.Convolution($"{block}project_conv", stage.Channels, isOnly ? stage.Kernel : 1, isOnly ? stage.Stride : 1, Padding.Same, bias: false)
                .BatchNorm($"{block}project_bn", Epsilon, version.Momentum);
            if (isOnly) x = x.Activation($"{block}project_activation", Silu);
        }
        else
        {
            if (stage.Expansion != 1) x = x.Convolution($"{block}expand_conv", hidden, kernel: 1, bias: false).NormSwish($"{block}expand_", version);
            if (stage.Stride == 2 && !version.IsSecond)
                x = x.SamePadding($"{block}dwconv_pad", stage.Kernel, stride: 2).DepthwiseConvolution(version.Depthwise(block), hidden, stage.Kernel, stride: 2, bias: false);
            else
                x = x.DepthwiseConvolution(version.Depthwise(block), hidden, stage.Kernel, stage.Stride, Padding.Same, bias: false);
            x = Excite(x.NormSwish(block, version), block, hidden, squeezed: Math.Max(1, channels / 4))
                .Convolution($"{block}project_conv", stage.Channels, kernel: 1, bias: false).BatchNorm($"{block}project_bn", Epsilon, version.Momentum);
        }
        return stage.Stride == 1 && channels == stage.Channels ? x.Add($"{block}add", input) : x;
    }

    private static Node Excite(Node x, string block, int channels, int squeezed) => x.Multiply($"{block}se_excite", x
        .GlobalPool($"{block}se_squeeze").Reshape($"{block}se_reshape", channels, 1, 1)
        .Convolution($"{block}se_reduce", squeezed, kernel: 1, activation: Silu).Convolution($"{block}se_expand", channels, kernel: 1, activation: Sigmoid));

    private static Node NormSwish(this Node x, string block, Version version) =>
        x.BatchNorm($"{block}bn", Epsilon, version.Momentum).Activation($"{block}activation", Silu);

    /// <summary>Channels in whole eights; unlike EfficientNet's, they may shrink by more than a tenth.</summary>
    private static (Stage[] Stages, int Stem, int Last) ScaledV2(double width, double depth)
    {
        return ([.. V2B.Select(stage => stage with { Channels = Rounded(stage.Channels), Repeats = (int)Math.Ceiling(stage.Repeats * depth) })], Rounded(32), Rounded(1280));

        int Rounded(int channels) => Math.Max(8, (int)(channels * width + 4) / 8 * 8);
    }

    public static PretrainedWeights B0 => BackboneCatalog.WeightsOf("efficientnet_b0.keras/imagenet");

    public static PretrainedWeights B0NoTop => BackboneCatalog.WeightsOf("efficientnet_b0.keras/imagenet_notop");

    public static PretrainedWeights B1 => BackboneCatalog.WeightsOf("efficientnet_b1.keras/imagenet");

    public static PretrainedWeights B1NoTop => BackboneCatalog.WeightsOf("efficientnet_b1.keras/imagenet_notop");

    public static PretrainedWeights B2 => BackboneCatalog.WeightsOf("efficientnet_b2.keras/imagenet");

    public static PretrainedWeights B2NoTop => BackboneCatalog.WeightsOf("efficientnet_b2.keras/imagenet_notop");

    public static PretrainedWeights B3 => BackboneCatalog.WeightsOf("efficientnet_b3.keras/imagenet");

    public static PretrainedWeights B3NoTop => BackboneCatalog.WeightsOf("efficientnet_b3.keras/imagenet_notop");

    public static PretrainedWeights B4 => BackboneCatalog.WeightsOf("efficientnet_b4.keras/imagenet");

    public static PretrainedWeights B4NoTop => BackboneCatalog.WeightsOf("efficientnet_b4.keras/imagenet_notop");

    public static PretrainedWeights B5 => BackboneCatalog.WeightsOf("efficientnet_b5.keras/imagenet");

    public static PretrainedWeights B5NoTop => BackboneCatalog.WeightsOf("efficientnet_b5.keras/imagenet_notop");

    public static PretrainedWeights B6 => BackboneCatalog.WeightsOf("efficientnet_b6.keras/imagenet");

    public static PretrainedWeights B6NoTop => BackboneCatalog.WeightsOf("efficientnet_b6.keras/imagenet_notop");

    public static PretrainedWeights B7 => BackboneCatalog.WeightsOf("efficientnet_b7.keras/imagenet");

    public static PretrainedWeights B7NoTop => BackboneCatalog.WeightsOf("efficientnet_b7.keras/imagenet_notop");

    public static PretrainedWeights V2B0 => BackboneCatalog.WeightsOf("efficientnet_v2_b0.keras/imagenet");

    public static PretrainedWeights V2B0NoTop => BackboneCatalog.WeightsOf("efficientnet_v2_b0.keras/imagenet_notop");

    public static PretrainedWeights V2B1 => BackboneCatalog.WeightsOf("efficientnet_v2_b1.keras/imagenet");

    public static PretrainedWeights V2B1NoTop => BackboneCatalog.WeightsOf("efficientnet_v2_b1.keras/imagenet_notop");

    public static PretrainedWeights V2B2 => BackboneCatalog.WeightsOf("efficientnet_v2_b2.keras/imagenet");

    public static PretrainedWeights V2B2NoTop => BackboneCatalog.WeightsOf("efficientnet_v2_b2.keras/imagenet_notop");

    public static PretrainedWeights V2B3 => BackboneCatalog.WeightsOf("efficientnet_v2_b3.keras/imagenet");

    public static PretrainedWeights V2B3NoTop => BackboneCatalog.WeightsOf("efficientnet_v2_b3.keras/imagenet_notop");

    public static PretrainedWeights V2Small => BackboneCatalog.WeightsOf("efficientnet_v2_s.keras/imagenet");

    public static PretrainedWeights V2SmallNoTop => BackboneCatalog.WeightsOf("efficientnet_v2_s.keras/imagenet_notop");

    public static PretrainedWeights V2Medium => BackboneCatalog.WeightsOf("efficientnet_v2_m.keras/imagenet");

    public static PretrainedWeights V2MediumNoTop => BackboneCatalog.WeightsOf("efficientnet_v2_m.keras/imagenet_notop");

    public static PretrainedWeights V2Large => BackboneCatalog.WeightsOf("efficientnet_v2_l.keras/imagenet");

    public static PretrainedWeights V2LargeNoTop => BackboneCatalog.WeightsOf("efficientnet_v2_l.keras/imagenet_notop");

    internal static IEnumerable<BackboneDefinition> Variants =>
    [
        Entry("b0", Scaled(1.0, 1.0), 224, 0.2, 5_330_571, 77.1, 93.3, "902e53a9f72be733fc0bcb005b3ebbac", "50bc09e76180e00e4465e1a485ddc09d"),
        Entry("b1", Scaled(1.0, 1.1), 240, 0.2, 7_856_239, 79.1, 94.4, "1d254153d4ab51201f1646940f018540", "74c4e6b3e1f6a1eea24c589628592432"),
        Entry("b2", Scaled(1.1, 1.2), 260, 0.3, 9_177_569, 80.1, 94.9, "b15cce36ff4dcbd00b6dd88e7857a6ad", "111f8e2ac8aa800a7a99e3239f7bfb39"),
        Entry("b3", Scaled(1.2, 1.4), 300, 0.3, 12_320_535, 81.6, 95.7, "ffd1fdc53d0ce67064dc6a9c7960ede0", "af6d107764bb5b1abb91932881670226"),
        Entry("b4", Scaled(1.4, 1.8), 380, 0.4, 19_466_823, 82.9, 96.4, "18c95ad55216b8f92d7e70b3a046e2fc", "ebc24e6d6c33eaebbd558eafbeedf1ba"),
        Entry("b5", Scaled(1.6, 2.2), 456, 0.4, 30_562_527, 83.6, 96.7, "ace28f2a6363774853a83a0b21b9421a", "38879255a25d3c92d5e44e04ae6cec6f"),
        Entry("b6", Scaled(1.8, 2.6), 528, 0.5, 43_265_143, 84.0, 96.8, "165f6e37dce68623721b423839de8be5", "9ecce42647a20130c1f39a5d4cb75743"),
        Entry("b7", Scaled(2.0, 3.1), 600, 0.5, 66_658_687, 84.3, 97.0, "8c03f828fec3ef71311cd463b6759d99", "cbcfe4450ddf6f3ad90b1b398090fe4a"),
        EntryV2("b0", ScaledV2(1.0, 1.0), 224, 7_200_312, 78.7, 94.3, "21ecbf6da12460d5c40bb2f29ceb2188", "893217f2bb855e2983157299931e43ff"),
        EntryV2("b1", ScaledV2(1.0, 1.1), 240, 8_212_124, 79.8, 95.0, "069f0534ff22adf035c89e2d9547a9dc", "0e80663031ca32d657f9caa404b6ec37"),
        EntryV2("b2", ScaledV2(1.1, 1.2), 260, 10_178_374, 80.5, 95.1, "424e49f28180edbde1e94797771950a7", "1dfe2e7a5d45b6632553a8961ea609eb"),
        EntryV2("b3", ScaledV2(1.2, 1.4), 300, 14_467_622, 82.0, 95.8, "1f1fc43bd98a6e4fd8fdfd551e02c7a0", "f6abf7b5849ac99a89b50dd3fd532856"),
        EntryV2("s", (V2S, 24, 1280), 384, 21_612_360, 83.9, 96.7, "e1d88a8495beba45748fedd0cecbe016", "af0682fb74e8c54910f2d4393339c070"),
        EntryV2("m", (V2M, 24, 1280), 480, 54_431_388, 85.3, 97.4, "a3bf6aa3276309f4fc6a34aa114c95cd", "1b8dc055df72dde80d614482840fe342"),
        EntryV2("l", (V2L, 32, 1280), 480, 119_027_848, 85.7, 97.5, "27e6d408b53c7ebc868fefa357689935", "b0b66b5c863aef5b46e8608fe1711615"),
    ];

    /// <param name="parameters">Keras's count, which includes the 7 numbers that its first layers normalize photos with.</param>
    private static BackboneDefinition Entry(
        string size, (Stage[] Stages, int Stem, int Last) table, int imageSizePixels, double dropout, long parameters, double top1, double top5, string hash, string hashWithoutHead)
    {
        var preprocessing = Preprocessing.KerasTorch(imageSizePixels, Interpolation.Bilinear);
        return new()
        {
            Name = $"efficientnet_{size}",
            Source = BackboneSource.Keras,
            Paper = Paper,
            Build = () => Build($"efficientnet_{size}", new(IsSecond: false), table, imageSizePixels, dropout),
            Head = "avg_pool",
            PublishedParameters = parameters - 7,
            Weights =
            [
                PretrainedWeights.Keras($"efficientnet{size}.h5", FileHash.Md5(hash), preprocessing, top1: top1, top5: top5, files: OldFiles),
                PretrainedWeights.KerasNoTop($"efficientnet{size}_notop.h5", FileHash.Md5(hashWithoutHead), preprocessing, files: OldFiles),
            ],
        };
    }

    private static BackboneDefinition EntryV2(
        string size, (Stage[] Stages, int Stem, int Last) table, int imageSizePixels, long parameters, double top1, double top5, string hash, string hashWithoutHead)
    {
        // The small ones normalize as EfficientNet does; the others to samples from -1 to 1, by 128.
        var preprocessing = size[0] == 'b'
            ? Preprocessing.KerasTorch(imageSizePixels, Interpolation.Bilinear)
            : Preprocessing.KerasTf(imageSizePixels, Interpolation.Bilinear) with { Scale = 1 / 128.0 };
        return new()
        {
            Name = $"efficientnet_v2_{size}",
            Source = BackboneSource.Keras,
            Paper = PaperV2,
            Build = () => Build($"efficientnet_v2_{size}", new(IsSecond: true), table, imageSizePixels, dropout: 0.2),
            Head = "avg_pool",
            PublishedParameters = parameters,
            Weights =
            [
                PretrainedWeights.Keras($"efficientnet_v2/efficientnetv2-{size}.h5", FileHash.Md5(hash), preprocessing, top1: top1, top5: top5),
                PretrainedWeights.KerasNoTop($"efficientnet_v2/efficientnetv2-{size}_notop.h5", FileHash.Md5(hashWithoutHead), preprocessing),
            ],
        };
    }
}
