using Microsoft.Data.Sqlite;

namespace Graft.Features;

/// <summary>
/// Features kept on disk, under what they were computed from: a space (network, weights and preprocessing) and the SHA-256 of the image
/// file. What is in it never changes meaning, so it is never invalidated, only grown, limited or deleted. An SQLite database; several
/// processes may share it, and each may be killed at any moment. Features carry a checksum: damaged ones are taken for absent.
/// </summary>
public sealed class FeatureCache : IDisposable
{
    internal const string FileName = "features.sqlite";

    private const int MarkedAtOnce = 4096;

    private readonly Lock _gate = new();
    private readonly string _folder;
    private readonly FeatureCacheOptions _options;
    private readonly Action<string> _warn;
    private readonly int _today;
    private readonly List<(long Space, byte[] Image)> _used = [];
    private FileStream? _lock;
    private FeatureDatabase? _database;
    private long _lastOfOthers;
    private bool _isFull;

    private FeatureCache(string folder, FeatureCacheOptions options)
    {
        (_folder, _options, _warn) = (folder, options, options.Warn ?? (_ => { }));
        _today = FeatureDatabase.Day(options.Clock);
    }

    /// <summary>How features are kept. See <see cref="FeaturePrecisionExtensions.Round"/>.</summary>
    public FeaturePrecision Precision => _options.Precision;

    /// <summary>Damaged features met so far.</summary>
    public int DamagedCount { get; private set; }

    private string File => Path.Combine(_folder, FileName);

    /// <summary>Opens the cache in a folder, by default <c>features</c> in <see cref="GraftHome"/>, creating it if need be.</summary>
    /// <param name="folder">Null for the default.</param>
    /// <param name="options">Null for <see cref="FeatureCacheOptions.FromEnvironment()"/>.</param>
    /// <exception cref="FeatureCacheException">The folder cannot be written.</exception>
    public static FeatureCache Open(string? folder = null, FeatureCacheOptions? options = null)
    {
        folder ??= GraftHome.Subfolder("features");
        var cache = new FeatureCache(folder, options ?? FeatureCacheOptions.FromEnvironment());
        try
        {
            Directory.CreateDirectory(folder);
            try
            {
                cache.Connect();
            }
            catch (Exception problem) when (FeatureDatabase.IsDamage(problem))
            {
                cache.Repair();
            }
            return cache;
        }
        catch (Exception problem) when (problem is SqliteException or IOException or UnauthorizedAccessException or GraftException
                                        || FeatureDatabase.IsDamage(problem))
        {
            cache.Disconnect();
            throw Failed($"The feature cache in {folder} cannot be opened", problem);
        }
    }

    /// <summary>Copies the cached features of an image into <paramref name="features"/>; false if there are none.</summary>
    /// <exception cref="FeatureCacheException">The disk fails.</exception>
    public bool TryGet(FeatureSpace space, byte[] imageHash, Span<float> features)
    {
        var row = Read(space, [imageHash], features.Length)[0];
        row?.CopyTo(features);
        return row is not null;
    }

    /// <summary>The cached features of many images.</summary>
    /// <param name="space">What they were computed with.</param>
    /// <param name="imageHashes">SHA-256 of each image file; null for an image that is not looked for.</param>
    /// <param name="length">Numbers per image.</param>
    /// <returns>For each image its features; null where there are none, or damaged ones, which is said once.</returns>
    /// <exception cref="FeatureCacheException">The disk fails.</exception>
    public float[]?[] Read(FeatureSpace space, IReadOnlyList<byte[]?> imageHashes, int length) => Use("read", database =>
    {
        var rows = new float[]?[imageHashes.Count];
        var damaged = 0;
        using (database.BeginReading())
        {
            if (database.SpaceId(space, Precision) is not { } id) return rows;
            var seed = FeatureDatabase.ChecksumSeed(space, Precision);
            for (var index = 0; index < rows.Length; index++)
            {
                if (imageHashes[index] is not { } image) continue;
                database.Find(id, image, (content, checksum, used) =>
                {
                    var row = new float[length];
                    if (checksum != FeatureDatabase.Checksum(seed, image, content)) damaged++;
                    else if (FeaturePrecisionExtensions.TryDecode(content, row))
                    {
                        rows[index] = row;
                        if (used < _today) _used.Add((id, image));
                    }
                });
            }
        }
        if (_used.Count > (rows.Length > 1 ? 0 : MarkedAtOnce)) MarkUsed(database);
        if (damaged > 0)
        {
            DamagedCount += damaged;
            _warn(damaged == 1
                ? "The feature cache held 1 damaged feature; it is computed again."
                : $"The feature cache held {damaged:N0} damaged features; they are computed again.");
        }
        return rows;
    });

