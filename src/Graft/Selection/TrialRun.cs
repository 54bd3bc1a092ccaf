using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.Json;
using Graft.Classifiers;
using Graft.Data;
using Graft.Evaluation;
using Graft.Evaluation.Transferability;
using Graft.Features;
using Graft.Networks;
using Graft.Ranks;
using Graft.Runs;

namespace Graft.Selection;

/// <summary>
/// Pretrained networks tried on a person's photos: features of each, from the cache where they are known, and on them classifiers by repeated stratified
/// cross-validation that keeps copies of a photo in one fold. What fails is recorded, and the rest goes on.
/// </summary>
public sealed record TrialRun
{
    public required TrialRequest Request { get; init; }

    public required IReadOnlyList<string> Classes { get; init; }

    /// <summary>Labeled images that were tried on; test images are none of them.</summary>
    public required int Images { get; init; }

    /// <summary>Each network, in the order tried, those that failed too.</summary>
    public required IReadOnlyList<Trial> Trials { get; init; }

    /// <summary>The most accurate first.</summary>
    public required IReadOnlyList<RankedTrial> Ranking { get; init; }

    /// <summary>Of the best; null where none was asked for.</summary>
    public LearningCurve? Curve { get; init; }

    /// <summary>What is worth knowing, a sentence each.</summary>
    public required IReadOnlyList<string> Notes { get; init; }

    public required double Seconds { get; init; }

    /// <summary>Those that no other beats in both accuracy and time for a photo, the fastest first.</summary>
    public IReadOnlyList<RankedTrial> Front =>
    [
        .. Ranking.Where(entry => !Ranking.Any(other => other != entry
                && other.Score.Accuracy >= entry.Score.Accuracy && other.Trial.ImagesPerSecond >= entry.Trial.ImagesPerSecond
                && (other.Score.Accuracy > entry.Score.Accuracy || other.Trial.ImagesPerSecond > entry.Trial.ImagesPerSecond)))
            .OrderByDescending(entry => entry.Trial.ImagesPerSecond),
    ];

    /// <summary>A training on the best network's features, with the best classifier.</summary>
    public TrainingRequest ToTraining() => new()
    {
        Photos = Request.Photos,
        Backbones = TrialRequest.Parsed(Ranking[0].Trial.Backbone),
        Classifier = Ranking[0].Score.Classifier,
        C = ClassifierCatalog.Find(Ranking[0].Score.Classifier).Takes.Contains(nameof(ClassifierOptions.C)) ? TrainingRequest.AutomaticC : null,
    };

