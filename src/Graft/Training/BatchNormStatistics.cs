using Graft.Backbones;
using Graft.Data;
using Graft.Networks;
using static TorchSharp.torch;

namespace Graft.Training;

/// <summary>Moving statistics of batch norms, measured on other photos.</summary>
public static class BatchNormStatistics
{
    /// <summary>
    /// The network with the statistics of these inputs in its batch norms: of each batch, normalized as it is by its own statistics layer after layer, the mean and the unbiased
    /// variance; their mean over the batches. PyTorch's cumulative average (<c>momentum=None</c>, <c>update_bn</c>).
    /// </summary>
    /// <param name="backbone">Stays the caller's, and must outlive the result.</param>
    /// <param name="examples">At least 2; their plain views. They are mixed first: a batch of one class would be normalized by what makes it that class.</param>
    /// <param name="batchSize">At least 2. A last batch of one is left out.</param>
    /// <param name="seed">Decides the batches.</param>
    /// <exception cref="GraftException">The network has no batch norm, or there are fewer than 2 examples.</exception>
    public static Backbone WithStatisticsOf(this Backbone backbone, IExamples examples, int batchSize = 32, int seed = 1, CancellationToken cancellation = default)
    {
        var norms = backbone.Network.Layers.Where(layer => layer.Operation is BatchNorm).Select(layer => layer.Name).ToHashSet(StringComparer.Ordinal);
        if (norms.Count == 0)
        {
            throw new GraftException($"{backbone.Name} has no batch norms whose statistics could be those of other photos.")
            {
                Code = "no-batch-norms",
                Remedy = "Take another network, or another method.",
            };
        }
        if (examples.Count < 2) throw new GraftException($"Expected at least 2 photos to measure the statistics of batch norms on, found {examples.Count}.");
        // The moving statistics become those of the batch.
        Network network = new(backbone.Network.Name, [.. backbone.Network.Layers.Select(layer =>
            layer.Operation is BatchNorm norm ? layer with { Operation = norm with { Momentum = 1 } } : layer)]);
        using var module = new TorchNetwork(network, backbone.Weights);
        module.TrainOnly(new HashSet<string>(), network.Layers.Select(layer => layer.Name).Except(norms).ToHashSet(StringComparer.Ordinal));
        module.train();
        Parameter[] statistics = [.. network.Parameters.Where(parameter => norms.Contains(parameter.Layer) && parameter.IsStatistic)];
        var sums = statistics.ToDictionary(parameter => parameter.Key, parameter => new double[parameter.ElementCount], StringComparer.Ordinal);
        int[] order = [.. Enumerable.Range(0, examples.Count)];
        new SplitMix64((ulong)(uint)seed).Shuffle(order);
        int[][] batches = [.. order.Chunk(batchSize).Where(batch => batch.Length > 1)];
        using var noGradients = no_grad();
        using var reader = new BatchReader(module, examples, epoch: 0, batches);
        foreach (var _ in batches)
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            module.call(reader.Next());
            foreach (var parameter in statistics)
            {
                var (values, sum) = (new float[parameter.ElementCount], sums[parameter.Key]);
                module.Read(parameter, values);
                for (var i = 0; i < values.Length; i++) sum[i] += values[i];
            }
        }
        return Backbone.Of(backbone.Name, backbone.Network, new Measured(
            backbone.Weights, sums.ToDictionary(pair => pair.Key, pair => Array.ConvertAll(pair.Value, sum => (float)(sum / batches.Length)), StringComparer.Ordinal)), backbone.Preprocessing);
    }

    private sealed class Measured(IWeights weights, IReadOnlyDictionary<string, float[]> statistics) : IWeights
    {
        public IDisposable? Share() => weights.Share();

        public void Read(Parameter parameter, Span<float> destination)
        {
            if (statistics.TryGetValue(parameter.Key, out var values)) values.CopyTo(destination);
            else weights.Read(parameter, destination);
        }
    }
}
