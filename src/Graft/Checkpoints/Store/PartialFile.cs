namespace Graft.Checkpoints.Store;

/// <summary>Where a partial file came from, and how to ask whether the rest still belongs to it.</summary>
internal sealed record PartialRecord(Uri Source, string? ETag, DateTimeOffset? LastModified, long? Total)
{
    public bool HasValidator => ETag is not null || LastModified is not null;
}

/// <summary>The beginning of a download, <c>NAME.part</c>: it outlives a crash, and its digest grows with it.</summary>
internal sealed class PartialFile : IDisposable
{
    private readonly Slot slot;
    private readonly FileStream stream;
    private readonly FileDigest.Running digest;

    private PartialFile(Slot slot, bool withMd5)
    {
        this.slot = slot;
        stream = new(slot.PartialPath, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0);
        digest = new(withMd5);
    }

    public static PartialFile Open(Slot slot, bool withMd5, CancellationToken cancellation)
    {
        var partial = new PartialFile(slot, withMd5);
        try
        {
            partial.Record = Slot.Read<PartialRecord>(slot.PartialRecordPath);
            partial.Length = partial.stream.Length;
            partial.IsPatchwork = partial.Length > 0;
            if (partial.Length > 0) partial.digest.AppendRest(partial.stream, cancellation);
            return partial;
        }
        catch
        {
            partial.Dispose();
            throw;
        }
    }

    public long Length { get; private set; }

    public PartialRecord? Record { get; private set; }

    /// <summary>Its bytes came from more than one answer, so that a wrong hash may be the seam's fault.</summary>
    public bool IsPatchwork { get; private set; }

    public void Restart(PartialRecord? record)
    {
        if (stream.Length > 0) stream.SetLength(0);
        digest.Finish();
        Length = 0;
        IsPatchwork = false;
        Record = record;
        if (record is null) File.Delete(slot.PartialRecordPath);
        else Slot.Write(slot.PartialRecordPath, record);
    }

    public void GoOn(PartialRecord record)
    {
        IsPatchwork = Length > 0;
        if (record == Record) return;
        Record = record;
        Slot.Write(slot.PartialRecordPath, record);
    }

    public void Append(ReadOnlySpan<byte> bytes)
    {
        stream.Write(bytes);
        digest.Append(bytes);
        Length += bytes.Length;
    }

    /// <summary>The digest of the whole file, which is then on the disk to stay.</summary>
    public FileDigest Finish()
    {
        stream.Flush(flushToDisk: true);
        return digest.Finish();
    }

    /// <summary>Gives the finished file its final name.</summary>
    public void Settle(FileDigest wholeFile, Uri source)
    {
        stream.Dispose();
        slot.Settle(slot.PartialPath, wholeFile, source);
        Length = 0;
    }

    /// <summary>Leaves what has come for the next pull.</summary>
    public void Dispose()
    {
        stream.Dispose();
        digest.Dispose();
        if (Length > 0) return;
        File.Delete(slot.PartialPath);
        File.Delete(slot.PartialRecordPath);
    }
}
