using System.Buffers.Binary;
using System.Text;

namespace Graft.Checkpoints;

internal enum CheckpointFormat
{
    Safetensors,
    Hdf5,
    Zip,
    LegacyTorch,
    Onnx,
}

/// <summary>Tells the formats apart by their first bytes, and names what people download by mistake.</summary>
internal static class CheckpointFormats
{
    public static ReadOnlySpan<byte> Hdf5Signature => [0x89, (byte)'H', (byte)'D', (byte)'F', 13, 10, 26, 10];

    /// <exception cref="CheckpointException">It is no checkpoint; the message says what it seems to be.</exception>
    public static CheckpointFormat Of(string path)
    {
        var buffer = new byte[1024];
        using var file = RegularFile.OpenRead(path);
        ReadOnlySpan<byte> start = buffer.AsSpan(0, file.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false));

        if (start.StartsWith(Hdf5Signature)) return CheckpointFormat.Hdf5;
        if (start.StartsWith("PK\u0003\u0004"u8)) return CheckpointFormat.Zip;
        if (start.Length > 8 && start[8] == '{' && BinaryPrimitives.ReadUInt64LittleEndian(start) <= int.MaxValue)
            return CheckpointFormat.Safetensors;
        // After safetensors, whose header length may begin with the same two bytes.
        if (start.Length > 1 && start[0] == 0x80 && start[1] is >= 2 and <= 5) return CheckpointFormat.LegacyTorch;
        // The first field of an ONNX model is the version of its format, a small number.
        if (start.Length > 1 && start[0] == 0x08 && start[1] is >= 3 and < 32) return CheckpointFormat.Onnx;
        throw new CheckpointException(
            $"Expected weights (.safetensors, Keras .h5, PyTorch .pth or .onnx), found {Describe(start)} in {path}.");
    }

    private static string Describe(ReadOnlySpan<byte> start)
    {
        if (start.IsEmpty) return "an empty file";
        if (start.StartsWith("version https://git-lfs"u8))
            return "a Git LFS pointer instead of the weights (fetch them with 'git lfs pull')";
        if (start.StartsWith((ReadOnlySpan<byte>)[0x1F, 0x8B]))
            return "a gzip archive (unpack it first)";
        if (start.Length > 262 && start.Slice(257, 5).SequenceEqual("ustar"u8))
            return "a tar archive, as PyTorch wrote before 2017 (load and save it once with a newer PyTorch)";
        if (start.ContainsAnyInRange((byte)0, (byte)8)) return "an unknown binary format";
        var text = Encoding.UTF8.GetString(start).TrimStart('\uFEFF').TrimStart();
        return text.StartsWith('<') ? "a web page or XML (the download gave a page instead of the file)"
            : text.StartsWith('{') ? "JSON text"
            : "a text file";
    }
}
