using System.Security.Cryptography;
using System.Text;
using Microsoft.Data.Sqlite;

namespace Graft.Data.Remote;

/// <summary>
/// SHA-256 of objects that were read before, by their name and tag, in <c>objects/objects.db</c> of <see cref="GraftHome"/>: what has not changed need not be
/// fetched again for the feature cache to find its features. Without a folder to write to, nothing is known.
/// </summary>
internal sealed class KnownObjects : IDisposable
{
    private readonly Lock _gate = new();
    private SqliteConnection? _connection;

    /// <param name="folder">Made where it is absent.</param>
    public KnownObjects(string folder)
    {
        try
        {
            Directory.CreateDirectory(folder);
            _connection = new($"Data Source={Path.Combine(folder, "objects.db")};Pooling=False");
            _connection.Open();
            // What a crash loses is fetched again.
            Run("PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; CREATE TABLE IF NOT EXISTS objects (name BLOB PRIMARY KEY, tag TEXT NOT NULL, hash BLOB NOT NULL) WITHOUT ROWID");
        }
        catch (Exception problem) when (problem is SqliteException or IOException or UnauthorizedAccessException)
        {
            Dispose();
        }
    }

    /// <summary>The tag that an object had when it was read, and the hash of its content; null of one that was not.</summary>
    public (string Tag, byte[] Hash)? Find(string place) => Use(connection =>
    {
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT tag, hash FROM objects WHERE name = $name";
        command.Parameters.AddWithValue("$name", NameOf(place));
        using var rows = command.ExecuteReader();
        return rows.Read() ? (rows.GetString(0), rows.GetFieldValue<byte[]>(1)) : ((string, byte[])?)null;
    });

    public void Add(string place, string tag, byte[] hash) => Use(connection =>
    {
        using var command = connection.CreateCommand();
        command.CommandText = "INSERT OR REPLACE INTO objects VALUES ($name, $tag, $hash)";
        command.Parameters.AddWithValue("$name", NameOf(place));
        command.Parameters.AddWithValue("$tag", tag);
        command.Parameters.AddWithValue("$hash", hash);
        return command.ExecuteNonQuery();
    });

    public void Dispose()
    {
        _connection?.Dispose();
        _connection = null;
    }

    private static byte[] NameOf(string place) => SHA256.HashData(Encoding.UTF8.GetBytes(place));

    private void Run(string statements)
    {
        using var command = _connection!.CreateCommand();
        command.CommandText = statements;
        command.ExecuteNonQuery();
    }

    /// <summary>A database that fails is given up.</summary>
    private T? Use<T>(Func<SqliteConnection, T> use)
    {
        lock (_gate)
        {
            if (_connection is null) return default;
            try
            {
                return use(_connection);
            }
            catch (SqliteException)
            {
                Dispose();
                return default;
            }
        }
    }
}
