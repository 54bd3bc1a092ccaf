namespace Graft.Checkpoints.Store;

/// <summary>
/// A user's weight files, shared by all of their processes. A file bears its final name only once its hash was found
/// right; beside it, <c>NAME.json</c> says what it was found to be, and <c>NAME.part</c> is an unfinished download.
/// </summary>
public sealed class WeightStore(WeightStoreOptions options)
{
    private static readonly TimeSpan LockPoll = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestImportWait = TimeSpan.FromMinutes(1);

    private readonly WeightStoreOptions options = options.Validated();

    /// <summary>The store that <see cref="WeightStoreOptions.FromEnvironment()"/> describes.</summary>
    public static WeightStore Default => new(WeightStoreOptions.FromEnvironment());

    public string Folder { get; } = Path.GetFullPath(options.Folder);

    /// <summary>
    /// The path of the verified file, or null where the store lacks it or has another in its place. A file that was
    /// verified once is read again only if its length or time of change differs, or it was put there by hand.
    /// </summary>
    public string? Find(PublishedFile file)
    {
        var slot = SlotOf(file);
        return Check(slot, file, thoroughly: false) is { Condition: FileCondition.Ok } ? slot.FilePath : null;
    }

    /// <summary>
    /// The path of the verified file, downloaded if need be: from the mirror if there is one, else from the publisher,
    /// going on with what an earlier pull has left. Cancelling leaves the part that has come. Processes that want the
    /// same file wait for the first and share what it brings.
    /// </summary>
    /// <exception cref="WeightStoreException">
    /// Offline, no source has it, or the folder cannot be written to; the message says how to bring the file by hand.
    /// </exception>
    public async Task<string> PullAsync(
        PublishedFile file, IProgress<DownloadProgress>? progress = null, CancellationToken cancellation = default)
    {
        if (Find(file) is { } present) return present;
        var slot = SlotOf(file);
        if (options.Offline)
            throw Download.NotHere([$"{file.FileName} is not in the weight store, and Graft is offline (GRAFT_OFFLINE)."], file, slot, options);
        try
        {
            using var held = await LockAsync(slot, progress, cancellation).ConfigureAwait(false);
            if (Find(file) is { } pulledMeanwhile) return pulledMeanwhile;
            using var http = Download.Client(options);
            await new Download(file, slot, options, progress, http).RunAsync(cancellation).ConfigureAwait(false);
            return slot.FilePath;
        }
        catch (Exception error) when (DiskFault.Is(error))
        {
            throw DiskFault.Explain(error, slot);
        }
    }

    /// <summary>Verifies a file that was brought by hand and copies it into the store; gives its path there.</summary>
    /// <exception cref="WeightStoreException">It is not the published file, or cannot be read or kept.</exception>
    public string Import(string path, PublishedFile file)
    {
        var slot = SlotOf(file);
        using var source = OpenForImport(path);
        try
        {
            using var held = Lock(slot);
            var expected = Expectation.Of(file, slot.ReadRecord());
            if (expected.Bytes is { } bytes && source.Length != bytes)
                throw Refusal($"it has {source.Length:N0} bytes, expected {bytes:N0}");
            try
            {
                using var hashing = new FileDigest.Running(expected.NeedsMd5);
                using (var copy = new FileStream(slot.ImportPath, FileMode.Create, FileAccess.Write, FileShare.None, 0))
                {
                    hashing.AppendRest(source, CancellationToken.None, copy);
                    copy.Flush(flushToDisk: true);
                }
                var digest = hashing.Finish();
                if (expected.Hash?.Of(digest) is var found && found != expected.Hash)
                    throw Refusal($"its hash is {found}, expected {expected.Hash}{file.Caveat(expected.Hash)}");
                slot.Settle(slot.ImportPath, digest, source: null);
            }
            finally
            {
                File.Delete(slot.ImportPath);
            }
            File.Delete(slot.PartialPath);
            File.Delete(slot.PartialRecordPath);
            return slot.FilePath;
        }
        catch (Exception error) when (DiskFault.Is(error))
        {
            throw DiskFault.Explain(error, slot);
        }

        WeightStoreException Refusal(string reason) => new(
            $"{path} is not {file.FileName}: {reason}. Nothing was imported. Fetch {options.Sources(file)[^1]} anew; "
            + "if the publisher has replaced the file and you trust the new one, pin its hash.");
    }

    /// <summary>Which of the published files this is: by its hash, or by its name where no hash is published.</summary>
    public static PublishedFile? Identify(string path, IEnumerable<PublishedFile> published)
    {
        using var source = OpenForImport(path);
        using var hashing = new FileDigest.Running(withMd5: true);
        hashing.AppendRest(source, CancellationToken.None);
        var digest = hashing.Finish();
        var name = Path.GetFileName(path);
        return published.FirstOrDefault(file => file.Hash is { } hash && hash.Of(digest) == hash)
            ?? published.FirstOrDefault(file =>
                file.Hash is null && (file.FileName == name || Path.GetFileName(file.Url.LocalPath) == name));
    }

