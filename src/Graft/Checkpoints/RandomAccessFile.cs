using System.Buffers;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Graft.Checkpoints;

/// <summary>
/// A file whose parts are read on demand. Nothing is mapped into memory: a page of a mapped file that another process truncates ends
/// this process with a signal that no handler can answer, while a read fails with an error that names the file. What is read goes into the
/// caller's memory, which a mapping would have had to copy too. Safe for concurrent reads and for <see cref="Dispose"/> during them.
/// </summary>
internal sealed class RandomAccessFile : IDisposable
{
    private const int BufferBytes = 1 << 20;

    private readonly SafeFileHandle _handle;
    private readonly DateTime _changed;

    private RandomAccessFile(string path, SafeFileHandle handle)
    {
        (Path, _handle) = (path, handle);
        (Length, _changed) = (RandomAccess.GetLength(handle), File.GetLastWriteTimeUtc(handle));
    }

    public string Path { get; }

    public long Length { get; }

    public static RandomAccessFile Open(string path)
    {
        var handle = RegularFile.OpenHandle(path, FileShare.Read | FileShare.Delete);
        try
        {
            return new(path, handle);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <exception cref="CheckpointException">The file has changed since it was opened, or ends before the destination is full.</exception>
    /// <exception cref="ObjectDisposedException">It was closed.</exception>
    public void Read(long offset, Span<byte> destination)
    {
        ReadUnchecked(offset, destination);
        CheckUnchanged();
    }

    public byte[] Read(long offset, int count)
    {
        var bytes = new byte[count];
        Read(offset, bytes);
        return bytes;
    }

    /// <summary>Reads elements that lie one after the other from <paramref name="offset"/> on, as float32.</summary>
    /// <exception cref="CheckpointException">The file has changed since it was opened, or ends before the destination is full.</exception>
    /// <exception cref="ObjectDisposedException">It was closed.</exception>
    public void Read(long offset, TensorType type, Span<float> destination)
    {
        if (type == TensorType.Float32 && BitConverter.IsLittleEndian)
        {
            Read(offset, MemoryMarshal.AsBytes(destination));
            return;
        }
        var size = type.SizeInBytes();
        var buffer = ArrayPool<byte>.Shared.Rent((int)Math.Min(BufferBytes, (long)destination.Length * size));
        try
        {
            while (destination.Length > 0)
            {
                var count = Math.Min(destination.Length, Math.Min(buffer.Length, BufferBytes) / size);
                var bytes = buffer.AsSpan(0, count * size);
                ReadUnchecked(offset, bytes);
                type.ToSingle(bytes, destination[..count]);
                destination = destination[count..];
                offset += bytes.Length;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
        CheckUnchanged();
    }

    public void Dispose() => _handle.Dispose();

    private void ReadUnchecked(long offset, Span<byte> destination)
    {
        while (destination.Length > 0)
        {
            var count = RandomAccess.Read(_handle, destination, offset);
            if (count == 0) throw Changed();
            destination = destination[count..];
            offset += count;
        }
    }

    /// <summary>After reading: what came may be half of one file and half of another.</summary>
    private void CheckUnchanged()
    {
        if (RandomAccess.GetLength(_handle) != Length || File.GetLastWriteTimeUtc(_handle) != _changed) throw Changed();
    }

    private CheckpointException Changed() => new($"{Path} was changed after it was opened.")
    {
        Code = "file-changed",
        Remedy = "Open it again. To replace a file in use, write the new one beside it and rename it.",
    };
}
