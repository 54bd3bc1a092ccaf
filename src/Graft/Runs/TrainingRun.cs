using System.Diagnostics;
using Graft.Backbones;
using Graft.Classifiers;
using Graft.Data;
using Graft.Evaluation;
using Graft.Features;
using Graft.Networks;
using Graft.Training;

namespace Graft.Runs;

/// <summary>What a training run is to do beyond the data and the backbone.</summary>
public sealed record TrainingRunOptions
{
    /// <summary>
    /// A classic classifier to fit on the features. Default null: a softmax head, <see cref="Head"/>, trained as <see cref="Training"/> says.
    /// </summary>
    public FeatureClassifier? Classifier { get; init; }

    /// <summary>The new classification head, where there is no <see cref="Classifier"/>. Default: batch norm and softmax.</summary>
    public Head Head { get; init; } = Head.Softmax;

    public TrainingOptions Training { get; init; } = new();

    /// <summary>What computes the features. Default ONNX Runtime.</summary>
    public InferenceEngine Engine { get; init; } = InferenceEngine.Onnx;

    /// <summary>Told, in a sentence, what goes wrong without stopping the work.</summary>
    public Action<string>? Warn { get; init; }

    public IProgress<StepProgress>? Progress { get; init; }

    /// <summary>Augmented views of the training images to train on; null for the images as they are. Default null.</summary>
    public ViewBank? Views { get; init; }

    /// <summary>What is wrong with these options, a sentence each; empty if nothing is.</summary>
    public IReadOnlyList<string> Problems() => [.. Classifier?.Problems() ?? [], .. Head.Problems(), .. Training.Problems(), .. Views?.Problems() ?? []];
}

/// <summary>How long the steps of a run took.</summary>
public sealed record RunSeconds(double Features, double Training, double Total);

/// <summary>
/// The main job: features of a frozen backbone, each computed once and kept, and a head trained on them; then validation and, once, at the
/// end, test.
/// </summary>
public sealed class TrainingRun : IDisposable
{
    private TrainingRun()
    {
    }

    /// <summary>The images as they were used: without those that could not be read.</summary>
    public required LabeledImages Photos { get; init; }

    public required ImageClassifier Model { get; init; }

    /// <summary>The epochs; null for a classic classifier, which is fitted in one go.</summary>
    public required TrainingHistory? History { get; init; }

    /// <summary>The classic classifier, or null for a softmax head.</summary>
    public FittedClassifier? Classifier { get; init; }

    public required EvaluationResult Validation { get; init; }

    /// <summary>Of the validation and test images.</summary>
    public required PredictionTable Predictions { get; init; }

    /// <summary>The features of the validation and test images on a plane; null where one is no number.</summary>
    public required FeatureMap? Map { get; init; }

    /// <summary>Of each backbone what tells its pretrained weights from any others: <see cref="Backbone.Fingerprint"/>.</summary>
    public required IReadOnlyDictionary<string, string> Weights { get; init; }

    /// <summary>Null without test images.</summary>
    public required EvaluationResult? Test { get; init; }

    /// <summary>What is wrong with the data, as far as it is known at no cost.</summary>
    public required TrainingDataCheck DataCheck { get; init; }

    /// <summary>What the same training gives without the bank of views; null without a bank.</summary>
    public EvaluationResult? ValidationWithoutViews { get; init; }

    public required RunSeconds Seconds { get; init; }

    public required int CacheHits { get; init; }

    public required int CacheMisses { get; init; }

    public required int Seed { get; init; }

    /// <param name="photos">The data; images that turn out to be broken are left out and listed.</param>
    /// <param name="features">The frozen part, see <see cref="Backbone.Features"/>. Must outlive the run; stays the caller's.</param>
    /// <param name="cache">Where features are looked up and kept; null to compute them.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <param name="cancellation">Features computed before stay in the cache.</param>
    /// <exception cref="GraftException">Nothing is left to train on, or unsuitable options.</exception>
    public static TrainingRun Execute(
        LabeledImages photos, Backbone features, FeatureCache? cache, TrainingRunOptions? options = null,
        CancellationToken cancellation = default) => Execute(photos, new FeatureBlocks(features), cache, options, cancellation);

