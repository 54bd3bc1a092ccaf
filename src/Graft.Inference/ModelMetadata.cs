using System.Text.Json;
using System.Text.Json.Serialization;
using Graft.Imaging;

namespace Graft.Inference;

/// <summary>What a file that Graft exported says of itself in ONNX's <c>metadata_props</c>, and the names of its inputs and outputs.</summary>
public static class ModelMetadata
{
    /// <summary>The value of <see cref="FormatKey"/>.</summary>
    public const string Format = "graft-onnx-1";

    public const string FormatKey = "graft.format";

    /// <summary><see cref="PhotoInput"/>, <see cref="TensorInput"/> or <see cref="PixelValuesInput"/>.</summary>
    public const string InputKey = "graft.input";

    /// <summary><c>float32</c>, <c>float16</c> (of the weights) or <c>int8</c>.</summary>
    public const string PrecisionKey = "graft.precision";

    /// <summary>A JSON array of names, in the order of the probabilities.</summary>
    public const string ClassesKey = "graft.classes";

    /// <summary>A JSON array with the <see cref="Preprocessing"/> of each network inside. In the graph already where the input is a photo.</summary>
    public const string PreprocessingKey = "graft.preprocessing";

    public const string BackboneKey = "graft.backbone";

    /// <summary>SHA-256 over each network's description and weights.</summary>
    public const string FingerprintKey = "graft.backbone_sha256";

    /// <summary>Of the weights published under the backbone's name; "unknown" for others.</summary>
    public const string LicenseKey = "graft.license";

    /// <summary>A JSON object of figures such as the validation accuracy.</summary>
    public const string FactsKey = "graft.facts";

    /// <summary>The temperature fitted on validation photos; the probabilities have it.</summary>
    public const string TemperatureKey = "graft.temperature";

    /// <summary>See <see cref="ModelVerification"/>.</summary>
    public const string VerificationKey = "graft.verification";

    /// <summary>The input uint8 [1, height, width, 3]: red, green, blue, upright, any size.</summary>
    public const string PhotoInput = "image";

    /// <summary>The input float32 [1, 3, height, width]: resized and normalized as <see cref="PreprocessingKey"/> says.</summary>
    public const string TensorInput = "input";

    /// <summary>The input float32 [1, 3, height, width] of transformers.js: red, green, blue, 0 to 255, upright, any size.</summary>
    public const string PixelValuesInput = "pixel_values";

    /// <summary>The output float32 [1, classes].</summary>
    public const string ProbabilitiesOutput = "probabilities";

    /// <summary>The output float32 [1, classes] with the logarithms of the probabilities, beside <see cref="PixelValuesInput"/>.</summary>
    public const string LogitsOutput = "logits";

    /// <summary>The output float32 [1, length], in files that were exported with it.</summary>
    public const string FeaturesOutput = "features";

    /// <summary>The output float32 [1], in files of models that know it: how unlike the training photos a photo is, 1 where it begins to be.</summary>
    public const string UnlikenessOutput = "unlikeness";
}

/// <summary>A photo and the probabilities that the trained model gives for it.</summary>
/// <param name="Jpeg">The file's content.</param>
/// <param name="Probabilities">In the order of the classes.</param>
public sealed record VerificationPhoto(byte[] Jpeg, float[] Probabilities);

/// <summary>Photos that lie in an exported file, and what every runtime should answer for them.</summary>
/// <param name="Bound">The largest difference of a probability that counts as equal.</param>
public sealed record ModelVerification(double Bound, IReadOnlyList<VerificationPhoto> Photos)
{
    public string ToJson() => JsonSerializer.Serialize(this, MetadataJson.Default.ModelVerification);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ModelVerification))]
[JsonSerializable(typeof(string[]))]
[JsonSerializable(typeof(Dictionary<string, string>))]
internal sealed partial class MetadataJson : JsonSerializerContext;
