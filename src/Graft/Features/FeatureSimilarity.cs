using System.Runtime.InteropServices;
using Graft.Networks;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Features;

/// <summary>Finds images whose features point the same way.</summary>
internal static class FeatureSimilarity
{
    /// <summary>At most so many similarities at once: 8 MB.</summary>
    private const int SimilaritiesAtOnce = 1 << 21;

    /// <summary>Pairs of rows, by number, whose cosine similarity is at least <paramref name="least"/>; a row of zeros is like none.</summary>
    /// <param name="rows">Features, one row per image.</param>
    /// <param name="blockLengths">
    /// How many numbers of a row each network of a combination gave: the similarity is the mean of the networks'. One for a single network.
    /// </param>
    public static IReadOnlyList<(int First, int Second)> Pairs(
        IReadOnlyList<float[]> rows, IReadOnlyList<int> blockLengths, double least, CancellationToken cancellation = default)
    {
        if (rows.Count == 0) return [];
        using var inference = no_grad();
        using var scope = NewDisposeScope();
        var (count, length) = (rows.Count, rows[0].Length);
        var directions = empty_strided([count, length], [length, 1], ScalarType.Float32);
        var values = TorchNetwork.Values(directions);
        for (var i = 0; i < count; i++) rows[i].CopyTo(values[(i * length)..]);
        var start = 0;
        foreach (var block in blockLengths)
        {
            var part = directions.narrow(1, start, block);
            part.div_(part.norm(1, keepdim: true).clamp_min_(Number(1e-12)).mul_(Number(Math.Sqrt(blockLengths.Count))));
            start += block;
        }
        var pairs = new List<(int, int)>();
        var step = Math.Max(1, SimilaritiesAtOnce / count);
        for (var first = 0; first < count; first += step)
        {
            cancellation.ThrowIfCancellationRequested();
            using var inner = NewDisposeScope();
            var few = directions.narrow(0, first, Math.Min(step, count - first));
            // [few, those from the first of them on]
            var found = few.mm(directions.narrow(0, first, count - first).t()).ge(Number(least)).triu_(1).nonzero();
            var indices = MemoryMarshal.Cast<byte, long>(found.contiguous().bytes);
            for (var i = 0; i < indices.Length; i += 2) pairs.Add((first + (int)indices[i], first + (int)indices[i + 1]));
        }
        return pairs;
    }
}