    /// <summary>
    /// The same on features of one backbone or of several; those of several are scaled, see <see cref="BlockScaling"/>, which takes the place
    /// of the head's batch norm.
    /// </summary>
    public static TrainingRun Execute(
        LabeledImages photos, FeatureBlocks features, FeatureCache? cache, TrainingRunOptions? options = null,
        CancellationToken cancellation = default)
    {
        options ??= new();
        if (options.Problems() is { Count: > 0 } problems) throw new GraftException(string.Join(" ", problems));
        var clock = Stopwatch.StartNew();
        LoadAhead();
        var networks = features.Networks(options.Engine);
        FeatureSet training, others;
        try
        {
            training = features.Extract(photos.Train, networks, cache, options.Warn, options.Engine, options.Views, options.Progress, cancellation);
            others = features.Extract(
                [.. photos.Validation, .. photos.Test], networks, cache, options.Warn, options.Engine, bank: null, options.Progress, cancellation);
        }
        finally
        {
            foreach (var network in networks.Where(network => network.IsValueCreated)) network.Value.Dispose();
        }
        if (training.Broken.Count + others.Broken.Count > 0) photos = photos.WithSkipped([.. training.Broken, .. others.Broken]);
        var featureSeconds = clock.Elapsed.TotalSeconds;

        using var scaling = features.IsCombination ? BlockScaling.Fit(features, training.Rows) : null;
        IReadOnlyList<float[]> Scaled(IReadOnlyList<float[]> rows) => scaling is null ? rows : BlockScaling.Apply(scaling, rows);
        var joint = scaling?.Network ?? features.Blocks[0].Network;
        var work = new HeadWork(
            // Scaled blocks are standardised already.
            scaling is null ? options : options with
            {
                Classifier = options.Classifier is { } classic ? classic with { Standardize = false } : null,
                Head = options.Head with { BatchNorm = false },
            },
            joint, photos, Scaled(training.Rows), Scaled(others.Rows), cancellation);
        // A head's matrices are too small to share among cores: waiting for each other would cost more than it saves.
        // A classifier that is fitted in one go works on all images at once, and on all cores.
        using var oneThread = options.Classifier is null ? new TorchThreads(1) : null;
        var (head, history, fitted) = work.Train([.. training.Views.Select(Scaled)]);
        var map = FeatureMap.Of(work.OtherRows);
        using (head)
        {
            var (validation, test) = work.Evaluate(head);
            var temperature = ScaledCalibration.FitTemperature(validation);
            (validation, test) = (validation.WithTemperature(temperature), test?.WithTemperature(temperature));
            var model = ImageClassifier.Of(features, scaling, head, photos.Classes);
            model.Temperature = temperature;
            var withoutViews = options.Views is null ? null : work.ValidateWithoutViews();
            return new()
            {
                Photos = photos,
                Model = model,
                DataCheck = TrainingDataCheck.Of(photos, HashesOf(training, others)),
                History = history,
                Classifier = fitted,
                Validation = validation,
                Test = test,
                Predictions = PredictionTable.Of(photos, validation, test, map),
                Map = map,
                // Two of one name have other weights or layers.
                Weights = features.Blocks.GroupBy(block => block.Name, StringComparer.Ordinal).SelectMany(ofName => ofName.Select((block, index) =>
                    (Name: index == 0 ? block.Name : $"{block.Name} ({index + 1})", block.Fingerprint)))
                    .ToDictionary(pair => pair.Name, pair => pair.Fingerprint, StringComparer.Ordinal),
                ValidationWithoutViews = withoutViews,
                Seconds = new(featureSeconds, clock.Elapsed.TotalSeconds - featureSeconds, clock.Elapsed.TotalSeconds),
                CacheHits = training.CacheHits + others.CacheHits,
                CacheMisses = training.CacheMisses + others.CacheMisses,
                Seed = options.Training.Seed,
            };
        }
    }

