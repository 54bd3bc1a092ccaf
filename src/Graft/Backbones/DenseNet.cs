using Graft.Checkpoints.Store;
using Graft.Imaging;
using Graft.Networks;

namespace Graft.Backbones;

/// <summary>
/// DenseNet, Huang et al. 2016, arXiv:1608.06993, table 1; torchvision's definition (torchvision/models/densenet.py) and Keras's
/// (keras/src/applications/densenet.py), which differ in names and epsilon. Each layer sees the outputs of all
/// before it in its block.
/// </summary>
public static class DenseNet
{
    private const double Epsilon = 1e-5;
    private const double KerasEpsilon = 1.001e-5;
    private const int Bottleneck = 4, KerasGrowth = 32;

    private static Network Build(string name, int growth, int stem, int[] blocks)
    {
        var builder = new NetworkBuilder(name);
        var channels = stem;
        var x = builder.Input("input", channels: 3, size: 224)
            .Convolution("features.conv0", stem, kernel: 7, stride: 2, padding: 3, bias: false).BatchNorm("features.norm0", Epsilon).Relu("features.relu0")
            .MaxPool("features.pool0", kernel: 3, stride: 2, padding: 1);
        for (var block = 1; block <= blocks.Length; block++)
        {
            for (var index = 1; index <= blocks[block - 1]; index++) x = Dense(x, $"features.denseblock{block}.denselayer{index}", growth);
            channels += blocks[block - 1] * growth;
            if (block == blocks.Length) break;
            var transition = $"features.transition{block}";
            x = x.BatchNorm($"{transition}.norm", Epsilon).Relu($"{transition}.relu")
                .Convolution($"{transition}.conv", channels /= 2, kernel: 1, bias: false).AveragePool($"{transition}.pool", kernel: 2, stride: 2);
        }
        return builder.Build(x.BatchNorm("features.norm5", Epsilon).Relu("relu").GlobalPool("avgpool").Dense("classifier", 1000));
    }

    private static Node Dense(Node x, string layer, int growth) => x.Concatenate($"{layer}.concat", x
        .BatchNorm($"{layer}.norm1", Epsilon).Relu($"{layer}.relu1")
        .Convolution($"{layer}.conv1", Bottleneck * growth, kernel: 1, bias: false).BatchNorm($"{layer}.norm2", Epsilon).Relu($"{layer}.relu2")
        .Convolution($"{layer}.conv2", growth, kernel: 3, padding: 1, bias: false));

    private static Network BuildKeras(string name, int[] blocks)
    {
        var channels = 64;
        var x = new NetworkBuilder(name).Input("input_1", channels: 3, size: 224)
            .ZeroPadding("zero_padding2d", 3).Convolution("conv1_conv", channels, kernel: 7, stride: 2, bias: false).KerasNorm("conv1_bn").Relu("conv1_relu")
            .ZeroPadding("zero_padding2d_1", 1).MaxPool("pool1", kernel: 3, stride: 2);
        for (var block = 0; block < blocks.Length; block++)
        {
            for (var index = 1; index <= blocks[block]; index++) x = KerasDense(x, $"conv{block + 2}_block{index}");
            channels += blocks[block] * KerasGrowth;
            if (block == blocks.Length - 1) break;
            var transition = $"pool{block + 2}";
            x = x.KerasNorm($"{transition}_bn").Relu($"{transition}_relu")
                .Convolution($"{transition}_conv", channels /= 2, kernel: 1, bias: false).AveragePool($"{transition}_pool", kernel: 2, stride: 2);
        }
        return x.Builder.Build(
            x.KerasNorm("bn").Relu("relu").GlobalPool("avg_pool").Dense("predictions", 1000).Softmax("predictions_softmax"), LayerOrder.Keras);
    }

    private static Node KerasDense(Node x, string block) => x.Concatenate($"{block}_concat", x
        .KerasNorm($"{block}_0_bn").Relu($"{block}_0_relu").Convolution($"{block}_1_conv", Bottleneck * KerasGrowth, kernel: 1, bias: false)
        .KerasNorm($"{block}_1_bn").Relu($"{block}_1_relu").Convolution($"{block}_2_conv", KerasGrowth, kernel: 3, padding: 1, bias: false));

    private static Node KerasNorm(this Node x, string layer) => x.BatchNorm(layer, KerasEpsilon, momentum: 0.01);

    /// <summary>The published files are older than the names: they have norm.1 and conv.2.</summary>
    private static Dictionary<string, string> PublishedNames(int[] blocks)
    {
        var names = new Dictionary<string, string>();
        for (var block = 1; block <= blocks.Length; block++)
            for (var index = 1; index <= blocks[block - 1]; index++)
                foreach (var kind in (string[])["norm", "conv"])
                    for (var part = 1; part <= 2; part++)
                    {
                        var layer = $"features.denseblock{block}.denselayer{index}.{kind}";
                        names.Add($"{layer}{part}", $"{layer}.{part}");
                    }
        return names;
    }

