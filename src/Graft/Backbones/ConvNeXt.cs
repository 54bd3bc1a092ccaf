using Graft.Checkpoints.Store;
using Graft.Imaging;
using Graft.Networks;
using static Graft.Networks.ActivationFunction;

namespace Graft.Backbones;

/// <summary>
/// ConvNeXt, Liu et al. 2022, arXiv:2201.03545, figure 4 and table 9; torchvision's definition (torchvision/models/convnext.py),
/// without its stochastic depth.
/// </summary>
public static class ConvNeXt
{
    internal const string Paper = "Liu et al. 2022, arXiv:2201.03545";

    private const double Epsilon = 1e-6;

    /// <summary>Channels and blocks of each stage.</summary>
    internal static (int Channels, int Blocks)[] Table9(int channels, int thirdStage) =>
        [(channels, 3), (2 * channels, 3), (4 * channels, thirdStage), (8 * channels, 3)];

    private static Network Build(string name, (int Channels, int Blocks)[] table)
    {
        var builder = new NetworkBuilder(name);
        var x = builder.Input("input", channels: 3, size: 224)
            .Convolution("features.0.0", table[0].Channels, kernel: 4, stride: 4).LayerNorm("features.0.1", Epsilon);
        for (var stage = 0; stage < table.Length; stage++)
        {
            var (channels, blocks) = table[stage];
            if (stage > 0)
                x = x.LayerNorm($"features.{2 * stage}.0", Epsilon).Convolution($"features.{2 * stage}.1", channels, kernel: 2, stride: 2);
            for (var block = 0; block < blocks; block++) x = Block(x, $"features.{2 * stage + 1}.{block}", channels);
        }
        return builder.Build(x.GlobalPool("avgpool").LayerNorm("classifier.0", Epsilon).Dense("classifier.2", 1000));
    }

    private static Node Block(Node input, string block, int channels) => input
        .DepthwiseConvolution($"{block}.block.0", channels, kernel: 7, padding: 3).LayerNorm($"{block}.block.2", Epsilon)
        .PointwiseDense($"{block}.block.3", 4 * channels).Activation($"{block}.block.4", Gelu)
        .PointwiseDense($"{block}.block.5", channels)
        .LayerScale($"{block}.layer_scale").Add($"{block}.add", input);

    /// <summary>As timm/models/convnext.py names them.</summary>
    private static Dictionary<string, string> TimmNames((int Channels, int Blocks)[] table)
    {
        var names = new Dictionary<string, string>
        {
            ["features.0.0"] = "stem.0",
            ["features.0.1"] = "stem.1",
            ["classifier.0"] = "head.norm",
            ["classifier.2"] = "head.fc",
        };
        for (var stage = 0; stage < table.Length; stage++)
        {
            if (stage > 0)
                for (var part = 0; part < 2; part++) names.Add($"features.{2 * stage}.{part}", $"stages.{stage}.downsample.{part}");
            for (var index = 0; index < table[stage].Blocks; index++)
            {
                var (block, timm) = ($"features.{2 * stage + 1}.{index}", $"stages.{stage}.blocks.{index}");
                names.Add($"{block}.block.0", $"{timm}.conv_dw");
                names.Add($"{block}.block.2", $"{timm}.norm");
                names.Add($"{block}.block.3", $"{timm}.mlp.fc1");
                names.Add($"{block}.block.5", $"{timm}.mlp.fc2");
                names.Add($"{block}.layer_scale", $"{timm}.gamma");
            }
        }
        return names;
    }

    public static PretrainedWeights TinyImageNetV1 => BackboneCatalog.WeightsOf("convnext_tiny.torchvision/imagenet_v1");

    public static PretrainedWeights SmallImageNetV1 => BackboneCatalog.WeightsOf("convnext_small.torchvision/imagenet_v1");

    public static PretrainedWeights BaseImageNetV1 => BackboneCatalog.WeightsOf("convnext_base.torchvision/imagenet_v1");

    public static PretrainedWeights LargeImageNetV1 => BackboneCatalog.WeightsOf("convnext_large.torchvision/imagenet_v1");

    public static PretrainedWeights TinyFbIn1k => BackboneCatalog.WeightsOf("convnext_tiny.torchvision/fb_in1k");

    internal static IEnumerable<BackboneDefinition> Variants =>
    [
        Entry("convnext_tiny", Table9(96, 9), 28_589_128,
            PretrainedWeights.Torchvision("convnext_tiny-983f1562.pth", 82.52, 96.146, Preprocessing.Torchvision(resize: 236)),
            PretrainedWeights.Timm(
                "convnext_tiny.fb_in1k", FileHash.Sha256("08b9dc9c3a3a29421de7996761e176501896d1ae7fc3085cf56a643772329276"),
                Preprocessing.Torchvision(interpolation: Interpolation.Bicubic), top1: 82.066)),
        Entry("convnext_small", Table9(96, 27), 50_223_688,
            PretrainedWeights.Torchvision("convnext_small-0c510722.pth", 83.616, 96.65, Preprocessing.Torchvision(resize: 230))),
        Entry("convnext_base", Table9(128, 27), 88_591_464,
            PretrainedWeights.Torchvision("convnext_base-6075fbad.pth", 84.062, 96.87, Preprocessing.Torchvision(resize: 232))),
        Entry("convnext_large", Table9(192, 27), 197_767_336,
            PretrainedWeights.Torchvision("convnext_large-ea097f82.pth", 84.414, 96.976, Preprocessing.Torchvision(resize: 232))),
    ];

    private static BackboneDefinition Entry(
        string name, (int Channels, int Blocks)[] table, long parameters, params PretrainedWeights[] weights) =>
        BackboneDefinition.Torchvision(name, Paper, () => Build(name, table), parameters, weights) with
        {
            OtherNames = [TimmNames(table)],
        };
}
