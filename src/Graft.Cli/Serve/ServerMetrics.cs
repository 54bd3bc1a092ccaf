using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Graft.Cli.Serve;

/// <summary>What a server counts, in the text format of Prometheus.</summary>
internal sealed class ServerMetrics
{
    private static readonly double[] Bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

    private readonly ConcurrentDictionary<(string Path, int Status), long> _requests = new();
    private readonly long[] _buckets = new long[Bounds.Length + 1];
    private long _photos, _ticks;

    /// <param name="path">One of the server's own; anything else counts as "other", so that callers cannot add series.</param>
    public void CountRequest(string path, int status) => _requests.AddOrUpdate((path, status), 1, (_, count) => count + 1);

    public void CountPhoto(TimeSpan elapsed)
    {
        var seconds = elapsed.TotalSeconds;
        var bucket = Array.FindIndex(Bounds, bound => seconds <= bound);
        Interlocked.Increment(ref _buckets[bucket < 0 ? Bounds.Length : bucket]);
        Interlocked.Increment(ref _photos);
        Interlocked.Add(ref _ticks, elapsed.Ticks);
    }

    public string ToText(int queueLength, int reloads)
    {
        var text = new StringBuilder();
        void Line(FormattableString line) => text.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');
        Line($"# HELP graft_requests_total Requests answered, by path and status.\n# TYPE graft_requests_total counter");
        foreach (var ((path, status), count) in _requests.OrderBy(entry => entry.Key.Path, StringComparer.Ordinal).ThenBy(entry => entry.Key.Status))
            Line($"graft_requests_total{{path=\"{path}\",status=\"{status}\"}} {count}");
        Line($"# HELP graft_photo_seconds From a photo's arrival in the queue to its answer.\n# TYPE graft_photo_seconds histogram");
        var sum = 0L;
        for (var index = 0; index < Bounds.Length; index++) Line($"graft_photo_seconds_bucket{{le=\"{Bounds[index]}\"}} {sum += Volatile.Read(ref _buckets[index])}");
        Line($"graft_photo_seconds_bucket{{le=\"+Inf\"}} {Volatile.Read(ref _photos)}");
        Line($"graft_photo_seconds_sum {new TimeSpan(Volatile.Read(ref _ticks)).TotalSeconds}");
        Line($"graft_photo_seconds_count {Volatile.Read(ref _photos)}");
        Line($"# HELP graft_queue_length Photos that wait.\n# TYPE graft_queue_length gauge\ngraft_queue_length {queueLength}");
        Line($"# HELP graft_model_reloads_total How often a replaced model file took over.\n# TYPE graft_model_reloads_total counter\ngraft_model_reloads_total {reloads}");
        using var process = Process.GetCurrentProcess();
        Line($"# HELP process_resident_memory_bytes Memory of the process.\n# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes {process.WorkingSet64}");
        return text.ToString();
    }
}
