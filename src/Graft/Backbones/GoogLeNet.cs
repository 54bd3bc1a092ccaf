using Graft.Imaging;
using Graft.Networks;

namespace Graft.Backbones;

/// <summary>
/// GoogLeNet, Szegedy et al. 2014, arXiv:1409.4842, table 1, with batch norm; torchvision's definition (torchvision/models/googlenet.py), whose third branch
/// has windows of 3 pixels where the paper has 5.
/// </summary>
public static class GoogLeNet
{
    private const double Epsilon = 1e-3;

    /// <summary>Channels of the 1×1 branch, before and in the two 3×3 branches, and after the pooling.</summary>
    private static readonly (string Name, int Narrow, int Reduced, int Wide, int ReducedAgain, int WideAgain, int Pooled)[] Table1 =
    [
        ("3a", 64, 96, 128, 16, 32, 32), ("3b", 128, 128, 192, 32, 96, 64),
        ("4a", 192, 96, 208, 16, 48, 64), ("4b", 160, 112, 224, 24, 64, 64), ("4c", 128, 128, 256, 24, 64, 64), ("4d", 112, 144, 288, 32, 64, 64),
        ("4e", 256, 160, 320, 32, 128, 128),
        ("5a", 256, 160, 320, 32, 128, 128), ("5b", 384, 192, 384, 48, 128, 128),
    ];

    private static Network Build()
    {
        var builder = new NetworkBuilder("googlenet");
        var x = builder.Input("input", channels: 3, size: 224)
            .Conv("conv1", 64, kernel: 7, stride: 2).MaxPool("maxpool1", kernel: 3, stride: 2, roundUp: true)
            .Conv("conv2", 64, kernel: 1).Conv("conv3", 192, kernel: 3).MaxPool("maxpool2", kernel: 3, stride: 2, roundUp: true);
        foreach (var row in Table1)
        {
            var block = $"inception{row.Name}";
            x = x.Conv($"{block}.branch1", row.Narrow, kernel: 1).Concatenate(
                $"{block}.concat",
                x.Conv($"{block}.branch2.0", row.Reduced, kernel: 1).Conv($"{block}.branch2.1", row.Wide, kernel: 3),
                x.Conv($"{block}.branch3.0", row.ReducedAgain, kernel: 1).Conv($"{block}.branch3.1", row.WideAgain, kernel: 3),
                x.MaxPool($"{block}.branch4.0", kernel: 3, stride: 1, padding: 1, roundUp: true).Conv($"{block}.branch4.1", row.Pooled, kernel: 1));
            if (row.Name == "3b") x = x.MaxPool("maxpool3", kernel: 3, stride: 2, roundUp: true);
            if (row.Name == "4e") x = x.MaxPool("maxpool4", kernel: 2, stride: 2, roundUp: true);
        }
        return builder.Build(x.GlobalPool("avgpool").Dropout("dropout", 0.2).Dense("fc", 1000));
    }

    /// <summary>The two heads on the outputs of 4a (512 channels) and 4d (528) that helped in training (section 5).</summary>
    private static Network BuildAuxiliary()
    {
        var builder = new NetworkBuilder("googlenet");
        var maps = builder.Input("maps", channels: 512 + 528, size: 14);
        return builder.Build(Head("aux1", maps.ChannelSlice("inception4a", 0, 512)).Concatenate("aux", Head("aux2", maps.ChannelSlice("inception4d", 512, 528))));

        static Node Head(string name, Node map) => map
            .AdaptiveAveragePool($"{name}.avgpool", 4).Conv($"{name}.conv", 128, kernel: 1).Flatten($"{name}.flatten")
            .Dense($"{name}.fc1", 1024).Relu($"{name}.relu").Dropout($"{name}.dropout", 0.7).Dense($"{name}.fc2", 1000);
    }

    private static Node Conv(this Node x, string block, int filters, int kernel, int stride = 1) =>
        x.Convolution($"{block}.conv", filters, kernel, stride, padding: kernel / 2, bias: false).BatchNorm($"{block}.bn", Epsilon).Relu($"{block}.relu");

    public static PretrainedWeights ImageNetV1 => BackboneCatalog.WeightsOf("googlenet.torchvision/imagenet_v1");

    internal static IEnumerable<BackboneDefinition> Variants =>
    [
        // 6,624,904 without the two other heads, which the file has.
        BackboneDefinition.Torchvision(
            "googlenet", "Szegedy et al. 2014, arXiv:1409.4842", Build, 13_004_888,
            PretrainedWeights.Torchvision("googlenet-1378be20.pth", 69.778, 89.53, HalfMean)) with { Auxiliary = BuildAuxiliary },
    ];

    /// <summary>
    /// Samples from -1 to 1, as the weights came from TensorFlow. torchvision's <c>transform_input</c> makes the same of samples normalized with ImageNet's
    /// mean and deviation.
    /// </summary>
    private static Preprocessing HalfMean => Preprocessing.Torchvision() with { Mean = ChannelValues.Same(0.5), StandardDeviation = ChannelValues.Same(0.5) };
}