    /// <exception cref="GraftException">The request cannot be meant, the photos are unsuitable, or nothing could be tried.</exception>
    /// <exception cref="OperationCanceledException">Features and finished trials are kept.</exception>
    public static TrialRun Execute(TrialRequest request, TrialContext? context = null, CancellationToken cancellation = default)
    {
        context ??= new();
        if (request.Problems() is { Count: > 0 } problems) throw new GraftException(string.Join(" ", problems));
        var clock = Stopwatch.StartNew();
        var photos = LabeledImages.Load(request.Photos, new() { ValidationShare = 0 });
        LabeledImage[] images = [.. photos.Train, .. photos.Validation];
        if (images.GroupBy(image => image.Class).All(ofClass => ofClass.Count() == 1))
            throw new GraftException($"{request.Photos} has one photo of each class, so none can be held out to measure on. Add photos: at least 2 of a class, better 10.");
        var fingerprint = FingerprintOf(images, context.Hashes, cancellation);
        List<string> notes = [.. photos.Notes];
        if (photos.Test.Count > 0) notes.Add($"The {photos.Test.Count:N0} test photos were not looked at: they are for the model that is chosen.");

        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        if (context.Limit is { } limit) deadline.CancelAfter(limit);
        List<string> backbones = [.. request.Backbones ?? TrialRequest.LocalBackbones];
        var ranks = context.Ranks is { Size: > 1 } together ? together : null;
        if (ranks is not null)
        {
            RankAgreement.Check(ranks, new Dictionary<string, string>
            {
                ["another request"] = JsonSerializer.Serialize(request, RunFolder.Json),
                ["other photos"] = RankAgreement.FingerprintOf(photos),
                ["other contents of photos"] = fingerprint,
            });
        }
        var mine = ranks is null
            ? null
            : RankedTrials.Divide(backbones, RankedTrials.KnownTo0(ranks, backbones.Where(backbone => context.Folder?.Find(backbone, fingerprint) is not null)), ranks.Size);
        var trials = new List<Trial>();
        for (var place = 0; place < backbones.Count; place++)
        {
            // What is known already, rank 0 has.
            if (mine is not null && Math.Max(0, mine[place]) != ranks!.Rank) continue;
            context.Progress?.Report(new("Networks", place, backbones.Count + (request.Combine ? 1 : 0), "tried", TimeLeft(clock, place, backbones.Count)));
            trials.Add(Kept(backbones[place]));
        }
        if (ranks is not null)
        {
            var all = RankedTrials.Gather(ranks, trials);
            trials = [.. backbones.Select((backbone, place) => mine![place] > 0 && ranks.Rank == 0 ? Keep(all[backbone]) : all[backbone])];
        }
        var isFirst = ranks is not { Rank: > 0 };
        if (request.Combine && isFirst && Best(2) is [var first, var second])
            trials.Add(Kept($"{first.Backbone}+{second.Backbone}"));
        context.Progress?.Report(new("Networks", trials.Count, trials.Count, "tried"));
        var ranking = RankedTrial.Of(trials);
        if (ranking.Count == 0)
            throw new GraftException($"No network could be tried on {request.Photos}. {string.Join(" ", trials.Select(trial => $"{trial.Name}: {trial.Failure}").Distinct())}");
        return new()
        {
            Request = request,
            Classes = photos.Classes,
            Images = images.Length,
            Trials = trials,
            Ranking = ranking,
            Curve = request.Curve && isFirst ? CurveOf(ranking[0]) : null,
            Notes = notes,
            Seconds = clock.Elapsed.TotalSeconds,
        };

        List<Trial> Best(int count) => [.. trials.Where(trial => trial.Best is not null && !trial.Backbone.Contains('+')).OrderByDescending(trial => trial.Best!.Accuracy).Take(count)];

        Trial Kept(string backbone)
        {
            if (context.Folder?.Find(backbone, fingerprint) is { } known) return known;
            var name = NameOf(backbone);
            if (deadline.IsCancellationRequested) return Failed(backbone, "there was no time left to try it.");
            if (context.Folder?.TryBegin(backbone) == false)
                return Keep(Failed(backbone, "the process ended twice while it was tried, as one that takes too much memory is ended. Try it alone, or on a machine with more memory."));
            try
            {
                return Keep(TrialMeasurement.Measure(backbone, request, photos.Classes, images, context, deadline.Token));
            }
            catch (OperationCanceledException)
            {
                context.Folder?.End(backbone);
                cancellation.ThrowIfCancellationRequested();
                return Failed(backbone, "there was no time left to finish it. What was computed is kept.");
            }
            catch (Exception problem) when (problem is not AccessViolationException)
            {
                // Whatever goes wrong in one network, a fault of a native library's included, the others can be tried.
                context.Warn?.Invoke($"{name}: {Reason(problem)}");
                return Keep(Failed(backbone, Reason(problem)));
            }
        }

        Trial Keep(Trial trial)
        {
            // What is missing may be there next time.
            if (trial.Failure is null || trial.Failure.StartsWith("the process", StringComparison.Ordinal)) context.Folder?.Save(trial, fingerprint);
            context.Folder?.End(trial.Backbone);
            return trial;
        }

        LearningCurve CurveOf(RankedTrial best)
        {
            using var features = TrialRequest.Parsed(best.Trial.Backbone).LoadFeatures(fetch: context.Fetch);
            var set = TrialMeasurement.Extract(features, images, context, cancellation);
            return LearningCurve.Of(
                best.Trial.Name, TrialMeasurement.Fitting(features, request.ToClassifiers().First(classifier => classifier.Name == best.Score.Classifier)),
                TrialMeasurement.Scaled(features, set.Rows), [.. set.Images.Select(image => image.Class)], photos.Classes, TrialMeasurement.Groups(set, context, cancellation), request.Seed,
                context.Progress, cancellation);
        }
    }

