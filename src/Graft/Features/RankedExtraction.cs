using System.Text.Json;
using Graft.Data;
using Graft.Ranks;

namespace Graft.Features;

/// <summary>
/// Work on many photos divided over ranks: each does every so-manieth photo, with a cache of its own or a shared one, and gets from the others what they found.
/// </summary>
internal static class RankedExtraction
{
    /// <summary>What a rank sends at once, in bytes.</summary>
    private const int PartBytes = 32 << 20;

    /// <summary>This rank's photos.</summary>
    public static IReadOnlyList<LabeledImage> ShareOf(IReadOnlyList<LabeledImage> images, ICollective ranks) =>
        [.. images.Where((_, index) => index % ranks.Size == ranks.Rank)];

    /// <summary>Features of all images, each computed or looked up by one rank. The same as one process gives, bit for bit.</summary>
    /// <param name="extract">Of this rank's share.</param>
    /// <param name="isWanted">Whether this rank wants to have those of the others.</param>
    public static FeatureSet Extract(
        IReadOnlyList<LabeledImage> images, ICollective? ranks, Func<IReadOnlyList<LabeledImage>, FeatureSet> extract, bool isWanted = true)
    {
        if (ranks is not { Size: > 1 }) return extract(images);
        var share = ShareOf(images, ranks);
        var own = extract(share);
        // Each may wait for the slowest.
        ranks.Barrier();
        var outcomes = Outcomes(share, own, ranks);
        var (views, length) = (outcomes.Max(outcome => outcome.Views), outcomes.Max(outcome => outcome.Length));
        var rows = Rows(own, views, length, ranks, outcomes, isWanted);
        if (!isWanted) return own;
        var all = new List<LabeledImage>();
        var broken = new List<SkippedFile>();
        var merged = Enumerable.Range(0, 1 + views).Select(_ => new List<float[]>()).ToArray();
        var next = new int[ranks.Size];
        for (var index = 0; index < images.Count; index++)
        {
            var (rank, place) = (index % ranks.Size, index / ranks.Size);
            if (outcomes[rank].Broken.TryGetValue(place, out var reason))
            {
                broken.Add(new(images[index].Path, reason));
                continue;
            }
            all.Add(images[index]);
            for (var view = 0; view <= views; view++) merged[view].Add(rows[rank][next[rank] + view]);
            next[rank] += 1 + views;
        }
        return new(all, merged[0], broken, outcomes.Sum(outcome => outcome.Hits), outcomes.Sum(outcome => outcome.Misses)) { Views = [.. merged.Skip(1)] };
    }

    /// <summary>Gives every rank the hashes of all images, each computed by one.</summary>
    public static void Hash(IReadOnlyList<LabeledImage> images, PhotoHashes hashes, ICollective ranks, CancellationToken cancellation)
    {
        var share = ShareOf(images, ranks);
        var own = hashes.Of(share, cancellation);
        ranks.Barrier();
        var all = ranks.AllGather(JsonSerializer.SerializeToUtf8Bytes(own)).Select(sent => JsonSerializer.Deserialize<byte[]?[]>(sent)!).ToArray();
        for (var index = 0; index < images.Count; index++)
            if (all[index % ranks.Size][index / ranks.Size] is { } hash) hashes.Add(images[index], hash);
    }

    private sealed record Outcome(Dictionary<int, string> Broken, int Hits, int Misses, int Images, int Views, int Length);

    private static Outcome[] Outcomes(IReadOnlyList<LabeledImage> share, FeatureSet own, ICollective ranks)
    {
        var reasons = own.Broken.GroupBy(file => file.Path, StringComparer.Ordinal).ToDictionary(ofFile => ofFile.Key, ofFile => ofFile.First().Reason, StringComparer.Ordinal);
        var broken = Enumerable.Range(0, share.Count).Where(place => reasons.ContainsKey(share[place].Path)).ToDictionary(place => place, place => reasons[share[place].Path]);
        var outcome = new Outcome(broken, own.CacheHits, own.CacheMisses, own.Rows.Count, own.Views.Count, own.Rows.Count == 0 ? 0 : own.Rows[0].Length);
        return [.. ranks.AllGather(JsonSerializer.SerializeToUtf8Bytes(outcome)).Select(sent => JsonSerializer.Deserialize<Outcome>(sent)!)];
    }

    /// <summary>Of each rank its images' rows, of each image the plain one and then its views; in parts, so that what is under way stays small.</summary>
    private static List<float[]>[] Rows(FeatureSet own, int views, int length, ICollective ranks, Outcome[] outcomes, bool isWanted)
    {
        var rows = Array.ConvertAll(outcomes, _ => new List<float[]>());
        var most = outcomes.Max(outcome => outcome.Images);
        var atOnce = Math.Max(1, PartBytes / Math.Max(1, length * sizeof(float) * (1 + views)));
        for (var start = 0; start < most; start += atOnce)
        {
            var count = Math.Clamp(own.Rows.Count - start, 0, atOnce);
            var part = new byte[(long)count * (1 + views) * length * sizeof(float)];
            for (var at = 0; at < count * (1 + views); at++)
            {
                var (image, view) = (start + at / (1 + views), at % (1 + views));
                Buffer.BlockCopy(view == 0 ? own.Rows[image] : own.Views[view - 1][image], 0, part, at * length * sizeof(float), length * sizeof(float));
            }
            var parts = ranks.AllGather(part);
            if (!isWanted) continue;
            for (var rank = 0; rank < parts.Length; rank++)
            {
                for (var at = 0; at < parts[rank].Length; at += length * sizeof(float))
                {
                    var row = new float[length];
                    Buffer.BlockCopy(parts[rank], at, row, 0, length * sizeof(float));
                    rows[rank].Add(row);
                }
            }
        }
        return rows;
    }
}
