using Graft.Networks;
using Graft.Ranks;
using static TorchSharp.torch;

namespace Graft.Training;

/// <summary>
/// Trains a network whose outputs are logits (one for each class, or one alone for the second of two), by cross-entropy: all layers, or
/// those that a <see cref="FreezePlan"/> says. Ends with the weights of the epoch of lowest validation loss. The same seed on the same machine
/// with the same number of threads gives the same weights.
/// </summary>
public static class Trainer
{
    /// <param name="onEpoch">Called after each epoch.</param>
    /// <exception cref="GraftException">Unsuitable options, or the loss is no longer a number.</exception>
    /// <exception cref="OperationCanceledException">The network holds the weights of the step it was interrupted in.</exception>
    public static TrainingHistory Fit(
        TorchNetwork network, IExamples training, IExamples validation, TrainingOptions options,
        Action<EpochResult>? onEpoch = null, CancellationToken cancellation = default) =>
        Fit(network, training, validation, options, onEpoch is null ? [] : [new EpochAction(onEpoch)], cancellation: cancellation);

    /// <param name="callbacks">Told of steps and epochs, in this order.</param>
    /// <param name="checkpoint">
    /// Where the state is kept after each epoch; training resumes from what is there already, to the same end as without the interruption. Null
    /// to keep nothing.
    /// </param>
    /// <param name="objective">What is made small. Null for cross-entropy with the options' class weights and label smoothing.</param>
    /// <param name="ranks">
    /// Processes that train together, with the same network, images and options: each computes a part of every batch, and all end with the same
    /// weights. Only rank 0 has a checkpoint. Null for this one alone.
    /// </param>
    /// <exception cref="GraftException">
    /// Unsuitable options, or another training's checkpoint; or training diverged, and the network holds the best weights before that.
    /// </exception>
    /// <exception cref="OperationCanceledException">The network holds the weights of the step it was interrupted in.</exception>
    public static TrainingHistory Fit(
        TorchNetwork network, IExamples training, IExamples validation, TrainingOptions options,
        IReadOnlyList<ITrainingCallback> callbacks, TrainingCheckpoint? checkpoint = null, IObjective? objective = null,
        ICollective? ranks = null, CancellationToken cancellation = default) =>
        Fit(network, training, validation, options, callbacks, checkpoint, usual => objective ?? usual, pretrained: null, ranks, cancellation);

    /// <param name="objective">What is made small, given the cross-entropy that the options describe.</param>
    /// <param name="pretrained">Layers that <see cref="TrainingOptions.L2Sp"/> keeps near what they are; null for all that are trained.</param>
    internal static TrainingHistory Fit(
        TorchNetwork network, IExamples training, IExamples validation, TrainingOptions options, IReadOnlyList<ITrainingCallback> callbacks,
        TrainingCheckpoint? checkpoint, Func<IObjective, IObjective> objective, IReadOnlySet<string>? pretrained, ICollective? ranks, CancellationToken cancellation)
    {
        if (options.Problems() is { Count: > 0 } problems) throw new GraftException(string.Join(" ", problems));
        if (training.Count < 2) throw new GraftException($"Expected at least 2 training images, found {training.Count}. Add images.");
        if (validation.Count == 0) throw new GraftException("Expected at least 1 validation image, found none. Add images, or split some off.");
        if (options.Mixing == BatchMixing.CutMix && !network.Network.InputShape.IsMap)
            throw new GraftException($"CutMix needs images or feature maps, and this training starts at a {network.Network.InputShape}. Take mixup.");
        using var loop = new TrainingLoop(network, training, validation, options, callbacks, checkpoint, objective, pretrained, ranks);
        return loop.Run(cancellation);
    }

    /// <summary>The outputs of the network in inference mode for each example's plain view, [count][outputs].</summary>
    public static IReadOnlyList<float[]> Outputs(
        TorchNetwork network, IExamples examples, int batchSize, CancellationToken cancellation = default)
    {
        var rows = new List<float[]>(examples.Count);
        var length = network.Network.OutputShape.ElementCount;
        network.eval();
        using var inference = inference_mode();
        var batches = Enumerable.Range(0, examples.Count).Chunk(batchSize).ToList();
        using var reader = new BatchReader(network, examples, epoch: 0, batches);
        foreach (var batch in batches)
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var outputs = TorchNetwork.Values(network.call(reader.Next()).cpu().contiguous());
            for (var i = 0; i < batch.Length; i++) rows.Add(outputs.Slice(i * length, length).ToArray());
        }
        return rows;
    }

    private sealed class EpochAction(Action<EpochResult> act) : ITrainingCallback
    {
        public void OnEpoch(TrainingProgress training, EpochResult epoch) => act(epoch);
    }
}

/// <summary>A training's loss is no number any more, or far beyond that of guessing; the message says what to do.</summary>
public sealed class TrainingDivergedException(string message) : GraftException(message);
