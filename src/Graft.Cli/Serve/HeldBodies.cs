namespace Graft.Cli.Serve;

/// <summary>
/// The memory that the bodies of all requests may take at a time. Each is within its own limit, but a thousand clients that send slowly, or never
/// end, would fill any machine.
/// </summary>
internal sealed class HeldBodies(long maxBytes)
{
    private long _held;

    /// <summary>A body that counts what is read of it, until it is disposed of.</summary>
    public Stream Count(Stream body) => new CountedStream(this, body);

    private void Add(int bytes)
    {
        if (Interlocked.Add(ref _held, bytes) > maxBytes)
            throw new Refusal(429, $"The server holds {maxBytes / 1_000_000:N0} MB of photos already. Try again in a second.");
    }

    private sealed class CountedStream(HeldBodies bodies, Stream body) : Stream
    {
        private long _read;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var count = await body.ReadAsync(buffer, cancellationToken);
            _read += count;
            bodies.Add(count);
            return count;
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Bodies are read asynchronously.");

        public override void Flush() => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            Interlocked.Add(ref bodies._held, -Interlocked.Exchange(ref _read, 0));
            base.Dispose(disposing);
        }
    }
}
