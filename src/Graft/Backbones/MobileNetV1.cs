using Graft.Imaging;
using Graft.Networks;

namespace Graft.Backbones;

/// <summary>
/// MobileNet v1, Howard et al. 2017, arXiv:1704.04861, table 1; Keras's definition (keras/src/applications/mobilenet.py).
/// </summary>
internal static class MobileNetV1
{
    private const double Epsilon = 1e-3;

    /// <summary>Stride and width of each depthwise-separable block.</summary>
    private static readonly (int Stride, int Filters)[] Table1 =
    [
        (1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512), (1, 512), (1, 512), (1, 512), (1, 512), (1, 512), (2, 1024), (1, 1024),
    ];

    public static Network Build(double alpha)
    {
        var builder = new NetworkBuilder("mobilenet_v1");
        var channels = Width(32);
        var x = builder.Input("input_1", channels: 3, size: 224)
            .Convolution("conv1", channels, kernel: 3, stride: 2, Padding.Same, bias: false)
            .BatchNorm("conv1_bn", Epsilon).Relu6("conv1_relu");
        for (var block = 1; block <= Table1.Length; block++)
        {
            var (stride, filters) = Table1[block - 1];
            if (stride == 2) x = x.ZeroPadding($"conv_pad_{block}", new(Top: 0, Bottom: 1, Left: 0, Right: 1));
            x = x.DepthwiseConvolution(
                    $"conv_dw_{block}", channels, kernel: 3, stride, stride == 1 ? Padding.Same : Padding.None, bias: false)
                .BatchNorm($"conv_dw_{block}_bn", Epsilon).Relu6($"conv_dw_{block}_relu")
                .Convolution($"conv_pw_{block}", channels = Width(filters), kernel: 1, bias: false)
                .BatchNorm($"conv_pw_{block}_bn", Epsilon).Relu6($"conv_pw_{block}_relu");
        }
        return builder.Build(x
            .GlobalPool("global_average_pooling2d").Reshape("reshape_1", channels, 1, 1)
            .Dropout("dropout", 1e-3)
            .Convolution("conv_preds", 1000, kernel: 1).Reshape("reshape_2", 1000)
            .Softmax("predictions"));

        int Width(int filters) => (int)(filters * alpha);
    }

    public static IEnumerable<BackboneDefinition> Variants =>
    [
        Variant(1.0, "mobilenet_v1", "1_0", 4_253_864, top1: 70.4),
        Variant(0.75, "mobilenet_v1_075", "7_5", 2_601_976),
        Variant(0.5, "mobilenet_v1_050", "5_0", 1_342_536),
        Variant(0.25, "mobilenet_v1_025", "2_5", 475_544),
    ];

    private static BackboneDefinition Variant(double alpha, string name, string file, long parameters, double? top1 = null) => new()
    {
        Name = name,
        Source = BackboneSource.Keras,
        Paper = "Howard et al. 2017, arXiv:1704.04861",
        Build = () => Build(alpha),
        Head = "global_average_pooling2d",
        PublishedParameters = parameters,
        Weights =
        [
            new()
            {
                File = new() { FileName = $"mobilenet_{file}_224_tf.h5", Url = new($"{BackboneSource.KerasFiles}mobilenet/mobilenet_{file}_224_tf.h5") },
                Preprocessing = Preprocessing.KerasTf(224, Interpolation.Bilinear),
                Classes = ClassNames.ImageNet,
                Licence = "Apache-2.0",
                Top1 = top1,
            },
        ],
    };
}
