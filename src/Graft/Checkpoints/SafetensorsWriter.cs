using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Graft.Checkpoints;

/// <summary>Fills the destination with a tensor's elements from index <paramref name="start"/> on.</summary>
public delegate void TensorValues(long start, Span<float> destination);

/// <summary>A tensor to be written: its values are asked for when its turn comes, in order, a run at a time.</summary>
/// <param name="Name">The key in the file.</param>
/// <param name="Type">
/// <see cref="TensorType.Float32"/>, <see cref="TensorType.Float16"/> or, for whole numbers within ±16,777,216, <see cref="TensorType.Int64"/>.
/// </param>
/// <param name="Shape">Sizes, last axis fastest; empty for a scalar.</param>
/// <param name="Values">Where the values come from.</param>
public sealed record TensorSource(string Name, TensorType Type, IReadOnlyList<long> Shape, TensorValues Values)
{
    public TensorSource(string name, TensorType type, IReadOnlyList<long> shape, ReadOnlyMemory<float> values)
        : this(name, type, shape, (start, part) => values.Span.Slice((int)start, part.Length).CopyTo(part))
    {
    }
}

/// <summary>Writes <c>.safetensors</c> files.</summary>
public static class SafetensorsWriter
{
    private const int RunElements = 1 << 20;
    private const int Alignment = 8;

    /// <summary>
    /// Writes the tensors, one after the other, to a new file beside <paramref name="path"/> that takes its place when
    /// it is complete and on the disk: whatever happens, <paramref name="path"/> holds the old file or the new one.
    /// </summary>
    /// <exception cref="ArgumentException">Two tensors share a name, or one has a type that is not written.</exception>
    /// <exception cref="CheckpointException">
    /// The file cannot be written (folder absent or read-only, disk full), or a value does not fit float16.
    /// </exception>
    public static void Write(
        string path, IReadOnlyList<TensorSource> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(tensors);
        // Wide elements first, so that every tensor is aligned to its element.
        TensorEntry[] entries = [.. tensors.Select(tensor => new TensorEntry(tensor.Name, tensor.Type, tensor.Shape))];
        int[] order = [.. Enumerable.Range(0, tensors.Count).OrderByDescending(i => tensors[i].Type.SizeInBytes())];
        var header = Header(entries, order, metadata ?? new Dictionary<string, string>());
        var length = header.Length + entries.Sum(entry => entry.ElementCount * entry.Type.SizeInBytes());

        var partial = $"{path}.{Guid.NewGuid():N}.partial";
        try
        {
            using (var file = new FileStream(partial, new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                BufferSize = 0,
                PreallocationSize = length,
            }))
            {
                file.Write(header);
                foreach (var i in order) WriteValues(file, entries[i], tensors[i].Values, path);
                file.Flush(flushToDisk: true);
            }
            File.Move(partial, path, overwrite: true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Unwritable(path, length, exception);
        }
        finally
        {
            Delete(partial);
        }
    }

    private static byte[] Header(TensorEntry[] entries, int[] order, IReadOnlyDictionary<string, string> metadata)
    {
        var json = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(json))
        {
            writer.WriteStartObject();
            if (metadata.Count > 0)
            {
                writer.WriteStartObject("__metadata__");
                foreach (var (key, value) in metadata) writer.WriteString(key, value);
                writer.WriteEndObject();
            }
            var names = new HashSet<string> { "__metadata__" };
            var begin = 0L;
            foreach (var i in order)
            {
                var (name, type, shape) = entries[i];
                if (type is not (TensorType.Float32 or TensorType.Float16 or TensorType.Int64))
                    throw new ArgumentException($"{entries[i]}: expected Float32, Float16 or Int64.", nameof(entries));
                if (!names.Add(name)) throw new ArgumentException($"Two tensors are named '{name}'.", nameof(entries));
                var end = begin + entries[i].ElementCount * type.SizeInBytes();
                writer.WriteStartObject(name);
                writer.WriteString("dtype", SafetensorsHeader.NameOf(type));
                WriteNumbers(writer, "shape", shape);
                WriteNumbers(writer, "data_offsets", [begin, end]);
                writer.WriteEndObject();
                begin = end;
            }
            writer.WriteEndObject();
        }

        var padded = (json.WrittenCount + Alignment - 1) / Alignment * Alignment;
        var header = new byte[sizeof(ulong) + padded];
        BinaryPrimitives.WriteUInt64LittleEndian(header, (ulong)padded);
        json.WrittenSpan.CopyTo(header.AsSpan(sizeof(ulong)));
        header.AsSpan(sizeof(ulong) + json.WrittenCount).Fill((byte)' ');
        return header;
    }

    private static void WriteNumbers(Utf8JsonWriter writer, string name, IReadOnlyList<long> numbers)
    {
        writer.WriteStartArray(name);
        foreach (var number in numbers) writer.WriteNumberValue(number);
        writer.WriteEndArray();
    }

    private static void WriteValues(FileStream file, TensorEntry entry, TensorValues values, string path)
    {
        var length = (int)Math.Min(RunElements, entry.ElementCount);
        var run = new float[length];
        var halves = entry.Type == TensorType.Float16 ? new Half[length] : [];
        for (var start = 0L; start < entry.ElementCount; start += run.Length)
        {
            var part = run.AsSpan(0, (int)Math.Min(run.Length, entry.ElementCount - start));
            values(start, part);
            if (entry.Type == TensorType.Float32)
            {
                file.Write(MemoryMarshal.AsBytes(part));
                continue;
            }
            if (entry.Type == TensorType.Int64)
            {
                foreach (var value in part) file.Write(BitConverter.GetBytes((long)value));
                continue;
            }
            for (var i = 0; i < part.Length; i++)
            {
                halves[i] = (Half)part[i];
                if (Half.IsInfinity(halves[i]) && float.IsFinite(part[i]))
                {
                    throw new CheckpointException(
                        $"{entry} for {path} holds {part[i]}, but float16 ends at 65504. Write it as Float32.");
                }
            }
            file.Write(MemoryMarshal.AsBytes(halves.AsSpan(0, part.Length)));
        }
    }

    private static CheckpointException Unwritable(string path, long length, Exception exception) => exception switch
    {
        DirectoryNotFoundException => new($"There is no folder for {path}. Create it first.", exception),
        UnauthorizedAccessException => new($"{path} may not be written. Check the folder's permissions.", exception),
        _ => new($"{path} ({length / 1e6:0.0} MB) cannot be written: {exception.Message}", exception),
    };

    private static void Delete(string partial)
    {
        try
        {
            File.Delete(partial);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // What went wrong before is what the caller must hear.
        }
    }
}
