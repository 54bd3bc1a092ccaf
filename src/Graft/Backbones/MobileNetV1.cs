using Graft.Checkpoints.Store;
using Graft.Imaging;
using Graft.Networks;

namespace Graft.Backbones;

/// <summary>
/// MobileNet v1, Howard et al. 2017, arXiv:1704.04861, table 1; Keras's definition (keras/src/applications/mobilenet.py).
/// </summary>
public static class MobileNetV1
{
    private const double Epsilon = 1e-3, Momentum = 0.01;

    /// <summary>Stride and width of each depthwise-separable block.</summary>
    private static readonly (int Stride, int Filters)[] Table1 =
    [
        (1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512), (1, 512), (1, 512), (1, 512), (1, 512), (1, 512), (2, 1024), (1, 1024),
    ];

    internal static Network Build(double alpha)
    {
        var builder = new NetworkBuilder("mobilenet_v1");
        var channels = Width(32);
        var x = builder.Input("input_1", channels: 3, size: 224)
            .Convolution("conv1", channels, kernel: 3, stride: 2, Padding.Same, bias: false)
            .BatchNorm("conv1_bn", Epsilon, Momentum).Relu6("conv1_relu");
        for (var block = 1; block <= Table1.Length; block++)
        {
            var (stride, filters) = Table1[block - 1];
            if (stride == 2) x = x.ZeroPadding($"conv_pad_{block}", new(Top: 0, Bottom: 1, Left: 0, Right: 1));
            x = x.DepthwiseConvolution(
                    $"conv_dw_{block}", channels, kernel: 3, stride, stride == 1 ? Padding.Same : Padding.None, bias: false)
                .BatchNorm($"conv_dw_{block}_bn", Epsilon, Momentum).Relu6($"conv_dw_{block}_relu")
                .Convolution($"conv_pw_{block}", channels = Width(filters), kernel: 1, bias: false)
                .BatchNorm($"conv_pw_{block}_bn", Epsilon, Momentum).Relu6($"conv_pw_{block}_relu");
        }
        return builder.Build(x
            .GlobalPool("global_average_pooling2d").Reshape("reshape_1", channels, 1, 1)
            .Dropout("dropout", 1e-3)
            .Convolution("conv_preds", 1000, kernel: 1).Reshape("reshape_2", 1000)
            .Softmax("predictions"));

        int Width(int filters) => (int)(filters * alpha);
    }

    public static PretrainedWeights ImageNet224 => BackboneCatalog.WeightsOf("mobilenet_v1.keras/imagenet_224");

    public static PretrainedWeights ImageNet224NoTop => BackboneCatalog.WeightsOf("mobilenet_v1.keras/imagenet_224_notop");

    public static PretrainedWeights ImageNet192 => BackboneCatalog.WeightsOf("mobilenet_v1.keras/imagenet_192");

    public static PretrainedWeights ImageNet192NoTop => BackboneCatalog.WeightsOf("mobilenet_v1.keras/imagenet_192_notop");

    public static PretrainedWeights ImageNet160 => BackboneCatalog.WeightsOf("mobilenet_v1.keras/imagenet_160");

    public static PretrainedWeights ImageNet160NoTop => BackboneCatalog.WeightsOf("mobilenet_v1.keras/imagenet_160_notop");

    public static PretrainedWeights ImageNet128 => BackboneCatalog.WeightsOf("mobilenet_v1.keras/imagenet_128");

    public static PretrainedWeights ImageNet128NoTop => BackboneCatalog.WeightsOf("mobilenet_v1.keras/imagenet_128_notop");

    public static PretrainedWeights Width075ImageNet224 => BackboneCatalog.WeightsOf("mobilenet_v1_075.keras/imagenet_224");

    public static PretrainedWeights Width075ImageNet224NoTop => BackboneCatalog.WeightsOf("mobilenet_v1_075.keras/imagenet_224_notop");

    public static PretrainedWeights Width075ImageNet192 => BackboneCatalog.WeightsOf("mobilenet_v1_075.keras/imagenet_192");

    public static PretrainedWeights Width075ImageNet192NoTop => BackboneCatalog.WeightsOf("mobilenet_v1_075.keras/imagenet_192_notop");

    public static PretrainedWeights Width075ImageNet160 => BackboneCatalog.WeightsOf("mobilenet_v1_075.keras/imagenet_160");

    public static PretrainedWeights Width075ImageNet160NoTop => BackboneCatalog.WeightsOf("mobilenet_v1_075.keras/imagenet_160_notop");

    public static PretrainedWeights Width075ImageNet128 => BackboneCatalog.WeightsOf("mobilenet_v1_075.keras/imagenet_128");

    public static PretrainedWeights Width075ImageNet128NoTop => BackboneCatalog.WeightsOf("mobilenet_v1_075.keras/imagenet_128_notop");

