using System.Globalization;
using System.Text.Json;
using Parquet;
using Parquet.Schema;

namespace Graft.Data.Collections;

/// <summary>
/// A Parquet file with a row per photo, as Hugging Face's datasets keep them: <c>image</c>, a struct of <c>bytes</c> and <c>path</c> (or a binary
/// column), and <c>label</c>, a number whose names are in the file's metadata (ClassLabel), or a text. Photos are called as their <c>path</c>
/// says or, where paths are absent or the same, by the number of their row.
/// </summary>
/// <remarks>A group of rows is read at once. The last few are kept, so that reading in order reads each once.</remarks>
internal sealed class ParquetPhotos : PhotoCollection
{
    private static readonly string[] ImageNames = ["image", "img", "photo", "picture", "jpg", "png", "bytes", "content"];
    private static readonly string[] LabelNames = ["label", "labels", "class", "label_name", "class_name", "category", "target", "fine_label", "species", "breed"];

    /// <summary>Groups of rows of any file that were read last, the latest last.</summary>
    private static readonly List<(ParquetPhotos File, int Group, byte[]?[] Photos)> Recent = [];
    private static readonly int KeptGroups = 1 + Environment.ProcessorCount;

    private readonly string[] _image;
    private readonly List<(int Group, int Row)> _rows = [];
    private readonly Lock _gate = new();

    /// <exception cref="DataException">It is damaged, or has no column of images.</exception>
    public ParquetPhotos(string path)
        : base(path) => _image = Try(() => OpenAsync());

    public override IReadOnlyDictionary<string, string>? Labels(string? column, DataFindings findings) => Try(() => LabelsAsync(column, findings));

    protected override byte[] Read(int number)
    {
        var (group, row) = _rows[number];
        try
        {
            return Group(group)[row] ?? throw new IOException($"'{Members[number].Name}' in '{Path}' has no image.");
        }
        catch (DataException damaged)
        {
            throw new IOException(damaged.Message, damaged);
        }
    }

    private byte[]?[] Group(int group)
    {
        lock (_gate)
        {
            lock (Recent)
            {
                var known = Recent.FindIndex(entry => entry.File == this && entry.Group == group);
                if (known >= 0) return Recent[known].Photos;
            }
            var photos = Try(() => PhotosAsync(group));
            lock (Recent)
            {
                Recent.Add((this, group, photos));
                if (Recent.Count > KeptGroups) Recent.RemoveAt(0);
            }
            return photos;
        }
    }

    private async Task<string[]> OpenAsync()
    {
        await using var reader = await ParquetReader.CreateAsync(OpenRead(), leaveStreamOpen: false).ConfigureAwait(false);
        if (ImageIn(reader.Schema) is not { } image)
        {
            throw new DataException(reader.Schema.Fields.Any(field => field.Name == "features")
                ? $"'{Path}' holds features and no photos."
                : $"'{Path}' has no column of images: expected image, a struct of bytes and path, or a binary column, found {DataFindings.Named(reader.Schema.Fields.Select(field => field.Name))}.");
        }
        List<string?> names = [];
        for (var index = 0; index < reader.RowGroupCount; index++)
        {
            using var group = reader.OpenRowGroupReader(index);
            var count = checked((int)group.RowCount);
            _rows.AddRange(Enumerable.Range(0, count).Select(row => (index, row)));
            names.AddRange(image.Name is { } field ? await TextsAsync(group, field).ConfigureAwait(false) : new string?[count]);
        }
        var areNames = names.TrueForAll(name => !string.IsNullOrWhiteSpace(name)) && names.Distinct(StringComparer.Ordinal).Count() == names.Count;
        var digits = names.Count.ToString(CultureInfo.InvariantCulture).Length;
        var kept = new List<(int, int)>();
        for (var row = 0; row < names.Count; row++)
            if (Add(areNames ? names[row]! : row.ToString($"D{digits}", CultureInfo.InvariantCulture) + ".jpg", bytes: null)) kept.Add(_rows[row]);
        _rows.Clear();
        _rows.AddRange(kept);
        return [.. image.Bytes.Path.ToList()];
    }

    private async Task<byte[]?[]> PhotosAsync(int index)
    {
        await using var reader = await ParquetReader.CreateAsync(OpenRead(), leaveStreamOpen: false).ConfigureAwait(false);
        var field = reader.Schema.DataFields.First(field => field.Path.ToList().SequenceEqual(_image));
        using var group = reader.OpenRowGroupReader(index);
        return await ColumnAsync<ReadOnlyMemory<byte>, byte[]>(group, field, value => value.ToArray()).ConfigureAwait(false);
    }

