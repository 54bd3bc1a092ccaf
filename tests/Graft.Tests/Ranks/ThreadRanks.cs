using System.Runtime.InteropServices;
using Graft.Ranks;
using TorchSharp;

namespace Graft.Tests.Ranks;

/// <summary>Ranks that are threads of this process, summing by rank.</summary>
internal sealed class ThreadRanks : ICollective
{
    private readonly Shared _shared;

    private ThreadRanks(Shared shared, int rank) => (_shared, Rank) = (shared, rank);

    public int Rank { get; }

    public int Size => _shared.Sent.Length;

    public string Name => $"rank {Rank} of {Size} on thread{Rank}";

    /// <summary>Runs the same work as each rank; what it gives, by rank.</summary>
    public static T[] Run<T>(int size, Func<ICollective, T> work)
    {
        var shared = new Shared(new byte[size][], new Barrier(size));
        var (results, problems) = (new T[size], new Exception?[size]);
        var threads = Enumerable.Range(0, size).Select(rank => new Thread(() =>
        {
            try
            {
                results[rank] = work(new ThreadRanks(shared, rank));
            }
            catch (Exception problem)
            {
                problems[rank] = problem;
                shared.Meeting.RemoveParticipant();
            }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        return problems.FirstOrDefault(problem => problem is not null) is { } first ? throw first : results;
    }

    public void AllReduce(torch.Tensor values)
    {
        Assert.True(values.is_contiguous());
        var own = MemoryMarshal.Cast<byte, float>(values.bytes);
        var all = AllGather(MemoryMarshal.AsBytes(own));
        own.Clear();
        foreach (var ofRank in all)
        {
            var theirs = MemoryMarshal.Cast<byte, float>(ofRank);
            for (var i = 0; i < own.Length; i++) own[i] += theirs[i];
        }
    }

    public void AllReduce(Span<double> values)
    {
        var all = AllGather(MemoryMarshal.AsBytes(values));
        values.Clear();
        foreach (var ofRank in all)
        {
            var theirs = MemoryMarshal.Cast<byte, double>(ofRank);
            for (var i = 0; i < values.Length; i++) values[i] += theirs[i];
        }
    }

    public void Broadcast(Span<byte> values) => AllGather(Rank == 0 ? values : [])[0].CopyTo(values);

    public byte[][] AllGather(ReadOnlySpan<byte> own)
    {
        _shared.Sent[Rank] = own.ToArray();
        Barrier();
        byte[][] all = [.. _shared.Sent];
        Barrier();
        return all;
    }

    public void Barrier()
    {
        if (!_shared.Meeting.SignalAndWait(TimeSpan.FromMinutes(1))) throw new TimeoutException($"{Name} waits for a rank that does not come.");
    }

    public void Abort(int exitCode) => throw new NotSupportedException();

    public void Dispose()
    {
    }

    private sealed record Shared(byte[][] Sent, Barrier Meeting);
}
