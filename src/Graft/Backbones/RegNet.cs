using Graft.Imaging;
using Graft.Networks;
using static Graft.Networks.ActivationFunction;

namespace Graft.Backbones;

/// <summary>
/// RegNet, Radosavovic et al. 2020, arXiv:2003.13678, tables 8 and 9: widths that follow a straight line, rounded to a few steps; Y has squeeze-and-excitation.
/// torchvision's definition (torchvision/models/regnet.py).
/// </summary>
public static class RegNet
{
    private const int Stem = 32, Multiple = 8;

    /// <param name="Depth">Blocks in all.</param>
    /// <param name="Width">Of the first block, before rounding.</param>
    /// <param name="Slope">How much wider each block is than the one before it.</param>
    /// <param name="Step">The factor between the widths of two stages.</param>
    /// <param name="GroupWidth">Channels of a group of the 3×3 convolutions.</param>
    private readonly record struct Design(int Depth, int Width, double Slope, double Step, int GroupWidth)
    {
        /// <summary>Width, number of blocks and channels of a group of each stage (section 3.3, equations 2 to 4).</summary>
        public IEnumerable<(int Width, int Blocks, int GroupWidth)> Stages()
        {
            var (width, slope, step, groupWidth) = (Width, Slope, Step, GroupWidth);
            return Enumerable.Range(0, Depth)
                .Select(block => Math.Round(Math.Log((width + slope * block) / width) / Math.Log(step)))
                .Select(power => (int)Math.Round(width * Math.Pow(step, power) / Multiple) * Multiple)
                .GroupBy(rounded => rounded)
                .Select(stage =>
                {
                    var group = Math.Min(groupWidth, stage.Key);
                    return (Blocks.MakeDivisible(stage.Key, group), stage.Count(), group);
                });
        }
    }

    private static Network Build(string name, Design design, bool squeeze)
    {
        var builder = new NetworkBuilder(name);
        var x = builder.Input("input", channels: 3, size: 224).ConvNormActivation("stem", Stem, kernel: 3, Relu, stride: 2);
        var channels = Stem;
        foreach (var (index, (width, blocks, groupWidth)) in design.Stages().Index())
            for (var block = 0; block < blocks; block++)
            {
                x = Block(
                    x, $"trunk_output.block{index + 1}.block{index + 1}-{block}", channels, width, block == 0 ? 2 : 1, width / groupWidth,
                    squeeze ? (int)Math.Round(0.25 * channels) : null);
                channels = width;
            }
        return builder.Build(x.GlobalPool("avgpool").Dense("fc", 1000));
    }

    private static Node Block(Node input, string block, int channels, int width, int stride, int groups, int? squeezed)
    {
        var x = input.ConvNormActivation($"{block}.f.a", width, kernel: 1, Relu)
            .ConvNormActivation($"{block}.f.b", width, kernel: 3, Relu, stride, groups: groups);
        if (squeezed is { } units) x = x.SqueezeExcitation($"{block}.f.se", width, units, Relu, gate: Sigmoid);
        x = x.ConvNormActivation($"{block}.f.c", width, kernel: 1, activation: null);
        var shortcut = channels != width || stride != 1 ? input.ConvNormActivation($"{block}.proj", width, kernel: 1, activation: null, stride) : input;
        return shortcut.Add($"{block}.add", x).Relu($"{block}.activation");
    }

    public static PretrainedWeights Y400MFImageNetV1 => BackboneCatalog.WeightsOf("regnet_y_400mf.torchvision/imagenet_v1");

    public static PretrainedWeights Y400MFImageNetV2 => BackboneCatalog.WeightsOf("regnet_y_400mf.torchvision/imagenet_v2");

    public static PretrainedWeights Y800MFImageNetV1 => BackboneCatalog.WeightsOf("regnet_y_800mf.torchvision/imagenet_v1");

    public static PretrainedWeights Y800MFImageNetV2 => BackboneCatalog.WeightsOf("regnet_y_800mf.torchvision/imagenet_v2");

    public static PretrainedWeights Y1600MFImageNetV1 => BackboneCatalog.WeightsOf("regnet_y_1_6gf.torchvision/imagenet_v1");

    public static PretrainedWeights Y1600MFImageNetV2 => BackboneCatalog.WeightsOf("regnet_y_1_6gf.torchvision/imagenet_v2");

    public static PretrainedWeights Y3200MFImageNetV1 => BackboneCatalog.WeightsOf("regnet_y_3_2gf.torchvision/imagenet_v1");

    public static PretrainedWeights Y3200MFImageNetV2 => BackboneCatalog.WeightsOf("regnet_y_3_2gf.torchvision/imagenet_v2");