    internal static string NameOf(string backbone) => string.Join('+', TrialRequest.Parsed(backbone).Select(part => part.Name));

    private static Trial Failed(string backbone, string reason) => new() { Name = NameOf(backbone), Backbone = backbone, Failure = reason };

    private static string Reason(Exception problem) => problem switch
    {
        // What follows is for one who is there to act on it.
        GraftException known => string.Join(' ', known.Message.Split('\n', StringSplitOptions.TrimEntries).Take(2)),
        OutOfMemoryException => "there is not enough memory for it.",
        _ when problem.Message.Contains("memory", StringComparison.OrdinalIgnoreCase) => "there is not enough memory for it.",
        _ => $"{problem.GetType().Name}: {problem.Message.Split('\n')[0]}",
    };

    private static string TimeLeft(Stopwatch clock, int done, int all) => done == 0 ? ""
        : $"about {Math.Ceiling(clock.Elapsed.TotalSeconds / done * (all - done)):0} s left";

    private static string FingerprintOf(LabeledImage[] images, PhotoHashes hashes, CancellationToken cancellation)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var (image, content) in images.Zip(hashes.Of(images, cancellation)))
        {
            hash.AppendData(content ?? []);
            hash.AppendData(BitConverter.GetBytes(image.Class));
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}

/// <summary>One network on photos.</summary>
internal static class TrialMeasurement
{
    /// <summary>Photos that the speed is timed on are computed for so long, after the first few.</summary>
    private static readonly TimeSpan TimingTime = TimeSpan.FromSeconds(1.5);

    private const int MostTimed = 256, TimedAtOnce = 8;

    public static Trial Measure(
        string backbone, TrialRequest request, IReadOnlyList<string> classes, IReadOnlyList<LabeledImage> images, TrialContext context, CancellationToken cancellation)
    {
        var clock = Stopwatch.StartNew();
        using var features = TrialRequest.Parsed(backbone).LoadFeatures(fetch: context.Fetch);
        var networks = features.Networks(InferenceEngine.Onnx);
        try
        {
            var speed = ImagesPerSecond(features, networks, images, cancellation);
            var set = features.Extract(images, networks, context.Cache, context.Warn, InferenceEngine.Onnx, bank: null, context.Progress, cancellation, context.Hashes);
            return Measure(backbone, request, classes, features, set, speed, context, clock, cancellation);
        }
        finally
        {
            foreach (var network in networks.Where(network => network.IsValueCreated)) network.Value.Dispose();
        }
    }

