using System.Runtime.InteropServices;
using System.Text.Json;
using Graft.Networks;
using Graft.Ranks;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Training;

/// <summary>
/// A training that several processes do together: each computes a part of every batch, their gradients are summed in one flat bucket, and all make
/// the same step. The result is that of one process with the same options, up to the rounding of sums in another order.
/// </summary>
/// <param name="ranks">The processes. Stay the caller's.</param>
internal sealed class DataParallel(ICollective ranks, TorchNetwork network) : IDisposable
{
    /// <summary>After the gradients: weight, loss times weight, examples classified correctly, examples.</summary>
    private const int Sums = 4;

    private readonly TorchSharp.Modules.Parameter[] _weights =
        [.. network.named_parameters().Where(pair => pair.parameter.requires_grad).Select(pair => pair.parameter)];

    private Tensor? _bucket;

    /// <summary>Null where there is one process.</summary>
    public static DataParallel? Of(ICollective? ranks, TorchNetwork network) => ranks is { Size: > 1 } ? new(ranks, network) : null;

    /// <summary>The examples of each batch that are computed here.</summary>
    public IReadOnlyList<int[]> Cut(IReadOnlyList<int[]> batches) => [.. batches.Select(batch => Array.ConvertAll(ShareOf(batch.Length).Positions, place => batch[place]))];

    /// <summary>The same for what all wait for only at its end.</summary>
    public IReadOnlyList<int[]> CutWithoutSpares(IReadOnlyList<int[]> batches) => Cut([.. batches.Where(batch => ShareOf(batch.Length).Counts)]);

    /// <summary>
    /// The part of a batch that is computed here. An example and the one as far from the batch's end as it is from its start, which may be blended
    /// with each other, are in one part.
    /// </summary>
    public BatchShare ShareOf(int total)
    {
        var pairs = total / 2;
        var (start, end) = ((int)((long)pairs * ranks.Rank / ranks.Size), (int)((long)pairs * (ranks.Rank + 1) / ranks.Size));
        var hasMiddle = total % 2 == 1 && ranks.Rank == ranks.Size - 1;
        long[] positions =
        [
            .. Enumerable.Range(start, end - start), .. hasMiddle ? [pairs] : Array.Empty<int>(), .. Enumerable.Range(total - end, end - start),
        ];
        return positions.Length > 0 ? new(ranks, total, positions, Counts: true) : new(ranks, total, [0], Counts: false);
    }

    /// <summary>
    /// Averages the gradients of all processes, each by the weight of its examples, and with them the loss.
    /// </summary>
    /// <param name="weight">See <see cref="IObjective.WeightOf"/>; the gradients here are those of the loss times this.</param>
    /// <param name="loss">Of the examples here.</param>
    /// <param name="correct">Of the examples here, those classified correctly.</param>
    /// <returns>Loss and correct examples of the whole batch.</returns>
    public (double Loss, long Correct) Average(BatchShare share, double weight, double loss, long correct)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        _bucket ??= zeros(_weights.Sum(parameter => parameter.numel()) + Sums).DetachFromDisposeScope();
        var start = 0L;
        var parts = Array.ConvertAll(_weights, parameter =>
        {
            var part = _bucket.narrow(0, start, parameter.numel()).view(parameter.shape);
            start += parameter.numel();
            return part;
        });
        foreach (var (parameter, part) in _weights.Zip(parts))
        {
            if (parameter.grad is { } gradient) part.copy_(gradient);
            else part.zero_();
        }
        var sums = MemoryMarshal.Cast<byte, float>(_bucket.narrow(0, start, Sums).bytes);
        (sums[0], sums[1], sums[2]) = ((float)weight, (float)(weight == 0 ? 0 : loss * weight), share.Counts ? correct : 0);
        ranks.AllReduce(_bucket);
        var total = sums[0];
        _bucket.narrow(0, 0, start).mul_(Number(total == 0 ? 0 : 1.0 / total));
        foreach (var (parameter, part) in _weights.Zip(parts)) parameter.grad?.copy_(part);
        return (total == 0 ? 0 : sums[1] / (double)total, (long)sums[2]);
    }

    /// <summary>Sums numbers over the processes.</summary>
    public void Sum(Span<double> values) => ranks.AllReduce(values);

    /// <summary>What rank 0 has.</summary>
    public double OfFirst(double value)
    {
        double[] values = [ranks.Rank == 0 ? value : 0];
        ranks.AllReduce(values);
        return values[0];
    }

    /// <summary>Whether it is so in any process.</summary>
    public bool Any(bool value)
    {
        double[] count = [value ? 1 : 0];
        ranks.AllReduce(count);
        return count[0] > 0;
    }

    /// <summary>Takes the weights of rank 0: processors of different kinds round differently.</summary>
    public void TakeWeights() => Broadcast(ranks, network.state_dict().Values);

    /// <summary>Takes what rank 0 starts or resumes from.</summary>
    public TrainingState TakeState(TrainingState state, WeightsSnapshot best, AverageWeights? average, TrainableOptimizer optimizer)
    {
        using var generator = random.get_rng_state();
        var start = JsonSerializer.Deserialize<Start>(ranks.AllGather(ranks.Rank > 0 ? [] : JsonSerializer.SerializeToUtf8Bytes(
            new Start(state, optimizer.Steps, average?.Steps ?? 0, best.Tensors.Count > 0, generator.bytes.ToArray())))[0])!;
        if (start.HasBest && best.Tensors.Count == 0) best.Take();
        Broadcast(ranks, network.state_dict().Values.Concat(best.Tensors.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => pair.Value))
            .Concat(average?.Tensors.Select(pair => pair.Average) ?? []).Concat(optimizer.Tensors.Select(pair => pair.Value)));
        optimizer.Steps = start.OptimizerSteps;
        if (average is not null) average.Steps = start.AverageSteps;
        using (var of0 = tensor(start.Generator)) random.set_rng_state(of0);
        return start.State;
    }

    /// <summary>A training that is too small to divide, done by rank 0; all get its weights.</summary>
    public static TrainingHistory OnFirst(ICollective ranks, TorchNetwork network, Func<TrainingHistory> train)
    {
        var own = ranks.Rank == 0 ? JsonSerializer.SerializeToUtf8Bytes(train()) : [];
        ranks.Barrier();
        var history = JsonSerializer.Deserialize<TrainingHistory>(ranks.AllGather(own)[0])!;
        Broadcast(ranks, network.state_dict().Values);
        return history;
    }

    public void Dispose()
    {
        network.Share = null;
        _bucket?.Dispose();
    }

    private static void Broadcast(ICollective ranks, IEnumerable<Tensor> tensors)
    {
        using var noGradients = no_grad();
        foreach (var tensor in tensors)
        {
            using var scope = NewDisposeScope();
            var copy = tensor.detach().cpu().contiguous();
            ranks.Broadcast(copy.bytes);
            tensor.copy_(copy);
        }
    }

    private sealed record Start(TrainingState State, long OptimizerSteps, int AverageSteps, bool HasBest, byte[] Generator);
}
