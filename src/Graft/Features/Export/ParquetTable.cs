using System.Text.Json;
using Parquet;
using Parquet.Schema;

namespace Graft.Features.Export;

/// <summary>A row of a table of features.</summary>
/// <param name="Hash">SHA-256 of the photo, in hexadecimal digits; null where the table has none.</param>
internal readonly record struct FeatureRow(string Path, int Label, string Split, string? Hash, float[] Values);

/// <summary>
/// A <c>.parquet</c> table of <c>path</c>, <c>label</c>, <c>label_name</c>, <c>split</c>, <c>sha256</c> of the photo (where it is known) and
/// <c>features</c>, a list of float; the shape of maps, and what the features were computed with, are in the file's metadata.
/// </summary>
internal static class ParquetTable
{
    /// <summary>Values of a row group: 4 MB. Writing holds some copies of them, and a merge a group of each part.</summary>
    private const int GroupValues = 1 << 20;

    public static void Write(FeatureTable table, string path)
    {
        using var file = new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite);
        Write(
            file, table.Shape, table.Classes, table.Hashes is not null,
            Enumerable.Range(0, table.Rows.Count).Select(row => new FeatureRow(table.Paths[row], table.Labels[row], table.Splits[row], table.Hashes?[row], table.Rows[row])),
            () => table.Metadata);
        file.Flush(flushToDisk: true);
    }

    /// <summary>Writes rows as they come, a group at a time.</summary>
    /// <param name="metadata">Asked for when all rows have come.</param>
    public static void Write(
        Stream file, IReadOnlyList<int> shape, IReadOnlyList<string> classes, bool hasHashes, IEnumerable<FeatureRow> rows,
        Func<IReadOnlyDictionary<string, string>> metadata) =>
        WriteAsync(file, shape, classes, hasHashes, rows, metadata).GetAwaiter().GetResult();

    private static async Task WriteAsync(
        Stream file, IReadOnlyList<int> shape, IReadOnlyList<string> classes, bool hasHashes, IEnumerable<FeatureRow> rows,
        Func<IReadOnlyDictionary<string, string>> metadata)
    {
        var (path, label) = (new DataField<string>("path", nullable: false), new DataField<int>("label", nullable: false));
        var (name, split) = (new DataField<string>("label_name", nullable: false), new DataField<string>("split", nullable: false));
        var (hash, value) = (new DataField<string>("sha256", nullable: false), new DataField<float>("element", nullable: false));
        Field[] fields = [path, label, name, split, .. hasHashes ? (Field[])[hash] : [], new ListField("features", value)];
        await using var writer = await ParquetWriter.CreateAsync(new ParquetSchema(fields), file, new ParquetOptions { CompressionMethod = CompressionMethod.Snappy })
            .ConfigureAwait(false);
        var length = shape.Aggregate(1, (product, size) => product * size);
        // A group's features lie in one array as they come; of its rows, the texts are kept.
        var most = Math.Max(1, GroupValues / Math.Max(1, length));
        var values = new float[most * length];
        var (texts, isEmpty) = (new List<FeatureRow>(), true);
        foreach (var row in rows)
        {
            row.Values.CopyTo(values, texts.Count * length);
            texts.Add(row with { Values = [] });
            if (texts.Count == most) await WriteGroupAsync().ConfigureAwait(false);
        }
        if (texts.Count > 0 || isEmpty) await WriteGroupAsync().ConfigureAwait(false);
        writer.CustomMetadata = new Dictionary<string, string>(metadata())
        {
            ["shape"] = $"[{string.Join(", ", shape)}]",
            ["classes"] = JsonSerializer.Serialize(classes),
        };

        async Task WriteGroupAsync()
        {
            using var group = writer.CreateRowGroup();
            await group.WriteAsync(path, [.. texts.Select(row => row.Path)]).ConfigureAwait(false);
            await group.WriteAsync<int>(label, texts.Select(row => row.Label).ToArray()).ConfigureAwait(false);
            await group.WriteAsync(name, [.. texts.Select(row => classes[row.Label])]).ConfigureAwait(false);
            await group.WriteAsync(split, [.. texts.Select(row => row.Split)]).ConfigureAwait(false);
            if (hasHashes) await group.WriteAsync(hash, [.. texts.Select(row => row.Hash!)]).ConfigureAwait(false);
            var count = texts.Count * length;
            var (levels, definitions) = (new int[count], new int[count]);
            // No list and no number is absent.
            Array.Fill(definitions, value.MaxDefinitionLevel);
            // A list begins where the level is 0.
            Array.Fill(levels, 1);
            for (var row = 0; row < texts.Count; row++) levels[row * length] = 0;
            await group.WriteAllPartsAsync<float>(value, values.AsMemory(0, count), definitions, levels, CancellationToken.None).ConfigureAwait(false);
            texts.Clear();
            isEmpty = false;
        }
    }
}
