using System.Globalization;
using BitMiracle.LibTiff.Classic;

namespace Graft.Imaging;

/// <summary>
/// A TIFF file in memory, as LibTiff.NET reads it: with <see cref="TiffDirectory.Cleaned"/> in the place of its own directory;
/// and the first thing it complained of.
/// </summary>
internal sealed class TiffSource(ReadOnlyMemory<byte> file, TiffDirectory directory) : TiffStream
{
    private long _position;

    public string? Complaint { get; private set; }

    public void Forgive() => Complaint = null;

    // One handler for the process, which by default would print; each message finds its file through the client data.
    static TiffSource() => Tiff.SetErrorHandler(new ComplaintHandler());

    public long Length => file.Length;

    public Tiff? Open() => Tiff.ClientOpen("TIFF", "r", this, this);

    public override int Read(object clientData, byte[] buffer, int offset, int count)
    {
        if (_position < 0 || _position >= file.Length) return 0;
        var read = (int)Math.Min(count, file.Length - _position);
        var target = buffer.AsSpan(offset, read);
        file.Span.Slice((int)_position, read).CopyTo(target);
        var from = Math.Max(_position, directory.Position);
        var to = Math.Min(_position + read, directory.Position + directory.Cleaned.Length);
        if (from < to)
        {
            directory.Cleaned.AsSpan((int)(from - directory.Position), (int)(to - from))
                .CopyTo(target[(int)(from - _position)..]);
        }
        _position += read;
        return read;
    }

    public override void Write(object clientData, byte[] buffer, int offset, int count) =>
        throw new NotSupportedException();

    public override long Seek(object clientData, long offset, SeekOrigin origin) => _position = origin switch
    {
        SeekOrigin.Begin => offset,
        SeekOrigin.Current => _position + offset,
        _ => file.Length + offset,
    };

    public override void Close(object clientData)
    {
    }

    public override long Size(object clientData) => file.Length;

    private sealed class ComplaintHandler : TiffErrorHandler
    {
        public override void ErrorHandler(Tiff tif, string method, string format, params object[] args)
        {
        }

        public override void ErrorHandlerExt(
            Tiff tif, object clientData, string method, string format, params object[] args)
        {
            if (clientData is TiffSource source)
                source.Complaint ??= string.Format(CultureInfo.InvariantCulture, format, args);
        }

        public override void WarningHandler(Tiff tif, string method, string format, params object[] args)
        {
        }

        public override void WarningHandlerExt(
            Tiff tif, object clientData, string method, string format, params object[] args)
        {
        }
    }
}
