using Graft.Checkpoints.Store;
using Graft.Imaging;
using Graft.Networks;
using static Graft.Networks.ActivationFunction;

namespace Graft.Backbones;

/// <summary>
/// ConvNeXt-T, Liu et al. 2022, arXiv:2201.03545, figure 4 and table 9; torchvision's definition (torchvision/models/convnext.py),
/// without its stochastic depth.
/// </summary>
internal static class ConvNeXt
{
    private const double Epsilon = 1e-6;

    private static readonly (int Channels, int Blocks)[] Table9 = [(96, 3), (192, 3), (384, 9), (768, 3)];

    public static Network Build()
    {
        var builder = new NetworkBuilder("convnext_tiny");
        var x = builder.Input("input", channels: 3, size: 224)
            .Convolution("features.0.0", Table9[0].Channels, kernel: 4, stride: 4).LayerNorm("features.0.1", Epsilon);
        for (var stage = 0; stage < Table9.Length; stage++)
        {
            var (channels, blocks) = Table9[stage];
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
    private static Dictionary<string, string> TimmNames()
    {
        var names = new Dictionary<string, string>
        {
            ["features.0.0"] = "stem.0",
            ["features.0.1"] = "stem.1",
            ["classifier.0"] = "head.norm",
            ["classifier.2"] = "head.fc",
        };
        for (var stage = 0; stage < Table9.Length; stage++)
        {
            if (stage > 0)
                for (var part = 0; part < 2; part++) names.Add($"features.{2 * stage}.{part}", $"stages.{stage}.downsample.{part}");
            for (var index = 0; index < Table9[stage].Blocks; index++)
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

    public static IEnumerable<BackboneDefinition> Variants =>
    [
        new()
        {
            Name = "convnext_tiny",
            Source = BackboneSource.Torchvision,
            Paper = "Liu et al. 2022, arXiv:2201.03545",
            Build = Build,
            OtherNames = [TimmNames()],
            Head = "avgpool",
            PublishedParameters = 28_589_128,
            Weights =
            [
                PretrainedWeights.Torchvision("convnext_tiny-983f1562.pth", 82.520, 96.146, Preprocessing.Torchvision(resize: 236)),
                PretrainedWeights.Timm(
                    "convnext_tiny.fb_in1k", FileHash.Sha256("08b9dc9c3a3a29421de7996761e176501896d1ae7fc3085cf56a643772329276"),
                    Preprocessing.Torchvision(interpolation: Interpolation.Bicubic), top1: 82.066),
            ],
        },
    ];
}
