using Graft.Networks;

namespace Graft.Training;

/// <summary>Told of a training as it goes on: to report, to record, to stop it.</summary>
public interface ITrainingCallback
{
    /// <summary>Before the first step, or the first after resuming.</summary>
    void OnStart(TrainingProgress training)
    {
    }

    /// <summary>After each step.</summary>
    void OnStep(TrainingProgress training, StepResult result)
    {
    }

    /// <summary>
    /// Between the backward pass and the optimizer's step: the gradients of <see cref="TrainingProgress.Network"/>'s trained parameters may be read
    /// and changed in place, to average them over machines, say. <see cref="TrainingOptions.GradientClip"/> applies afterwards.
    /// </summary>
    void OnGradients(TrainingProgress training)
    {
    }

    /// <summary>After each epoch, its validation included.</summary>
    void OnEpoch(TrainingProgress training, EpochResult epoch)
    {
    }

    /// <summary>
    /// After an epoch with the lowest validation loss so far, before <see cref="OnEpoch"/>: during the call, the network holds the weights
    /// that were validated, the average where one is kept.
    /// </summary>
    void OnBest(TrainingProgress training, EpochResult epoch)
    {
    }

    /// <summary>After the last epoch; the network holds the best weights.</summary>
    void OnEnd(TrainingProgress training, TrainingHistory history)
    {
    }
}

/// <summary>What one step gave.</summary>
/// <param name="Epoch">From 1.</param>
/// <param name="Step">In this epoch, from 1.</param>
/// <param name="Loss">Mean over the batch, in nats.</param>
/// <param name="Accuracy">Share of the batch classified correctly, from 0 to 1.</param>
/// <param name="Images">In the batch.</param>
/// <param name="LearningRate">Of the step.</param>
public sealed record StepResult(int Epoch, int Step, double Loss, double Accuracy, int Images, double LearningRate);

/// <summary>A training under way, as callbacks see it.</summary>
public sealed class TrainingProgress
{
    internal TrainingProgress(TorchNetwork network, TrainingOptions options, int imagesPerEpoch, int stepsPerEpoch) =>
        (Network, Options, ImagesPerEpoch, StepsPerEpoch) = (network, options, imagesPerEpoch, stepsPerEpoch);

    /// <summary>What is trained. Its tensors may be read, and stay the training's.</summary>
    public TorchNetwork Network { get; }

    public TrainingOptions Options { get; }

    public int ImagesPerEpoch { get; }

    public int StepsPerEpoch { get; }

    /// <summary>The epoch under way, from 1.</summary>
    public int Epoch { get; internal set; }

    /// <summary>Whether training will end after this epoch.</summary>
    public bool IsStopping { get; private set; }

    /// <summary>Ends the training after this epoch; the best weights so far are kept.</summary>
    public void Stop() => IsStopping = true;
}
