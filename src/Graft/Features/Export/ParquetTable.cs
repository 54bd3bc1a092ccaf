using Parquet;
using Parquet.Schema;

namespace Graft.Features.Export;

/// <summary>
/// A <c>.parquet</c> table of <c>path</c>, <c>label</c>, <c>label_name</c>, <c>split</c> and <c>features</c>, a list of float; the shape of
/// maps, and what the features were computed with, are in the file's metadata.
/// </summary>
internal static class ParquetTable
{
    /// <summary>Values of a row group's features: 64 MB.</summary>
    private const int GroupValues = 1 << 24;

    public static void Write(FeatureTable table, string path)
    {
        using var file = new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite);
        WriteAsync(table, file).GetAwaiter().GetResult();
        file.Flush(flushToDisk: true);
    }

    private static async Task WriteAsync(FeatureTable table, Stream file)
    {
        var (path, label) = (new DataField<string>("path", nullable: false), new DataField<int>("label", nullable: false));
        var (name, split) = (new DataField<string>("label_name", nullable: false), new DataField<string>("split", nullable: false));
        var value = new DataField<float>("element", nullable: false);
        var schema = new ParquetSchema(path, label, name, split, new ListField("features", value));
        await using var writer = await ParquetWriter.CreateAsync(schema, file, new ParquetOptions { CompressionMethod = CompressionMethod.Snappy })
            .ConfigureAwait(false);
        writer.CustomMetadata = new Dictionary<string, string>(table.Metadata)
        {
            ["shape"] = $"[{string.Join(", ", table.Shape)}]",
            ["classes"] = System.Text.Json.JsonSerializer.Serialize(table.Classes),
        };
        var length = table.Shape.Aggregate(1, (product, size) => product * size);
        var (groupRows, names) = (Math.Max(1, GroupValues / Math.Max(1, length)), table.LabelNames.ToList());
        for (var start = 0; start < table.Rows.Count || start == 0; start += groupRows)
        {
            var count = Math.Min(groupRows, table.Rows.Count - start);
            using var group = writer.CreateRowGroup();
            await group.WriteAsync(path, Part(table.Paths)).ConfigureAwait(false);
            await group.WriteAsync<int>(label, Part(table.Labels)).ConfigureAwait(false);
            await group.WriteAsync(name, Part(names)).ConfigureAwait(false);
            await group.WriteAsync(split, Part(table.Splits)).ConfigureAwait(false);
            var (values, levels, definitions) = (new float[count * length], new int[count * length], new int[count * length]);
            // No list and no number is absent.
            Array.Fill(definitions, value.MaxDefinitionLevel);
            // A list begins where the level is 0.
            Array.Fill(levels, 1);
            for (var row = 0; row < count; row++)
            {
                table.Rows[start + row].CopyTo(values, row * length);
                levels[row * length] = 0;
            }
            await group.WriteAllPartsAsync<float>(value, values, definitions, levels, CancellationToken.None).ConfigureAwait(false);

            T[] Part<T>(IReadOnlyList<T> column) => [.. column.Skip(start).Take(count)];
        }
    }
}