    public static PretrainedWeights Width050ImageNet224 => BackboneCatalog.WeightsOf("mobilenet_v1_050.keras/imagenet_224");

    public static PretrainedWeights Width050ImageNet224NoTop => BackboneCatalog.WeightsOf("mobilenet_v1_050.keras/imagenet_224_notop");

    public static PretrainedWeights Width050ImageNet192 => BackboneCatalog.WeightsOf("mobilenet_v1_050.keras/imagenet_192");

    public static PretrainedWeights Width050ImageNet192NoTop => BackboneCatalog.WeightsOf("mobilenet_v1_050.keras/imagenet_192_notop");

    public static PretrainedWeights Width050ImageNet160 => BackboneCatalog.WeightsOf("mobilenet_v1_050.keras/imagenet_160");

    public static PretrainedWeights Width050ImageNet160NoTop => BackboneCatalog.WeightsOf("mobilenet_v1_050.keras/imagenet_160_notop");

    public static PretrainedWeights Width050ImageNet128 => BackboneCatalog.WeightsOf("mobilenet_v1_050.keras/imagenet_128");

    public static PretrainedWeights Width050ImageNet128NoTop => BackboneCatalog.WeightsOf("mobilenet_v1_050.keras/imagenet_128_notop");

    public static PretrainedWeights Width025ImageNet224 => BackboneCatalog.WeightsOf("mobilenet_v1_025.keras/imagenet_224");

    public static PretrainedWeights Width025ImageNet224NoTop => BackboneCatalog.WeightsOf("mobilenet_v1_025.keras/imagenet_224_notop");

    public static PretrainedWeights Width025ImageNet192 => BackboneCatalog.WeightsOf("mobilenet_v1_025.keras/imagenet_192");

    public static PretrainedWeights Width025ImageNet192NoTop => BackboneCatalog.WeightsOf("mobilenet_v1_025.keras/imagenet_192_notop");

    public static PretrainedWeights Width025ImageNet160 => BackboneCatalog.WeightsOf("mobilenet_v1_025.keras/imagenet_160");

    public static PretrainedWeights Width025ImageNet160NoTop => BackboneCatalog.WeightsOf("mobilenet_v1_025.keras/imagenet_160_notop");

    public static PretrainedWeights Width025ImageNet128 => BackboneCatalog.WeightsOf("mobilenet_v1_025.keras/imagenet_128");

    public static PretrainedWeights Width025ImageNet128NoTop => BackboneCatalog.WeightsOf("mobilenet_v1_025.keras/imagenet_128_notop");

    internal static IEnumerable<BackboneDefinition> Variants =>
    [
        Variant("mobilenet_v1", 1.0, "1_0", 4_253_864,
            ("03394917f9a9ea3362f46332a5b6a215", 17_225_924), "725ccbd03d61d7ced5b5c4cd17e7d527", top1: 70.4, top5: 89.5),
        Variant("mobilenet_v1_075", 0.75, "7_5", 2_601_976),
        Variant("mobilenet_v1_050", 0.5, "5_0", 1_342_536),
        Variant("mobilenet_v1_025", 0.25, "2_5", 475_544),
    ];

    private static BackboneDefinition Variant(
        string name, double alpha, string width, long parameters,
        (string Md5, long Bytes)? whole = null, string? noTopMd5 = null, double? top1 = null, double? top5 = null)
    {
        return new()
        {
            Name = name,
            Source = BackboneSource.Keras,
            Paper = "Howard et al. 2017, arXiv:1704.04861",
            Build = () => Build(alpha),
            Head = "global_average_pooling2d",
            PublishedParameters = parameters,
            Weights =
            [
                Whole(224, whole, top1, top5), NoTop(224, noTopMd5),
                Whole(192), NoTop(192), Whole(160), NoTop(160), Whole(128), NoTop(128),
            ],
        };

        PretrainedWeights Whole(int size, (string Md5, long Bytes)? file = null, double? top1 = null, double? top5 = null) =>
            PretrainedWeights.Keras(
                $"mobilenet/mobilenet_{width}_{size}_tf.h5", file is { } known ? FileHash.Md5(known.Md5) : null,
                Preprocessing.KerasTf(size, Interpolation.Bilinear), file?.Bytes, top1, top5, $"imagenet_{size}").WithSecondHandHash();

        PretrainedWeights NoTop(int size, string? md5 = null) =>
            PretrainedWeights.KerasNoTop(
                $"mobilenet/mobilenet_{width}_{size}_tf_no_top.h5", md5 is null ? null : FileHash.Md5(md5),
                Preprocessing.KerasTf(size, Interpolation.Bilinear), tag: $"imagenet_{size}_notop").WithSecondHandHash();
    }
}
