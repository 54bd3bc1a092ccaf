using Microsoft.Data.Sqlite;

namespace Graft.Features;

/// <summary>
/// Who has the cache open holds its lock file in common with others; who puts another database in the place of a damaged one holds it alone.
/// </summary>
internal static class FeatureCacheLock
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    /// <summary>Waits while another process repairs.</summary>
    public static FileStream Share(string folder) => Take(folder, FileShare.Read, TimeSpan.FromMinutes(10))!;

    /// <summary>Null if others have the cache open.</summary>
    public static FileStream? TakeAlone(string folder) => Take(folder, FileShare.None, TimeSpan.FromSeconds(1));

    private static FileStream? Take(string folder, FileShare share, TimeSpan patience)
    {
        var file = Path.Combine(folder, "features.lock");
        var end = DateTime.UtcNow + patience;
        while (true)
        {
            try
            {
                return new(file, FileMode.OpenOrCreate, share == FileShare.None ? FileAccess.ReadWrite : FileAccess.Read, share);
            }
            catch (IOException problem) when (IsHeldByOthers(problem) && (share == FileShare.None || DateTime.UtcNow < end))
            {
                if (DateTime.UtcNow >= end) return null;
                Thread.Sleep(Pause);
            }
        }
    }

    /// <summary>A sharing violation: EAGAIN of Linux and macOS, or Windows's.</summary>
    private static bool IsHeldByOthers(IOException problem) => problem.HResult is 11 or 35 or unchecked((int)0x80070020);
}

/// <summary>Puts a sound database, with all that can be read of it, in the place of a damaged one.</summary>
internal static class FeatureCacheRepair
{
    /// <returns>The features that could be kept, and the damaged file; null if it was sound after all.</returns>
    /// <exception cref="IOException">Others have the cache open.</exception>
    public static (int Kept, string Damaged)? Run(string folder)
    {
        var file = Path.Combine(folder, FeatureCache.FileName);
        using var alone = FeatureCacheLock.TakeAlone(folder)
                          ?? throw new IOException($"{file} is damaged, and other processes use it; it can be repaired when they have ended.");
        if (IsSound(file)) return null;
        var draft = $"{file}.{Guid.NewGuid():N}.draft";
        try
        {
            var kept = Copy(file, draft);
            foreach (var older in FeatureCache.DamagedFiles(folder)) File.Delete(older);
            var damaged = $"{file}.damaged-{DateTime.UtcNow:yyyyMMddHHmmss}";
            // The log belongs to the damaged database and must not be taken for the new one's.
            foreach (var suffix in (string[])["", "-wal", "-shm"])
                if (File.Exists(file + suffix)) File.Move(file + suffix, damaged + suffix);
            File.Move(draft, file);
            return (kept, damaged);
        }
        finally
        {
            foreach (var suffix in (string[])["", "-wal", "-shm"]) File.Delete(draft + suffix);
        }
    }

    private static bool IsSound(string file)
    {
        try
        {
            using var database = FeatureDatabase.Open(file);
            return database.IsSound;
        }
        catch (Exception problem) when (FeatureDatabase.IsDamage(problem))
        {
            return false;
        }
    }

    private static int Copy(string file, string draft)
    {
        using var sound = FeatureDatabase.Open(draft);
        using var damaged = FeatureDatabase.OpenDamaged(file);
        var kept = 0;
        using var transaction = sound.BeginWriting();
        foreach (var (id, space, precision) in Readable(damaged.Spaces) ?? [])
        {
            var (newId, seed) = (sound.EnsureSpace(space, precision), FeatureDatabase.ChecksumSeed(space, precision));
            // Piece by piece, each of which may be unreadable.
            for (var first = 0; first <= byte.MaxValue; first++)
            {
                foreach (var (image, used) in Readable(() => damaged.Images(id, (byte)first)) ?? [])
                {
                    kept += Readable(() =>
                    {
                        var isSound = false;
                        damaged.Find(id, image, (content, checksum, _) =>
                        {
                            isSound = checksum == FeatureDatabase.Checksum(seed, image, content);
                            if (isSound) sound.Put(newId, image, content.ToArray(), checksum, used);
                        });
                        return isSound ? 1 : 0;
                    });
                }
            }
        }
        transaction.Commit();
        return kept;
    }

    private static T? Readable<T>(Func<T?> read)
    {
        try
        {
            return read();
        }
        catch (Exception problem) when (problem is SqliteException || FeatureDatabase.IsDamage(problem))
        {
            // Damage may show as anything in the place of a number.
            return default;
        }
    }
}
