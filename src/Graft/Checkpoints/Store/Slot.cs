using System.Text.Json;

namespace Graft.Checkpoints.Store;

/// <summary>What the store knows of a file it has verified; kept beside it as <c>NAME.json</c>.</summary>
internal sealed record SlotRecord
{
    public string? Sha256 { get; init; }

    public string? Md5 { get; init; }

    public long Bytes { get; init; }

    /// <summary>The file's time of last change when it was verified; null once a check has failed.</summary>
    public DateTime? ModifiedUtc { get; init; }

    public Uri? Source { get; init; }

    /// <summary>A hash that the user trusts in place of the publisher's.</summary>
    public string? Pin { get; init; }

    public FileDigest? Digest => Sha256 is null ? null : new(Sha256, Md5);

    public bool IsStampOf(FileInfo file) => file.Length == Bytes && file.LastWriteTimeUtc == ModifiedUtc;
}

/// <summary>What a file must be, from the user's pin, the publisher, or what was first seen, in this order.</summary>
internal readonly record struct Expectation(FileHash? Hash, long? Bytes)
{
    public static Expectation Of(PublishedFile? file, SlotRecord? record)
    {
        if (record?.Pin is { } pin) return new(FileHash.Parse(pin), null);
        if (record?.Digest is not { } seen || (file?.Hash is { } published && published.Of(seen) != published))
            return new(file?.Hash, file?.Bytes);
        // A few digits were published, and the file that bore them out is known in full.
        var hash = file?.Hash is { Algorithm: not FileHashAlgorithm.Sha256Prefix } full
            ? full
            : FileHash.Sha256(seen.Sha256);
        return new(hash, file?.Bytes ?? record.Bytes);
    }

    public bool NeedsMd5 => Hash?.Algorithm is FileHashAlgorithm.Md5;

    public override string ToString() =>
        (Bytes is null ? "" : $"{Bytes:N0} bytes") + (Bytes is null || Hash is null ? "" : ", ") + Hash;
}