    /// <summary>The hash that a file must have: the one that the user pinned, the publisher's, or that of the file first seen; null for the first.</summary>
    public FileHash? HashOf(PublishedFile file) => Expectation.Of(file, SlotOf(file).ReadRecord()).Hash;

    /// <summary>Trusts <paramref name="hash"/> in place of the publisher's, until the file is removed.</summary>
    public void Pin(PublishedFile file, FileHash hash)
    {
        var slot = SlotOf(file);
        try
        {
            Directory.CreateDirectory(Folder);
            slot.WriteRecord((slot.ReadRecord() ?? new()) with { Pin = hash.ToString() });
        }
        catch (Exception error) when (DiskFault.Is(error))
        {
            throw DiskFault.Explain(error, slot);
        }
    }

    /// <summary>Complete and partial files, in order of name.</summary>
    public IReadOnlyList<StoredFile> List() =>
    [
        .. from slot in Slots()
           from path in new[] { slot.FilePath, slot.PartialPath }
           let file = new FileInfo(path)
           where file.Exists
           let isPartial = path == slot.PartialPath
           let source = isPartial ? Slot.Read<PartialRecord>(slot.PartialRecordPath)?.Source : slot.ReadRecord()?.Source
           select new StoredFile(slot.FileName, path, file.Length, isPartial, source),
    ];

    /// <summary>
    /// Reads every complete file again, one after the other as the result is walked through, and compares it with what
    /// <paramref name="published"/> says of it or else with what it was when it came. A file found wrong is no longer
    /// <see cref="Find">found</see>, so that the next pull replaces it.
    /// </summary>
    public IEnumerable<FileCheck> Verify(IEnumerable<PublishedFile> published)
    {
        var catalog = published.ToLookup(file => file.FileName);
        return Slots()
            .Select(slot => Check(slot, catalog[slot.FileName].FirstOrDefault(), thoroughly: true))
            .OfType<FileCheck>();
    }

    /// <summary>Deletes a file and its partial download; gives the bytes freed. With it goes the hash that a file without a published one had to have.</summary>
    public long Remove(string fileName)
    {
        var slot = new Slot(Folder, fileName);
        if (Path.GetFileName(fileName) != fileName || !Directory.Exists(Folder)) return 0;
        try
        {
            using var held = slot.TryLock() ?? throw InUse(slot);
            return slot.Clear();
        }
        catch (Exception error) when (DiskFault.Is(error))
        {
            throw DiskFault.Explain(error, slot);
        }
    }

    private Slot SlotOf(PublishedFile file) => new(Folder, file.FileName);

    private static FileCheck? Check(Slot slot, PublishedFile? file, bool thoroughly)
    {
        try
        {
            return slot.Check(file, thoroughly);
        }
        catch (Exception error) when (DiskFault.Is(error))
        {
            throw new WeightStoreException($"{slot.FilePath} cannot be read: {error.Message}", error);
        }
    }

    private IEnumerable<Slot> Slots() => !Directory.Exists(Folder) ? [] :
        from name in Directory.EnumerateFiles(Folder)
            .Select(path => Path.GetFileName(path))
            .Where(name => !name.StartsWith('.') && Path.GetExtension(name) is not (".json" or ".import"))
            .Select(name => Path.GetExtension(name) is ".part" ? Path.GetFileNameWithoutExtension(name) : name)
            .Distinct().Order(StringComparer.Ordinal)
        select new Slot(Folder, name);

    private static FileStream OpenForImport(string path)
    {
        try
        {
            return RegularFile.OpenRead(path);
        }
        catch (Exception error) when (DiskFault.Is(error))
        {
            throw new WeightStoreException($"{path} cannot be read: {error.Message}", error);
        }
    }

    private static async Task<FileStream> LockAsync(
        Slot slot, IProgress<DownloadProgress>? progress, CancellationToken cancellation)
    {
        for (var isFirst = true; ; isFirst = false)
        {
            if (slot.TryLock() is { } held) return held;
            if (isFirst)
                progress?.Report(new(
                    slot.FileName, DownloadState.Waiting, 0, null, Note: "another process is downloading this file"));
            await Task.Delay(LockPoll, cancellation).ConfigureAwait(false);
        }
    }

    private static FileStream Lock(Slot slot)
    {
        for (var waited = TimeSpan.Zero; waited < LongestImportWait; waited += LockPoll)
        {
            if (slot.TryLock() is { } held) return held;
            Thread.Sleep(LockPoll);
        }
        throw InUse(slot);
    }

    private static WeightStoreException InUse(Slot slot) => new(
        $"{slot.FilePath} is being written by another process. Wait until that one has ended, and try again.");
}
