using System.IO.Compression;
using System.Runtime.InteropServices;

namespace Graft.Tests.Checkpoints;

/// <summary>The two containers of <c>torch.save</c>, around any pickle.</summary>
internal static class TorchFile
{
    public static readonly byte[] Magic =
        [0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, (byte)'.'];

    public static byte[] Zip(
        byte[] pickle,
        IReadOnlyDictionary<string, byte[]>? storages = null,
        string root = "archive",
        string? byteOrder = "little",
        CompressionLevel compression = CompressionLevel.NoCompression)
    {
        var bytes = new MemoryStream();
        using (var zip = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
        {
            Add("data.pkl", pickle);
            if (byteOrder is not null) Add("byteorder", System.Text.Encoding.ASCII.GetBytes(byteOrder));
            foreach (var (key, data) in storages ?? new Dictionary<string, byte[]>()) Add($"data/{key}", data);
            Add("version", "3\n"u8.ToArray());

            void Add(string name, byte[] data)
            {
                using var entry = zip.CreateEntry($"{root}/{name}", compression).Open();
                entry.Write(data);
            }
        }
        return bytes.ToArray();
    }

    /// <param name="pickle">The object.</param>
    /// <param name="storages">Key, element size in bytes and data of each storage, in the file's order.</param>
    public static byte[] Legacy(byte[] pickle, params (string Key, int ElementBytes, byte[] Data)[] storages)
    {
        var bytes = new MemoryStream();
        bytes.Write(Magic);
        bytes.Write(PickleWriter.Write(p => p.Number(1001)));
        bytes.Write(PickleWriter.Write(p => p.Op('}').Text("little_endian").Raw(0x88).Op('s')));
        bytes.Write(pickle);
        bytes.Write(PickleWriter.Write(p =>
        {
            p.Op(']').Op('(');
            foreach (var (key, _, _) in storages) p.Text(key);
            p.Op('e');
        }));
        foreach (var (_, size, data) in storages)
        {
            bytes.Write(BitConverter.GetBytes((long)data.Length / size));
            bytes.Write(data);
        }
        return bytes.ToArray();
    }

    public static byte[] Bytes<T>(params T[] values) where T : unmanaged =>
        MemoryMarshal.AsBytes(values.AsSpan()).ToArray();
}
