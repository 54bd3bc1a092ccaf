using System.Globalization;
using System.IO.Hashing;
using System.Text;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Graft.Features;

/// <param name="content">Of use during the call alone.</param>
/// <param name="checksum">As it was kept.</param>
/// <param name="used">The day of the last use.</param>
internal delegate void FoundFeatures(ReadOnlySpan<byte> content, ulong checksum, int used);

/// <summary>
/// The tables of the feature cache. <c>space</c> names what was computed with, <c>entry</c> finds the features of an image in a space and
/// knows their checksum and the day of their last use, <c>value</c> holds the numbers: a day of use is written without touching them.
/// </summary>
internal sealed class FeatureDatabase : IDisposable
{
    private const int Damaged = 11, NotADatabase = 26;

    /// <summary>0 is the first layout, which had no checksums, or a new file.</summary>
    private const int Version = 2;

    private const string Tables =
        """
        CREATE TABLE space (
            id INTEGER PRIMARY KEY, key TEXT NOT NULL, precision TEXT NOT NULL DEFAULT 'float32',
            backbone TEXT, layer TEXT, length INTEGER, preprocessing TEXT,
            UNIQUE (key, precision));
        CREATE TABLE entry (
            space INTEGER NOT NULL, image BLOB NOT NULL, value INTEGER NOT NULL, checksum INTEGER NOT NULL, bytes INTEGER NOT NULL,
            used INTEGER NOT NULL,
            PRIMARY KEY (space, image)) WITHOUT ROWID;
        CREATE TABLE value (id INTEGER PRIMARY KEY AUTOINCREMENT, content BLOB NOT NULL);
        PRAGMA user_version = 2;
        """;

    private const string FindStatement =
        "SELECT content, checksum, used FROM entry JOIN value ON value.id = entry.value WHERE space = ? AND image = ?";

    private readonly SqliteConnection _connection;
    private readonly Dictionary<string, SqliteCommand> _commands = new(StringComparer.Ordinal);
    private sqlite3_stmt? _find;

    private FeatureDatabase(SqliteConnection connection) => _connection = connection;

    /// <summary>Also numbers and texts in each other's places, which SQLite gives as it finds them.</summary>
    public static bool IsDamage(Exception problem) =>
        problem is SqliteException { SqliteErrorCode: Damaged or NotADatabase } or InvalidCastException or InvalidOperationException or OverflowException;