    private async Task<IReadOnlyDictionary<string, string>?> LabelsAsync(string? column, DataFindings findings)
    {
        await using var reader = await ParquetReader.CreateAsync(OpenRead(), leaveStreamOpen: false).ConfigureAwait(false);
        var fields = reader.Schema.Fields.OfType<DataField>().ToList();
        var field = (column is null ? LabelNames : [column]).Select(name => fields.Find(field => field.Name.Equals(name, StringComparison.OrdinalIgnoreCase))).FirstOrDefault(found => found is not null);
        if (field is null) return null;
        var classes = ClassesIn(reader.CustomMetadata, field.Name);
        List<string?[]> groups = [];
        for (var index = 0; index < reader.RowGroupCount; index++)
        {
            using var group = reader.OpenRowGroupReader(index);
            groups.Add(await TextsAsync(group, field).ConfigureAwait(false));
        }
        var labels = new Dictionary<string, string>(StringComparer.Ordinal);
        for (var number = 0; number < Members.Count; number++)
        {
            var text = groups[_rows[number].Group][_rows[number].Row];
            var name = Members[number].Name;
            if (string.IsNullOrWhiteSpace(text) || text == "-1") findings.Skip($"{Path}/{name}", $"its {field.Name} is empty");
            else if (classes is null || IsText(field)) labels.Add(name, text);
            else if (int.TryParse(text, CultureInfo.InvariantCulture, out var @class) && @class >= 0 && @class < classes.Length) labels.Add(name, classes[@class]);
            else findings.Skip($"{Path}/{name}", $"its {field.Name} is {text}, and the file names {classes.Length} classes");
        }
        return labels;
    }

    private static Task<string?[]> TextsAsync(ParquetRowGroupReader group, DataField field) =>
        IsText(field) ? ColumnAsync<ReadOnlyMemory<char>, string>(group, field, value => value.ToString())
        : field.ClrType == typeof(long) ? ColumnAsync<long, string>(group, field, Text)
        : field.ClrType == typeof(int) ? ColumnAsync<int, string>(group, field, Text)
        : field.ClrType == typeof(short) ? ColumnAsync<short, string>(group, field, Text)
        : field.ClrType == typeof(byte) ? ColumnAsync<byte, string>(group, field, Text)
        : field.ClrType == typeof(sbyte) ? ColumnAsync<sbyte, string>(group, field, Text)
        : field.ClrType == typeof(bool) ? ColumnAsync<bool, string>(group, field, value => value ? "true" : "false")
        : throw new DataException($"The column {field.Name} has {field.ClrType.Name} values. Expected texts or whole numbers.");

    private static string Text<T>(T value)
        where T : IFormattable => value.ToString(null, CultureInfo.InvariantCulture);

    /// <summary>A value a row; null where there is none.</summary>
    private static async Task<TValue?[]> ColumnAsync<T, TValue>(ParquetRowGroupReader group, DataField field, Func<T, TValue> convert)
        where T : struct
        where TValue : class
    {
        var (values, levels) = (new T[group.RowCount], new int[group.RowCount]);
        await group.ReadRawAsync<T>(field, values, field.MaxDefinitionLevel > 0 ? levels : null, null).ConfigureAwait(false);
        // The values that there are come one after the other.
        var next = 0;
        return [.. levels.Select(level => level == field.MaxDefinitionLevel ? convert(values[next++]) : null)];
    }

    private static (DataField Bytes, DataField? Name)? ImageIn(ParquetSchema schema)
    {
        foreach (var field in schema.Fields.OrderBy(field => Array.IndexOf(ImageNames, field.Name.ToLowerInvariant()) is >= 0 and var place ? place : int.MaxValue))
        {
            if (field is DataField { IsArray: false } plain && IsBinary(plain)) return (plain, null);
            if (field is StructField parts && Child(parts, "bytes", IsBinary) is { } bytes) return (bytes, Child(parts, "path", IsText));
        }
        return null;

        static DataField? Child(StructField parts, string name, Func<DataField, bool> isSuch) =>
            parts.Fields.OfType<DataField>().FirstOrDefault(field => field.Name == name && isSuch(field));
    }

    private static bool IsBinary(DataField field) => field.ClrType == typeof(ReadOnlyMemory<byte>) || field.ClrType == typeof(byte[]);

    private static bool IsText(DataField field) => field.ClrType == typeof(ReadOnlyMemory<char>) || field.ClrType == typeof(string);

    /// <summary>As datasets writes them: <c>{"info": {"features": {"label": {"names": ["a", "b"], "_type": "ClassLabel"}}}}</c>.</summary>
    private static string[]? ClassesIn(Dictionary<string, string> metadata, string column)
    {
        if (!metadata.TryGetValue("huggingface", out var text)) return null;
        try
        {
            using var document = JsonDocument.Parse(text);
            return document.RootElement.GetProperty("info").GetProperty("features").GetProperty(column).TryGetProperty("names", out var names)
                ? names.Deserialize<string[]>()
                : null;
        }
        catch (Exception problem) when (problem is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>Damage shows in any kind of exception.</summary>
    private T Try<T>(Func<Task<T>> read)
    {
        try
        {
            return read().GetAwaiter().GetResult();
        }
        catch (Exception problem) when (problem is not (GraftException or UnauthorizedAccessException))
        {
            throw new DataException($"'{Path}' is no Parquet file, or it is cut off or damaged: {problem.Message} Copy it again.");
        }
    }
}
