using System.Text.Json;

namespace Graft.Checkpoints;

/// <summary>The JSON header of a safetensors file, in its order; ranges count from the header's end.</summary>
internal sealed class SafetensorsHeader
{
    private const string MetadataKey = "__metadata__";

    /// <summary>The largest published networks have some thousands of tensors; a file with more entries only costs memory.</summary>
    private const int EntryLimit = 100_000;
    private const int RankLimit = 64;

    private SafetensorsHeader() { }

    public List<TensorEntry> Tensors { get; } = [];

    public List<(long Begin, long End)> Ranges { get; } = [];

    public Dictionary<string, string> Metadata { get; } = [];

    public static string NameOf(TensorType type) => type switch
    {
        TensorType.Boolean => "BOOL",
        TensorType.UInt8 => "U8",
        TensorType.Int8 => "I8",
        TensorType.UInt16 => "U16",
        TensorType.Int16 => "I16",
        TensorType.UInt32 => "U32",
        TensorType.Int32 => "I32",
        TensorType.UInt64 => "U64",
        TensorType.Int64 => "I64",
        TensorType.Float16 => "F16",
        TensorType.BFloat16 => "BF16",
        TensorType.Float32 => "F32",
        _ => "F64",
    };

    private static readonly Dictionary<string, TensorType> TypesByName =
        Enum.GetValues<TensorType>().ToDictionary(NameOf);

    /// <exception cref="FormatException">The header breaks the format.</exception>
    /// <exception cref="JsonException">The header is not JSON.</exception>
    public static SafetensorsHeader Parse(ReadOnlySpan<byte> json)
    {
        var header = new SafetensorsHeader();
        var names = new HashSet<string>();
        var reader = new Utf8JsonReader(json);
        Expect(ref reader, JsonTokenType.StartObject, "the header");
        while (NextName(ref reader, names, "the header") is { } name)
        {
            if (names.Count > EntryLimit) throw new FormatException($"it has more than {EntryLimit} tensors");
            if (name == MetadataKey) header.ReadMetadata(ref reader);
            else header.ReadTensor(ref reader, name);
        }
        if (reader.Read()) throw new FormatException("text follows its header object");
        return header;
    }

    /// <summary>The tensors must fill the data exactly: no gap, no overlap, nothing left over.</summary>
    public void CheckLayout(string path, long dataLength)
    {
        var position = 0L;
        foreach (var i in Enumerable.Range(0, Tensors.Count).OrderBy(i => Ranges[i].Begin).ThenBy(i => Ranges[i].End))
        {
            var (begin, end) = Ranges[i];
            if (end > dataLength)
            {
                throw SafetensorsCheckpoint.Damaged(
                    path, $"'{Tensors[i].Name}' ends at byte {end} of its data, but only {dataLength} are there");
            }
            if (begin != position)
            {
                throw SafetensorsCheckpoint.Damaged(
                    path, $"'{Tensors[i].Name}' starts at byte {begin} of its data, expected {position}");
            }
            position = end;
        }
        if (position != dataLength)
        {
            throw SafetensorsCheckpoint.Damaged(
                path, $"its tensors end at byte {position} of {dataLength} bytes of data");
        }
    }

    private void ReadMetadata(ref Utf8JsonReader reader)
    {
        var names = new HashSet<string>();
        Expect(ref reader, JsonTokenType.StartObject, MetadataKey);
        while (NextName(ref reader, names, MetadataKey) is { } name)
        {
            if (names.Count > EntryLimit) throw new FormatException($"its {MetadataKey} has more than {EntryLimit} entries");
            Expect(ref reader, JsonTokenType.String, $"{MetadataKey} '{name}'");
            Metadata.Add(name, reader.GetString()!);
        }
    }

    private void ReadTensor(ref Utf8JsonReader reader, string name)
    {
        var names = new HashSet<string>();
        string? typeName = null;
        List<long>? shape = null, offsets = null;
        Expect(ref reader, JsonTokenType.StartObject, $"'{name}'");
        while (NextName(ref reader, names, $"'{name}'") is { } field)
        {
            switch (field)
            {
                case "dtype":
                    Expect(ref reader, JsonTokenType.String, $"dtype of '{name}'");
                    typeName = reader.GetString()!;
                    break;
                case "shape": shape = ReadNumbers(ref reader, $"shape of '{name}'"); break;
                case "data_offsets": offsets = ReadNumbers(ref reader, $"data_offsets of '{name}'"); break;
                default: throw new FormatException($"'{name}' has an unknown field '{field}'");
            }
        }
        if (typeName is null || shape is null || offsets is not [var begin, var end])
            throw new FormatException($"'{name}' needs a dtype, a shape and two data_offsets");
        if (!TypesByName.TryGetValue(typeName, out var type))
        {
            throw new FormatException(
                $"'{name}' has the type '{typeName}', which is not read. Known are " +
                string.Join(", ", TypesByName.Keys));
        }

        var expected = ByteCount(shape, type.SizeInBytes());
        if (end < begin || expected != end - begin)
        {
            throw new FormatException(
                $"'{name}' {typeName} [{string.Join(", ", shape)}] does not fit its data_offsets [{begin}, {end}]");
        }
        Tensors.Add(new(name, type, shape));
        Ranges.Add((begin, end));
    }

    /// <summary>Null where the product overflows.</summary>
    private static long? ByteCount(List<long> shape, int elementBytes)
    {
        if (shape.Contains(0)) return 0;
        var count = (Int128)elementBytes;
        foreach (var size in shape)
        {
            count *= size;
            if (count > long.MaxValue) return null;
        }
        return (long)count;
    }

    private static List<long> ReadNumbers(ref Utf8JsonReader reader, string where)
    {
        var numbers = new List<long>();
        Expect(ref reader, JsonTokenType.StartArray, where);
        while (true)
        {
            if (!reader.Read()) throw new FormatException($"{where} ends early");
            if (reader.TokenType == JsonTokenType.EndArray) return numbers;
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out var number) || number < 0)
                throw new FormatException($"{where} must hold whole numbers of 0 and more");
            if (numbers.Count == RankLimit) throw new FormatException($"{where} has more than {RankLimit} numbers");
            numbers.Add(number);
        }
    }

    /// <summary>The next property's name, or null at the object's end.</summary>
    private static string? NextName(ref Utf8JsonReader reader, HashSet<string> names, string where)
    {
        if (!reader.Read()) throw new FormatException($"{where} ends early");
        if (reader.TokenType == JsonTokenType.EndObject) return null;
        var name = reader.GetString()!;
        return names.Add(name) ? name : throw new FormatException($"{where} holds '{name}' twice");
    }

    private static void Expect(ref Utf8JsonReader reader, JsonTokenType token, string where)
    {
        if (!reader.Read() || reader.TokenType != token)
            throw new FormatException($"{where} must be a JSON {token switch
            {
                JsonTokenType.StartObject => "object",
                JsonTokenType.StartArray => "array",
                _ => "string",
            }}");
    }
}
