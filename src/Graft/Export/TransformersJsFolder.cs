using System.Text.Encodings.Web;
using System.Text.Json;

namespace Graft.Export;

/// <summary>
/// A model as transformers.js loads it: <c>pipeline("image-classification", "FOLDER")</c>. Its resize differs between browsers and Node.js and
/// from training's, so it is told not to preprocess at all: the model takes whole photos and does that itself.
/// </summary>
internal static class TransformersJsFolder
{
    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static IEnumerable<(string Name, byte[] Content)> Files(IReadOnlyList<string> classes)
    {
        var indices = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var index = 0; index < classes.Count; index++) indices.TryAdd(classes[index], index);
        yield return ("config.json", JsonSerializer.SerializeToUtf8Bytes(
            new Dictionary<string, object>
            {
                // Its class of models for image classification is the same for every network; it knows them by such names only.
                ["model_type"] = "resnet",
                ["architectures"] = (string[])["ResNetForImageClassification"],
                ["id2label"] = classes.Select((name, index) => (name, index)).ToDictionary(entry => $"{entry.index}", entry => entry.name),
                ["label2id"] = indices,
                // Without it, browsers ask for onnx/model_quantized.onnx.
                ["transformers.js_config"] = new { dtype = "fp32" },
            },
            Json));
        yield return ("preprocessor_config.json", JsonSerializer.SerializeToUtf8Bytes(
            new
            {
                image_processor_type = "ImageProcessor",
                do_convert_rgb = true,
                do_resize = false,
                do_center_crop = false,
                do_rescale = false,
                do_normalize = false,
                do_pad = false,
            },
            Json));
    }
}
