using System.Text.Json;
using Graft.Checkpoints;

namespace Graft.Features.Export;

/// <summary>
/// A <c>.safetensors</c> file of <c>features</c> float32 [n, …] and <c>labels</c> int64 [n]; <c>paths</c>, <c>splits</c>, <c>classes</c> and
/// what the features were computed with are in its metadata, each a text of JSON.
/// </summary>
internal static class SafetensorsTable
{
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
