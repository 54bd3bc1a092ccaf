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
    /// <summary>The new classification head. Default: batch norm and softmax.</summary>
    public Head Head { get; init; } = Head.Softmax;

    public TrainingOptions Training { get; init; } = new();

    /// <summary>What computes the features. Default ONNX Runtime.</summary>
    public InferenceEngine Engine { get; init; } = InferenceEngine.Onnx;

    /// <summary>Told, in a sentence, what goes wrong without stopping the work.</summary>
    public Action<string>? Warn { get; init; }

    public IProgress<StepProgress>? Progress { get; init; }

    /// <summary>What is wrong with these options, a sentence each; empty if nothing is.</summary>
    public IReadOnlyList<string> Problems() => [.. Head.Problems(), .. Training.Problems()];
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

    public required TrainingHistory History { get; init; }

    public required EvaluationResult Validation { get; init; }

    /// <summary>Null without test images.</summary>
    public required EvaluationResult? Test { get; init; }

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
        var images = photos.All.ToList();
        var set = features.Extract(images, cache, options.Warn, options.Engine, bank: null, options.Progress, cancellation);
        if (set.Broken.Count > 0) photos = photos.WithSkipped(set.Broken);
        var featureSeconds = clock.Elapsed.TotalSeconds;

        using var scaling = features.IsCombination ? BlockScaling.Fit(features, [.. set.Rows.Take(photos.Train.Count)]) : null;
        var scaled = scaling is null ? set.Rows : BlockScaling.Apply(scaling, set.Rows);
        var joint = scaling?.Network ?? features.Blocks[0].Network;
        var headOptions = scaling is null ? options.Head : options.Head with { BatchNorm = false };

        // The three parts follow each other in photos.All, and so in the rows.
        var rows = new Queue<float[]>(scaled);
        ExamplesInMemory Take(IReadOnlyList<LabeledImage> part) =>
            new([.. part.Select(_ => rows.Dequeue())], [.. part.Select(image => image.Class)]);
        var (training, validation, test) = (Take(photos.Train), Take(photos.Validation), Take(photos.Test));

        using var head = new TorchNetwork(
            NewHead(joint, headOptions, photos.Classes.Count), new RandomWeights(options.Training.Seed));
        // A head's matrices are too small to share among cores: waiting for each other would cost more than it saves.
        using var oneThread = new TorchThreads(1);
        var history = Trainer.Fit(
            head, training, validation, options.Training,
            epoch => options.Progress?.Report(new(
                "Training", epoch.Epoch, options.Training.Epochs, "epochs",
                $"loss {epoch.ValidationLoss:0.000}, accuracy {epoch.ValidationAccuracy:P1} on validation")),
            cancellation);
        var trainingSeconds = clock.Elapsed.TotalSeconds - featureSeconds;

        var model = ImageClassifier.Of(features, scaling, head, photos.Classes);
        return new()
        {
            Photos = photos,
            Model = model,
            History = history,
            Validation = Evaluate(validation)!,
            Test = Evaluate(test),
            Seconds = new(featureSeconds, trainingSeconds, clock.Elapsed.TotalSeconds),
            CacheHits = set.CacheHits,
            CacheMisses = set.CacheMisses,
            Seed = options.Training.Seed,
        };

        EvaluationResult? Evaluate(ExamplesInMemory examples) => examples.Count == 0
            ? null
            : EvaluationResult.Of(
                photos.Classes,
                [.. Enumerable.Range(0, examples.Count).Select(examples.LabelOf)],
                [.. Trainer.Outputs(head, examples, batchSize: 256, cancellation).Select(Probabilities.Softmax)]);
    }

    public void Dispose() => Model.Dispose();

    private static Network NewHead(Network features, Head head, int classes)
    {
        var builder = new NetworkBuilder(features.Name, [new(features.Output.Name, Input.Of(features.OutputShape), [])]);
        return builder.Build(head.Build(builder.Node(features.Output.Name), classes));
    }
}
