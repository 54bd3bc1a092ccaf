using System.Diagnostics;
using Graft.Data;
using Graft.Networks;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Graft.Training;

/// <summary>
/// Trains all layers of a network whose outputs are logits, by cross-entropy; ends with the weights of the epoch of lowest
/// validation loss. The same seed on the same machine gives the same weights.
/// </summary>
public static class Trainer
{
    /// <param name="onEpoch">Called after each epoch.</param>
    /// <exception cref="GraftException">Unsuitable options, or the loss is no longer a number.</exception>
    /// <exception cref="OperationCanceledException">The network holds the weights of the step it was interrupted in.</exception>
    public static TrainingHistory Fit(
        TorchNetwork network, IExamples training, IExamples validation, TrainingOptions options,
        Action<EpochResult>? onEpoch = null, CancellationToken cancellation = default)
    {
        if (options.Problems() is { Count: > 0 } problems) throw new GraftException(string.Join(" ", problems));
        if (training.Count < 2) throw new GraftException($"Expected at least 2 training images, found {training.Count}. Add images.");
        if (validation.Count == 0) throw new GraftException("Expected at least 1 validation image, found none. Add images, or split some off.");

        random.manual_seed(options.Seed); // dropout
        var shuffle = new SplitMix64((ulong)(uint)options.Seed);
        using var optimizer = CreateOptimizer(network, options);
        var clock = Stopwatch.StartNew();
        var order = Enumerable.Range(0, training.Count).ToArray();
        var history = new List<EpochResult>();
        using var best = new WeightsSnapshot(network);
        var bestEpoch = 0;
        for (var epoch = 1; epoch <= options.Epochs; epoch++)
        {
            shuffle.Shuffle(order);
            var (loss, accuracy) = TrainEpoch(network, training, order, epoch, options.BatchSize, optimizer, cancellation);
            var (validationLoss, validationAccuracy) = Evaluate(network, validation, options.BatchSize, cancellation);
            if (!double.IsFinite(loss) || !double.IsFinite(validationLoss))
            {
                throw new GraftException(
                    $"Training diverged in epoch {epoch}: the loss is {(double.IsFinite(loss) ? validationLoss : loss)}. "
                    + $"Lower the learning rate (it was {options.LearningRate}).");
            }
            history.Add(new(epoch, loss, accuracy, validationLoss, validationAccuracy, options.LearningRate, clock.Elapsed.TotalSeconds));
            if (bestEpoch == 0 || validationLoss < history[bestEpoch - 1].ValidationLoss)
            {
                bestEpoch = epoch;
                best.Take();
            }
            onEpoch?.Invoke(history[^1]);
            if (options.Patience > 0 && epoch - bestEpoch >= options.Patience) break;
            if (clock.Elapsed >= options.TimeLimit) break;
        }
        best.Restore();
        return new(history, bestEpoch);
    }

