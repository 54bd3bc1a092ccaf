using System.Diagnostics;
using Graft.Classifiers;
using Graft.Data;
using Graft.Evaluation;
using Graft.Imaging;
using Graft.Training;
using Graft.Unlabeled;

namespace Graft.Runs;

/// <summary>What a fit gives: a model, and what it says of the validation and test images.</summary>
internal sealed record Fitted
{
    public required LabeledImages Photos { get; init; }

    public required ImageClassifier Model { get; init; }

    public required EvaluationResult Validation { get; init; }

    public required EvaluationResult? Test { get; init; }

    /// <summary>What tells photos unlike the training photos; null where that is not known or not wanted.</summary>
    public required Novelty? Novelty { get; init; }

    /// <summary>What was made of unlabeled photos; null where there were none to learn from.</summary>
    public UnlabeledPhotos? Unlabeled { get; init; }

    /// <summary>Photos beyond those of the run that the model was fitted on, of another source or without labels, with SHA-256.</summary>
    public IReadOnlyList<(LabeledImage Image, byte[] Hash)> More { get; init; } = [];

    /// <summary>Rows of the validation images, then of the test images, for a map; empty where they are too long for one.</summary>
    public required IReadOnlyList<float[]> MapRows { get; init; }

    public required TrainingDataCheck DataCheck { get; init; }

    public IReadOnlyList<(TrainingStage Stage, TrainingHistory History)> Stages { get; init; } = [];

    public FittedClassifier? Classifier { get; init; }

    public EvaluationResult? ValidationWithoutViews { get; init; }

    public LinearProbe? LinearProbe { get; init; }

    public TeacherSummary? Teacher { get; init; }

    public required IReadOnlyDictionary<string, string> Weights { get; init; }

    public required double FeatureSeconds { get; init; }

    /// <summary>Null where it is all the time that is not features'.</summary>
    public double? TrainingSeconds { get; init; }

    public required int CacheHits { get; init; }

    public required int CacheMisses { get; init; }
}

/// <summary>One way from photos to a model: on features of frozen networks, or through the network.</summary>
internal interface IFit
{
    /// <summary>How photos are fed to the network that is trained; null where it is frozen and not trained.</summary>
    Preprocessing? Preprocessing { get; }

    /// <exception cref="GraftException">Nothing is left to train on, or training diverged.</exception>
    Fitted Fit(LabeledImages photos, TrainingPlan plan, TrainingWork work);

    /// <summary>Does the part of a rank above 0 in what <see cref="Fit"/> divides over ranks.</summary>
    void Assist(LabeledImages photos, TrainingPlan plan, TrainingWork work);

    /// <summary>Tries learning rates in the last stage.</summary>
    LearningRateSweep FindLearningRate(LabeledImages photos, TrainingPlan plan, TrainingWork work);
}

/// <summary>What a fit works with.</summary>
/// <param name="Callbacks">Of a stage that is about to be trained.</param>
internal sealed record TrainingWork(
    TrainingContext Context, string? Checkpoints, Func<TrainingStage, IReadOnlyList<ITrainingCallback>> Callbacks, CancellationToken Cancellation);

/// <summary>The road that every run takes: fit, calibrate, evaluate, save.</summary>
internal static class TrainingPipeline
{
    public static TrainingRun Run(IFit fit, LabeledImages photos, TrainingPlan plan, TrainingContext context, CancellationToken cancellation)
    {
        if (plan.Problems() is { Count: > 0 } problems) throw new GraftException(string.Join(" ", problems.Distinct()));
        var clock = Stopwatch.StartNew();
        var folder = context.Folder;
        using var events = folder is null || plan.Classifier is not null ? null : new TensorBoardLog(Path.Combine(folder.FullName, "events"));
        var stages = plan.Options is { HeadStage: not null, UnfrozenStage: not null } ? 2 : 1;
        TrainingWork work = new(context, plan.Classifier is null ? folder?.PrepareCheckpoints() : null, stage =>
        {
            List<ITrainingCallback> all = [.. context.Callbacks];
            if (context.Progress is { } progress)
                all.Add(new TrainingProgressReport(progress, stage, stages, byEpoch: plan.Options.Strategy == Strategy.Features));
            if (events is not null)
            {
                if (stage.Number == 1) events.Graph(stage.Plan.Network);
                all.Add(new TensorBoardCallback(events, stage.Name));
                if (fit.Preprocessing is { } preprocessing) events.Samples(stage, photos, preprocessing);
            }
            return all;
        }, cancellation);

        var fitted = fit.Fit(photos, plan, work);
        try
        {
            var temperature = ScaledCalibration.FitTemperature(fitted.Validation);
            var (validation, test) = (fitted.Validation.Calibrated(temperature), fitted.Test?.Calibrated(temperature));
            var map = fitted.MapRows.Count == 0 ? null : FeatureMap.Of(fitted.MapRows);
            TrainingRun run = new()
            {
                Photos = fitted.Photos,
                Model = fitted.Model.With(temperature, fitted.Novelty, plan.Refuse == 0 ? Novelty.DefaultRefuse : plan.Refuse),
                Plan = plan,
                Stages = fitted.Stages,
                Classifier = fitted.Classifier,
                Validation = validation,
                Test = test,
                Predictions = PredictionTable.Of(fitted.Photos, validation, test, map),
                Map = map,
                Weights = fitted.Weights,
                Unlabeled = fitted.Unlabeled,
                More = fitted.More,
                DataCheck = fitted.DataCheck,
                ValidationWithoutViews = fitted.ValidationWithoutViews,
                LinearProbe = fitted.LinearProbe,
                Teacher = fitted.Teacher,
                Seconds = new(
                    fitted.FeatureSeconds, fitted.TrainingSeconds ?? clock.Elapsed.TotalSeconds - fitted.FeatureSeconds, clock.Elapsed.TotalSeconds),
                CacheHits = fitted.CacheHits,
                CacheMisses = fitted.CacheMisses,
            };
            if (RunText.Doubt(run.Model.Novelty, run.Model.Refuse) is { } doubt) context.Warn?.Invoke(doubt);
            try
            {
                folder?.Save(run, context.Page, context.Warn);
                return run;
            }
            catch
            {
                run.Dispose();
                throw;
            }
        }
        finally
        {
            fitted.Model.Dispose();
        }
    }
}
