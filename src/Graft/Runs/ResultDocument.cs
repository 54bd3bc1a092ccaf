using Graft.Data;
using Graft.Data.Remote;
using Graft.Evaluation;

namespace Graft.Runs;

/// <summary>
/// A run's results for a program, as its <c>result.json</c> has them; <c>docs/result.schema.json</c> describes it. Version 1 had no
/// <c>version</c>; up to version 2 the temperature was in no probability.
/// </summary>
public sealed record ResultDocument
{
    public const int CurrentVersion = 3;

    public int Version { get; init; } = 1;

    /// <summary>The pretrained network, by its name in the catalog; several as <c>a+b</c>.</summary>
    public string Backbone { get; init; } = "";

    /// <summary><c>features</c>, or how the network was trained: <c>finetune</c> and others.</summary>
    public string Strategy { get; init; } = "";

    /// <summary><c>softmax</c>, or a classic classifier's name.</summary>
    public string Classifier { get; init; } = "";

    /// <summary>What a classic classifier's fit chose or found: <c>c</c>, <c>support_vectors</c>.</summary>
    public IReadOnlyDictionary<string, object?>? Fit { get; init; }

    public IReadOnlyList<string> Classes { get; init; } = [];

    public int Seed { get; init; }

    public ImageCounts Images { get; init; } = new(0, 0, 0, 0);

    /// <summary>The full path of the photos' folder or table.</summary>
    public string Data { get; init; } = "";

    public ClassCounts? ClassImages { get; init; }

    /// <summary>For each pretrained network, SHA-256 over its layers and weights; null from scratch.</summary>
    public IReadOnlyDictionary<string, string>? Weights { get; init; }

    /// <summary>Numbers per image that the classifier works on; null where the network itself was trained.</summary>
    public int? Features { get; init; }

    public TrainingDataCheck? DataCheck { get; init; }

    public MapSummary? Map { get; init; }

    /// <summary>What unlabeled photos brought; null where there were none.</summary>
    public UnlabeledSummary? Unlabeled { get; init; }

    /// <summary>How photos of none of the classes are told; null where they are not.</summary>
    public NoveltySummary? Novelty { get; init; }

    public Scores? Validation { get; init; }

    /// <summary>Null without test images.</summary>
    public Scores? Test { get; init; }

    /// <summary>What the same gives without augmented views of cached features; null where there are none.</summary>
    public Scores? ValidationWithoutViews { get; init; }

    /// <summary>Whose answers were learned beside the labels; null where there was none.</summary>
    public TeacherSummary? Teacher { get; init; }

    /// <summary>Of the classifier on frozen features that the head began as; null where it was trained in epochs.</summary>
    public Scores? LinearProbe { get; init; }

    /// <summary>Of the last stage; null for a classic classifier.</summary>
    public EpochCounts? Epochs { get; init; }

    /// <summary>Empty for a classic classifier.</summary>
    public IReadOnlyList<StageSummary>? Stages { get; init; }

    public SecondsTaken Seconds { get; init; } = new(null, 0, 0);

    public CacheUse? Cache { get; init; }

    /// <summary>The model's file in the run folder.</summary>
    public string? Model { get; init; }

    /// <summary>Of a run that has just ended.</summary>
    public static ResultDocument Of(TrainingRun run) => new()
    {
        Version = CurrentVersion,
        Backbone = run.Model.BackboneName,
        Strategy = LowerCase.Policy.ConvertName(run.Plan.Options.Strategy.ToString()),
        Classifier = run.Classifier?.Name ?? TrainingRequest.Softmax,
        Fit = run.Classifier?.Facts,
        Classes = run.Photos.Classes,
        Seed = run.Seed,
        Images = new(run.Photos.Train.Count, run.Photos.Validation.Count, run.Photos.Test.Count, run.Photos.Skipped.Count),
        Data = RemotePlace.Full(run.Photos.Source),
        ClassImages = new(Counts(run.Photos, run.Photos.Train), Counts(run.Photos, run.Photos.Validation), Counts(run.Photos, run.Photos.Test)),
        Weights = run.Weights.Count == 0 ? null : run.Weights,
        Features = run.Plan.Options.Strategy == Training.Strategy.Features ? run.Model.Network.ShapeOf(run.Model.FeatureLayer!).ElementCount : null,
        DataCheck = run.DataCheck,
        Map = run.Map is { } map ? new("features", map.VarianceShares) : null,
        Unlabeled = run.Unlabeled is { } unlabeled ? new(unlabeled.Images.Count, unlabeled.Used, unlabeled.Rounds, unlabeled.Trial.Accuracies, unlabeled.Trial.Losses, unlabeled.Method.Name) : null,
        Novelty = run.Model.Novelty is { } novelty
            ? new(LowerCase.Policy.ConvertName(novelty.Measure.ToString()), run.Model.Refuse, novelty.Cut(run.Model.Refuse), novelty.RocAuc.ToDictionary(area => LowerCase.Policy.ConvertName(area.Key.ToString()), area => area.Value), novelty.Others, novelty.RefusedOthers(run.Model.Refuse))
            : null,
        Validation = Scores.Of(run.Validation),
        Test = run.Test is { } test ? Scores.Of(test) : null,
        ValidationWithoutViews = run.ValidationWithoutViews is { } without ? Scores.Of(without) : null,
        LinearProbe = run.LinearProbe is { } probe ? Scores.Of(probe.Validation) : null,
        Teacher = run.Teacher,
        Epochs = run.History is { } history ? new(history.Epochs.Count, history.BestEpoch) : null,
        Stages =
        [
            .. run.Stages.Select(entry => new StageSummary(
                entry.Stage.Name, entry.Stage.Plan.FrozenParameters, entry.Stage.Plan.TrainableParameters,
                new(entry.History.Epochs.Count, entry.History.BestEpoch), Math.Round(entry.History.Epochs[^1].Seconds, 2))),
        ],
        Seconds = new(Math.Round(run.Seconds.Features, 2), Math.Round(run.Seconds.Training, 2), Math.Round(run.Seconds.Total, 2)),
        Cache = new(run.CacheHits, run.CacheMisses),
        Model = RunFolder.ModelFile,
    };