    /// <summary>
    /// Keeps features of several images, all or none of them. Beyond <see cref="FeatureCacheOptions.LimitBytes"/> what was used least
    /// recently is removed, but nothing that was written since this cache was opened; where that is not enough, the features are not kept,
    /// which is said once.
    /// </summary>
    /// <exception cref="FeatureCacheException">The disk is full or fails; nothing half-written stays behind.</exception>
    public void Add(FeatureSpace space, IEnumerable<(byte[] ImageHash, float[] Features)> entries)
    {
        if (_isFull) return;
        var list = entries as IReadOnlyCollection<(byte[] ImageHash, float[] Features)> ?? [.. entries];
        Use("written", database =>
        {
            using var transaction = database.BeginWriting();
            var (id, seed) = (database.EnsureSpace(space, Precision), FeatureDatabase.ChecksumSeed(space, Precision));
            foreach (var (image, features) in list)
            {
                var content = Precision.Encode(features);
                database.Put(id, image, content, FeatureDatabase.Checksum(seed, image, content), _today);
            }
            if (database.UsedBytes > _options.LimitBytes && !database.Evict(_options.LimitBytes / 10 * 9, _lastOfOthers)
                                                         && database.UsedBytes > _options.LimitBytes)
            {
                _isFull = true;
                _warn($"The feature cache has reached its limit of {_options.LimitBytes / 1e9:0.##} GB; further features of this run are not "
                    + "kept. GRAFT_CACHE_LIMIT sets another limit (20GB, say).");
                return false;
            }
            transaction.Commit();
            return true;
        });
    }

    /// <summary>What is in the cache, space by space.</summary>
    /// <exception cref="FeatureCacheException">The disk fails.</exception>
    public FeatureCacheContents Contents() => Use("read", database =>
    {
        using var state = database.BeginReading();
        var damaged = DamagedFiles(_folder);
        return new FeatureCacheContents(
            File,
            new[] { File, File + "-wal" }.Concat(damaged).Select(file => new FileInfo(file)).Where(file => file.Exists).Sum(file => file.Length),
            _options.LimitBytes,
            [.. database.Spaces().Select(space =>
            {
                var (images, bytes, lastUsed) = database.Use(space.Id);
                return new FeatureSpaceUse(space.Space, space.Precision, images, bytes, DateOnly.FromDayNumber(lastUsed));
            })],
            damaged);
    });

    /// <summary>Reads everything and compares the checksums; what is damaged is removed, to be computed when it is needed again.</summary>
    /// <exception cref="FeatureCacheException">The disk fails.</exception>
    public FeatureCacheCheck Verify(IProgress<StepProgress>? progress = null, CancellationToken cancellation = default) => Use("read", database =>
    {
        if (!database.IsSound)
        {
            Repair();
            database = _database!;
        }
        var sound = new List<(FeatureSpace, FeaturePrecision, int)>();
        var spaces = database.Spaces();
        var (damaged, done, total) = (0, 0, spaces.Sum(space => (int)database.Use(space.Id).Images));
        foreach (var (id, space, precision) in spaces)
        {
            var (seed, right) = (FeatureDatabase.ChecksumSeed(space, precision), 0);
            for (var first = 0; first <= byte.MaxValue; first++)
            {
                cancellation.ThrowIfCancellationRequested();
                var images = database.Images(id, (byte)first).Select(entry => entry.Image).ToList();
                List<byte[]> wrong = [.. images.Where(image =>
                {
                    var isSound = false;
                    database.Find(id, image, (content, checksum, _) => isSound = checksum == FeatureDatabase.Checksum(seed, image, content));
                    return !isSound;
                })];
                if (wrong.Count > 0)
                {
                    using var transaction = database.BeginWriting();
                    foreach (var image in wrong) database.Remove(id, image);
                    transaction.Commit();
                }
                (right, damaged, done) = (right + images.Count - wrong.Count, damaged + wrong.Count, done + images.Count);
                progress?.Report(new("Verify", Math.Min(done, total), total, "features"));
            }
            sound.Add((space, precision, right));
        }
        damaged += database.RemoveStrayValues();
        DamagedCount += damaged;
        return new FeatureCacheCheck(sound, damaged);
    });

