using System.Text.Json.Serialization;

namespace Graft.Imaging;

/// <summary>
/// How pixels are weighted when a picture is resized; as in Pillow, the last two are antialiased when shrinking.
/// </summary>
[JsonConverter(typeof(JsonStringEnumConverter<Interpolation>))]
public enum Interpolation
{
    [JsonStringEnumMemberName("nearest")]
    Nearest,

    [JsonStringEnumMemberName("bilinear")]
    Bilinear,

    /// <summary>Keys's cubic with a = -0.5.</summary>
    [JsonStringEnumMemberName("bicubic")]
    Bicubic,
}
