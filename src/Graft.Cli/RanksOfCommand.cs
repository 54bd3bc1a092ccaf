using System.Runtime.InteropServices;
using System.Text;
using Graft.Ranks;

namespace Graft.Cli;

/// <summary>
/// The processes in which <c>mpirun -n N graft …</c> carries out one command. Rank 0 speaks, as the command does when it is alone; the others are silent, unless
/// they fail where rank 0 does not.
/// </summary>
internal static partial class RanksOfCommand
{
    /// <summary>What all ranks meet, such as a missing folder, rank 0 says in this time and ends them all.</summary>
    private static readonly TimeSpan TimeOfRank0 = TimeSpan.FromSeconds(3);

    /// <summary>Standard error, of a rank that is silent.</summary>
    private static TextWriter? s_messages;

    private static OpenMpi? s_joined;

    /// <summary>Joins the others, first of all; null where the command runs alone.</summary>
    /// <exception cref="GraftException">Open MPI is missing, or other builds of Graft run in other ranks.</exception>
    public static ICollective? Join()
    {
        if (OpenMpi.StartedAs > 0)
        {
            s_messages = Console.Error;
            Console.SetOut(TextWriter.Null);
            Console.SetError(TextWriter.Null);
        }
        s_joined = OpenMpi.Join();
        if (s_joined is null) return null;
        RankAgreement.Check(s_joined, new Dictionary<string, string> { ["another build of Graft"] = RankAgreement.Build });
        SayThreads(s_joined);
        return s_joined;
    }

    /// <summary>Work that all ranks do, by rank 0 first: it says what is wrong, and downloads what is missing.</summary>
    public static T Rank0First<T>(ICollective? ranks, Func<T> work)
    {
        if (ranks is { Rank: > 0 }) ranks.Barrier();
        var done = work();
        if (ranks is { Rank: 0 }) ranks.Barrier();
        return done;
    }

    /// <summary>What rank 0 tells the others.</summary>
    /// <param name="own">Of rank 0; empty for nothing.</param>
    public static string TextOfRank0(ICollective ranks, string own = "") => Encoding.UTF8.GetString(ranks.AllGather(ranks.Rank == 0 ? Encoding.UTF8.GetBytes(own) : [])[0]);

    /// <summary>A command that has succeeded waits for its other ranks.</summary>
    public static void Leave() => s_joined?.Dispose();

    /// <summary>A command that has failed ends all its ranks; rank 0 has said why.</summary>
    /// <param name="message">What a rank above 0 says if it alone fails.</param>
    public static void EndAll(string message, int exitCode)
    {
        if (OpenMpi.StartedAs is not { } rank) return;
        if (rank > 0)
        {
            Thread.Sleep(TimeOfRank0);
            s_messages?.WriteLine($"graft: {s_joined?.Name ?? $"rank {rank} on {Environment.MachineName}"}: {message}");
            s_messages?.Flush();
        }
        s_joined?.Abort(exitCode);
    }

    /// <summary>Ranks of one machine that may each use all of its cores wait for each other.</summary>
    private static void SayThreads(OpenMpi ranks)
    {
        var machine = ranks.Name[(ranks.Name.LastIndexOf(' ') + 1)..];
        var beside = ranks.AllGather([.. BitConverter.GetBytes(Environment.ProcessorCount), .. Encoding.UTF8.GetBytes(machine)])
            .Where(other => Encoding.UTF8.GetString(other.AsSpan(sizeof(int))) == machine).Select(other => BitConverter.ToInt32(other)).ToList();
        if (OperatingSystem.IsLinux() && beside.Sum() > CoreCount())
            Terminal.Note($"{beside.Count} ranks on {machine} have {CoreCount()} cores and use {beside.Sum()}: give each its own, as mpirun --map-by slot:PE={Math.Max(1, CoreCount() / beside.Count)} does.");
    }

    /// <summary>Cores of the machine, not only those that this process may use.</summary>
    [LibraryImport("libc", EntryPoint = "get_nprocs")]
    private static partial int CoreCount();
}
