using System.Security.Cryptography;

namespace Graft.Checkpoints.Store;

public enum FileHashAlgorithm
{
    /// <summary>What Keras publishes.</summary>
    Md5,

    Sha256,

    /// <summary>The first hexadecimal digits of the SHA-256, as PyTorch puts into its file names.</summary>
    Sha256Prefix,
}

/// <summary>A hash that a file must have, in lower-case hexadecimal digits.</summary>
public sealed record FileHash
{
    private FileHash(FileHashAlgorithm algorithm, string value, int fewestDigits, int mostDigits)
    {
        if (value.Length < fewestDigits || value.Length > mostDigits || !value.All(char.IsAsciiHexDigit))
            throw new ArgumentException(
                $"Expected {fewestDigits}{(mostDigits > fewestDigits ? $" to {mostDigits}" : "")} hexadecimal digits "
                + $"for {Name(algorithm)}, found '{value}'.", nameof(value));
        Algorithm = algorithm;
        Value = value.ToLowerInvariant();
    }

    public FileHashAlgorithm Algorithm { get; }

    public string Value { get; }

    public static FileHash Md5(string digits) => new(FileHashAlgorithm.Md5, digits, 32, 32);

    public static FileHash Sha256(string digits) => new(FileHashAlgorithm.Sha256, digits, 64, 64);

    public static FileHash Sha256Prefix(string digits) => new(FileHashAlgorithm.Sha256Prefix, digits, 8, 63);

    /// <summary>Reads <c>md5:…</c> or <c>sha256:…</c>; fewer than 64 digits of SHA-256 are a prefix.</summary>
    public static FileHash Parse(string text) => text.Split(':', 2) switch
    {
        ["md5", var digits] => Md5(digits),
        ["sha256", { Length: < 64 } digits] => Sha256Prefix(digits),
        ["sha256", var digits] => Sha256(digits),
        _ => throw new FormatException($"Expected md5:… or sha256:…, found '{text}'."),
    };

    public override string ToString() => $"{Name(Algorithm)}:{Value}";

    /// <summary>The same kind of hash, to as many digits, of a file with this digest; null if that has none.</summary>
    internal FileHash? Of(FileDigest digest) => Algorithm switch
    {
        FileHashAlgorithm.Md5 => digest.Md5 is { } md5 ? Md5(md5) : null,
        FileHashAlgorithm.Sha256 => Sha256(digest.Sha256),
        _ => Sha256Prefix(digest.Sha256[..Value.Length]),
    };

    private static string Name(FileHashAlgorithm algorithm) => algorithm is FileHashAlgorithm.Md5 ? "md5" : "sha256";
}

/// <summary>The hashes of a whole file: always SHA-256, and MD5 where a publisher asks for it.</summary>
internal readonly record struct FileDigest(string Sha256, string? Md5)
{
    private const int ChunkBytes = 1 << 20;

    public static FileDigest OfFile(string path, bool withMd5)
    {
        using var hashing = new Running(withMd5);
        using var stream = RegularFile.OpenRead(path);
        hashing.AppendRest(stream, CancellationToken.None);
        return hashing.Finish();
    }

    /// <summary>A digest that grows with the file.</summary>
    public sealed class Running(bool withMd5) : IDisposable
    {
        private readonly IncrementalHash sha256 = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        private readonly IncrementalHash? md5 = withMd5 ? IncrementalHash.CreateHash(HashAlgorithmName.MD5) : null;

        public void Append(ReadOnlySpan<byte> bytes)
        {
            sha256.AppendData(bytes);
            md5?.AppendData(bytes);
        }

        public void AppendRest(Stream stream, CancellationToken cancellation, Stream? copyTo = null)
        {
            var chunk = new byte[ChunkBytes];
            while (stream.Read(chunk) is > 0 and var count)
            {
                cancellation.ThrowIfCancellationRequested();
                Append(chunk.AsSpan(0, count));
                copyTo?.Write(chunk, 0, count);
            }
        }

        /// <summary>Gives the digest of what was appended and starts anew.</summary>
        public FileDigest Finish() => new(
            Convert.ToHexStringLower(sha256.GetHashAndReset()),
            md5 is null ? null : Convert.ToHexStringLower(md5.GetHashAndReset()));

        public void Dispose()
        {
            sha256.Dispose();
            md5?.Dispose();
        }
    }
}
