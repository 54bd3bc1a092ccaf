using System.Text.Json;
using System.Text.RegularExpressions;

namespace Graft.Checkpoints;

/// <summary>The <c>config.json</c> of a <c>.keras</c> archive.</summary>
internal static partial class KerasConfiguration
{
    private const int DepthLimit = 512;

    /// <summary>
    /// The names of the layers by where the weights file keeps them. Keras 3 names a layer there by its class and a number, in the order
    /// of the model (keras/src/saving/saving_lib.py, _save_container_state): <c>layers/conv2d_1</c>. Null where the file is not as expected.
    /// </summary>
    public static IReadOnlyDictionary<string, string>? LayerNames(byte[] json)
    {
        try
        {
            using var document = JsonDocument.Parse(json, new() { MaxDepth = DepthLimit });
            var names = new Dictionary<string, string>(StringComparer.Ordinal);
            AddModel(document.RootElement, "layers", names);
            return names;
        }
        catch (Exception problem) when (problem is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            return null;
        }
    }

    private static void AddModel(JsonElement model, string path, Dictionary<string, string> names)
    {
        if (!model.TryGetProperty("config", out var config) || config.ValueKind != JsonValueKind.Object
            || !config.TryGetProperty("layers", out var layers) || layers.ValueKind != JsonValueKind.Array)
        {
            return;
        }
        var counts = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var layer in layers.EnumerateArray())
        {
            var kind = SnakeCase(layer.GetProperty("class_name").GetString() ?? "");
            var number = counts[kind] = counts.GetValueOrDefault(kind, -1) + 1;
            var key = $"{path}/{kind}{(number == 0 ? "" : $"_{number}")}";
            if (layer.GetProperty("config").TryGetProperty("name", out var name) && name.GetString() is { } text) names[key] = text;
            AddModel(layer, $"{key}/layers", names);
        }
    }

    /// <summary>As Keras does it (keras/src/utils/naming.py): Conv2D → conv2d, BatchNormalization → batch_normalization.</summary>
    internal static string SnakeCase(string name) =>
        WordAfterWord().Replace(Word().Replace(name, "$1_$2"), "$1_$2").ToLowerInvariant();

    [GeneratedRegex("(.)([A-Z][a-z]+)")]
    private static partial Regex Word();

    [GeneratedRegex("([a-z])([A-Z])")]
    private static partial Regex WordAfterWord();
}
