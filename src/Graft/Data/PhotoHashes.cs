using System.Collections.Concurrent;
using System.Security.Cryptography;

namespace Graft.Data;

/// <summary>SHA-256 of photos, each read once for as long as this is kept.</summary>
internal sealed class PhotoHashes
{
    private readonly ConcurrentDictionary<string, byte[]> _known = new(StringComparer.Ordinal);

    /// <summary>Of each image, in order; null of those that cannot be read now.</summary>
    public byte[]?[] Of(IReadOnlyList<LabeledImage> images, CancellationToken cancellation)
    {
        var hashes = new byte[]?[images.Count];
        Parallel.For(0, images.Count, new ParallelOptions { CancellationToken = cancellation }, index =>
        {
            try
            {
                hashes[index] = _known.GetOrAdd(images[index].Path, static (_, image) => Hash(image), images[index]);
            }
            catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
            {
                // Not to be read now.
            }
        });
        return hashes;
    }

    /// <summary>Takes a hash that another process computed.</summary>
    public void Add(LabeledImage image, byte[] hash) => _known.TryAdd(image.Path, hash);

    private static byte[] Hash(LabeledImage image)
    {
        if (!image.IsFile) return SHA256.HashData(image.Read());
        using var file = RegularFile.OpenRead(image.Path);
        return SHA256.HashData(file);
    }
}
