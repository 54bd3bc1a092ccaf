using System.Collections.Concurrent;

namespace Graft.Data.Remote;

/// <summary>
/// A name of what lies on other machines: <c>s3://bucket/key</c>, <c>https://host/path</c>. A path may lead through it as through a folder. The
/// query of an address may be a signature: it is kept in this process's memory alone, and sent, but is no part of any name.
/// </summary>
internal static class RemotePlace
{
    private const string S3 = "s3://";

    private static readonly string[] Schemes = [S3, "https://", "http://"];

    /// <summary>Of each address that was named with one.</summary>
    private static readonly ConcurrentDictionary<string, string> Queries = new(StringComparer.Ordinal);

    public static bool Is(string? path) => path is not null && Array.Exists(Schemes, scheme => path.StartsWith(scheme, StringComparison.OrdinalIgnoreCase));

    public static bool IsS3(string path) => path.StartsWith(S3, StringComparison.OrdinalIgnoreCase);

    /// <summary>The name by which a path is known: of a remote one without its query and final slash; any other as it is.</summary>
    /// <exception cref="GraftException">It holds a password, or names no bucket or host.</exception>
    public static string Of(string path)
    {
        if (!Is(path)) return path;
        var start = path.IndexOf("://", StringComparison.Ordinal) + 3;
        var place = path[..start].ToLowerInvariant() + path[start..].Replace('\\', '/').TrimEnd('/');
        string? query = null;
        if (!IsS3(place) && place.IndexOfAny(['?', '#']) is >= 0 and var end)
        {
            query = place[end..].Split('#')[0];
            place = place[..end].TrimEnd('/');
        }
        var host = place[start..].Split('/')[0];
        if (host.Length == 0) throw new GraftException($"'{place}' names no {(IsS3(place) ? "bucket" : "host")}. Expected s3://bucket/prefix or https://host/path.");
        if (!IsS3(place) && host.Contains('@'))
            throw new GraftException($"The address of {host[(host.LastIndexOf('@') + 1)..]} holds a user name or password, which would stand in results and reports. Use a signed address or s3://, whose credentials stay outside.");
        if (query is { Length: > 1 }) Queries[place] = query;
        return place;
    }

    /// <summary>The full path; of a remote one its name.</summary>
    public static string Full(string path) => Is(path) ? Of(path) : Path.GetFullPath(path);

    public static string Join(string folder, string name) => Is(folder) ? $"{folder}/{name.TrimStart('/')}" : Path.Join(folder, name);

    /// <summary>A path seen from a folder; one that is full already stays.</summary>
    public static string Combine(string folder, string path) => Is(path) ? Of(path) : Is(folder) ? Of($"{folder}/{Plain(path)}") : Path.Combine(folder, path);

    /// <summary>The folder around it; of a bucket or host, itself.</summary>
    public static string Parent(string path)
    {
        if (!Is(path)) return Path.GetDirectoryName(path)!;
        var end = path.LastIndexOf('/');
        return path[end - 1] == '/' ? path : path[..end];
    }

    /// <summary>The bucket and the key, "" for the bucket itself.</summary>
    public static (string Bucket, string Key) InBucket(string place) =>
        place.IndexOf('/', S3.Length) is >= 0 and var end ? (place[S3.Length..end], place[(end + 1)..]) : (place[S3.Length..], "");

    /// <summary>Where to send a request, with what was cut off the name.</summary>
    public static Uri Address(string place) => new(place + Queries.GetValueOrDefault(place));

    public static bool IsSigned(string place) => Queries.ContainsKey(place);

    /// <summary>A word of a command line without what may be a signature or password.</summary>
    public static string Shown(string word) => Is(word) && !IsS3(word) ? $"{word.Split('?', '#')[0].Split('@')[^1]}" : word;

    private static string Plain(string path)
    {
        path = path.Replace('\\', '/').TrimStart('/');
        while (path.StartsWith("./", StringComparison.Ordinal)) path = path[2..];
        return path;
    }
}
