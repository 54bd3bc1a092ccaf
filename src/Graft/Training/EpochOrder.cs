using Graft.Data;

namespace Graft.Training;

/// <summary>The batches of each epoch in turn, drawn from the seed: every image once or, balanced, as many of each class.</summary>
internal sealed class EpochOrder
{
    private readonly int[] _order;
    private readonly int[][] _classes;
    private readonly int _batchSize;
    private SplitMix64 _shuffle;

    public EpochOrder(IExamples examples, TrainingOptions options)
    {
        _shuffle = new((ulong)(uint)options.Seed);
        _order = [.. Enumerable.Range(0, examples.Count)];
        _classes = options.ClassWeights == ClassWeighting.Sampling
            ? [.. _order.GroupBy(examples.LabelOf).OrderBy(group => group.Key).Select(group => group.ToArray())]
            : [];
        _batchSize = options.BatchSize;
    }

    /// <summary>Batch norm has no variance over one example; another epoch's order will bring in what is left over.</summary>
    public int StepsPerEpoch => _order.Length / _batchSize + (_order.Length % _batchSize > 1 ? 1 : 0);

    public IReadOnlyList<int[]> Next()
    {
        if (_classes.Length > 0) Balance();
        _shuffle.Shuffle(_order);
        return [.. _order.Chunk(_batchSize).Where(batch => batch.Length > 1)];
    }

    /// <summary>Fills the epoch with the classes in turn, each one's images in an order of its own, again and again.</summary>
    private void Balance()
    {
        foreach (var images in _classes) _shuffle.Shuffle(images);
        for (var i = 0; i < _order.Length; i++)
            _order[i] = _classes[i % _classes.Length][i / _classes.Length % _classes[i % _classes.Length].Length];
    }
}