    /// <summary>The folder of a data set that is a folder or a table, whether it is still there or not.</summary>
    internal static string FolderOf(string data) => data.Length == 0 || RemotePlace.Is(data) || Directory.Exists(data) || Path.GetExtension(data).Length == 0
        ? data
        : Path.GetDirectoryName(data) ?? data;

    private static int[] Counts(LabeledImages photos, IReadOnlyList<LabeledImage> images)
    {
        var counts = new int[photos.Classes.Count];
        foreach (var image in images) counts[image.Class]++;
        return counts;
    }

    public sealed record ImageCounts(int Train, int Validation, int Test, int Skipped);

    /// <summary>Images of each class.</summary>
    public sealed record ClassCounts(IReadOnlyList<int> Train, IReadOnlyList<int> Validation, IReadOnlyList<int> Test);

    /// <param name="Of">What lies on the map: <c>features</c>.</param>
    /// <param name="Variance">The shares of the variance along its axes.</param>
    public sealed record MapSummary(string Of, IReadOnlyList<double> Variance);

    /// <param name="Photos">That could be read.</param>
    /// <param name="Used">With a pseudo-label that the classifier has learned from.</param>
    /// <param name="Accuracies">Of labeled photos in cross-validation after 0, 1, … rounds.</param>
    /// <param name="Losses">The same as cross-entropy, in nats.</param>
    /// <param name="Method">What named them: <c>self-training</c> or <c>label-spreading</c>.</param>
    public sealed record UnlabeledSummary(int Photos, int Used, int Rounds, IReadOnlyList<double> Accuracies, IReadOnlyList<double> Losses, string Method = "self-training");

    /// <param name="Measure"><c>neighbors</c> or <c>mahalanobis</c>.</param>
    /// <param name="Refuse">The share of photos like the training photos that may be called unlike.</param>
    /// <param name="Cut">The distance from which on they are; null where there are too few validation photos to say.</param>
    /// <param name="RocAuc">Of each measure, with classes left out in turn, or with the photos of none of the classes.</param>
    /// <param name="Others">Photos of none of the classes; 0 without.</param>
    /// <param name="RefusedOthers">The share of them that is called unlike; null without them, or without a cut.</param>
    public sealed record NoveltySummary(string Measure, double Refuse, double? Cut, IReadOnlyDictionary<string, double> RocAuc, int Others = 0, double? RefusedOthers = null);

    public sealed record EpochCounts(int Trained, int Best);

    /// <param name="Frozen">Parameters.</param>
    /// <param name="Trainable">Parameters.</param>
    public sealed record StageSummary(string Name, long Frozen, long Trainable, EpochCounts? Epochs, double? Seconds = null);

    public sealed record SecondsTaken(double? Features, double Training, double Total);

    /// <summary>Images whose features came from the cache, and that were computed.</summary>
    public sealed record CacheUse(int Hits, int Misses);
}

/// <summary>A result's figures, as <c>result.json</c> and <c>graft evaluate --json</c> have them.</summary>
public sealed record Scores
{
    public double Accuracy { get; init; }

    public double MacroF1 { get; init; }

    /// <summary>Mean cross-entropy, in nats.</summary>
    public double Loss { get; init; }

    /// <summary>95 %: low, high.</summary>
    public IReadOnlyList<double>? AccuracyInterval { get; init; }

    /// <summary>95 %: low, high.</summary>
    public IReadOnlyList<double>? MacroF1Interval { get; init; }

    /// <summary>Null where images of one class alone were measured.</summary>
    public double? RocAuc { get; init; }

    public double? BrierScore { get; init; }

    public double? ExpectedCalibrationError { get; init; }

    /// <summary>Fitted on the validation images and applied to all probabilities; null where none was fitted.</summary>
    public double? Temperature { get; init; }

    /// <summary>The expected calibration error without the temperature.</summary>
    public double? UncalibratedError { get; init; }

    public static Scores Of(EvaluationResult result) => new()
    {
        Accuracy = result.Accuracy,
        MacroF1 = result.MacroF1,
        Loss = result.Loss,
        AccuracyInterval = [result.AccuracyInterval.Low, result.AccuracyInterval.High],
        MacroF1Interval = [result.MacroF1Interval.Low, result.MacroF1Interval.High],
        RocAuc = double.IsNaN(result.RocAuc) ? null : result.RocAuc,
        BrierScore = result.Calibration.BrierScore,
        ExpectedCalibrationError = result.Calibration.ExpectedCalibrationError,
        Temperature = result.Uncalibrated?.Temperature,
        UncalibratedError = result.Uncalibrated?.Calibration.ExpectedCalibrationError,
    };
}
