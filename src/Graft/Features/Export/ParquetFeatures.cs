using System.Text.Json;
using Parquet;
using Parquet.Schema;

namespace Graft.Features.Export;

/// <summary>Reads what <see cref="ParquetTable"/> wrote, a group of rows at a time.</summary>
internal sealed class ParquetFeatures
{
    private static readonly string[] Texts = ["path", "split", "sha256"];

    private ParquetFeatures(string path) => FullName = path;

    public string FullName { get; }

    public IReadOnlyList<int> Shape { get; private set; } = [];

    public IReadOnlyList<string> Classes { get; private set; } = [];

    public IReadOnlyDictionary<string, string> Metadata { get; private set; } = new Dictionary<string, string>();

    /// <summary>Rows of each group.</summary>
    public IReadOnlyList<int> Groups { get; private set; } = [];

    /// <summary>Numbers of a photo.</summary>
    public int Length => Shape.Aggregate(1, (product, size) => product * size);

    /// <summary>Whether there is a Parquet file of features, not of photos, at a path.</summary>
    /// <exception cref="GraftException">The file is damaged.</exception>
    public static bool IsAt(string path) => Path.GetExtension(path).Equals(".parquet", StringComparison.OrdinalIgnoreCase) && File.Exists(path)
        && Try(path, async () =>
        {
            await using var reader = await OpenAsync(path).ConfigureAwait(false);
            return reader.Schema.Fields.Any(field => field is ListField { Name: "features" });
        });

    /// <exception cref="GraftException">There is no such file, or it is damaged, or holds no features with the photos' hashes.</exception>
    public static ParquetFeatures Open(string path) => !File.Exists(path) ? throw new GraftException($"There is no file {path}.") : Try(path, async () =>
    {
        await using var reader = await OpenAsync(path).ConfigureAwait(false);
        string[] missing = [.. ((string[])["path", "label", "split", "sha256", "features"]).Except(reader.Schema.Fields.Select(field => field.Name))];
        if (missing.Length > 0 || !reader.CustomMetadata.TryGetValue("shape", out var shape) || !reader.CustomMetadata.TryGetValue("classes", out var classes))
            throw new GraftException($"{path} holds no features that Graft wrote{(missing.Length > 0 ? $": it has no {string.Join(", ", missing)}" : "")}. Compute them anew.");
        return new ParquetFeatures(path)
        {
            Shape = JsonSerializer.Deserialize<int[]>(shape)!,
            Classes = JsonSerializer.Deserialize<string[]>(classes)!,
            Metadata = reader.CustomMetadata.Where(entry => entry.Key is not ("shape" or "classes")).ToDictionary(StringComparer.Ordinal),
            Groups = [.. reader.RowGroups.Select(group => checked((int)group.RowCount))],
        };
    });

    /// <summary>A group's rows.</summary>
    /// <param name="withValues">Whether the features are read too; else they are empty.</param>
    /// <exception cref="GraftException">The file is damaged.</exception>
    public FeatureRow[] Read(int group, bool withValues = true) => Try(FullName, async () =>
    {
        await using var reader = await OpenAsync(FullName).ConfigureAwait(false);
        using var rows = reader.OpenRowGroupReader(group);
        var (count, length) = (checked((int)rows.RowCount), Length);
        var texts = Texts.ToDictionary(name => name, _ => new string[count]);
        foreach (var (name, column) in texts) await rows.ReadAsync(Field(name), column).ConfigureAwait(false);
        var labels = new int[count];
        await rows.ReadAsync<int>(Field("label"), labels.AsMemory()).ConfigureAwait(false);
        var values = new float[withValues ? count * length : 0];
        if (withValues)
        {
            var item = (DataField)((ListField)reader.Schema.Fields.First(field => field.Name == "features")).Item;
            var (definitions, levels) = (new int[values.Length], new int[values.Length]);
            await rows.ReadRawAsync<float>(item, values, definitions, levels).ConfigureAwait(false);
            for (var index = 0; index < levels.Length; index++)
                if (levels[index] != (index % length == 0 ? 0 : 1)) throw new InvalidDataException($"its photos do not have {length} numbers each.");
        }
        return Enumerable.Range(0, count).Select(row => new FeatureRow(
            texts["path"][row], labels[row] >= 0 && labels[row] < Classes.Count ? labels[row] : throw new InvalidDataException($"it has no class {labels[row]}."), texts["split"][row], texts["sha256"][row],
            withValues ? values.AsSpan(row * length, length).ToArray() : [])).ToArray();

        DataField Field(string name) => reader.Schema.Fields.OfType<DataField>().First(field => field.Name == name);
    });

    /// <summary>All rows, in order; one group at a time is in memory.</summary>
    /// <exception cref="GraftException">The file is damaged.</exception>
    public IEnumerable<FeatureRow> Rows(bool withValues = true) => Enumerable.Range(0, Groups.Count).SelectMany(group => Read(group, withValues));

    private static Task<ParquetReader> OpenAsync(string path) => ParquetReader.CreateAsync(RegularFile.OpenRead(path, 1 << 16), leaveStreamOpen: false);

    /// <summary>Damage shows in any kind of exception.</summary>
    private static T Try<T>(string path, Func<Task<T>> read)
    {
        try
        {
            return read().GetAwaiter().GetResult();
        }
        catch (Exception problem) when (problem is not (GraftException or UnauthorizedAccessException))
        {
            throw new GraftException($"{path} is no Parquet file, or it is cut off or damaged: {problem.Message} Copy it again, or compute it anew.", problem);
        }
    }
}