    public static PretrainedWeights Y8GFImageNetV1 => BackboneCatalog.WeightsOf("regnet_y_8gf.torchvision/imagenet_v1");

    public static PretrainedWeights Y8GFImageNetV2 => BackboneCatalog.WeightsOf("regnet_y_8gf.torchvision/imagenet_v2");

    public static PretrainedWeights Y16GFImageNetV1 => BackboneCatalog.WeightsOf("regnet_y_16gf.torchvision/imagenet_v1");

    public static PretrainedWeights Y16GFImageNetV2 => BackboneCatalog.WeightsOf("regnet_y_16gf.torchvision/imagenet_v2");

    public static PretrainedWeights Y32GFImageNetV1 => BackboneCatalog.WeightsOf("regnet_y_32gf.torchvision/imagenet_v1");

    public static PretrainedWeights Y32GFImageNetV2 => BackboneCatalog.WeightsOf("regnet_y_32gf.torchvision/imagenet_v2");

    public static PretrainedWeights X400MFImageNetV1 => BackboneCatalog.WeightsOf("regnet_x_400mf.torchvision/imagenet_v1");

    public static PretrainedWeights X400MFImageNetV2 => BackboneCatalog.WeightsOf("regnet_x_400mf.torchvision/imagenet_v2");

    public static PretrainedWeights X800MFImageNetV1 => BackboneCatalog.WeightsOf("regnet_x_800mf.torchvision/imagenet_v1");

    public static PretrainedWeights X800MFImageNetV2 => BackboneCatalog.WeightsOf("regnet_x_800mf.torchvision/imagenet_v2");

    public static PretrainedWeights X1600MFImageNetV1 => BackboneCatalog.WeightsOf("regnet_x_1_6gf.torchvision/imagenet_v1");

    public static PretrainedWeights X1600MFImageNetV2 => BackboneCatalog.WeightsOf("regnet_x_1_6gf.torchvision/imagenet_v2");

    public static PretrainedWeights X3200MFImageNetV1 => BackboneCatalog.WeightsOf("regnet_x_3_2gf.torchvision/imagenet_v1");

    public static PretrainedWeights X3200MFImageNetV2 => BackboneCatalog.WeightsOf("regnet_x_3_2gf.torchvision/imagenet_v2");

    public static PretrainedWeights X8GFImageNetV1 => BackboneCatalog.WeightsOf("regnet_x_8gf.torchvision/imagenet_v1");

    public static PretrainedWeights X8GFImageNetV2 => BackboneCatalog.WeightsOf("regnet_x_8gf.torchvision/imagenet_v2");

    public static PretrainedWeights X16GFImageNetV1 => BackboneCatalog.WeightsOf("regnet_x_16gf.torchvision/imagenet_v1");

    public static PretrainedWeights X16GFImageNetV2 => BackboneCatalog.WeightsOf("regnet_x_16gf.torchvision/imagenet_v2");

    public static PretrainedWeights X32GFImageNetV1 => BackboneCatalog.WeightsOf("regnet_x_32gf.torchvision/imagenet_v1");

    public static PretrainedWeights X32GFImageNetV2 => BackboneCatalog.WeightsOf("regnet_x_32gf.torchvision/imagenet_v2");

