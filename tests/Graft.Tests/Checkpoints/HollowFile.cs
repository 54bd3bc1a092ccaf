using System.Text;
using System.Text.Json;

namespace Graft.Tests.Checkpoints;

/// <summary>A .safetensors file of zeros, which takes no room on the disk.</summary>
internal static class HollowFile
{
    public static string Write(string path, IEnumerable<(string Key, long[] Shape)> tensors)
    {
        var end = 0L;
        var header = JsonSerializer.SerializeToUtf8Bytes(tensors.ToDictionary(tensor => tensor.Key, tensor => new
        {
            dtype = "F32",
            shape = tensor.Shape,
            data_offsets = new[] { end, end += 4 * tensor.Shape.Aggregate(1L, (product, size) => product * size) },
        }));
        using var file = File.Create(path);
        using var writer = new BinaryWriter(file, Encoding.UTF8);
        writer.Write((long)header.Length);
        writer.Write(header);
        file.SetLength(8 + header.Length + end);
        return path;
    }
}
