namespace Graft.Training;

/// <summary>What a learning rate did to the loss, in one step of a sweep.</summary>
/// <param name="LearningRate">Of the step.</param>
/// <param name="Loss">Of its batch, before the step, in nats.</param>
/// <param name="SmoothedLoss">The moving average of the losses so far.</param>
public sealed record LearningRateTrial(double LearningRate, double Loss, double SmoothedLoss);

/// <summary>
/// A short training in which the learning rate grows evenly in its logarithm, step by step, until the loss comes apart (Smith 2017,
/// arXiv:1506.01186, the learning rate range test).
/// </summary>
/// <param name="Stage">What was trained.</param>
/// <param name="Trials">Ascending; from the lowest rate to the last before the loss came apart.</param>
public sealed record LearningRateSweep(TrainingStage Stage, IReadOnlyList<LearningRateTrial> Trials)
{
    /// <summary>The trial of the lowest smoothed loss.</summary>
    public LearningRateTrial Lowest => Trials.MinBy(trial => trial.SmoothedLoss)!;

    /// <summary>The trial where the smoothed loss falls most for each factor of the rate, before its lowest.</summary>
    public LearningRateTrial Steepest
    {
        get
        {
            var end = Trials.ToList().IndexOf(Lowest);
            return end < 2 ? Lowest : Enumerable.Range(1, end - 1).MinBy(i => Trials[i + 1].SmoothedLoss - Trials[i - 1].SmoothedLoss) is var place
                ? Trials[place]
                : Lowest;
        }
    }

    /// <summary>A tenth of the rate of the lowest loss, as is the custom; but no more than where the loss falls most steeply.</summary>
    public double Suggestion => Math.Min(Lowest.LearningRate / 10, Steepest.LearningRate);
}

/// <summary>Finds a learning rate for the last stage of a fine-tuning.</summary>
public static class LearningRateFinder
{
    /// <summary>The rates of a sweep.</summary>
    private const double LowestRate = 1e-7, HighestRate = 1;

    private const int Steps = 100;

    /// <summary>The part of itself that the average of losses keeps in each step.</summary>
    private const double Smoothing = 0.9;

    /// <summary>The loss has come apart when its average is this many times its lowest.</summary>
    private const double Apart = 4;

    /// <param name="model">Stays the caller's, and as it is.</param>
    /// <param name="options">Whose last stage is swept; stages before it are trained as they say.</param>
    /// <param name="context">As for <see cref="FineTuning.Train"/>; without checkpoints.</param>
    /// <exception cref="GraftException">Unsuitable options, or nothing to train on.</exception>
    public static LearningRateSweep Sweep(
        GraftedNetwork model, Data.LabeledImages photos, FineTuningOptions options, FineTuningContext? context = null,
        CancellationToken cancellation = default)
    {
        context ??= new();
        var last = options.UnfrozenStage ?? options.HeadStage ?? throw new GraftException("Expected a stage to train, found none.");
        var stepsPerEpoch = Math.Max(1, photos.Train.Count / last.Training.BatchSize);
        var epochs = (Steps + stepsPerEpoch - 1) / stepsPerEpoch;
        last = last with
        {
            Training = last.Training with
            {
                LearningRate = HighestRate,
                Schedule = new LearningRateSchedule.Exponential(LowestRate / HighestRate, (double)Steps / (epochs * stepsPerEpoch)),
                WarmUpEpochs = 0,
                Epochs = epochs,
                Patience = 0,
                EmaDecay = 0,
            },
        };
        options = options.UnfrozenStage is null ? options with { HeadStage = last } : options with { UnfrozenStage = last };
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        Recorder? recorder = null;
        try
        {
            FineTuning.Train(model, photos, options, context with
            {
                Checkpoints = null,
                OnStage = stage => stage.Options == last
                    ? [.. context.OnStage?.Invoke(stage) ?? [], recorder = new(stage, ending)]
                    : context.OnStage?.Invoke(stage) ?? [],
            }, ending.Token);
        }
        catch (OperationCanceledException) when (recorder is { IsDone: true } && !cancellation.IsCancellationRequested)
        {
            // The sweep came to its end.
        }
        catch (TrainingDivergedException) when (recorder is { Trials.Count: > 0 })
        {
            // That is what the end of a sweep looks like.
        }
        return new(recorder!.Stage, recorder.Trials);
    }

    private sealed class Recorder(TrainingStage stage, CancellationTokenSource ending) : ITrainingCallback
    {
        private double _average, _lowest = double.PositiveInfinity;

        public TrainingStage Stage => stage;

        public List<LearningRateTrial> Trials { get; } = [];

        public bool IsDone { get; private set; }

        public void OnStep(TrainingProgress training, StepResult result)
        {
            if (IsDone) return;
            _average = Smoothing * _average + (1 - Smoothing) * result.Loss;
            var smoothed = _average / (1 - Math.Pow(Smoothing, Trials.Count + 1));
            IsDone = Trials.Count + 1 >= Steps || smoothed > Apart * _lowest;
            _lowest = Math.Min(_lowest, smoothed);
            Trials.Add(new(result.LearningRate, result.Loss, smoothed));
            if (IsDone) ending.Cancel();
        }
    }
}
