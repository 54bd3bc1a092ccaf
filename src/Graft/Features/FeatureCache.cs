using System.Runtime.InteropServices;
using Microsoft.Data.Sqlite;

namespace Graft.Features;

/// <summary>
/// Features kept on disk, under what they were computed from: a space (network, weights and preprocessing) and the
/// SHA-256 of the image file. What is in it never changes meaning, so it is never invalidated, only grown or deleted.
/// An SQLite database; several processes may share it.
/// </summary>
public sealed class FeatureCache : IDisposable
{
    private const int SqliteDamaged = 11, SqliteNotADatabase = 26;

    private readonly SqliteConnection _connection;

    private FeatureCache(SqliteConnection connection) => _connection = connection;

    /// <summary>Opens the cache in a folder, by default <c>features</c> in <see cref="GraftHome"/>, creating it if need be.</summary>
    /// <exception cref="FeatureCacheException">The folder cannot be written.</exception>
    public static FeatureCache Open(string? folder = null)
    {
        folder ??= GraftHome.Subfolder("features");
        var file = Path.Combine(folder, "features.sqlite");
        try
        {
            Directory.CreateDirectory(folder);
            try
            {
                return new(Connect(file));
            }
            catch (SqliteException problem) when (problem.SqliteErrorCode is SqliteDamaged or SqliteNotADatabase)
            {
                // Everything in it can be computed again; the damaged file is kept aside for whoever wants to look.
                File.Move(file, $"{file}.damaged-{DateTime.UtcNow:yyyyMMddHHmmss}");
                return new(Connect(file));
            }
        }
        catch (Exception problem) when (problem is SqliteException or IOException or UnauthorizedAccessException)
        {
            throw Failed($"The feature cache in {folder} cannot be opened", problem);
        }
    }

    /// <summary>Copies the cached features of an image into <paramref name="features"/>; false if there are none.</summary>
    public bool TryGet(string space, byte[] imageHash, Span<float> features)
    {
        try
        {
            using var command = _connection.CreateCommand();
            command.CommandText =
                "SELECT value FROM feature JOIN space ON space.id = feature.space WHERE space.key = $space AND image = $image";
            command.Parameters.AddWithValue("$space", space);
            command.Parameters.AddWithValue("$image", imageHash);
            if (command.ExecuteScalar() is not byte[] value || value.Length != features.Length * sizeof(float)) return false;
            value.CopyTo(MemoryMarshal.AsBytes(features));
            return true;
        }
        catch (Exception problem) when (IsFailure(problem))
        {
            throw Failed("The feature cache cannot be read", problem);
        }
    }

    /// <summary>Keeps features of several images, all or none of them.</summary>
    /// <exception cref="FeatureCacheException">The disk is full or fails; nothing half-written stays behind.</exception>
    public void Add(string space, IEnumerable<(byte[] ImageHash, float[] Features)> entries)
    {
        try
        {
            using var transaction = _connection.BeginTransaction();
            using (var command = _connection.CreateCommand())
            {
                command.CommandText = "INSERT OR IGNORE INTO space (key) VALUES ($space)";
                command.Parameters.AddWithValue("$space", space);
                command.ExecuteNonQuery();
            }
            using (var command = _connection.CreateCommand())
            {
                command.CommandText =
                    "INSERT OR REPLACE INTO feature (space, image, value) SELECT id, $image, $value FROM space WHERE key = $space";
                command.Parameters.AddWithValue("$space", space);
                var image = command.Parameters.Add("$image", SqliteType.Blob);
                var value = command.Parameters.Add("$value", SqliteType.Blob);
                foreach (var (hash, features) in entries)
                {
                    image.Value = hash;
                    value.Value = MemoryMarshal.AsBytes(features.AsSpan()).ToArray();
                    command.ExecuteNonQuery();
                }
            }
            transaction.Commit();
        }
        catch (Exception problem) when (IsFailure(problem))
        {
            throw Failed("The feature cache cannot be written", problem);
        }
    }

    public void Dispose() => _connection.Dispose();

    private static SqliteConnection Connect(string file)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = file, Pooling = false }.ToString());
        try
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText =
                """
                PRAGMA journal_mode = WAL;
                PRAGMA synchronous = NORMAL;
                CREATE TABLE IF NOT EXISTS space (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE);
                CREATE TABLE IF NOT EXISTS feature (
                    space INTEGER NOT NULL REFERENCES space (id), image BLOB NOT NULL, value BLOB NOT NULL);
                CREATE UNIQUE INDEX IF NOT EXISTS feature_of_image ON feature (space, image);
                """;
            command.ExecuteNonQuery();
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>A database that fails, or a connection that was closed.</summary>
    private bool IsFailure(Exception problem) =>
        problem is SqliteException || _connection.State != System.Data.ConnectionState.Open;

    private static FeatureCacheException Failed(string what, Exception problem) =>
        new($"{what}: {problem.Message.TrimEnd('.')}. Free some space, or set GRAFT_HOME to a folder that can be written.", problem);
}

/// <summary>The cache cannot be used; nothing but time is lost.</summary>
public sealed class FeatureCacheException(string message, Exception innerException) : GraftException(message, innerException);
