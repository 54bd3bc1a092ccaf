using Graft.Imaging;
using Graft.Networks;

namespace Graft.Backbones;

/// <summary>
/// ResNet-50 v1, He et al. 2015, arXiv:1512.03385, table 1; Keras's definition (keras/src/applications/resnet.py): the stride is in
/// a block's first 1×1 convolution, where torchvision has it in the 3×3, and every convolution has a bias.
/// </summary>
internal static class ResNet
{
    private const double Epsilon = 1.001e-5;

    private static readonly (int Filters, int Blocks, int Stride)[] Table1 = [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)];

    public static Network BuildKeras()
    {
        var builder = new NetworkBuilder("resnet50");
        var x = builder.Input("input_1", channels: 3, size: 224)
            .ZeroPadding("conv1_pad", 3).Convolution("conv1_conv", 64, kernel: 7, stride: 2)
            .BatchNorm("conv1_bn", Epsilon).Relu("conv1_relu")
            .ZeroPadding("pool1_pad", 1).MaxPool("pool1_pool", kernel: 3, stride: 2);
        for (var stage = 0; stage < Table1.Length; stage++)
            for (var block = 1; block <= Table1[stage].Blocks; block++)
                x = Bottleneck(
                    x, $"conv{stage + 2}_block{block}", Table1[stage].Filters, block == 1 ? Table1[stage].Stride : 1, project: block == 1);
        return builder.Build(
            x.GlobalPool("avg_pool").Dense("predictions", 1000).Softmax("predictions_softmax"), LayerOrder.Keras);
    }

    private static Node Bottleneck(Node input, string block, int filters, int stride, bool project)
    {
        var shortcut = project
            ? input.Convolution($"{block}_0_conv", 4 * filters, kernel: 1, stride).BatchNorm($"{block}_0_bn", Epsilon)
            : input;
        var residual = input
            .Convolution($"{block}_1_conv", filters, kernel: 1, stride).BatchNorm($"{block}_1_bn", Epsilon).Relu($"{block}_1_relu")
            .Convolution($"{block}_2_conv", filters, kernel: 3, padding: Padding.Same).BatchNorm($"{block}_2_bn", Epsilon).Relu($"{block}_2_relu")
            .Convolution($"{block}_3_conv", 4 * filters, kernel: 1).BatchNorm($"{block}_3_bn", Epsilon);
        return shortcut.Add($"{block}_add", residual).Relu($"{block}_out");
    }

    public static IEnumerable<BackboneDefinition> Variants =>
    [
        new()
        {
            Name = "resnet50",
            Source = BackboneSource.Keras,
            Paper = "He et al. 2015, arXiv:1512.03385",
            Build = BuildKeras,
            Head = "avg_pool",
            PublishedParameters = 25_636_712,
            Weights =
            [
                new()
                {
                    File = new()
                    {
                        FileName = "resnet50_weights_tf_dim_ordering_tf_kernels.h5",
                        Url = new($"{BackboneSource.KerasFiles}resnet/resnet50_weights_tf_dim_ordering_tf_kernels.h5"),
                    },
                    Preprocessing = Preprocessing.KerasCaffe(224, Interpolation.Bilinear),
                    Classes = ClassNames.ImageNet,
                    Licence = "Apache-2.0",
                    Top1 = 74.9,
                },
            ],
        },
    ];
}
