using System.IO.MemoryMappedFiles;

namespace Graft.Checkpoints;

/// <summary>
/// A file read through memory-mapped windows. Windows are short-lived, so that the process never holds more of the file
/// than one of them besides what it copied out. Safe for concurrent reads.
/// </summary>
internal sealed class MappedFile : IDisposable
{
    private const int WindowBytes = 1 << 20;

    private readonly MemoryMappedFile _map;

    private MappedFile(string path, long length, MemoryMappedFile map) => (Path, Length, _map) = (path, length, map);

    public string Path { get; }

    public long Length { get; }

    /// <summary>Maps a file that is not empty.</summary>
    public static MappedFile Open(string path)
    {
        var stream = RegularFile.OpenRead(path);
        try
        {
            var map = MemoryMappedFile.CreateFromFile(
                stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
            return new(path, stream.Length, map);
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    public void Read(long offset, Span<byte> destination)
    {
        while (destination.Length > 0)
        {
            var count = Math.Min(destination.Length, WindowBytes);
            using var window = new Window(_map, offset, count);
            window.Bytes.CopyTo(destination);
            destination = destination[count..];
            offset += count;
        }
    }

    public byte[] Read(long offset, int count)
    {
        var bytes = new byte[count];
        Read(offset, bytes);
        return bytes;
    }

    /// <summary>Reads elements that lie one after the other from <paramref name="offset"/> on.</summary>
    public void Read(long offset, TensorType type, Span<float> destination)
    {
        var size = type.SizeInBytes();
        while (destination.Length > 0)
        {
            var count = Math.Min(destination.Length, WindowBytes / size);
            using var window = new Window(_map, offset, count * size);
            type.ToSingle(window.Bytes, destination[..count]);
            destination = destination[count..];
            offset += (long)count * size;
        }
    }

    public void Dispose() => _map.Dispose();

    private readonly unsafe ref struct Window : IDisposable
    {
        private readonly MemoryMappedViewAccessor _view;

        public Window(MemoryMappedFile map, long offset, int count)
        {
            _view = map.CreateViewAccessor(offset, count, MemoryMappedFileAccess.Read);
            byte* start = null;
            _view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
            Bytes = new(start + _view.PointerOffset, count);
        }

        public ReadOnlySpan<byte> Bytes { get; }

        public void Dispose()
        {
            _view.SafeMemoryMappedViewHandle.ReleasePointer();
            _view.Dispose();
        }
    }
}