    /// <summary>Opens the file, creating it or bringing an older layout up to date.</summary>
    public static FeatureDatabase Open(string file)
    {
        var database = Connect(file, SqliteOpenMode.ReadWriteCreate);
        try
        {
            // It counts for new files alone, and would be written into others again each time.
            if (database.Number("PRAGMA page_count") == 0) database.Execute("PRAGMA auto_vacuum = INCREMENTAL");
            database.Execute("PRAGMA journal_mode = WAL");
            database.Execute("PRAGMA synchronous = NORMAL");
            database.Execute("PRAGMA journal_size_limit = 16777216");
            database.Execute("PRAGMA cell_size_check = ON");
            if (database.Number("PRAGMA user_version") != Version) database.BringUpToDate(file);
            return database;
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    /// <summary>Opens a file that may be damaged, to take what can be had of it.</summary>
    public static FeatureDatabase OpenDamaged(string file) => Connect(file, SqliteOpenMode.ReadOnly);

    public long PageSize => Number("PRAGMA page_size");

    /// <summary>Bytes of pages in use; the file may be larger.</summary>
    public long UsedBytes => (Number("PRAGMA page_count") - Number("PRAGMA freelist_count")) * PageSize;

    /// <summary>The number of the value written last by anybody; later ones are larger.</summary>
    public long LastValue => Number("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'value'");

    public bool IsSound => "ok" == (string?)Command("PRAGMA quick_check(1)").ExecuteScalar();

    /// <summary>Writes that follow are kept all together or not at all; others wait.</summary>
    public Transaction BeginWriting() => new(this, "BEGIN IMMEDIATE");

    /// <summary>Reads that follow see one state; nobody waits.</summary>
    public Transaction BeginReading() => new(this, "BEGIN DEFERRED");

    public long? SpaceId(FeatureSpace space, FeaturePrecision precision) =>
        (long?)Command("SELECT id FROM space WHERE key = $key AND precision = $precision", ("$key", space.Key), ("$precision", precision.Name()))
            .ExecuteScalar();

    /// <summary>The number of a space, which is made or learns its words if need be.</summary>
    public long EnsureSpace(FeatureSpace space, FeaturePrecision precision) =>
        (long)Command(
            """
            INSERT INTO space (key, precision, backbone, layer, length, preprocessing)
            VALUES ($key, $precision, $backbone, $layer, $length, $preprocessing)
            ON CONFLICT (key, precision) DO UPDATE SET
                backbone = coalesce(excluded.backbone, backbone), layer = coalesce(excluded.layer, layer),
                length = coalesce(excluded.length, length), preprocessing = coalesce(excluded.preprocessing, preprocessing)
            RETURNING id
            """,
            ("$key", space.Key), ("$precision", precision.Name()), ("$backbone", space.Backbone), ("$layer", space.Layer),
            ("$length", space.Length), ("$preprocessing", space.Preprocessing)).ExecuteScalar()!;

    /// <summary>Has the features of an image read in place, without a copy; false if there are none.</summary>
    public bool Find(long space, byte[] image, FoundFeatures found)
    {
        var handle = _connection.Handle!;
        if (_find is null) Check(raw.sqlite3_prepare_v2(handle, FindStatement, out _find));
        try
        {
            Check(raw.sqlite3_bind_int64(_find, 1, space));
            Check(raw.sqlite3_bind_blob(_find, 2, image));
            var result = raw.sqlite3_step(_find);
            if (result == raw.SQLITE_DONE) return false;
            Check(result == raw.SQLITE_ROW ? raw.SQLITE_OK : result);
            found(raw.sqlite3_column_blob(_find, 0), unchecked((ulong)raw.sqlite3_column_int64(_find, 1)), raw.sqlite3_column_int(_find, 2));
            return true;
        }
        finally
        {
            // Else the state that is read would never be let go.
            if (_find is not null) raw.sqlite3_reset(_find);
        }

        void Check(int result) => SqliteException.ThrowExceptionForRC(result, handle);
    }

    /// <summary>Keeps the features of an image, in place of older ones.</summary>
    public void Put(long space, byte[] image, byte[] content, ulong checksum, int used)
    {
        Remove(space, image);
        Command("INSERT INTO value (content) VALUES ($content)", ("$content", content)).ExecuteNonQuery();
        Command(
            """
            INSERT INTO entry (space, image, value, checksum, bytes, used)
            VALUES ($space, $image, last_insert_rowid(), $checksum, $bytes, $used)
            """,
            ("$space", space), ("$image", image), ("$checksum", unchecked((long)checksum)), ("$bytes", content.Length), ("$used", used))
            .ExecuteNonQuery();
    }

    public void Remove(long space, byte[] image)
    {
        if (Command("DELETE FROM entry WHERE space = $space AND image = $image RETURNING value", ("$space", space), ("$image", image))
                .ExecuteScalar() is long value)
            Command("DELETE FROM value WHERE id = $id", ("$id", value)).ExecuteNonQuery();
    }

    public void MarkUsed(long space, byte[] image, int used) =>
        Command(
            "UPDATE entry SET used = $used WHERE space = $space AND image = $image AND used < $used",
            ("$space", space), ("$image", image), ("$used", used)).ExecuteNonQuery();

    /// <summary>
    /// Removes what was used least recently, and of one day what was written first, until no more than <paramref name="target"/> bytes are
    /// in use; values after <paramref name="lastValue"/> stay. False if that was not enough.
    /// </summary>
    public bool Evict(long target, long lastValue)
    {
        var evicted = new List<(long Space, byte[] Image)>();
        // What an entry costs besides its numbers: its key, and its share of the pages' own needs.
        const int Overhead = 100;
        var excess = UsedBytes - target;
        using (var rows = Command(
                   "SELECT space, image, bytes FROM entry WHERE value <= $last ORDER BY used, value", ("$last", lastValue)).ExecuteReader())
        {
            while (excess > 0 && rows.Read())
            {
                evicted.Add((rows.GetInt64(0), rows.GetFieldValue<byte[]>(1)));
                excess -= rows.GetInt64(2) + Overhead;
            }
        }
        foreach (var (space, image) in evicted) Remove(space, image);
        RemoveEmptySpaces();
        return excess <= 0;
    }

    public IReadOnlyList<(long Id, FeatureSpace Space, FeaturePrecision Precision)> Spaces()
    {
        var spaces = new List<(long, FeatureSpace, FeaturePrecision)>();
        using var rows = Command("SELECT id, key, precision, backbone, layer, length, preprocessing FROM space ORDER BY id").ExecuteReader();
        while (rows.Read())
        {
            spaces.Add((
                rows.GetInt64(0),
                new(rows.GetString(1))
                {
                    Backbone = Text(3),
                    Layer = Text(4),
                    Length = rows.IsDBNull(5) ? null : rows.GetInt32(5),
                    Preprocessing = Text(6),
                },
                rows.GetString(2) == FeaturePrecision.Float16.Name() ? FeaturePrecision.Float16 : FeaturePrecision.Float32));
        }
        return spaces;

        string? Text(int column) => rows.IsDBNull(column) ? null : rows.GetString(column);
    }

    /// <summary>The images of a space whose hash begins with a byte.</summary>
    public IReadOnlyList<(byte[] Image, int Used)> Images(long space, byte first)
    {
        var images = new List<(byte[], int)>();
        byte[]? end = first < byte.MaxValue ? [(byte)(first + 1)] : null;
        using var rows = Command(
            "SELECT image, used FROM entry WHERE space = $space AND image >= $first AND ($end IS NULL OR image < $end)",
            ("$space", space), ("$first", new[] { first }), ("$end", end)).ExecuteReader();
        while (rows.Read()) images.Add((rows.GetFieldValue<byte[]>(0), rows.GetInt32(1)));
        return images;
    }

    /// <summary>Images, bytes and the last day of use of a space; of those used before a day, if one is given.</summary>
    public (long Images, long Bytes, int LastUsed) Use(long space, int? usedBefore = null)
    {
        using var row = Command(
            "SELECT count(*), coalesce(sum(bytes), 0), coalesce(max(used), 0) FROM entry WHERE space = $space AND ($before IS NULL OR used < $before)",
            ("$space", space), ("$before", usedBefore)).ExecuteReader();
        row.Read();
        return (row.GetInt64(0), row.GetInt64(1), row.GetInt32(2));
    }

    public void Clear(long space, int? usedBefore)
    {
        foreach (var statement in (string[])[
            "DELETE FROM value WHERE id IN (SELECT value FROM entry WHERE space = $space AND ($before IS NULL OR used < $before))",
            "DELETE FROM entry WHERE space = $space AND ($before IS NULL OR used < $before)"])
            Command(statement, ("$space", space), ("$before", usedBefore)).ExecuteNonQuery();
        RemoveEmptySpaces();
    }

    /// <summary>Removes values that no entry leads to, which only damage leaves behind.</summary>
    public int RemoveStrayValues() => Command("DELETE FROM value WHERE id NOT IN (SELECT value FROM entry)").ExecuteNonQuery();

    /// <summary>Gives free pages back to the disk, and empties the write-ahead log.</summary>
    public void Shrink()
    {
        Drain("PRAGMA incremental_vacuum");
        Drain("PRAGMA wal_checkpoint(TRUNCATE)");

        void Drain(string pragma)
        {
            using var rows = Command(pragma).ExecuteReader();
            while (rows.Read())
            {
            }
        }
    }

    /// <summary>XXH3 over what belongs together: other numbers, another image or another space have another one.</summary>
    /// <param name="seed">See <see cref="ChecksumSeed"/>.</param>
    public static ulong Checksum(long seed, ReadOnlySpan<byte> image, ReadOnlySpan<byte> content) =>
        XxHash3.HashToUInt64(content, unchecked((long)XxHash3.HashToUInt64(image, seed)));

    /// <summary>What a space contributes to the checksums in it.</summary>
    public static long ChecksumSeed(FeatureSpace space, FeaturePrecision precision) =>
        unchecked((long)XxHash3.HashToUInt64(Encoding.UTF8.GetBytes($"{space.Key}\n{precision.Name()}")));

    /// <summary>Has this connection fail, as on a full disk, where the file would grow beyond that.</summary>
    public void LimitPages(int pages) => Execute($"PRAGMA max_page_count = {pages}");

    public void Dispose()
    {
        _find?.Dispose();
        foreach (var command in _commands.Values) command.Dispose();
        _connection.Dispose();
    }

    private void Execute(string statement) => Command(statement).ExecuteNonQuery();

    private static FeatureDatabase Connect(string file, SqliteOpenMode mode)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder
        {
            DataSource = file,
            Mode = mode,
            Pooling = false,
            DefaultTimeout = 60,
        }.ToString());
        try
        {
            connection.Open();
            return new(connection);
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    private void BringUpToDate(string file)
    {
        var migrated = false;
        using (var transaction = BeginWriting())
        {
            // Another process may have been faster.
            switch (Number("PRAGMA user_version"))
            {
                case Version:
                    return;
                case not 0:
                    throw new GraftException($"{file} was written by a newer version of Graft");
            }
            migrated = Number("SELECT count(*) FROM sqlite_schema WHERE name = 'feature'") > 0;
            if (migrated) MigrateFirstLayout();
            else Execute(Tables);
            transaction.Commit();
        }
        if (!migrated) return;
        try
        {
            // Free pages can be given back to the disk only after the whole file was written in that mode once.
            Execute("PRAGMA auto_vacuum = INCREMENTAL");
            Execute("VACUUM");
        }
        catch (SqliteException problem) when (!IsDamage(problem))
        {
            // No room for a second copy, or somebody reads: free pages are used again all the same.
        }
    }

    private void MigrateFirstLayout()
    {
        _connection.CreateFunction(
            "checksum_of", (string key, byte[] image, byte[] content) =>
                unchecked((long)Checksum(ChecksumSeed(key, FeaturePrecision.Float32), image, content)));
        Execute("ALTER TABLE space RENAME TO first_space");
        Execute(Tables);
        Execute("INSERT INTO space (id, key) SELECT id, key FROM first_space");
        Execute("INSERT INTO value (id, content) SELECT rowid, value FROM feature");
        Command(
            """
            INSERT INTO entry (space, image, value, checksum, bytes, used)
            SELECT space, image, feature.rowid, checksum_of(key, image, value), length(value), $used
            FROM feature JOIN first_space ON first_space.id = feature.space
            """,
            ("$used", Day(TimeProvider.System))).ExecuteNonQuery();
        Execute("DROP TABLE feature");
        Execute("DROP TABLE first_space");
    }

    /// <summary>Days since 1 January 0001, UTC.</summary>
    public static int Day(TimeProvider clock) => DateOnly.FromDateTime(clock.GetUtcNow().UtcDateTime).DayNumber;

    private void RemoveEmptySpaces() =>
        Execute("DELETE FROM space WHERE NOT EXISTS (SELECT 1 FROM entry WHERE entry.space = space.id)");

    private long Number(string statement) => Convert.ToInt64(Command(statement).ExecuteScalar(), CultureInfo.InvariantCulture);

    /// <summary>A statement that is compiled once.</summary>
    private SqliteCommand Command(string text, params ReadOnlySpan<(string Name, object? Value)> parameters)
    {
        if (!_commands.TryGetValue(text, out var command))
        {
            command = new(text, _connection);
            foreach (var (name, _) in parameters) command.Parameters.Add(new() { ParameterName = name });
            _commands.Add(text, command);
        }
        for (var i = 0; i < parameters.Length; i++) command.Parameters[i].Value = parameters[i].Value ?? DBNull.Value;
        return command;
    }

    /// <summary>Undone unless committed.</summary>
    public sealed class Transaction : IDisposable
    {
        private readonly FeatureDatabase _database;

        internal Transaction(FeatureDatabase database, string statement)
        {
            _database = database;
            database.Execute(statement);
        }

        public void Commit() => _database.Execute("COMMIT");

        public void Dispose()
        {
            // SQLite itself has undone what failed for want of space.
            if (_database._connection.Handle is { } handle && raw.sqlite3_get_autocommit(handle) == 0) _database.Execute("ROLLBACK");
        }
    }
}
