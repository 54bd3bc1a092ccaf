using System.Globalization;
using Graft.Backbones;
using Graft.Imaging;
using Graft.Networks;

namespace Graft.Features;

/// <summary>What features were computed with. Features of one image in two spaces have nothing to do with each other.</summary>
/// <param name="Key">Equal for the same computation, different for any other: a hash of weights, layers and preprocessing.</param>
public sealed record FeatureSpace(string Key)
{
    /// <summary>The pretrained network, by its name in the catalog; null where nobody said.</summary>
    public string? Backbone { get; init; }

    /// <summary>The layer whose output the features are, and what was done to it: <c>features.18.2, averaged</c>.</summary>
    public string? Layer { get; init; }

    /// <summary>Numbers per image; null where nobody said.</summary>
    public int? Length { get; init; }

    /// <summary>How photos became the network's input, in words.</summary>
    public string? Preprocessing { get; init; }

    public static implicit operator FeatureSpace(string key) => new(key);

    /// <summary>The space of a backbone's outputs, with the words for a person.</summary>
    /// <param name="key">See <see cref="Key"/>.</param>
    /// <param name="features">A network cut to what is computed.</param>
    public static FeatureSpace Of(string key, Backbone features) => new(key)
    {
        Backbone = features.Name,
        Layer = LayerOf(features.Network),
        Length = features.Network.OutputShape.ElementCount,
        Preprocessing = WordsOf(features.Preprocessing),
    };

    /// <summary>As <c>resnet50.keras, layer conv5_block3_out, averaged: 2,048 numbers; 224×224, bilinear, …</c>.</summary>
    public override string ToString() => Backbone is null
        ? $"unnamed space {Key[..Math.Min(12, Key.Length)]}"
        : FormattableString.Invariant($"{Backbone}, layer {Layer}: {Length:N0} numbers; {Preprocessing}");

    private static string LayerOf(Network network)
    {
        var output = network.Output;
        // What Backbone.Pooled put on a layer is no layer of the network's own.
        return (output.Name, output.Operation) switch
        {
            (Backbones.Backbone.PoolLayer, GlobalPool { Function: PoolFunction.Max }) => $"{output.Inputs[0]}, its maximum",
            (Backbones.Backbone.PoolLayer, GlobalPool) => $"{output.Inputs[0]}, averaged",
            (Backbones.Backbone.PoolLayer, FirstToken) => $"{output.Inputs[0]}, its first token",
            (Backbones.Backbone.PoolLayer, Flatten) => $"{output.Inputs[0]}, flattened",
            _ => output.Name,
        };
    }

    private static string WordsOf(Preprocessing preprocessing)
    {
        var resize = preprocessing.ResizeRule switch
        {
            ResizeRule.ShorterSideThenCrop(var pixels) => $"cropped from {pixels}",
            ResizeRule.LongerSideThenPad(var red, var green, var blue) => $"padded with #{red:X2}{green:X2}{blue:X2}",
            _ => "stretched",
        };
        var (mean, deviation) = (preprocessing.Mean, preprocessing.StandardDeviation);
        return string.Create(CultureInfo.InvariantCulture,
            $"{preprocessing.InputWidth}×{preprocessing.InputHeight} {resize}, {preprocessing.Interpolation.ToString().ToLowerInvariant()}, "
            + $"{preprocessing.ChannelOrder.ToString().ToLowerInvariant()} × {preprocessing.Scale:0.#####} − ({mean[0]:0.###}, {mean[1]:0.###}, {mean[2]:0.###})"
            + $"{(deviation == ChannelValues.Same(1) ? "" : FormattableString.Invariant($" / ({deviation[0]:0.###}, {deviation[1]:0.###}, {deviation[2]:0.###})"))}");
    }
}
