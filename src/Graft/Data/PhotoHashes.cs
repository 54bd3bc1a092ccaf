using System.Collections.Concurrent;
using System.Security.Cryptography;
using Graft.Data.Collections;
using Graft.Data.Remote;

namespace Graft.Data;

/// <summary>SHA-256 of photos, each read once for as long as this is kept.</summary>
internal sealed class PhotoHashes
{
    private readonly ConcurrentDictionary<string, byte[]> _known = new(StringComparer.Ordinal);

    /// <summary>Takes the hash of an image that is known, so that the image is not read.</summary>
    public void Add(string path, byte[] hash) => _known[path] = hash;

    /// <summary>Of each image, in order; null of those that cannot be read now.</summary>
    public byte[]?[] Of(IReadOnlyList<LabeledImage> images, CancellationToken cancellation)
    {
        var hashes = new byte[]?[images.Count];
        // Side by side, not each thread in a part of its own: what lies in a collection is read in its order.
        var inOrder = Partitioner.Create(Enumerable.Range(0, images.Count), EnumerablePartitionerOptions.NoBuffering);
        var work = new ParallelOptions { CancellationToken = cancellation, MaxDegreeOfParallelism = images.Any(RemotePhotos.IsRemote) ? RemotePhotos.AtOnce : -1 };
        RemotePhotos.OneProblem(() => Parallel.ForEach(inOrder, work, index =>
        {
            try
            {
                hashes[index] = _known.GetOrAdd(images[index].Path, static (_, image) => Hash(image), images[index]);
            }
            catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
            {
                // Not to be read now.
            }
        }));
        return hashes;
    }

    /// <summary>The images whose content none of the others has, whatever they are called.</summary>
    public List<LabeledImage> WithoutCopies(IReadOnlyList<LabeledImage> images, IReadOnlyList<LabeledImage> others, CancellationToken cancellation)
    {
        var known = Of(others, cancellation).Where(hash => hash is not null).Select(hash => Convert.ToHexString(hash!)).ToHashSet();
        var hashes = Of(images, cancellation);
        return [.. images.Where((_, index) => hashes[index] is not { } hash || !known.Contains(Convert.ToHexString(hash)))];
    }

    /// <summary>The images that can be read, with their hashes.</summary>
    public IEnumerable<(LabeledImage Image, byte[] Hash)> WithHashes(IReadOnlyList<LabeledImage> images) =>
        images.Zip(Of(images, CancellationToken.None)).Where(pair => pair.Second is not null).Select(pair => (pair.First, pair.Second!));

    /// <summary>The photos of a shard, in order.</summary>
    public static IReadOnlyList<string> Of(Shard shard, IReadOnlyList<string> photos, CancellationToken cancellation)
    {
        var hashes = new PhotoHashes().Of([.. photos.Select(path => new LabeledImage(path, Class: 0))], cancellation);
        return [.. shard.Of(photos, hashes).Select(index => photos[index])];
    }

    /// <summary>Takes a hash that another process computed.</summary>
    public void Add(LabeledImage image, byte[] hash) => _known.TryAdd(image.Path, hash);

    private static byte[] Hash(LabeledImage image) => image.HasPath ? PhotoFile.Hash(image.Path) : SHA256.HashData(image.Read());
}
