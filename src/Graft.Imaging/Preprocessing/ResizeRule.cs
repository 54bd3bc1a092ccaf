using System.Text.Json.Serialization;

namespace Graft.Imaging;

/// <summary>How a picture of any shape becomes one of the network's input size.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "rule")]
[JsonDerivedType(typeof(Stretch), "stretch")]
[JsonDerivedType(typeof(ShorterSideThenCrop), "shorter_side_then_crop")]
[JsonDerivedType(typeof(LongerSideThenPad), "longer_side_then_pad")]
public abstract record ResizeRule
{
    private ResizeRule()
    {
    }

    /// <summary>Stretches the whole picture to the input size; the aspect ratio is lost. Keras's rule.</summary>
    public sealed record Stretch : ResizeRule;

    /// <summary>
    /// Resizes so that the shorter side has <see cref="Pixels"/> pixels (the longer one in proportion, rounded down),
    /// then cuts the input size out of the middle. torchvision's <c>Resize</c> and <c>CenterCrop</c>.
    /// </summary>
    public sealed record ShorterSideThenCrop([property: JsonPropertyName("pixels")] int Pixels) : ResizeRule;

    /// <summary>
    /// Resizes so that the whole picture fits into the input size (the other side in proportion, rounded half to even), in the middle of a
    /// color. Pillow's <c>ImageOps.pad</c>.
    /// </summary>
    public sealed record LongerSideThenPad(
        [property: JsonPropertyName("red")] byte Red, [property: JsonPropertyName("green")] byte Green, [property: JsonPropertyName("blue")] byte Blue) : ResizeRule;
}
