using Graft.Backbones;
using Graft.Classifiers;
using Graft.Data;
using Graft.Evaluation;
using Graft.Features;
using Graft.Networks;
using Graft.Ranks;
using Graft.Training;
using Graft.Unlabeled;

namespace Graft.Runs;

/// <summary>What a run works with beside its request: where it keeps things, and whom it tells.</summary>
public sealed record TrainingContext
{
    /// <summary>Where features of frozen layers are looked up and kept; null to compute them.</summary>
    public FeatureCache? Cache { get; init; }

    /// <summary>Where checkpoints, history and results are written, and resumed from; null to write nothing.</summary>
    public RunFolder? Folder { get; init; }

    /// <summary>
    /// The processes that carry the request out together: rank 0 by <see cref="TrainingRun.Execute(TrainingSetup, TrainingContext, CancellationToken)"/>, the others by
    /// <see cref="TrainingRun.Assist"/>. Null for this one alone.
    /// </summary>
    public ICollective? Ranks { get; init; }

    public IProgress<StepProgress>? Progress { get; init; }

    /// <summary>Told, in a sentence, what goes wrong without stopping the work.</summary>
    public Action<string>? Warn { get; init; }

    /// <summary>Told of every step and epoch.</summary>
    public IReadOnlyList<ITrainingCallback> Callbacks { get; init; } = [];

    /// <summary>What training in epochs makes small; null for cross-entropy.</summary>
    public IObjective? Objective { get; init; }

    /// <summary>Whether a page, <c>report.html</c>, is written into the folder. Default true.</summary>
    public bool Page { get; init; } = true;
}

/// <summary>How long the steps of a run took, in seconds; of a resumed run, training is that of all its processes.</summary>
public sealed record RunSeconds(double Features, double Training, double Total);

/// <summary>The classifier on frozen features that a network's head began as, <see cref="HeadStart.Optimum"/>.</summary>
/// <param name="Summary">How it was fitted.</param>
/// <param name="Validation">What it says of the validation images.</param>
public sealed record LinearProbe(string Summary, EvaluationResult Validation);

/// <summary>Whose answers a network has learned beside the labels.</summary>
/// <param name="Backbone">The network inside the teacher.</param>
/// <param name="Fingerprint">What tells it from any other model.</param>
/// <param name="Unlabeled">Photos without labels that were learned from.</param>
public sealed record TeacherSummary(string Backbone, string Fingerprint, int Unlabeled);

/// <summary>
/// A training run and its results: features or stages, fit, calibration on validation and, once, at the end, test. With a folder it can be
/// interrupted at any time and resumed.
/// </summary>
public sealed class TrainingRun : IDisposable
{
    internal TrainingRun()
    {
    }

    /// <summary>The images as they were used: without those that could not be read.</summary>
    public required LabeledImages Photos { get; init; }

    public required ImageClassifier Model { get; init; }

    public required TrainingPlan Plan { get; init; }

    /// <summary>What each stage froze and how it went; empty for a classic classifier, which is fitted in one go.</summary>
    public required IReadOnlyList<(TrainingStage Stage, TrainingHistory History)> Stages { get; init; }

    /// <summary>The epochs of the last stage; null for a classic classifier.</summary>
    public TrainingHistory? History => Stages is [.., var last] ? last.History : null;

    /// <summary>The classic classifier, or null where a head was trained.</summary>
    public FittedClassifier? Classifier { get; init; }

    /// <summary>What was made of unlabeled photos; null where there were none to learn from.</summary>
    public UnlabeledPhotos? Unlabeled { get; init; }

    /// <summary>Photos beyond <see cref="Photos"/> that the model was fitted on, with SHA-256.</summary>
    internal IReadOnlyList<(LabeledImage Image, byte[] Hash)> More { get; init; } = [];

    public required EvaluationResult Validation { get; init; }

    /// <summary>Null without test images.</summary>
    public required EvaluationResult? Test { get; init; }

    /// <summary>Of the validation and test images.</summary>
    public required PredictionTable Predictions { get; init; }

    /// <summary>What the classifier sees of the validation and test images, on a plane; null where a number is not finite.</summary>
    public required FeatureMap? Map { get; init; }

    /// <summary>For each backbone what tells its pretrained weights from any others, <see cref="Backbone.Fingerprint"/>; empty from scratch.</summary>
    public required IReadOnlyDictionary<string, string> Weights { get; init; }

    /// <summary>What is wrong with the data, as far as it is quickly known.</summary>
    public required TrainingDataCheck DataCheck { get; init; }