    /// <summary>The outputs of the network in inference mode for each example's plain view, [count][outputs].</summary>
    public static IReadOnlyList<float[]> Outputs(
        TorchNetwork network, IExamples examples, int batchSize, CancellationToken cancellation = default)
    {
        var rows = new List<float[]>(examples.Count);
        var length = network.Network.OutputShape.ElementCount;
        network.eval();
        using var inference = inference_mode();
        foreach (var batch in Enumerable.Range(0, examples.Count).Chunk(batchSize))
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var outputs = TorchNetwork.Values(network.call(Inputs(network, examples, batch, epoch: 0)).contiguous());
            for (var i = 0; i < batch.Length; i++) rows.Add(outputs.Slice(i * length, length).ToArray());
        }
        return rows;
    }

    private static (double Loss, double Accuracy) TrainEpoch(
        TorchNetwork network, IExamples examples, int[] order, int epoch, int batchSize, optim.Optimizer optimizer, CancellationToken cancellation)
    {
        network.train();
        var (loss, right, seen) = (0.0, 0L, 0);
        foreach (var batch in order.Chunk(batchSize))
        {
            // Batch norm has no variance over one example; another epoch's order will bring it in.
            if (batch.Length == 1) continue;
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            optimizer.zero_grad();
            var labels = Labels(examples, batch);
            var logits = network.call(Inputs(network, examples, batch, epoch));
            var batchLoss = nn.functional.cross_entropy(logits, labels);
            batchLoss.backward();
            optimizer.step();
            loss += batchLoss.ToDouble() * batch.Length;
            right += Right(logits, labels);
            seen += batch.Length;
        }
        return (loss / seen, (double)right / seen);
    }

    private static (double Loss, double Accuracy) Evaluate(
        TorchNetwork network, IExamples examples, int batchSize, CancellationToken cancellation)
    {
        network.eval();
        using var inference = inference_mode();
        var (loss, right) = (0.0, 0L);
        foreach (var batch in Enumerable.Range(0, examples.Count).Chunk(batchSize))
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var labels = Labels(examples, batch);
            var logits = network.call(Inputs(network, examples, batch, epoch: 0));
            loss += nn.functional.cross_entropy(logits, labels).ToDouble() * batch.Length;
            right += Right(logits, labels);
        }
        return (loss / examples.Count, (double)right / examples.Count);
    }

    private static Tensor Inputs(TorchNetwork network, IExamples examples, int[] batch, int epoch)
    {
        var shape = network.Network.InputShape;
        var inputs = empty([batch.Length, .. shape.Sizes.Select(size => (long)size)], ScalarType.Float32);
        var values = TorchNetwork.Values(inputs);
        var length = shape.ElementCount;
        for (var i = 0; i < batch.Length; i++) examples.Read(batch[i], epoch, values.Slice(i * length, length));
        return inputs;
    }

    private static Tensor Labels(IExamples examples, int[] batch) =>
        tensor([.. batch.Select(index => (long)examples.LabelOf(index))], ScalarType.Int64);

    private static long Right(Tensor logits, Tensor labels) => logits.argmax(1).eq(labels).sum().ToInt64();

    private static optim.Optimizer CreateOptimizer(TorchNetwork network, TrainingOptions options)
    {
        var kernels = network.Network.Parameters.Where(parameter => parameter.IsKernel).Select(parameter => parameter.Key).ToHashSet(StringComparer.Ordinal);
        var byDecay = network.named_parameters().ToLookup(pair => kernels.Contains(pair.name), pair => pair.parameter);
        var (decaying, free, decay) = (byDecay[true], byDecay[false], options.WeightDecay);
        return options.Optimizer switch
        {
            OptimizerKind.Sgd => optim.SGD(
                [new SGD.ParamGroup(decaying, new() { weight_decay = decay }), new SGD.ParamGroup(free, new())],
                options.LearningRate, options.Momentum, nesterov: options.Momentum > 0),
            OptimizerKind.RmsProp => optim.RMSProp(
                [new RMSProp.ParamGroup(decaying, new() { weight_decay = decay }), new RMSProp.ParamGroup(free, new())],
                options.LearningRate),
            OptimizerKind.Adam => optim.Adam(
                [new Adam.ParamGroup(decaying, new() { weight_decay = decay }), new Adam.ParamGroup(free, new())],
                options.LearningRate),
            _ => throw new ArgumentOutOfRangeException(nameof(options), options.Optimizer, null),
        };
    }

    /// <summary>A copy of a network's tensors, to come back to.</summary>
    private sealed class WeightsSnapshot(TorchNetwork network) : IDisposable
    {
        private readonly Dictionary<string, Tensor> _copies = new(StringComparer.Ordinal);

        public void Take()
        {
            using var _ = no_grad();
            foreach (var (key, tensor) in network.state_dict())
            {
                if (_copies.TryGetValue(key, out var copy)) copy.copy_(tensor);
                else _copies.Add(key, tensor.detach().clone().DetachFromDisposeScope());
            }
        }

        public void Restore()
        {
            using var _ = no_grad();
            foreach (var (key, tensor) in network.state_dict()) tensor.copy_(_copies[key]);
            network.eval();
        }

        public void Dispose()
        {
            foreach (var copy in _copies.Values) copy.Dispose();
        }
    }
}