    /// <summary>Removes features of the chosen spaces, all or those last used before a day, and gives their room back to the disk.</summary>
    /// <param name="which">Chooses spaces; null for all.</param>
    /// <param name="usedBefore">Null for features of any age.</param>
    /// <returns>What was removed.</returns>
    /// <exception cref="FeatureCacheException">The disk fails.</exception>
    public IReadOnlyList<FeatureSpaceUse> Clear(Func<FeatureSpaceUse, bool>? which = null, DateOnly? usedBefore = null) => Use("written", database =>
    {
        var removed = new List<FeatureSpaceUse>();
        using (var transaction = database.BeginWriting())
        {
            foreach (var (id, space, precision) in database.Spaces())
            {
                var (allImages, allBytes, allUsed) = database.Use(id);
                if (which?.Invoke(new(space, precision, allImages, allBytes, DateOnly.FromDayNumber(allUsed))) == false) continue;
                var (images, bytes, lastUsed) = database.Use(id, usedBefore?.DayNumber);
                if (images == 0) continue;
                removed.Add(new(space, precision, images, bytes, DateOnly.FromDayNumber(lastUsed)));
                database.Clear(id, usedBefore?.DayNumber);
            }
            transaction.Commit();
        }
        database.Shrink();
        if (which is null && usedBefore is null)
            foreach (var file in DamagedFiles(_folder)) System.IO.File.Delete(file);
        _isFull = false;
        return removed;
    });

    public void Dispose()
    {
        lock (_gate)
        {
            if (_database is not null) MarkUsed(_database);
            Disconnect();
        }
    }

    /// <summary>Damaged databases that were put aside, with their logs.</summary>
    internal static IReadOnlyList<string> DamagedFiles(string folder) =>
        Directory.Exists(folder) ? [.. Directory.EnumerateFiles(folder, $"{FileName}.damaged-*").Order(StringComparer.Ordinal)] : [];

    private void Connect()
    {
        _lock = FeatureCacheLock.Share(_folder);
        _database = FeatureDatabase.Open(File);
        if (_options.DiskPages is { } pages) _database.LimitPages(pages);
        _lastOfOthers = _database.LastValue;
    }

    private void Disconnect()
    {
        _database?.Dispose();
        _lock?.Dispose();
        (_database, _lock) = (null, null);
    }

    /// <summary>Everything can be computed again; what can be read is kept, and the damaged file put aside for whoever wants to look.</summary>
    private void Repair()
    {
        Disconnect();
        _used.Clear();
        if (FeatureCacheRepair.Run(_folder) is var (kept, damaged))
            _warn($"The feature cache was damaged. {kept:N0} features of it were kept; the damaged file is {damaged}.");
        Connect();
    }

    private T Use<T>(string what, Func<FeatureDatabase, T> use)
    {
        lock (_gate)
        {
            try
            {
                if (_database is null) throw new IOException("it is closed");
                try
                {
                    return use(_database);
                }
                catch (Exception problem) when (FeatureDatabase.IsDamage(problem))
                {
                    Repair();
                    return use(_database!);
                }
            }
            catch (Exception problem) when (problem is SqliteException or IOException or UnauthorizedAccessException || FeatureDatabase.IsDamage(problem))
            {
                throw Failed($"The feature cache cannot be {what}", problem);
            }
        }
    }

    /// <summary>Writes down that features were used today, many at once; that it fails costs nothing.</summary>
    private void MarkUsed(FeatureDatabase database)
    {
        if (_used.Count == 0) return;
        try
        {
            using var transaction = database.BeginWriting();
            foreach (var (space, image) in _used) database.MarkUsed(space, image, _today);
            transaction.Commit();
        }
        catch (SqliteException)
        {
            // A full disk, or one that may only be read: features count as used when they were used before.
        }
        _used.Clear();
    }

    private static FeatureCacheException Failed(string what, Exception problem) =>
        new($"{what}: {problem.Message.TrimEnd('.')}. Free some space, or set GRAFT_HOME to a folder that can be written.", problem);
}

/// <summary>The cache cannot be used; nothing but time is lost.</summary>
public sealed class FeatureCacheException(string message, Exception innerException) : GraftException(message, innerException);