    /// <summary>
    /// Begins to load on another thread what a run needs and takes some tenths of a second to load, while there is something else to do.
    /// <see cref="Execute(LabeledImages, FeatureBlocks, FeatureCache?, TrainingRunOptions?, CancellationToken)"/> does it too.
    /// </summary>
    public static void LoadAhead() => LibtorchTuning.LoadAhead();

    public void Dispose() => Model.Dispose();

    private static Dictionary<string, byte[]?> HashesOf(params ReadOnlySpan<FeatureSet> sets)
    {
        var hashes = new Dictionary<string, byte[]?>(StringComparer.Ordinal);
        foreach (var set in sets)
            foreach (var (image, hash) in set.Images.Zip(set.Hashes)) hashes[image.Path] = hash;
        return hashes;
    }

    /// <summary>What is trained on features of a run's images, and measured on them.</summary>
    private sealed record HeadWork(
        TrainingRunOptions Options, Network Features, LabeledImages Photos, IReadOnlyList<float[]> TrainingRows, IReadOnlyList<float[]> OtherRows,
        CancellationToken Cancellation)
    {
        private readonly int[] _labels = [.. Photos.Train.Select(image => image.Class)];

        private readonly ExamplesInMemory _validation =
            new([.. OtherRows.Take(Photos.Validation.Count)], [.. Photos.Validation.Select(image => image.Class)]);

        private readonly ExamplesInMemory _test = new([.. OtherRows.Skip(Photos.Validation.Count)], [.. Photos.Test.Select(image => image.Class)]);

        /// <param name="views">The training rows of each view of a bank; empty without one.</param>
        public (TorchNetwork Head, TrainingHistory? History, FittedClassifier? Fitted) Train(IReadOnlyList<IReadOnlyList<float[]>> views)
        {
            if (Options.Classifier is { } classic)
            {
                // Fitted in one go, so on the images and all their views at once.
                var fitted = classic.Fit(
                    [.. TrainingRows, .. views.SelectMany(rows => rows)], [.. Enumerable.Repeat(_labels, 1 + views.Count).SelectMany(labels => labels)],
                    Photos.Classes.Count, Options.Training.Seed,
                    views.Count == 0 ? null : [.. Enumerable.Range(0, (1 + views.Count) * _labels.Length).Select(row => row % _labels.Length)],
                    Options.Progress, Cancellation);
                foreach (var warning in fitted.Warnings) Options.Warn?.Invoke(warning);
                return (fitted.ToModule(Features), null, fitted);
            }
            var builder = new NetworkBuilder(Features.Name, [new(Features.Output.Name, Input.Of(Features.OutputShape), [])]);
            var head = new TorchNetwork(
                builder.Build(Options.Head.Build(builder.Node(Features.Output.Name), Photos.Classes.Count)), new RandomWeights(Options.Training.Seed));
            try
            {
                IExamples examples = views.Count == 0 ? new ExamplesInMemory(TrainingRows, _labels) : new ViewsInMemory(TrainingRows, views, _labels);
                var history = Trainer.Fit(
                    head, examples, _validation, Options.Training,
                    epoch => Options.Progress?.Report(new(
                        "Training", epoch.Epoch, Options.Training.Epochs, "epochs",
                        $"loss {epoch.ValidationLoss:0.000}, accuracy {epoch.ValidationAccuracy:P1} on validation")),
                    Cancellation);
                return (head, history, null);
            }
            catch
            {
                head.Dispose();
                throw;
            }
        }

        public (EvaluationResult Validation, EvaluationResult? Test) Evaluate(TorchNetwork head) =>
            (Evaluate(head, _validation), _test.Count == 0 ? null : Evaluate(head, _test));

        /// <summary>What the same gives without the bank.</summary>
        public EvaluationResult ValidateWithoutViews()
        {
            var (head, _, _) = Train([]);
            using (head) return Evaluate(head, _validation);
        }

        private EvaluationResult Evaluate(TorchNetwork head, ExamplesInMemory examples) => EvaluationResult.Of(
            Photos.Classes,
            [.. Enumerable.Range(0, examples.Count).Select(examples.LabelOf)],
            [.. Trainer.Outputs(head, examples, batchSize: 256, Cancellation).Select(Probabilities.Softmax)]);
    }
}
