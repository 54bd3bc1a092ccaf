using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Graft.Data;

namespace Graft.Training;

[JsonConverter(typeof(LowerCaseEnumConverter<OptimizerKind>))]
public enum OptimizerKind
{
    /// <summary>Stochastic gradient descent with Nesterov momentum.</summary>
    Sgd,
    RmsProp,
    Adam,

    /// <summary>Adam with weight decay apart from the gradient (Loshchilov and Hutter 2019, arXiv:1711.05101).</summary>
    AdamW,
}

/// <summary>How images of a batch are blended with each other.</summary>
[JsonConverter(typeof(LowerCaseEnumConverter<BatchMixing>))]
public enum BatchMixing
{
    None,

    /// <summary>Each with another one, by a share (Zhang et al. 2018, arXiv:1710.09412).</summary>
    Mixup,

    /// <summary>A rectangle of another one in each (Yun et al. 2019, arXiv:1905.04899).</summary>
    CutMix,
}

/// <summary>How a network is trained. Immutable; the defaults suit a head on cached features.</summary>
public sealed record TrainingOptions
{
    /// <summary>Default Adam.</summary>
    public OptimizerKind Optimizer { get; init; } = OptimizerKind.Adam;

    /// <summary>More than 0. Default 0.001.</summary>
    [Range(0, double.PositiveInfinity, MinimumIsExclusive = true, MaximumIsExclusive = true)]
    public double LearningRate { get; init; } = 1e-3;

    /// <summary>Momentum of SGD, from 0 up to 1. Default 0.9.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true)]
    public double Momentum { get; init; } = 0.9;

    /// <summary>Whether SGD's momentum is Nesterov's. Default true.</summary>
    public bool Nesterov { get; init; } = true;

    /// <summary>How the learning rate changes. Default: not at all.</summary>
    public LearningRateSchedule Schedule { get; init; } = new LearningRateSchedule.Constant();

    /// <summary>Epochs over which the learning rate rises evenly from 0, at least 0; fractions count. Default 0.</summary>
    [Range(0, double.PositiveInfinity, MaximumIsExclusive = true)]
    public double WarmUpEpochs { get; init; }

    /// <summary>
    /// Layer-wise learning-rate decay: the part of the learning rate that the lowest trained layer gets, more than 0, up to 1; layers
    /// between it and the head get parts that grow evenly in their logarithm. Default 1: all the same.
    /// </summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true)]
    public double LayerwiseLearningRateDecay { get; init; } = 1;

    /// <summary>
    /// L2 penalty on kernels (not on biases and batch norm), at least 0: the optimizer adds this times the kernel to its gradient.
    /// (AdamW takes the learning rate times this off the kernel.) Default 0.1, which is strong, as a head on few images needs it; a whole
    /// network takes 1e-4 or less.
    /// </summary>
    [Range(0, double.PositiveInfinity, MaximumIsExclusive = true)]
    public double WeightDecay { get; init; } = 0.1;

    /// <summary>
    /// L2-SP, at least 0 (Li, Grandvalet and Davoine 2018, arXiv:1802.01483): half of this times the squared distance of the pretrained weights, norms and
    /// biases too, from what they were before is added to the loss, in the place of their weight decay. (All optimizers but SGD take the learning rate
    /// times this of the way back in each step.) Default 0.
    /// </summary>
    [Range(0, double.PositiveInfinity, MaximumIsExclusive = true)]
    public double L2Sp { get; init; }

    /// <summary>The share of the target that is spread evenly over all classes, from 0 up to 1. Default 0.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true)]
    public double LabelSmoothing { get; init; }

    /// <summary>What is done about classes of unequal size. Default nothing.</summary>
    public ClassWeighting ClassWeights { get; init; }

    /// <summary>Whether images of a batch are blended. Default not.</summary>
    public BatchMixing Mixing { get; init; }

    /// <summary>The share of the other image is drawn from Beta(α, α) with this α, more than 0. Default 0.2, for CutMix rather 1.</summary>
    [Range(0, double.PositiveInfinity, MinimumIsExclusive = true, MaximumIsExclusive = true)]
    public double MixingAlpha { get; init; } = 0.2;

    /// <summary>The largest norm that the gradient of all weights together may have; 0 for no limit. Default 0.</summary>
    [Range(0, double.PositiveInfinity, MaximumIsExclusive = true)]
    public double GradientClip { get; init; }

    /// <summary>
    /// Decay of the exponential moving average (EMA) of the weights in each step, from 0 up to 1, such as 0.999; the average is then
    /// what is validated and kept. Default 0: no average.
    /// </summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true)]
    public double EmaDecay { get; init; }

    /// <summary>Images per step, at least 2. Default 32.</summary>
    [Range(2, int.MaxValue)]
    public int BatchSize { get; init; } = 32;

    /// <summary>The most passes over the training images, at least 1. Default 100.</summary>
    [Range(1, int.MaxValue)]
    public int Epochs { get; init; } = 100;

    /// <summary>Epochs without a lower validation loss after which training stops; 0 never stops early. Default 10.</summary>
    [Range(0, int.MaxValue)]
    public int Patience { get; init; } = 10;

    /// <summary>Stops after this time, at the end of an epoch; null for no limit.</summary>
    public TimeSpan? TimeLimit { get; init; }

    /// <summary>Decides initial weights, order and dropout. Default 1.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>What is wrong with these options, a sentence each; empty if nothing is.</summary>
    public IReadOnlyList<string> Problems()
    {
        List<string> problems = [.. DeclaredRanges.ProblemsOf(this), .. Schedule.Problems()];
        if (WarmUpEpochs >= Epochs && WarmUpEpochs > 0)
            problems.Add($"Expected a warm-up shorter than the training of {Epochs} epochs, found {DeclaredRanges.Text(WarmUpEpochs)}.");
        return problems;
    }
}

/// <summary>What one pass over the training images gave.</summary>
/// <param name="Epoch">From 1.</param>
/// <param name="Loss">Mean cross-entropy on the training images as they were trained on, in nats.</param>
/// <param name="Accuracy">Share of training images classified correctly as they were trained on, from 0 to 1.</param>
/// <param name="ValidationLoss">Mean cross-entropy on the validation images, in nats.</param>
/// <param name="ValidationAccuracy">Share of validation images classified correctly, from 0 to 1.</param>
/// <param name="LearningRate">Of this epoch.</param>
/// <param name="Seconds">Since training began.</param>
public sealed record EpochResult(
    int Epoch, double Loss, double Accuracy, double ValidationLoss, double ValidationAccuracy, double LearningRate, double Seconds);

/// <summary>The course of a training; the network holds the weights of <paramref name="BestEpoch"/>.</summary>
public sealed record TrainingHistory(IReadOnlyList<EpochResult> Epochs, int BestEpoch);
