using System.Text;
using System.Text.Json;
using Graft.Backbones;
using Graft.Networks;
using Graft.Ranks;
using Graft.Runs;

namespace Graft.Selection;

/// <summary>Networks to try, divided over ranks; each rank tries its own from the photos to the last fold.</summary>
internal static class RankedTrials
{
    /// <summary>Which rank tries each network: the costliest first, each by the rank that has the least to do so far. The same on every rank.</summary>
    /// <param name="known">Networks that need not be tried any more: of rank -1.</param>
    public static int[] Divide(IReadOnlyList<string> backbones, IReadOnlySet<string> known, int size)
    {
        var (ranks, load) = (new int[backbones.Count], new double[size]);
        Array.Fill(ranks, -1);
        foreach (var (place, cost) in Enumerable.Range(0, backbones.Count).Where(place => !known.Contains(backbones[place]))
            .Select(place => (place, CostOf(backbones[place]))).OrderByDescending(unit => unit.Item2))
        {
            var rank = Array.IndexOf(load, load.Min());
            (ranks[place], load[rank]) = (rank, load[rank] + cost);
        }
        return ranks;
    }

    /// <summary>What rank 0 knows already, for all.</summary>
    public static HashSet<string> KnownTo0(ICollective ranks, IEnumerable<string> known) =>
        JsonSerializer.Deserialize<HashSet<string>>(ranks.AllGather(ranks.Rank == 0 ? JsonSerializer.SerializeToUtf8Bytes(known) : [])[0])!;

    /// <summary>The trials of all ranks, each of one network.</summary>
    public static IReadOnlyDictionary<string, Trial> Gather(ICollective ranks, IReadOnlyList<Trial> own)
    {
        ranks.Barrier();
        return ranks.AllGather(Encoding.UTF8.GetBytes(JsonSerializer.Serialize(own, RunFolder.Json)))
            .SelectMany(sent => JsonSerializer.Deserialize<List<Trial>>(sent, RunFolder.Json)!).ToDictionary(trial => trial.Backbone, StringComparer.Ordinal);
    }

    /// <summary>Multiply-adds of one image; of combinations the sum.</summary>
    private static double CostOf(string entry) =>
        TrialRequest.Parsed(entry).Sum(backbone => (double)LayerTable.Of(BackboneCatalog.Find(backbone.Name).Build()).MultiplyAdds);
}
