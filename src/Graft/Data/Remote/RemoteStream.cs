namespace Graft.Data.Remote;

/// <summary>An object as a file: read in ranges, of which the last is kept.</summary>
/// <param name="facts">Of the object when it was opened.</param>
/// <param name="isStraight">Whether most of it will be read from its beginning to its end: then ranges are large at once.</param>
internal sealed class RemoteStream(string place, ObjectFacts facts, bool isStraight) : Stream
{
    /// <summary>A range costs as long as some megabyte takes to come.</summary>
    private const int Largest = 1 << 20, Smallest = 1 << 16;

    private readonly ObjectStore _store = ObjectStore.Of(place);
    private long _start;
    private byte[] _block = [];
    private int _next = isStraight ? Largest : Smallest;

    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => false;

    public override long Length => facts.Bytes!.Value;

    public override long Position { get; set; }

    public override int Read(Span<byte> buffer)
    {
        var count = (int)Math.Min(buffer.Length, Length - Position);
        if (count <= 0) return 0;
        if (Position < _start || Position >= _start + _block.Length)
        {
            if (!isStraight) _next = Position == _start + _block.Length && _block.Length > 0 ? Math.Min(2 * _next, Largest) : Smallest;
            var wanted = (int)Math.Min(Math.Max(count, _next), Length - Position);
            _block = _store.Read(place, Position, wanted, facts.Tag);
            _start = Position;
        }
        count = (int)Math.Min(count, _start + _block.Length - Position);
        _block.AsSpan((int)(Position - _start), count).CopyTo(buffer);
        Position += count;
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override long Seek(long offset, SeekOrigin origin) =>
        Position = offset + origin switch { SeekOrigin.Begin => 0, SeekOrigin.Current => Position, _ => Length };

    public override void Flush()
    {
    }

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
