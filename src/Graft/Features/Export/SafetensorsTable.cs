using System.Text.Json;
using Graft.Checkpoints;

namespace Graft.Features.Export;

/// <summary>
/// A <c>.safetensors</c> file of <c>features</c> float32 [n, …] and <c>labels</c> int64 [n]; <c>paths</c>, <c>splits</c>, <c>classes</c> and
/// what the features were computed with are in its metadata, each a text of JSON.
/// </summary>
internal static class SafetensorsTable
{
    /// <exception cref="GraftException">The file is damaged, or none that <see cref="Write"/> wrote.</exception>
    public static FeatureTable Read(string path)
    {
        using var file = Checkpoint.Open(path);
        if (file.Find("features") is not { } features || file.Find("labels") is null || !file.Metadata.ContainsKey("classes") || !file.Metadata.ContainsKey("paths"))
            throw new GraftException($"{path} holds no features of labeled photos: expected the tensors features and labels, with classes and paths.");
        var (values, labels) = (new float[features.ElementCount], new float[features.Shape[0]]);
        file.Read("features", values);
        file.Read("labels", labels);
        try
        {
            var classes = JsonSerializer.Deserialize<string[]>(file.Metadata["classes"])!;
            var paths = JsonSerializer.Deserialize<string[]>(file.Metadata["paths"])!;
            if (paths.Length != labels.Length || labels.Any(label => label < 0 || label >= classes.Length))
                throw new GraftException($"{path} is damaged: its labels or paths do not fit its features.");
            return new()
            {
                Rows = [.. values.Chunk((int)(features.ElementCount / Math.Max(1, features.Shape[0])))],
                Shape = [.. features.Shape.Skip(1).Select(size => (int)size)],
                Paths = paths,
                Labels = [.. labels.Select(label => (int)label)],
                Classes = classes,
                Splits = file.Metadata.TryGetValue("splits", out var splits) ? JsonSerializer.Deserialize<string[]>(splits)! : [.. paths.Select(_ => FeatureTable.Train)],
                Metadata = file.Metadata.Where(entry => entry.Key is not ("paths" or "splits" or "classes")).ToDictionary(),
            };
        }
        catch (JsonException problem)
        {
            throw new GraftException($"{path} is damaged: {problem.Message}", problem);
        }
    }

    public static void Write(FeatureTable table, string path)
    {
        var length = table.Shape.Aggregate(1, (product, size) => product * size);
        SafetensorsWriter.Write(
            path,
            [
                new("features", TensorType.Float32, [table.Rows.Count, .. table.Shape.Select(size => (long)size)], (start, part) =>
                {
                    for (var done = 0; done < part.Length;)
                    {
                        var (row, column) = Math.DivRem(start + done, length);
                        var values = table.Rows[(int)row].AsSpan((int)column);
                        values = values[..Math.Min(values.Length, part.Length - done)];
                        values.CopyTo(part[done..]);
                        done += values.Length;
                    }
                }),
                new("labels", TensorType.Int64, [table.Labels.Count], table.Labels.Select(label => (float)label).ToArray()),
            ],
            new Dictionary<string, string>(table.Metadata)
            {
                ["paths"] = JsonSerializer.Serialize(table.Paths),
                ["splits"] = JsonSerializer.Serialize(table.Splits),
                ["classes"] = JsonSerializer.Serialize(table.Classes),
            });
    }
}
