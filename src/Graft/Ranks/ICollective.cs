using TorchSharp;

namespace Graft.Ranks;

/// <summary>
/// The processes, called ranks, that carry out one request together, and how they exchange numbers. Every rank makes the same calls in the same order;
/// each returns when all have made it. One thread at a time.
/// </summary>
/// <remarks>All that Graft asks of MPI. NCCL, or anything else that sums tensors, goes in its place.</remarks>
public interface ICollective : IDisposable
{
    /// <summary>This process, from 0. Rank 0 writes, reports and saves.</summary>
    int Rank { get; }

    /// <summary>How many ranks there are.</summary>
    int Size { get; }

    /// <summary>Rank and machine, for a person: <c>rank 2 of 4 on node7</c>.</summary>
    string Name { get; }

    /// <summary>Sums the tensors of all ranks, element by element, into each; bit for bit the same in all.</summary>
    /// <param name="values">float32 and contiguous, of the same shape everywhere.</param>
    void AllReduce(torch.Tensor values);

    /// <inheritdoc cref="AllReduce(torch.Tensor)"/>
    void AllReduce(Span<double> values);

    /// <summary>Copies the bytes of rank 0 into those of all others; as many everywhere.</summary>
    void Broadcast(Span<byte> values);

    /// <summary>What each rank gives, by rank; lengths may differ.</summary>
    byte[][] AllGather(ReadOnlySpan<byte> own);

    /// <summary>Waits for all ranks, for hours if need be, without keeping a processor busy.</summary>
    void Barrier();

    /// <summary>Ends the processes of all ranks at once.</summary>
    void Abort(int exitCode);
}
