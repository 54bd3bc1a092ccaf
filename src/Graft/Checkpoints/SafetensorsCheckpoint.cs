using System.Buffers.Binary;
using System.Text.Json;

namespace Graft.Checkpoints;

/// <summary>
/// A <c>.safetensors</c> file: 8 bytes of header length, a JSON header, then the tensors without a gap
/// (https://github.com/huggingface/safetensors, "Format"). Its values are read on demand.
/// </summary>
public sealed class SafetensorsCheckpoint : Checkpoint
{
    internal const int HeaderLimitBytes = 100_000_000;

    private readonly RandomAccessFile _file;
    private readonly long[] _offsets;

    private SafetensorsCheckpoint(RandomAccessFile file, SafetensorsHeader header, long[] offsets)
        : base(file.Path, header.Tensors, header.Metadata) =>
        (_file, _offsets, ClassNames) = (file, offsets, ClassKeys.Select(key => Listed(header.Metadata.GetValueOrDefault(key))).FirstOrDefault(names => names is not null));

    private static readonly string[] ClassKeys = ["classes", "class_names", "labels", "id2label"];

    /// <summary>A JSON list of names, or an object of numbers from 0 on and names.</summary>
    private static IReadOnlyList<string>? Listed(string? json)
    {
        if (json is null) return null;
        try
        {
            using var document = JsonDocument.Parse(json);
            var root = document.RootElement;
            string?[] names = root.ValueKind switch
            {
                JsonValueKind.Array => [.. root.EnumerateArray().Select(name => name.GetString())],
                JsonValueKind.Object => [.. Enumerable.Range(0, root.EnumerateObject().Count()).Select(number => root.GetProperty($"{number}").GetString())],
                _ => [],
            };
            return names.Length > 1 && names.All(name => name is not null) ? [.. names.OfType<string>()] : null;
        }
        catch (Exception other) when (other is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            return null;
        }
    }

    internal static SafetensorsCheckpoint Load(string path)
    {
        var file = RandomAccessFile.Open(path);
        try
        {
            var headerLength = BinaryPrimitives.ReadUInt64LittleEndian(file.Read(0, sizeof(ulong)));
            if (headerLength > HeaderLimitBytes)
                throw Damaged(path, $"its header claims {headerLength} bytes, over the format's limit of 100 MB");
            var dataStart = sizeof(ulong) + (long)headerLength;
            if (dataStart > file.Length)
                throw Damaged(path, $"its header claims {headerLength} bytes, but only {file.Length - 8} follow");
            var header = ParseHeader(path, file.Read(sizeof(ulong), (int)headerLength));
            header.CheckLayout(path, file.Length - dataStart);
            return new(file, header, [.. header.Ranges.Select(range => dataStart + range.Begin)]);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    internal static CheckpointException Damaged(string path, string what) =>
        new($"{path} is not a sound safetensors file: {what}. Download or save it again.");

    private static SafetensorsHeader ParseHeader(string path, byte[] json)
    {
        try
        {
            return SafetensorsHeader.Parse(json);
        }
        catch (Exception exception) when (exception is JsonException or FormatException or InvalidOperationException)
        {
            throw Damaged(path, exception.Message.TrimEnd('.'));
        }
    }

    private protected override void ReadValues(int index, Span<float> destination) =>
        _file.Read(_offsets[index], Tensors[index].Type, destination);

    protected override void Dispose(bool disposing) => _file.Dispose();
}