    internal static IEnumerable<BackboneDefinition> Variants =>
    [
        Entry("regnet_y_400mf", new(16, 48, 27.89, 2.09, 8), 4_344_144,
            PretrainedWeights.Torchvision("regnet_y_400mf-c65dace8.pth", 74.046, 91.716),
            PretrainedWeights.Torchvision("regnet_y_400mf-e6988f5f.pth", 75.804, 92.742, Preprocessing.Torchvision(resize: 232), "imagenet_v2")),
        Entry("regnet_y_800mf", new(14, 56, 38.84, 2.4, 16), 6_432_512,
            PretrainedWeights.Torchvision("regnet_y_800mf-1b27b58c.pth", 76.42, 93.136),
            PretrainedWeights.Torchvision("regnet_y_800mf-58fc7688.pth", 78.828, 94.502, Preprocessing.Torchvision(resize: 232), "imagenet_v2")),
        Entry("regnet_y_1_6gf", new(27, 48, 20.71, 2.65, 24), 11_202_430,
            PretrainedWeights.Torchvision("regnet_y_1_6gf-b11a554e.pth", 77.95, 93.966),
            PretrainedWeights.Torchvision("regnet_y_1_6gf-0d7bc02a.pth", 80.876, 95.444, Preprocessing.Torchvision(resize: 232), "imagenet_v2")),
        Entry("regnet_y_3_2gf", new(21, 80, 42.63, 2.66, 24), 19_436_338,
            PretrainedWeights.Torchvision("regnet_y_3_2gf-b5a9779c.pth", 78.948, 94.576),
            PretrainedWeights.Torchvision("regnet_y_3_2gf-9180c971.pth", 81.982, 95.972, Preprocessing.Torchvision(resize: 232), "imagenet_v2")),
        Entry("regnet_y_8gf", new(17, 192, 76.82, 2.19, 56), 39_381_472,
            PretrainedWeights.Torchvision("regnet_y_8gf-d0d0e4a8.pth", 80.032, 95.048),
            PretrainedWeights.Torchvision("regnet_y_8gf-dc2b1b54.pth", 82.828, 96.33, Preprocessing.Torchvision(resize: 232), "imagenet_v2")),
        Entry("regnet_y_16gf", new(18, 200, 106.23, 2.48, 112), 83_590_140,
            PretrainedWeights.Torchvision("regnet_y_16gf-9e6ed7dd.pth", 80.424, 95.24),
            PretrainedWeights.Torchvision("regnet_y_16gf-3e4a00f9.pth", 82.886, 96.328, Preprocessing.Torchvision(resize: 232), "imagenet_v2")),
        Entry("regnet_y_32gf", new(20, 232, 115.89, 2.53, 232), 145_046_770,
            PretrainedWeights.Torchvision("regnet_y_32gf-4dee3f7a.pth", 80.878, 95.34),
            PretrainedWeights.Torchvision("regnet_y_32gf-8db6d4b5.pth", 83.368, 96.498, Preprocessing.Torchvision(resize: 232), "imagenet_v2")),
        Entry("regnet_x_400mf", new(22, 24, 24.48, 2.54, 16), 5_495_976,
            PretrainedWeights.Torchvision("regnet_x_400mf-adf1edd5.pth", 72.834, 90.95),
            PretrainedWeights.Torchvision("regnet_x_400mf-62229a5f.pth", 74.864, 92.322, Preprocessing.Torchvision(resize: 232), "imagenet_v2")),
        Entry("regnet_x_800mf", new(16, 56, 35.73, 2.28, 16), 7_259_656,
            PretrainedWeights.Torchvision("regnet_x_800mf-ad17e45c.pth", 75.212, 92.348),
            PretrainedWeights.Torchvision("regnet_x_800mf-94a99ebd.pth", 77.522, 93.826, Preprocessing.Torchvision(resize: 232), "imagenet_v2")),
        Entry("regnet_x_1_6gf", new(18, 80, 34.01, 2.25, 24), 9_190_136,
            PretrainedWeights.Torchvision("regnet_x_1_6gf-e3633e7f.pth", 77.04, 93.44),
            PretrainedWeights.Torchvision("regnet_x_1_6gf-a12f2b72.pth", 79.668, 94.922, Preprocessing.Torchvision(resize: 232), "imagenet_v2")),
        Entry("regnet_x_3_2gf", new(25, 88, 26.31, 2.25, 48), 15_296_552,
            PretrainedWeights.Torchvision("regnet_x_3_2gf-f342aeae.pth", 78.364, 93.992),
            PretrainedWeights.Torchvision("regnet_x_3_2gf-7071aa85.pth", 81.196, 95.43, Preprocessing.Torchvision(resize: 232), "imagenet_v2")),
        Entry("regnet_x_8gf", new(23, 80, 49.56, 2.88, 120), 39_572_648,
            PretrainedWeights.Torchvision("regnet_x_8gf-03ceed89.pth", 79.344, 94.686),
            PretrainedWeights.Torchvision("regnet_x_8gf-2b70d774.pth", 81.682, 95.678, Preprocessing.Torchvision(resize: 232), "imagenet_v2")),
        Entry("regnet_x_16gf", new(22, 216, 55.59, 2.1, 128), 54_278_536,
            PretrainedWeights.Torchvision("regnet_x_16gf-2007eb11.pth", 80.058, 94.944),
            PretrainedWeights.Torchvision("regnet_x_16gf-ba3796d7.pth", 82.716, 96.196, Preprocessing.Torchvision(resize: 232), "imagenet_v2")),
        Entry("regnet_x_32gf", new(23, 320, 69.86, 2.0, 168), 107_811_560,
            PretrainedWeights.Torchvision("regnet_x_32gf-9d47f8d0.pth", 80.622, 95.248),
            PretrainedWeights.Torchvision("regnet_x_32gf-6eb8fdc6.pth", 83.014, 96.288, Preprocessing.Torchvision(resize: 232), "imagenet_v2")),
    ];

    private static BackboneDefinition Entry(string name, Design design, long parameters, params PretrainedWeights[] weights) =>
        BackboneDefinition.Torchvision(
            name, "Radosavovic et al. 2020, arXiv:2003.13678", () => Build(name, design, squeeze: name.StartsWith("regnet_y", StringComparison.Ordinal)),
            parameters, weights);
}