    /// <summary>What the same training on features gives without augmented views; null where there are none.</summary>
    public EvaluationResult? ValidationWithoutViews { get; init; }

    /// <summary>What the head began as; null where it was trained in epochs.</summary>
    public LinearProbe? LinearProbe { get; init; }

    /// <summary>Null where there was none.</summary>
    public TeacherSummary? Teacher { get; init; }

    public required RunSeconds Seconds { get; init; }

    public required int CacheHits { get; init; }

    public required int CacheMisses { get; init; }

    public int Seed => Plan.Seed;

    /// <summary>
    /// Carries out a request on a thread of its own, with the feature cache, and fetches published weights that are not here yet. With
    /// <paramref name="folder"/>, results are written there, and the run can be resumed.
    /// </summary>
    /// <param name="folder">A folder that does not exist or is empty; null to write nothing.</param>
    /// <exception cref="GraftException">The request cannot be meant, or something it needs is not there or broken.</exception>
    public static async Task<TrainingRun> ExecuteAsync(
        TrainingRequest request, string? folder = null, IProgress<StepProgress>? progress = null, CancellationToken cancellation = default)
    {
        using var run = folder is null ? null : RunFolder.Create(folder, "run");
        return await OwnThread.RunAsync(() =>
        {
            using var setup = TrainingSetup.Open(request, definition => PublishedWeights.Fetch(definition, progress, warn: null, cancellation));
            using var cache = OpenCache(request);
            return Execute(setup, new() { Cache = cache, Folder = run, Progress = progress }, cancellation);
        });
    }

    /// <summary>Resumes an interrupted run, started by the command or from C#, to the result it would have had.</summary>
    /// <param name="folder">Its folder, which holds <c>run.json</c>.</param>
    /// <exception cref="GraftException">It is not such a folder, the run is complete, or the photos changed.</exception>
    public static async Task<TrainingRun> ResumeAsync(string folder, IProgress<StepProgress>? progress = null, CancellationToken cancellation = default)
    {
        using var run = RunFolder.Resume(folder);
        var request = run.Description.Request ?? throw new GraftException($"The run in {folder} was started by an older Graft. Start a new run.");
        return await OwnThread.RunAsync(() =>
        {
            using var setup = TrainingSetup.Open(request, definition => PublishedWeights.Fetch(definition, progress, warn: null, cancellation));
            using var cache = OpenCache(request);
            return Execute(setup, new() { Cache = cache, Folder = run.Folder, Progress = progress }, cancellation);
        });
    }

    /// <summary>Carries out a setup on the thread that calls. See <see cref="ExecuteAsync"/>.</summary>
    /// <param name="context">Null for no cache, folder or reports.</param>
    /// <exception cref="GraftException">Nothing is left to train on, or training diverged.</exception>
    /// <exception cref="OperationCanceledException">Checkpoints and cached features are kept.</exception>
    public static TrainingRun Execute(TrainingSetup setup, TrainingContext? context = null, CancellationToken cancellation = default)
    {
        context ??= new();
        Agree(setup, context.Ranks, rankOfCaller: 0);
        if (setup.Request is { } request) context.Folder?.Begin(request);
        return setup.Features is { } features
            ? TrainingPipeline.Run(new FeatureFit(features, setup.Transfer, setup.Stored), setup.Photos, setup.Plan, context, cancellation)
            : TrainingPipeline.Run(new NetworkFit(setup.Model!, setup.Teacher, setup.Transfer), setup.Photos, setup.Plan, context, cancellation);
    }

    /// <summary>
    /// The part of a rank above 0 in a run that several processes carry out: it computes features, and gradients, and writes nothing. Rank 0 evaluates and
    /// saves.
    /// </summary>
    /// <param name="context">With <see cref="TrainingContext.Ranks"/>; without folder.</param>
    /// <exception cref="GraftException">Nothing is left to train on, training diverged, or the ranks do not work on the same.</exception>
    public static void Assist(TrainingSetup setup, TrainingContext context, CancellationToken cancellation = default)
    {
        Agree(setup, context.Ranks ?? throw new ArgumentException("There are no ranks to assist.", nameof(context)), rankOfCaller: null);
        IFit fit = setup.Features is { } features ? new FeatureFit(features, setup.Transfer, setup.Stored) : new NetworkFit(setup.Model!);
        fit.Assist(setup.Photos, setup.Plan, new(context with { Folder = null }, Checkpoints: null, _ => context.Callbacks, cancellation));
    }

