using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using Parquet;
using Parquet.Schema;

namespace Graft.Tests.Data.Collections;

/// <summary>Writes collections as other programs do.</summary>
internal static class Packed
{
    public static string Tar(string path, params IEnumerable<(string Name, byte[] Content)> members)
    {
        using var file = File.Create(path);
        using var writer = new TarWriter(file, TarEntryFormat.Pax);
        foreach (var (name, content) in members)
            writer.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(content) });
        return path;
    }

    public static string Zip(string path, params IEnumerable<(string Name, byte[] Content)> members)
    {
        using var file = File.Create(path);
        using var archive = new ZipArchive(file, ZipArchiveMode.Create);
        foreach (var (name, content) in members)
        {
            using var stream = archive.CreateEntry(name).Open();
            stream.Write(content);
        }
        return path;
    }

    /// <summary>As Hugging Face's datasets write it, several rows a group.</summary>
    public static async Task<string> Parquet(string path, IReadOnlyList<(byte[]? Bytes, string? Path, long? Label)> rows, string[]? classes, int rowsAGroup = 2)
    {
        var (bytes, name) = (new DataField<byte[]>("bytes"), new DataField<string>("path"));
        var label = new DataField<long?>("label");
        var schema = new ParquetSchema(new StructField("image", bytes, name), label);
        await using var file = File.Create(path);
        await using var writer = await ParquetWriter.CreateAsync(schema, file);
        if (classes is not null)
        {
            writer.CustomMetadata = new Dictionary<string, string>
            {
                ["huggingface"] = "{\"info\": {\"features\": {\"image\": {\"_type\": \"Image\"}, \"label\": {\"names\": "
                    + System.Text.Json.JsonSerializer.Serialize(classes) + ", \"_type\": \"ClassLabel\"}}}}",
            };
        }
        foreach (var part in rows.Chunk(rowsAGroup))
        {
            using var group = writer.CreateRowGroup();
            await group.WriteAsync(bytes, [.. part.Select(row => row.Bytes!)]);
            await group.WriteAsync(name, [.. part.Select(row => row.Path!)]);
            await group.WriteAsync<long>(label, part.Select(row => row.Label).ToArray().AsMemory());
        }
        return path;
    }

    public static byte[] Text(string text) => Encoding.UTF8.GetBytes(text);
}
