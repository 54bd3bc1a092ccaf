namespace Graft.Checkpoints.Store;

/// <summary>A weights file as its publisher offers it.</summary>
public sealed record PublishedFile
{
    private static readonly string[] TakenEndings = [".part", ".json", ".import"];

    /// <summary>The file's name in the store and on a mirror. It need not be the last part of the URL.</summary>
    public required string FileName
    {
        get;
        init => field = IsSuitable(value)
            ? value
            : throw new ArgumentException(
                $"'{value}' cannot name a file in the store: expected letters, digits, '.', '_' or '-', not starting "
                + $"with '.' and not ending in {string.Join(", ", TakenEndings)}.");
    }

    /// <summary>The publisher's own address, http or https.</summary>
    public required Uri Url
    {
        get;
        init => field = value is { IsAbsoluteUri: true, Scheme: "http" or "https" }
            ? value
            : throw new ArgumentException($"Expected an http or https address, found '{value}'.");
    }

    /// <summary>The file's length, or null where it is not known.</summary>
    public long? Bytes { get; init; }

    /// <summary>
    /// The publisher's hash, or null where none is published: then the file first pulled is taken on trust, and its
    /// SHA-256 is what later ones must have.
    /// </summary>
    public FileHash? Hash { get; init; }

    /// <summary>
    /// Whether <see cref="Hash"/> is not the publisher's own word but that of a copy elsewhere: then a mismatch says so, as the copy
    /// may be the wrong one.
    /// </summary>
    public bool HashIsSecondHand { get; init; }

    /// <summary>What to add where the hash is held against a file; empty for the publisher's own, and for one that a user pinned.</summary>
    internal string Caveat(FileHash? expected) => HashIsSecondHand && expected == Hash
        ? " (seen only on a copy of the file elsewhere, not stated by its publisher)"
        : "";

    /// <summary>What to say of a file that nothing was known of.</summary>
    internal static string NotVerified(FileDigest digest) =>
        $"not verified: its publisher states no hash. From now on it must have {FileHash.Sha256(digest.Sha256)}";

    private static bool IsSuitable(string name) =>
        name.Length is > 0 and < 200 && name[0] != '.'
        && name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '.' or '_' or '-')
        && !TakenEndings.Any(ending => name.EndsWith(ending, StringComparison.OrdinalIgnoreCase));
}

/// <summary>What a pull is doing.</summary>
public enum DownloadState
{
    /// <summary>Another process has this file in hand.</summary>
    Waiting,

    Downloading,

    /// <summary><see cref="DownloadProgress.Note"/> says what went wrong, and when the next try comes.</summary>
    Retrying,

    /// <summary>The file is complete, and nothing is known that it could be compared with; <see cref="DownloadProgress.Note"/> says so.</summary>
    NotVerified,
}

/// <summary>
/// How far a pull is: the bytes on disk, those of earlier tries included, and the whole file's where that is known.
/// </summary>
public sealed record DownloadProgress(
    string FileName, DownloadState State, long Received, long? Total, Uri? Source = null, string? Note = null);

/// <summary>A file in the store: complete, or the beginning of one that a pull will go on with.</summary>
public sealed record StoredFile(string FileName, string Path, long Bytes, bool IsPartial, Uri? Source);

public enum FileCondition
{
    Ok,
    HashMismatch,

    /// <summary>Shorter than expected.</summary>
    Truncated,

    /// <summary>Longer than expected.</summary>
    TooLong,

    /// <summary>There is nothing to compare it with: it is not published, and did not come through the store.</summary>
    Unknown,
}

/// <summary>
/// A stored file beside what it should be. The hash found is of the kind expected, null where the length decides.
/// </summary>
public sealed record FileCheck(
    string FileName, string Path, FileCondition Condition,
    FileHash? Expected, FileHash? Found, long? ExpectedBytes, long FoundBytes)
{
    public override string ToString() => Condition switch
    {
        FileCondition.Ok => $"{Path} is as expected",
        FileCondition.HashMismatch => $"{Path} has hash {Found}, expected {Expected}",
        FileCondition.Unknown => $"{Path} has no known hash to compare with",
        _ => $"{Path} has {FoundBytes:N0} bytes, expected {ExpectedBytes:N0}",
    };
}

/// <summary>A weights file could not be had, kept or trusted; the message says what to do.</summary>
public sealed class WeightStoreException(string message, Exception? innerException = null)
    : GraftException(message, innerException);
