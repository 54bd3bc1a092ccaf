using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Graft.Features.Export;

/// <summary>
/// numpy's <c>.npz</c>: <c>features</c> float32 [n, …], <c>paths</c>, <c>labels</c> int64, <c>label_names</c>, <c>splits</c> [n],
/// <c>classes</c> [k], and <c>metadata</c>, a text of JSON. Texts are <c>&lt;U</c>: nothing needs pickle. Format:
/// numpy/lib/format.py, version 1.0.
/// </summary>
internal static class NumpyArchive
{
    private static readonly DateTimeOffset Epoch = new(1980, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public static void Write(FeatureTable table, string path)
    {
        using var file = new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite);
        using (var archive = new ZipArchive(file, ZipArchiveMode.Create, leaveOpen: true))
        {
            Add(archive, "features", "<f4", [table.Rows.Count, .. table.Shape], stream =>
            {
                foreach (var row in table.Rows) stream.Write(MemoryMarshal.AsBytes(row.AsSpan()));
            });
            Add(archive, "labels", "<i8", [table.Labels.Count], stream =>
                stream.Write(MemoryMarshal.AsBytes<long>(table.Labels.Select(label => (long)label).ToArray())));
            AddTexts(archive, "label_names", table.LabelNames);
            AddTexts(archive, "paths", table.Paths);
            AddTexts(archive, "splits", table.Splits);
            AddTexts(archive, "classes", table.Classes);
            AddTexts(
                archive, "metadata",
                [$"{{{string.Join(", ", table.Metadata.Select(entry => $"{JsonSerializer.Serialize(entry.Key)}: {entry.Value}"))}}}"], isScalar: true);
        }
        file.Flush(flushToDisk: true);
    }

    private static void AddTexts(ZipArchive archive, string name, IEnumerable<string> texts, bool isScalar = false)
    {
        // numpy keeps each text as UTF-32, filled up with zeros to the longest.
        var encoded = texts.Select(Encoding.UTF32.GetBytes).ToList();
        var width = Math.Max(4, encoded.Select(text => text.Length).DefaultIfEmpty().Max());
        Add(archive, name, $"<U{width / 4}", isScalar ? [] : [encoded.Count], stream =>
        {
            var cell = new byte[width];
            foreach (var text in encoded)
            {
                text.CopyTo(cell, 0);
                cell.AsSpan(text.Length).Clear();
                stream.Write(cell);
            }
        });
    }

    private static void Add(ZipArchive archive, string name, string type, IReadOnlyList<int> shape, Action<Stream> write)
    {
        // Stored as they are: features hardly shrink, and readers are faster.
        var entry = archive.CreateEntry($"{name}.npy", CompressionLevel.NoCompression);
        entry.LastWriteTime = Epoch;
        using var stream = entry.Open();
        using var buffered = new BufferedStream(stream, 1 << 16);
        var sizes = shape.Count == 1 ? $"{shape[0]}," : string.Join(", ", shape);
        var header = $"{{'descr': '{type}', 'fortran_order': False, 'shape': ({sizes}), }}";
        // Magic, version and length are ten bytes; the whole ends with a line feed at a multiple of 64.
        header = header.PadRight((10 + header.Length + 1 + 63) / 64 * 64 - 11) + "\n";
        buffered.Write([0x93, .. "NUMPY"u8, 1, 0, (byte)header.Length, (byte)(header.Length >> 8)]);
        buffered.Write(Encoding.ASCII.GetBytes(header));
        write(buffered);
    }
}