/// <summary>One file's place in the store: the file, and what lies beside it.</summary>
internal sealed class Slot(string folder, string fileName)
{
    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true };

    public string Folder => folder;

    public string FileName => fileName;

    public string FilePath { get; } = Path.Combine(folder, fileName);

    public string PartialPath => FilePath + ".part";

    public string PartialRecordPath => FilePath + ".part.json";

    public string ImportPath => FilePath + ".import";

    private string RecordPath => FilePath + ".json";

    public SlotRecord? ReadRecord() => Read<SlotRecord>(RecordPath);

    public void WriteRecord(SlotRecord record) => Write(RecordPath, record);

    public static T? Read<T>(string path) where T : class
    {
        try
        {
            return JsonSerializer.Deserialize<T>(RegularFile.ReadAllText(path));
        }
        catch (Exception absent) when (absent is IOException or UnauthorizedAccessException or JsonException)
        {
            return null;
        }
    }

    public static void Write<T>(string path, T record)
    {
        var unfinished = Path.Combine(Path.GetDirectoryName(path)!, "." + Path.GetRandomFileName());
        try
        {
            File.WriteAllText(unfinished, JsonSerializer.Serialize(record, Json));
            File.Move(unfinished, path, overwrite: true);
        }
        catch
        {
            File.Delete(unfinished);
            throw;
        }
    }

    /// <summary>
    /// The file beside its expectation, or null where there is none. A file unchanged since it was last verified is not
    /// read again unless <paramref name="thoroughly"/>; one read and found good is remembered as verified.
    /// </summary>
    public FileCheck? Check(PublishedFile? published, bool thoroughly)
    {
        var file = new FileInfo(FilePath);
        if (!file.Exists) return null;
        var record = ReadRecord();
        var expected = Expectation.Of(published, record);
        var check = new FileCheck(
            fileName, FilePath, FileCondition.Ok, expected.Hash, expected.Hash, expected.Bytes, file.Length);
        if (expected.Bytes is { } bytes && file.Length != bytes)
            check = check with
            {
                Condition = file.Length < bytes ? FileCondition.Truncated : FileCondition.TooLong,
                Found = null,
            };
        else if (thoroughly || record is null || !record.IsStampOf(file)
            || (record.Digest is { } seen && expected.Hash is { } hash && hash.Of(seen) != hash))
        {
            var digest = FileDigest.OfFile(FilePath, expected.NeedsMd5);
            var found = expected.Hash?.Of(digest);
            check = check with
            {
                Found = found ?? FileHash.Sha256(digest.Sha256),
                Condition = expected.Hash is null && published is null ? FileCondition.Unknown
                    : found == expected.Hash ? FileCondition.Ok
                    : FileCondition.HashMismatch,
            };
            if (check.Condition is FileCondition.Ok) Remember(digest, file, record);
        }
        if (check.Condition is not (FileCondition.Ok or FileCondition.Unknown) && record?.ModifiedUtc is not null)
            Try(() => WriteRecord(record with { ModifiedUtc = null }));
        return check;
    }

    /// <summary>Gives a verified file its final name, and remembers what it is.</summary>
    public void Settle(string verifiedPath, FileDigest digest, Uri? source)
    {
        var file = new FileInfo(verifiedPath);
        var record = (ReadRecord() ?? new()) with
        {
            Sha256 = digest.Sha256,
            Md5 = digest.Md5,
            Bytes = file.Length,
            ModifiedUtc = file.LastWriteTimeUtc,
            Source = source,
        };
        // First the record, whose time stamp goes with the file: a crash in between costs one more look at the file.
        WriteRecord(record);
        File.Move(verifiedPath, FilePath, overwrite: true);
    }

    private void Remember(FileDigest digest, FileInfo file, SlotRecord? record) =>
        Try(() => WriteRecord((record ?? new()) with
        {
            Sha256 = digest.Sha256,
            Md5 = digest.Md5 ?? (record?.Sha256 == digest.Sha256 ? record.Md5 : null),
            Bytes = file.Length,
            ModifiedUtc = file.LastWriteTimeUtc,
        }));

    /// <summary>A store that cannot be written to can still be read.</summary>
    private static void Try(Action write)
    {
        try
        {
            write();
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
        }
    }

    /// <summary>Deletes all that lies in this place and gives the freed bytes.</summary>
    public long Clear()
    {
        long bytes = 0;
        foreach (var path in new[] { FilePath, PartialPath, PartialRecordPath, ImportPath, RecordPath })
        {
            if (!File.Exists(path)) continue;
            bytes += new FileInfo(path).Length;
            File.Delete(path);
        }
        return bytes;
    }

    /// <summary>
    /// Takes this place for writing, or gives null while another process or instance has it. The operating system lets
    /// go of it when the holder dies; the empty lock file stays, as deleting it would let two in.
    /// </summary>
    public FileStream? TryLock()
    {
        var locks = Path.Combine(folder, ".locks");
        Directory.CreateDirectory(locks);
        try
        {
            return new(Path.Combine(locks, fileName), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException held) when (DiskFault.IsSharingViolation(held))
        {
            return null;
        }
    }
}

/// <summary>What the operating system says of a disk, in words.</summary>
internal static class DiskFault
{
    public static bool IsSharingViolation(IOException error) => OperatingSystem.IsWindows()
        ? (error.HResult & 0xFFFF) is 32 or 33   // ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION
        : error.HResult is 11 or 35;             // EWOULDBLOCK on Linux, on macOS

    public static bool Is(Exception error) => error is IOException or UnauthorizedAccessException;

    public static WeightStoreException Explain(Exception error, Slot slot)
    {
        if (IsFull(error))
            return new(
                $"The disk that holds {slot.Folder} is full, and {slot.FileName} did not fit. Free some space and "
                + "repeat the command: a download goes on where it stopped. Or set GRAFT_HOME to another disk.",
                error);
        return new(
            $"Graft cannot write to its weights folder {slot.Folder}: {error.Message} "
            + "Make it writable, or set GRAFT_HOME to a folder you may write to.", error);
    }

    private static bool IsFull(Exception error) => error is IOException && (OperatingSystem.IsWindows()
        ? (error.HResult & 0xFFFF) is 39 or 112   // ERROR_HANDLE_DISK_FULL, ERROR_DISK_FULL
        : error.HResult is 28 || error.HResult == (OperatingSystem.IsMacOS() ? 69 : 122));   // ENOSPC, EDQUOT
}
