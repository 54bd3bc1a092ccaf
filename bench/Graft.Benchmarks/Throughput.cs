using System.Diagnostics;

namespace Graft.Benchmarks;

/// <summary>How often a piece of work can be done in a second: after two calls to warm up, the median of many.</summary>
internal static class Throughput
{
    private const int WarmUpCalls = 2, FewestCalls = 5;

    /// <summary>Calls <paramref name="work"/> for <paramref name="seconds"/>, at least five times.</summary>
    /// <returns>Items a second in the call of median duration.</returns>
    public static double Measure(Action work, int itemsPerCall, double seconds)
    {
        for (var call = 0; call < WarmUpCalls; call++) work();
        var durations = new List<double>();
        for (var all = Stopwatch.StartNew(); all.Elapsed.TotalSeconds < seconds || durations.Count < FewestCalls;)
        {
            var one = Stopwatch.StartNew();
            work();
            durations.Add(one.Elapsed.TotalSeconds);
        }
        durations.Sort();
        return itemsPerCall / durations[durations.Count / 2];
    }
}
