using Graft.Networks;

namespace Graft.Backbones;

/// <summary>
/// DenseNet, Huang et al. 2016, arXiv:1608.06993, table 1; torchvision's definition (torchvision/models/densenet.py). Each layer sees the outputs of all
/// before it in its block.
/// </summary>
public static class DenseNet
{
    private const double Epsilon = 1e-5;
    private const int Bottleneck = 4;

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
    ];

    private static BackboneDefinition Entry(string name, int growth, int stem, int[] blocks, long parameters, params PretrainedWeights[] weights) =>
        BackboneDefinition.Torchvision(name, "Huang et al. 2016, arXiv:1608.06993", () => Build(name, growth, stem, blocks), parameters, weights) with
        {
            OtherNames = [PublishedNames(blocks)],
        };
}
