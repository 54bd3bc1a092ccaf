using Graft.Checkpoints.Store;
using Graft.Imaging;
using Graft.Networks;

namespace Graft.Backbones;

/// <summary>
/// SqueezeNet 1.1, Iandola et al. 2016, arXiv:1602.07360, with the changes of the authors' release 1.1;
/// torchvision's definition (torchvision/models/squeezenet.py) and that of github.com/rcmalli/keras-squeezenet, whose poolings do not
/// round up. Keras itself has none.
/// </summary>
public static class SqueezeNet
{
    private const string Paper = "Iandola et al. 2016, arXiv:1602.07360";

    internal static Network BuildTorchvision()
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

    internal static Network BuildKeras()
    {
        var builder = new NetworkBuilder("squeezenet1_1");
        var x = builder.Input("input_1", channels: 3, size: 227)
            .Convolution("conv1", 64, kernel: 3, stride: 2).Relu("relu_conv1")
            .MaxPool("pool1", kernel: 3, stride: 2);
        x = KerasFire(KerasFire(x, 2, squeeze: 16, expand: 64), 3, squeeze: 16, expand: 64).MaxPool("pool3", kernel: 3, stride: 2);
        x = KerasFire(KerasFire(x, 4, squeeze: 32, expand: 128), 5, squeeze: 32, expand: 128).MaxPool("pool5", kernel: 3, stride: 2);
        x = KerasFire(KerasFire(x, 6, squeeze: 48, expand: 192), 7, squeeze: 48, expand: 192);
        x = KerasFire(KerasFire(x, 8, squeeze: 64, expand: 256), 9, squeeze: 64, expand: 256);
        return builder.Build(x
            .Dropout("drop9", 0.5).Convolution("conv10", 1000, kernel: 1).Relu("relu_conv10")
            .GlobalPool("global_average_pooling2d").Softmax("loss"), LayerOrder.Keras);
    }

    private static Node KerasFire(Node x, int index, int squeeze, int expand)
    {
        var block = $"fire{index}";
        var squeezed = x.Convolution($"{block}/squeeze1x1", squeeze, kernel: 1).Relu($"{block}/relu_squeeze1x1");
        var narrow = squeezed.Convolution($"{block}/expand1x1", expand, kernel: 1).Relu($"{block}/relu_expand1x1");
        var wide = squeezed.Convolution($"{block}/expand3x3", expand, kernel: 3, padding: Padding.Same).Relu($"{block}/relu_expand3x3");
        return narrow.Concatenate($"{block}/concat", wide);
    }

    public static PretrainedWeights Release11ImageNetV1 => BackboneCatalog.WeightsOf("squeezenet1_1.torchvision/imagenet_v1");

    public static PretrainedWeights KerasRelease11ImageNetNoTop => BackboneCatalog.WeightsOf("squeezenet1_1.keras/imagenet_notop");

    internal static IEnumerable<BackboneDefinition> Variants =>
    [
        new()
        {
            Name = "squeezenet1_1",
            Source = BackboneSource.Torchvision,
            Paper = Paper,
            Build = BuildTorchvision,
            Head = "classifier",
            PublishedParameters = 1_235_496,
            Weights = [PretrainedWeights.Torchvision("squeezenet1_1-b8a52dc0.pth", 58.178, 80.624)],
        },
        new()
        {
            Name = "squeezenet1_1",
            Source = BackboneSource.Keras,
            Paper = Paper,
            Build = BuildKeras,
            Head = "drop9",
            PublishedParameters = 1_235_496,
            Weights =
            [
                new()
                {
                    Tag = "imagenet_notop",
                    File = new()
                    {
                        FileName = "squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5",
                        Url = new("https://github.com/rcmalli/keras-squeezenet/releases/download/v1.0/squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5"),
                        Bytes = 3_032_184,
                        Hash = FileHash.Sha256("2d935d8c102ad1232484a77da8e6fbdf3ff4ab608974a0d8b6283115ffff204f"),
                    },
                    Preprocessing = Preprocessing.KerasCaffe(227, Interpolation.Bilinear),
                    License = "MIT",
                },
            ],
        },
    ];
}
