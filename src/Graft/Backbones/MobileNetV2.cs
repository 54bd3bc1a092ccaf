using Graft.Imaging;
using Graft.Networks;

namespace Graft.Backbones;

/// <summary>
/// MobileNet v2, Sandler et al. 2018, arXiv:1801.04381, table 2; torchvision's definition (torchvision/models/mobilenetv2.py).
/// </summary>
internal static class MobileNetV2
{
    private const double Epsilon = 1e-5;

    /// <summary>Expansion, channels, repeats and first stride of each group of inverted residual blocks.</summary>
    private static readonly (int Expansion, int Channels, int Repeats, int Stride)[] Table2 =
    [
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
    ];

    public static Network Build(double width, int classes = 1000, int imageSizePixels = 224)
    {
        var builder = new NetworkBuilder("mobilenet_v2");
        var channels = Width(32);
        var x = ConvNormRelu6(builder.Input("input", channels: 3, imageSizePixels), "features.0", channels, kernel: 3, stride: 2);
        var block = 1;
        foreach (var (expansion, filters, repeats, firstStride) in Table2)
            for (var repeat = 0; repeat < repeats; repeat++)
            {
                var stride = repeat == 0 ? firstStride : 1;
                x = InvertedResidual(x, $"features.{block++}", channels, Width(filters), expansion, stride);
                channels = Width(filters);
            }
        x = ConvNormRelu6(x, $"features.{block}", MakeDivisible(1280 * Math.Max(1, width)), kernel: 1);
        return builder.Build(x.GlobalPool("avgpool").Dropout("classifier.0", 0.2).Dense("classifier.1", classes));

        int Width(int filters) => MakeDivisible(filters * width);
    }

    private static Node InvertedResidual(Node input, string block, int channels, int filters, int expansion, int stride)
    {
        var (x, hidden, part) = (input, channels * expansion, 0);
        if (expansion != 1) x = ConvNormRelu6(x, $"{block}.conv.{part++}", hidden, kernel: 1);
        x = x.DepthwiseConvolution($"{block}.conv.{part}.0", hidden, kernel: 3, stride, padding: 1, bias: false)
            .BatchNorm($"{block}.conv.{part}.1", Epsilon).Relu6($"{block}.conv.{part++}.2")
            .Convolution($"{block}.conv.{part++}", filters, kernel: 1, bias: false)
            .BatchNorm($"{block}.conv.{part}", Epsilon);
        return stride == 1 && channels == filters ? x.Add($"{block}.add", input) : x;
    }

    private static Node ConvNormRelu6(Node x, string block, int filters, int kernel, int stride = 1) =>
        x.Convolution($"{block}.0", filters, kernel, stride, padding: kernel / 2, bias: false)
            .BatchNorm($"{block}.1", Epsilon).Relu6($"{block}.2");

    /// <summary>The nearest multiple of 8 that is not more than a tenth smaller.</summary>
    private static int MakeDivisible(double channels)
    {
        var rounded = Math.Max(8, (int)(channels + 4) / 8 * 8);
        return rounded < 0.9 * channels ? rounded + 8 : rounded;
    }

    public static IEnumerable<BackboneDefinition> Variants =>
    [
        new()
        {
            Name = "mobilenet_v2",
            Source = BackboneSource.Torchvision,
            Paper = "Sandler et al. 2018, arXiv:1801.04381",
            Build = () => Build(1.0),
            Head = "avgpool",
            PublishedParameters = 3_504_872,
            Weights =
            [
                new()
                {
                    File = new() { FileName = "mobilenet_v2-b0353104.pth", Url = new($"{BackboneSource.TorchvisionFiles}mobilenet_v2-b0353104.pth") },
                    Preprocessing = Preprocessing.Torchvision(),
                    Classes = ClassNames.ImageNet,
                    Licence = "BSD-3-Clause",
                    Top1 = 71.878,
                },
            ],
        },
    ];
}
