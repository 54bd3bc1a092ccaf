using System.Diagnostics;
using System.Globalization;

namespace Graft.Fuzz;

/// <summary>Reads mutated files until the time is up or there were enough, and keeps those that fail.</summary>
internal static class Fuzzing
{
    /// <returns>Whether nothing failed.</returns>
    public static bool Run(FuzzKind kind, TimeSpan time, int most, int seed, string failures)
    {
        var folder = Directory.CreateTempSubdirectory("graft-fuzz-").FullName;
        try
        {
            return Run(kind, time, most, seed, failures, folder);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static bool Run(FuzzKind kind, TimeSpan time, int most, int seed, string failures, string folder)
    {
        var seeds = kind.Seeds(folder);
        foreach (var valid in seeds)
        {
            if (!kind.Read(valid.Bytes, folder)) throw new InvalidOperationException($"The seed {valid.Name} of {kind.Name} is refused.");
        }
        var clock = Stopwatch.StartNew();
        var (inputs, accepted, failed, slowest) = (0, 0, 0, TimeSpan.Zero);
        long largest = 0;
        for (; clock.Elapsed < time && inputs < most; inputs++)
        {
            // By its number, so that one input can be made again without those before it.
            var random = new Random(HashCode(seed, inputs));
            var valid = seeds[random.Next(seeds.Count)];
            var input = new Mutator(random, kind.Words).Mutate(valid.Bytes, seeds[random.Next(seeds.Count)].Bytes);
            var problem = Problem(kind, input, folder, out var isAccepted, out var took, out var bytes);
            if (isAccepted) accepted++;
            if (took > slowest) slowest = took;
            largest = Math.Max(largest, bytes);
            if (problem is null) continue;
            failed++;
            Directory.CreateDirectory(failures);
            var path = Path.Combine(failures, $"{kind.Name}_{seed}_{inputs}.{valid.Name}");
            File.WriteAllBytes(path, input);
            Console.WriteLine($"{path}: {problem}");
        }
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{kind.Name}: {inputs:N0} inputs of {seeds.Count} seeds in {clock.Elapsed.TotalSeconds:0} s, {accepted:N0} accepted, {failed:N0} failed; the slowest {slowest.TotalSeconds:0.0} s, the largest {largest >> 20:N0} MiB"));
        return failed == 0;
    }

    private static string? Problem(FuzzKind kind, byte[] input, string folder, out bool isAccepted, out TimeSpan took, out long bytes)
    {
        isAccepted = false;
        string? problem = null;
        using var memory = new MemoryWatch();
        var start = Stopwatch.GetTimestamp();
        try
        {
            isAccepted = kind.Read(input, folder);
        }
        catch (Exception unexpected)
        {
            problem = unexpected.ToString();
        }
        took = Stopwatch.GetElapsedTime(start);
        bytes = memory.MostBytes();
        if (problem is null && took > kind.MostTime) problem = string.Create(CultureInfo.InvariantCulture, $"took {took.TotalSeconds:0.0} s");
        if (problem is null && bytes > kind.MostBytes) problem = $"took {bytes >> 20} MiB";
        return problem;
    }

    /// <summary>The same in every process, which System.HashCode is not.</summary>
    private static int HashCode(int seed, int number) => unchecked((seed * 486187739 + number) * 16777619);
}

/// <summary>
/// How much more memory the process had meanwhile: exactly what the system counts as its peak, which Linux lets a process reset;
/// elsewhere by looking every few milliseconds.
/// </summary>
internal sealed class MemoryWatch : IDisposable
{
    private readonly long _before = Environment.WorkingSet;
    private readonly Timer? _timer;
    private long _most;

    public MemoryWatch()
    {
        if (OperatingSystem.IsLinux()) File.WriteAllText("/proc/self/clear_refs", "5");
        else _timer = new(_ => _most = Math.Max(_most, Environment.WorkingSet), null, 0, 5);
    }

    public long MostBytes()
    {
        if (OperatingSystem.IsLinux())
        {
            var peak = File.ReadLines("/proc/self/status").First(line => line.StartsWith("VmHWM:", StringComparison.Ordinal));
            _most = 1024 * long.Parse(peak.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
        }
        return Math.Max(0, _most - _before);
    }

    public void Dispose() => _timer?.Dispose();
}
