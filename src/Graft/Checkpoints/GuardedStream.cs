using System.Runtime.CompilerServices;
using Microsoft.Win32.SafeHandles;

namespace Graft.Checkpoints;

/// <summary>
/// What an HDF5 library reads through, so that a damaged file ends in an exception: reads past the end, endless loops
/// over links that point back, and recursion without an end all pass through here. Small reads come from a block.
/// </summary>
internal sealed class GuardedStream : Stream
{
    private const int BlockBytes = 64 << 10;

    private readonly SafeFileHandle _file;
    private readonly long _start;
    private readonly byte[] _block = new byte[BlockBytes];
    private long _blockStart;
    private int _blockLength;
    private long _readsLeft = long.MaxValue;

    /// <summary>A file, or the part of one that begins at <paramref name="start"/>.</summary>
    public GuardedStream(string path, long start = 0, long? length = null)
    {
        (_file, _start) = (RegularFile.OpenHandle(path), start);
        Length = length ?? RandomAccess.GetLength(_file) - start;
    }

    /// <summary>Reads allowed before the file counts as damaged.</summary>
    public void Allow(long reads) => _readsLeft = reads;

    public override bool CanRead => true;
    public override bool CanSeek => true;
    public override bool CanWrite => false;
    public override long Length { get; }
    public override long Position { get; set; }

    public override int Read(Span<byte> buffer)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        if (--_readsLeft < 0) throw new InvalidDataException("its structure never ends");
        if (Position < 0 || buffer.Length > Length - Position)
            throw new InvalidDataException($"it points outside its {Length} bytes");
        if (buffer.Length > BlockBytes) ReadExactly(Position, buffer);
        else ReadBlock(buffer);
        Position += buffer.Length;
        return buffer.Length;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override long Seek(long offset, SeekOrigin origin) => Position = origin switch
    {
        SeekOrigin.Begin => offset,
        SeekOrigin.Current => Position + offset,
        _ => Length + offset,
    };

    public override void Flush() { }
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        _file.Dispose();
        base.Dispose(disposing);
    }

    private void ReadBlock(Span<byte> buffer)
    {
        if (Position < _blockStart || Position + buffer.Length > _blockStart + _blockLength)
        {
            _blockStart = Position;
            _blockLength = (int)Math.Min(BlockBytes, Length - Position);
            ReadExactly(_blockStart, _block.AsSpan(0, _blockLength));
        }
        _block.AsSpan((int)(Position - _blockStart), buffer.Length).CopyTo(buffer);
    }

    private void ReadExactly(long position, Span<byte> buffer)
    {
        while (buffer.Length > 0)
        {
            var count = RandomAccess.Read(_file, buffer, _start + position);
            if (count == 0) throw new InvalidDataException("it ended while being read");
            buffer = buffer[count..];
            position += count;
        }
    }
}
