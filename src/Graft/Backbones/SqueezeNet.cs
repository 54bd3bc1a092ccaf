using Graft.Imaging;
using Graft.Networks;

namespace Graft.Backbones;

/// <summary>
/// SqueezeNet 1.1, Iandola et al. 2016, arXiv:1602.07360, with the changes of the authors' release 1.1;
/// torchvision's definition (torchvision/models/squeezenet.py).
/// </summary>
internal static class SqueezeNet
{
    public static Network Build()
    {
        var builder = new NetworkBuilder("squeezenet1_1");
        var x = builder.Input("input", channels: 3, size: 224)
            .Convolution("features.0", 64, kernel: 3, stride: 2).Relu("features.1")
            .MaxPool("features.2", kernel: 3, stride: 2, roundUp: true);
        x = Fire(Fire(x, 3, squeeze: 16, expand: 64), 4, squeeze: 16, expand: 64)
            .MaxPool("features.5", kernel: 3, stride: 2, roundUp: true);
        x = Fire(Fire(x, 6, squeeze: 32, expand: 128), 7, squeeze: 32, expand: 128)
            .MaxPool("features.8", kernel: 3, stride: 2, roundUp: true);
        x = Fire(Fire(x, 9, squeeze: 48, expand: 192), 10, squeeze: 48, expand: 192);
        x = Fire(Fire(x, 11, squeeze: 64, expand: 256), 12, squeeze: 64, expand: 256);
        return builder.Build(x
            .Dropout("classifier.0", 0.5).Convolution("classifier.1", 1000, kernel: 1).Relu("classifier.2")
            .GlobalPool("classifier.3"));
    }

    private static Node Fire(Node x, int index, int squeeze, int expand)
    {
        var block = $"features.{index}";
        var squeezed = x.Convolution($"{block}.squeeze", squeeze, kernel: 1).Relu($"{block}.squeeze_activation");
        var narrow = squeezed.Convolution($"{block}.expand1x1", expand, kernel: 1).Relu($"{block}.expand1x1_activation");
        var wide = squeezed.Convolution($"{block}.expand3x3", expand, kernel: 3, padding: 1).Relu($"{block}.expand3x3_activation");
        return narrow.Concatenate($"{block}.concat", wide);
    }

    public static IEnumerable<BackboneDefinition> Variants =>
    [
        new()
        {
            Name = "squeezenet1_1",
            Source = BackboneSource.Torchvision,
            Paper = "Iandola et al. 2016, arXiv:1602.07360",
            Build = Build,
            Head = "classifier",
            PublishedParameters = 1_235_496,
            Weights =
            [
                new()
                {
                    File = new() { FileName = "squeezenet1_1-b8a52dc0.pth", Url = new($"{BackboneSource.TorchvisionFiles}squeezenet1_1-b8a52dc0.pth") },
                    Preprocessing = Preprocessing.Torchvision(),
                    Classes = ClassNames.ImageNet,
                    Licence = "BSD-3-Clause",
                    Top1 = 58.178,
                },
            ],
        },
        new()
        {
            Name = "squeezenet1_1",
            Source = BackboneSource.Keras,
            Paper = "Iandola et al. 2016, arXiv:1602.07360",
            Build = () => Build().WithInputSize(227, 227),
            Head = "classifier",
            PublishedParameters = 1_235_496,
            Weights =
            [
                new()
                {
                    // keras-squeezenet is not in Keras itself.
                    File = new()
                    {
                        FileName = "squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5",
                        Url = new("https://github.com/rcmalli/keras-squeezenet/releases/download/v1.0/squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5"),
                    },
                    Preprocessing = Preprocessing.KerasCaffe(227, Interpolation.Bilinear),
                    Licence = "MIT",
                },
            ],
        },
    ];
}
