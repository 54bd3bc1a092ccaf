using Graft.Ranks;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Networks;

/// <summary>
/// The examples of a training step's batch that this process computes, others computing the rest: dropout and batch norm by the statistics of the
/// batch work as if all were here.
/// </summary>
/// <param name="Ranks">Those that share the batch.</param>
/// <param name="Total">Examples of the whole batch.</param>
/// <param name="Positions">The places in it of those computed here.</param>
/// <param name="Counts">False of a process for which no example is left: it computes one that counts for nothing, so that it goes along.</param>
internal sealed record BatchShare(ICollective Ranks, int Total, long[] Positions, bool Counts)
{
    /// <summary>Dropout with the draws that these examples have in the whole batch: libtorch's own, of which every process draws all.</summary>
    public Tensor Dropout(Tensor input, double rate)
    {
        if (rate == 0) return input.alias();
        using var scope = NewDisposeScope();
        // As libtorch draws them: in the order of memory, in which a map's channels are last.
        long[] sizes = input.dim() == 4 ? [Total, input.shape[2], input.shape[3], input.shape[1]] : [Total, .. input.shape[1..]];
        var kept = empty(sizes, device: input.device).bernoulli_(1 - rate).div_(Number(1 - rate)).index_select(0, tensor(Positions).to(input.device));
        return (input * (input.dim() == 4 ? kept.permute(0, 3, 1, 2) : kept)).MoveToOuterDisposeScope();
    }

    /// <summary>Mean and biased variance of each channel over the whole batch.</summary>
    /// <param name="mean">Of the rows here.</param>
    /// <param name="variance">About their own mean.</param>
    /// <param name="count">Rows here.</param>
    /// <returns>Rows of the whole batch.</returns>
    public long Join(double[] mean, double[] variance, long count)
    {
        if (!Counts) count = 0;
        double[] sums = [.. mean.Select(value => value * count), count];
        Ranks.AllReduce(sums);
        var all = sums[^1];
        double[] squares = [.. mean.Select((value, channel) => count * (variance[channel] + Math.Pow(value - sums[channel] / all, 2)))];
        Ranks.AllReduce(squares);
        for (var channel = 0; channel < mean.Length; channel++) (mean[channel], variance[channel]) = (sums[channel] / all, squares[channel] / all);
        return (long)all;
    }

    /// <summary>Sums two numbers a channel over the whole batch.</summary>
    public (double[] Sum, double[] Product) Join(double[] sum, double[] product)
    {
        double[] both = [.. sum, .. product];
        Ranks.AllReduce(both);
        return (both[..sum.Length], both[sum.Length..]);
    }
}
