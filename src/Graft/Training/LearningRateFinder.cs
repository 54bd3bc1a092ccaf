namespace Graft.Training;

/// <summary>What a learning rate did to the loss, in one step of a sweep.</summary>
/// <param name="LearningRate">Of the step.</param>
/// <param name="Loss">Of its batch, before the step, in nats.</param>
/// <param name="SmoothedLoss">The exponential moving average of the losses so far, corrected for its start at 0.</param>
public sealed record LearningRateTrial(double LearningRate, double Loss, double SmoothedLoss);

/// <summary>
/// A short training in which the learning rate grows evenly in its logarithm, step by step, until the loss diverges (Smith 2017,
/// arXiv:1506.01186, the learning rate range test).
/// </summary>
/// <param name="Stage">What was trained.</param>
/// <param name="Trials">Ascending; from the lowest rate to the last before the loss diverged.</param>
public sealed record LearningRateSweep(TrainingStage Stage, IReadOnlyList<LearningRateTrial> Trials)
{
    /// <summary>
    /// The part of the trials that is burn-in: the average of a few losses is mostly the noise of their batches, and at rates this low nothing
    /// is learned anyway.
    /// </summary>
    private const double BurnIn = 0.1;

    /// <summary>The part of the trials, to either side, over which a slope is measured: between neighbors it is the noise of two batches.</summary>
    private const double HalfWindow = 0.06;

    /// <summary>The part of the whole fall that is no longer worth a higher rate.</summary>
    private const double Remainder = 0.01;

    /// <summary>The trial of the lowest smoothed loss.</summary>
    public LearningRateTrial Lowest => Trials.Skip(First).MinBy(trial => trial.SmoothedLoss)!;

    /// <summary>The trial around which the smoothed loss falls most for each factor of the rate, between burn-in and its lowest.</summary>
    public LearningRateTrial Steepest
    {
        get
        {
            var (half, end) = (Math.Max(1, (int)(HalfWindow * Trials.Count)), Trials.ToList().IndexOf(Lowest));
            var start = First + half;
            return end - half < start
                ? Lowest
                : Trials[Enumerable.Range(start, end - half - start + 1)
                    .MinBy(place => Trials[place + half].SmoothedLoss - Trials[place - half].SmoothedLoss)];
        }
    }

    /// <summary>
    /// A tenth of the rate at which the loss is as good as lowest, as is the custom; but no more than where the loss falls most steeply.
    /// </summary>
    public double Suggestion
    {
        get
        {
            // Around each trial, since the lowest of a hundred averages is the luckiest.
            var half = (int)(HalfWindow * Trials.Count);
            var losses = Enumerable.Range(0, Trials.Count)
                .Select(center => Trials.Skip(center - half).Take(Math.Min(center, half) + half + 1).Average(trial => trial.SmoothedLoss)).ToList();
            var lowest = losses.Skip(First).Min();
            var limit = lowest + Remainder * Math.Max(0, losses[First] - lowest);
            var place = Enumerable.Range(First, Trials.Count - First).First(trial => losses[trial] <= limit);
            return Math.Min(Trials[place].LearningRate / 10, Steepest.LearningRate);
        }
    }

    private int First => (int)(BurnIn * Trials.Count);
}

/// <summary>Finds a learning rate for the last stage of a fine-tuning.</summary>
public static class LearningRateFinder
{
    /// <summary>The rates of a sweep.</summary>
    private const double LowestRate = 1e-7, HighestRate = 1;

    private const int Steps = 100, BurnIn = 10;

    /// <summary>The part of itself that the average of losses keeps in each step.</summary>
    private const double Smoothing = 0.9;

    /// <summary>The loss has diverged when its average is this many times its lowest.</summary>
    private const double Diverged = 4;

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
            IsDone = Trials.Count + 1 >= Steps || smoothed > Diverged * _lowest;
            // After the first losses alone, an average is what their batches happen to be.
            if (Trials.Count >= BurnIn) _lowest = Math.Min(_lowest, smoothed);
            Trials.Add(new(result.LearningRate, result.Loss, smoothed));
            if (IsDone) ending.Cancel();
        }
    }
}
