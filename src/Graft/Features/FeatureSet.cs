using Graft.Data;

namespace Graft.Features;

/// <summary>The features of images, row by row.</summary>
/// <param name="Images">The images that could be read, in the order asked for.</param>
/// <param name="Rows">For each of <paramref name="Images"/>, the network's output, flattened.</param>
/// <param name="Broken">The images that could not be read, with the reason.</param>
/// <param name="CacheHits">Rows, those of views included, that were taken from the cache, or from another file of the same content.</param>
/// <param name="CacheMisses">Rows that were computed.</param>
public sealed record FeatureSet(
    IReadOnlyList<LabeledImage> Images, IReadOnlyList<float[]> Rows, IReadOnlyList<SkippedFile> Broken, int CacheHits, int CacheMisses)
{
    /// <summary>The rows of each view of a bank, view 1 first; empty without a bank.</summary>
    public IReadOnlyList<IReadOnlyList<float[]>> Views { get; init; } = [];

    /// <summary>For each of <see cref="Images"/>, SHA-256 of the file; empty where nobody asked.</summary>
    internal IReadOnlyList<byte[]> Hashes { get; init; } = [];
}