    private static Trial Measure(
        string backbone, TrialRequest request, IReadOnlyList<string> classes, FeatureBlocks features, FeatureSet set, double speed, TrialContext context,
        Stopwatch clock, CancellationToken cancellation)
    {
        int[] labels = [.. set.Images.Select(image => image.Class)];
        if (set.Rows.Count == 0) throw new GraftException("none of the photos can be read.");
        if (set.Rows.All(row => row.AsSpan().SequenceEqual(set.Rows[0])))
            throw new GraftException("its features are the same for all photos: there is nothing to tell classes apart by. Are the photos all alike, or the weights damaged?");
        var rows = Scaled(features, set.Rows);
        var groups = Groups(set, context, cancellation);
        var validation = new CrossValidation { Repeats = request.Repeats, Seed = request.Seed };
        List<ClassifierScore> scores = [];
        foreach (var classifier in request.ToClassifiers())
        {
            cancellation.ThrowIfCancellationRequested();
            var result = validation.Run(Fitting(features, classifier), rows, labels, classes.Count, groups, context.Progress, cancellation);
            scores.Add(new(
                classifier.Name, result.Accuracy, CorrectedResampledTest.Interval(result.FoldAccuracies, result.HeldOutShare), MacroF1(result, labels, classes),
                result.FoldAccuracies, result.HeldOutShare, Math.Round(result.Seconds, 2)));
        }
        var tables = features.Blocks.Select(block => LayerTable.Of(block.Network)).ToList();
        return new()
        {
            Name = TrialRun.NameOf(backbone),
            Backbone = backbone,
            Images = set.Images.Count,
            Features = rows[0].Length,
            Megabytes = Math.Round(tables.Sum(table => table.Parameters + table.Statistics) * sizeof(float) / 1e6, 1),
            MultiplyAdds = tables.Sum(table => table.MultiplyAdds),
            ImagesPerSecond = Math.Round(speed, 1),
            NearestNeighbor = LeaveOneOutNeighbors.Accuracy(rows, labels, classes.Count),
            LogME = LogME.Score(rows, labels, classes.Count),
            Scores = scores,
            Episodes = request.Episodes?.Run(rows, labels, request.Seed, context.Progress, cancellation),
            Seconds = Math.Round(clock.Elapsed.TotalSeconds, 2),
        };
    }

    public static FeatureSet Extract(FeatureBlocks features, IReadOnlyList<LabeledImage> images, TrialContext context, CancellationToken cancellation) =>
        features.Extract(images, context.Cache, context.Warn, InferenceEngine.Onnx, bank: null, context.Hashes, context.Progress, cancellation);

    /// <summary>Blocks of a combination are scaled by all photos, labels unseen.</summary>
    public static IReadOnlyList<float[]> Scaled(FeatureBlocks features, IReadOnlyList<float[]> rows)
    {
        if (!features.IsCombination) return rows;
        using var scaling = BlockScaling.Fit(features, rows);
        return BlockScaling.Apply(scaling, rows);
    }

    /// <summary>Scaled blocks are standardized already.</summary>
    public static FeatureClassifier Fitting(FeatureBlocks features, FeatureClassifier classifier) =>
        features.IsCombination ? classifier with { Standardize = false } : classifier;

    /// <summary>Copies of one photo have one number.</summary>
    public static int[] Groups(FeatureSet set, TrialContext context, CancellationToken cancellation)
    {
        var first = new Dictionary<string, int>(StringComparer.Ordinal);
        return [.. context.Hashes.Of(set.Images, cancellation).Select((hash, image) => hash is null || first.TryAdd(Convert.ToHexString(hash), image) ? image : first[Convert.ToHexString(hash)])];
    }

    /// <summary>From files to features, with nothing from the cache.</summary>
    public static double ImagesPerSecond(FeatureBlocks features, IReadOnlyList<Lazy<FrozenNetwork>> networks, IReadOnlyList<LabeledImage> images, CancellationToken cancellation)
    {
        void Compute(IReadOnlyList<LabeledImage> some) =>
            features.Extract(some, networks, cache: null, warn: null, InferenceEngine.Onnx, bank: null, progress: null, cancellation);
        Compute([.. images.Take(Environment.ProcessorCount)]);
        var (done, clock) = (0, Stopwatch.StartNew());
        while (clock.Elapsed < TimingTime && done < MostTimed)
        {
            // Photos of all classes, which may differ in size.
            Compute([.. Enumerable.Range(0, Math.Min(TimedAtOnce, images.Count)).Select(index => images[(int)((done + index) * 7919L % images.Count)])]);
            done += Math.Min(TimedAtOnce, images.Count);
        }
        return done / clock.Elapsed.TotalSeconds;
    }

    private static double MacroF1(CrossValidated result, int[] labels, IReadOnlyList<string> classes) => result.Predictions.Average(predictions =>
    {
        int[] held = [.. Enumerable.Range(0, labels.Length).Where(image => predictions[image] >= 0)];
        return ClassificationReport.Of(ConfusionMatrix.Of([.. held.Select(image => labels[image])], [.. held.Select(image => predictions[image])], classes)).MacroAverage.F1;
    });
}