    public static PretrainedWeights DenseNet121Keras => BackboneCatalog.WeightsOf("densenet121.keras/imagenet");

    public static PretrainedWeights DenseNet121KerasNoTop => BackboneCatalog.WeightsOf("densenet121.keras/imagenet_notop");

    public static PretrainedWeights DenseNet169Keras => BackboneCatalog.WeightsOf("densenet169.keras/imagenet");

    public static PretrainedWeights DenseNet169KerasNoTop => BackboneCatalog.WeightsOf("densenet169.keras/imagenet_notop");

    public static PretrainedWeights DenseNet201Keras => BackboneCatalog.WeightsOf("densenet201.keras/imagenet");

    public static PretrainedWeights DenseNet201KerasNoTop => BackboneCatalog.WeightsOf("densenet201.keras/imagenet_notop");

    public static PretrainedWeights DenseNet121ImageNetV1 => BackboneCatalog.WeightsOf("densenet121.torchvision/imagenet_v1");

    public static PretrainedWeights DenseNet161ImageNetV1 => BackboneCatalog.WeightsOf("densenet161.torchvision/imagenet_v1");

    public static PretrainedWeights DenseNet169ImageNetV1 => BackboneCatalog.WeightsOf("densenet169.torchvision/imagenet_v1");

    public static PretrainedWeights DenseNet201ImageNetV1 => BackboneCatalog.WeightsOf("densenet201.torchvision/imagenet_v1");

    internal static IEnumerable<BackboneDefinition> Variants =>
    [
        Entry("densenet121", growth: 32, stem: 64, [6, 12, 24, 16], 7_978_856,
            PretrainedWeights.Torchvision("densenet121-a639ec97.pth", 74.434, 91.972)),
        Entry("densenet161", growth: 48, stem: 96, [6, 12, 36, 24], 28_681_000,
            PretrainedWeights.Torchvision("densenet161-8d451a50.pth", 77.138, 93.56)),
        Entry("densenet169", growth: 32, stem: 64, [6, 12, 32, 32], 14_149_480,
            PretrainedWeights.Torchvision("densenet169-b2777c0a.pth", 75.6, 92.806)),
        Entry("densenet201", growth: 32, stem: 64, [6, 12, 48, 32], 20_013_928,
            PretrainedWeights.Torchvision("densenet201-c1103571.pth", 76.896, 93.37)),
        Keras("densenet121", [6, 12, 24, 16], 8_062_504, 75.0, 92.3, "9d60b8095a5708f2dcce2bca79d332c7", "30ee3e1110167f948a6b9946edeeb738"),
        Keras("densenet169", [6, 12, 32, 32], 14_307_880, 76.2, 93.2, "d699b8f76981ab1b30698df4c175e90b", "b8c4d4c20dd625c148057b9ff1c1176b"),
        Keras("densenet201", [6, 12, 48, 32], 20_242_984, 77.3, 93.6, "1ceb130c1ea1b78c3bf6114dbdfd8807", "c13680b51ded0fb44dff2d8f86ac8bb1"),
    ];

    private static Preprocessing KerasPreprocessing => Preprocessing.KerasTorch(224, Interpolation.Bilinear);

    private static BackboneDefinition Keras(string name, int[] blocks, long parameters, double top1, double top5, string hash, string hashWithoutHead)
    {
        var file = $"densenet/{name}_weights_tf_dim_ordering_tf_kernels";
        return new()
        {
            Name = name,
            Source = BackboneSource.Keras,
            Paper = "Huang et al. 2016, arXiv:1608.06993",
            Build = () => BuildKeras(name, blocks),
            Head = "avg_pool",
            PublishedParameters = parameters,
            Weights =
            [
                PretrainedWeights.Keras($"{file}.h5", FileHash.Md5(hash), KerasPreprocessing, top1: top1, top5: top5),
                PretrainedWeights.KerasNoTop($"{file}_notop.h5", FileHash.Md5(hashWithoutHead), KerasPreprocessing),
            ],
        };
    }

    private static BackboneDefinition Entry(string name, int growth, int stem, int[] blocks, long parameters, params PretrainedWeights[] weights) =>
        BackboneDefinition.Torchvision(name, "Huang et al. 2016, arXiv:1608.06993", () => Build(name, growth, stem, blocks), parameters, weights) with
        {
            OtherNames = [PublishedNames(blocks)],
        };
}
