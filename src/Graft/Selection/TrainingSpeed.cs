using System.Diagnostics;
using Graft.Data;
using Graft.Networks;
using Graft.Runs;
using Graft.Training;

namespace Graft.Selection;

/// <summary>How fast a strategy trains a network on this machine, from a few steps of the training itself.</summary>
/// <param name="ImagesPerSecond">Trained on, the first step left out.</param>
/// <param name="Epochs">Of the strategy's last stage by default.</param>
public sealed record TrainingSpeed(Strategy Strategy, double ImagesPerSecond, int Epochs)
{
    /// <summary>Validating needs no backward pass, which takes twice the time of a forward pass.</summary>
    private const double ValidationSpeedup = 3;

    private const int TimedPhotos = 64;

    /// <summary>Seconds for so many epochs of the last stage.</summary>
    public double SecondsFor(int epochs, int trainingImages, int validationImages) =>
        epochs * (trainingImages + validationImages / ValidationSpeedup) / ImagesPerSecond;

    /// <summary>Trains for some seconds and throws the result away.</summary>
    /// <param name="photos">Some of them are trained on.</param>
    /// <param name="strategy"><see cref="Strategy.FineTune"/>, <see cref="Strategy.Partial"/> or <see cref="Strategy.Full"/>: its last stage is timed.</param>
    /// <exception cref="GraftException">The network cannot be trained, or takes more memory than there is.</exception>
    public static TrainingSpeed Measure(
        BackboneRequest backbone, LabeledImages photos, Strategy strategy, TimeSpan time, TrialContext context, int seed = 1, CancellationToken cancellation = default)
    {
        using var whole = backbone.Load(context.Fetch, isTrained: true);
        var model = (whole.Head is null ? whole : whole.CutBefore(whole.Head)).Graft(Head.Softmax, photos.Classes, seed);
        var usual = FineTuningOptions.For(strategy);
        var stage = usual.UnfrozenStage!;
        var options = usual with { HeadStage = null, UnfrozenStage = stage with { Training = stage.Training with { Epochs = 1000, WarmUpEpochs = 0 } } };
        if (strategy == Strategy.FineTune) options = options with { Strategy = Strategy.Full };
        var random = new SplitMix64((ulong)seed);
        var order = Enumerable.Range(0, photos.Train.Count).ToArray();
        random.Shuffle(order);
        // Of every class one, so that none is missing, and then any but one, to validate on.
        LabeledImage[] some = [.. photos.Train.DistinctBy(image => image.Class).Concat(order.Select(index => photos.Train[index])).DistinctBy(image => image.Path)
            .Take(Math.Min(Math.Max(TimedPhotos, photos.Classes.Count + 2), photos.Train.Count - 1))];
        (ImageSource, string)[] named = [.. some.Select(image => ((ImageSource)image, photos.Classes[image.Class]))];
        var subset = LabeledImages.Of(named, photos.Validation.Concat(photos.Test).Concat(photos.Train.Reverse()).ExceptBy(some.Select(image => image.Path), image => image.Path).Take(1)
            .Select(image => ((ImageSource)image, photos.Classes[image.Class])), options: new() { ValidationShare = 0, Classes = photos.Classes });
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var timer = new StepTimer(time, limit);
        try
        {
            FineTuning.Train(model, subset, options, new() { Cache = context.Cache, OnStage = _ => [timer] }, limit.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            // Timed long enough.
        }
        return new(strategy, timer.ImagesPerSecond, usual.UnfrozenStage!.Training.Epochs);
    }

    private sealed class StepTimer(TimeSpan time, CancellationTokenSource stop) : ITrainingCallback
    {
        private readonly Stopwatch _clock = new();
        private TimeSpan _last;
        private double _seconds;
        private int _steps, _images;

        public double ImagesPerSecond => _images / Math.Max(1e-6, _seconds);

        public void OnStep(TrainingProgress training, StepResult result)
        {
            // The first step sets things up.
            if (_steps++ == 0) _clock.Start();
            else
            {
                _seconds += (_clock.Elapsed - _last).TotalSeconds;
                _images += result.Images;
            }
            _last = _clock.Elapsed;
            if (_clock.Elapsed > time && _steps > 2) stop.Cancel();
        }

        // Validation is counted apart.
        public void OnEpoch(TrainingProgress training, EpochResult epoch) => _last = _clock.Elapsed;
    }
}