    /// <summary>Compares what the ranks are about to work on.</summary>
    private static void Agree(TrainingSetup setup, ICollective? ranks, int? rankOfCaller)
    {
        if (ranks is not { Size: > 1 }) return;
        if (rankOfCaller == 0 != (ranks.Rank == 0)) throw new InvalidOperationException($"{ranks.Name}: rank 0 executes a run, and the others assist.");
        if (setup.Teacher is not null || (setup.Model is not null && setup.Transfer is not null) || setup.Plan.HeadStart == HeadStart.Optimum || setup.Plan.Transfer is { AdaptsNetwork: true })
        {
            throw new GraftException("Several processes train no network with a teacher or another source of photos, adapt none, and fit no head to its optimum first.")
            {
                Code = "one-process",
                Remedy = "Start it as one process.",
            };
        }
        RankAgreement.Check(
            ranks, setup.Photos, setup.Features is { } features ? string.Join('+', features.Blocks.Select(block => block.Fingerprint)) : setup.Model!.Backbone.Fingerprint,
            setup.Request is { } request ? RequestJson.ToObject(request).ToJsonString() : "");
    }

    /// <summary>Trains on the features of one frozen network: on one that has no name, say.</summary>
    /// <param name="photos">The data; images that turn out to be broken are left out and listed.</param>
    /// <param name="features">The frozen part, see <see cref="Backbone.Features"/>. Must outlive the run; stays the caller's.</param>
    /// <param name="plan">Null for a softmax head with its defaults.</param>
    /// <exception cref="GraftException">Nothing is left to train on, or an unsuitable plan.</exception>
    public static TrainingRun Execute(
        LabeledImages photos, Backbone features, TrainingPlan? plan = null, TrainingContext? context = null, CancellationToken cancellation = default) =>
        Execute(photos, new FeatureBlocks(features), plan, context, cancellation);

    /// <summary>
    /// Trains on the features of one frozen network or of several; those of several are scaled, see <see cref="BlockScaling"/>, which takes the place
    /// of the classifier's own standardization.
    /// </summary>
    public static TrainingRun Execute(
        LabeledImages photos, FeatureBlocks features, TrainingPlan? plan = null, TrainingContext? context = null, CancellationToken cancellation = default) =>
        TrainingPipeline.Run(new FeatureFit(features), photos, plan ?? new(), context ?? new(), cancellation);

    /// <summary>Trains a network: its head, or layers of it too.</summary>
    /// <param name="model">A pretrained network with a new head. Must outlive the run; stays the caller's.</param>
    /// <param name="plan">Null for <see cref="Strategy.FineTune"/> with its defaults.</param>
    /// <exception cref="GraftException">Nothing is left to train on, an unsuitable plan, or training diverged.</exception>
    public static TrainingRun Execute(
        LabeledImages photos, GraftedNetwork model, TrainingPlan? plan = null, TrainingContext? context = null, CancellationToken cancellation = default) =>
        TrainingPipeline.Run(
            new NetworkFit(model), photos, plan ?? new() { Options = FineTuningOptions.For(Strategy.FineTune) }, context ?? new(), cancellation);

    /// <summary>Tries learning rates in the last stage; nothing is trained.</summary>
    /// <exception cref="GraftException">A classic classifier, which has none; or nothing to train on.</exception>
    public static LearningRateSweep FindLearningRate(TrainingSetup setup, TrainingContext? context = null, CancellationToken cancellation = default)
    {
        if (setup.Plan.Classifier is { } classic) throw new GraftException($"A {classic.Title} has no learning rate.");
        IFit fit = setup.Features is { } features ? new FeatureFit(features, stored: setup.Stored) : new NetworkFit(setup.Model!, setup.Teacher, setup.Transfer);
        return fit.FindLearningRate(setup.Photos, setup.Plan, new((context ?? new()) with { Ranks = null }, Checkpoints: null, _ => [], cancellation));
    }

    /// <summary>Starts to load on another thread what every run needs and takes some tenths of a second to load.</summary>
    public static void LoadAhead() => LibtorchTuning.LoadAhead();

    public void Dispose() => Model.Dispose();

    private static FeatureCache? OpenCache(TrainingRequest request) => request.Cache == false
        ? null
        : FeatureCache.Open(options: FeatureCacheOptions.FromEnvironment() with
        {
            Precision = request.CachePrecision == "float16" ? FeaturePrecision.Float16 : FeaturePrecision.Float32,
        });
}
