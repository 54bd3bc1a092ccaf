using Graft.Checkpoints;
using Graft.Checkpoints.Store;
using Graft.Imaging;
using Graft.Networks;
using static Graft.Networks.ActivationFunction;

namespace Graft.Backbones;

/// <summary>
/// ConvNeXt as Keras defines it (keras/src/applications/convnext.py), without its stochastic depth: the same network as <see cref="ConvNeXt"/>'s, with names and
/// weights of its own, and a larger variant. What Keras puts before the first convolution to normalize photos is the preprocessing here.
/// </summary>
public static class KerasConvNeXt
{
    private const double Epsilon = 1e-6;

    internal static Network Build(string name, (int Channels, int Blocks)[] table)
    {
        var builder = new NetworkBuilder(name);
        var x = builder.Input("input_1", channels: 3, size: 224)
            .Convolution($"{name}_stem_conv", table[0].Channels, kernel: 4, stride: 4).LayerNorm($"{name}_stem_layernorm", Epsilon);
        foreach (var (stage, (channels, blocks)) in table.Index())
        {
            if (stage > 0)
            {
                x = x.LayerNorm($"{name}_downsampling_layernorm_{stage - 1}", Epsilon)
                    .Convolution($"{name}_downsampling_conv_{stage - 1}", channels, kernel: 2, stride: 2);
            }
            for (var block = 0; block < blocks; block++) x = Block(x, $"{name}_stage_{stage}_block_{block}", channels);
        }
        return builder.Build(x.GlobalPool($"{name}_head_gap").LayerNorm($"{name}_head_layernorm", Epsilon)
            .Dense($"{name}_head_dense", 1000).Softmax($"{name}_head_softmax"));
    }

    private static Node Block(Node input, string block, int channels) => input
        .DepthwiseConvolution($"{block}_depthwise_conv", channels, kernel: 7, padding: 3).LayerNorm($"{block}_layernorm", Epsilon)
        .PointwiseDense($"{block}_pointwise_conv_1", 4 * channels).Activation($"{block}_gelu", Gelu)
        .PointwiseDense($"{block}_pointwise_conv_2", channels)
        .LayerScale($"{block}_layer_scale").Add($"{block}_add", input);

    /// <summary>
    /// Where Keras 3's files keep the layers: each kind is counted by itself, and the stem and the layers between stages are models of their own, so that neither
    /// names nor one order tells them.
    /// </summary>
    internal static KeyMap Keras3(string name, (int Channels, int Blocks)[] table)
    {
        var rules = new List<KeyRule>();
        foreach (var (part, names) in ((string, string)[])
            [("", "stem_conv stem_layernorm"), .. Enumerable.Range(0, 3).Select(index => ($"_{index + 1}", $"downsampling_conv_{index} downsampling_layernorm_{index}"))])
        {
            if (names.Split(' ') is not [var convolution, var norm]) continue;
            Add(convolution, $"sequential{part}/layers/conv2d");
            Add(norm, $"sequential{part}/layers/layer_normalization");
        }
        var count = 0;
        foreach (var (stage, (_, blocks)) in table.Index())
            for (var block = 0; block < blocks; block++, count++)
            {
                var layer = $"stage_{stage}_block_{block}";
                Add($"{layer}_depthwise_conv", Numbered("conv2d", count));
                Add($"{layer}_layernorm", Numbered("layer_normalization", count));
                Add($"{layer}_pointwise_conv_1", Numbered("dense", 2 * count));
                Add($"{layer}_pointwise_conv_2", Numbered("dense", 2 * count + 1));
                rules.Add(new($"{name}_{layer}_layer_scale", $"layers/{Numbered("layer_scale", count)}/vars/0"));
            }
        Add("head_layernorm", Numbered("layer_normalization", count));
        Add("head_dense", Numbered("dense", 2 * count));
        return KeyMap.Of(rules);

        static string Numbered(string kind, int number) => number == 0 ? kind : $"{kind}_{number}";

        void Add(string layer, string place)
        {
            rules.Add(new($"{name}_{layer}.weight", $"layers/{place}/vars/0"));
            rules.Add(new($"{name}_{layer}.bias", $"layers/{place}/vars/1"));
        }
    }

    public static PretrainedWeights Tiny => BackboneCatalog.WeightsOf("convnext_tiny.keras/imagenet");

    public static PretrainedWeights TinyNoTop => BackboneCatalog.WeightsOf("convnext_tiny.keras/imagenet_notop");

    public static PretrainedWeights Small => BackboneCatalog.WeightsOf("convnext_small.keras/imagenet");

    public static PretrainedWeights SmallNoTop => BackboneCatalog.WeightsOf("convnext_small.keras/imagenet_notop");

    public static PretrainedWeights Base => BackboneCatalog.WeightsOf("convnext_base.keras/imagenet");

    public static PretrainedWeights BaseNoTop => BackboneCatalog.WeightsOf("convnext_base.keras/imagenet_notop");

    public static PretrainedWeights Large => BackboneCatalog.WeightsOf("convnext_large.keras/imagenet");

    public static PretrainedWeights LargeNoTop => BackboneCatalog.WeightsOf("convnext_large.keras/imagenet_notop");

    public static PretrainedWeights XLarge => BackboneCatalog.WeightsOf("convnext_xlarge.keras/imagenet");

    public static PretrainedWeights XLargeNoTop => BackboneCatalog.WeightsOf("convnext_xlarge.keras/imagenet_notop");

    internal static IEnumerable<BackboneDefinition> Variants =>
    [
        Entry("tiny", ConvNeXt.Table9(96, 9), 28_589_128,
            "8ae6e78ce2933352b1ef4008e6dd2f17bc40771563877d156bc6426c7cf503ff", "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1"),
        Entry("small", ConvNeXt.Table9(96, 27), 50_223_688,
            "ce1277d8f1ee5a0ef0e171469089c18f5233860ceaf9b168049cb9263fd7483c", "6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab"),
        Entry("base", ConvNeXt.Table9(128, 27), 88_591_464,
            "52cbb006d3dadd03f6e095a8ca1aca47aecdd75acb4bc74bce1f5c695d0086e6", "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45"),
        Entry("large", ConvNeXt.Table9(192, 27), 197_767_336,
            "070c5ed9ed289581e477741d3b34beffa920db8cf590899d6d2c67fba2a198a6", "96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd"),
        Entry("xlarge", ConvNeXt.Table9(256, 27), 350_196_968,
            "c1f5ccab661354fc3a79a10fa99af82f0fbf10ec65cb894a3ae0815f17a889ee", "de3f8a54174130e0cecdc71583354753d557fcf1f4487331558e2a16ba0cfe05"),
    ];

    private static BackboneDefinition Entry(
        string size, (int Channels, int Blocks)[] table, long parameters, string hash, string hashWithoutHead)
    {
        var name = $"convnext_{size}";
        // Keras states none but the normalization; the weights are the paper's, which was evaluated so.
        var preprocessing = Preprocessing.Torchvision(interpolation: Interpolation.Bicubic);
        return new()
        {
            Name = name,
            Source = BackboneSource.Keras,
            Paper = ConvNeXt.Paper,
            Build = () => Build(name, table),
            Head = $"{name}_head_gap",
            PublishedParameters = parameters,
            OtherLayouts = [Keras3(name, table)],
            Weights =
            [
                PretrainedWeights.Keras($"convnext/{name}.h5", FileHash.Sha256(hash), preprocessing),
                PretrainedWeights.KerasNoTop($"convnext/{name}_notop.h5", FileHash.Sha256(hashWithoutHead), preprocessing),
            ],
        };
    }
}
