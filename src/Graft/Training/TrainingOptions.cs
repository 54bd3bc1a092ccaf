using System.Text.Json.Serialization;

namespace Graft.Training;

[JsonConverter(typeof(JsonStringEnumConverter<OptimizerKind>))]
public enum OptimizerKind
{
    /// <summary>Stochastic gradient descent with Nesterov momentum.</summary>
    Sgd,
    RmsProp,
    Adam,
}

/// <summary>How a network is trained. Immutable; the defaults suit a head on cached features.</summary>
public sealed record TrainingOptions
{
    /// <summary>Default Adam.</summary>
    public OptimizerKind Optimizer { get; init; } = OptimizerKind.Adam;

    /// <summary>More than 0. Default 0.001.</summary>
    public double LearningRate { get; init; } = 1e-3;

    /// <summary>Momentum of SGD, from 0 up to 1. Default 0.9.</summary>
    public double Momentum { get; init; } = 0.9;

    /// <summary>
    /// L2 penalty on kernels (not on biases and batch norm), at least 0: the optimiser adds this times the kernel to its gradient.
    /// Default 0.1, which is strong, as a head on few images needs it; a whole network takes 1e-4 or less.
    /// </summary>
    public double WeightDecay { get; init; } = 0.1;

    /// <summary>Images per step, at least 2. Default 32.</summary>
    public int BatchSize { get; init; } = 32;

    /// <summary>The most passes over the training images, at least 1. Default 100.</summary>
    public int Epochs { get; init; } = 100;

    /// <summary>Epochs without a lower validation loss after which training stops; 0 never stops early. Default 10.</summary>
    public int Patience { get; init; } = 10;

    /// <summary>Stops after this time, at the end of an epoch; null for no limit.</summary>
    public TimeSpan? TimeLimit { get; init; }

    /// <summary>Decides initial weights, order and dropout. Default 1.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>What is wrong with these options, a sentence each; empty if nothing is.</summary>
    public IReadOnlyList<string> Problems()
    {
        var problems = new List<string>();
        if (!(LearningRate > 0 && double.IsFinite(LearningRate))) problems.Add($"Expected a learning rate above 0, found {LearningRate}.");
        if (Momentum is not (>= 0 and < 1)) problems.Add($"Expected a momentum from 0 up to 1, found {Momentum}.");
        if (!(WeightDecay >= 0 && double.IsFinite(WeightDecay))) problems.Add($"Expected a weight decay of at least 0, found {WeightDecay}.");
        if (BatchSize < 2) problems.Add($"Expected a batch size of at least 2, found {BatchSize}.");
        if (Epochs < 1) problems.Add($"Expected at least 1 epoch, found {Epochs}.");
        if (Patience < 0) problems.Add($"Expected a patience of at least 0, found {Patience}.");
        return problems;
    }
}

/// <summary>What one pass over the training images gave.</summary>
/// <param name="Epoch">From 1.</param>
/// <param name="Loss">Mean cross-entropy on the training images as they were trained on, in nats.</param>
/// <param name="Accuracy">Share of training images classified rightly as they were trained on, from 0 to 1.</param>
/// <param name="ValidationLoss">Mean cross-entropy on the validation images, in nats.</param>
/// <param name="ValidationAccuracy">Share of validation images classified rightly, from 0 to 1.</param>
/// <param name="LearningRate">Of this epoch.</param>
/// <param name="Seconds">Since training began.</param>
public sealed record EpochResult(
    int Epoch, double Loss, double Accuracy, double ValidationLoss, double ValidationAccuracy, double LearningRate, double Seconds);

/// <summary>The course of a training; the network holds the weights of <paramref name="BestEpoch"/>.</summary>
public sealed record TrainingHistory(IReadOnlyList<EpochResult> Epochs, int BestEpoch);
