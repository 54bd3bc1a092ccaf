using Graft.Classifiers;
using Graft.Data;
using Graft.Evaluation.Transferability;
using Graft.Features;
using Graft.Networks;
using Graft.Runs;
using Graft.Training;

namespace Graft.Selection;

/// <summary>What was measured of a set of photos, for advice.</summary>
public sealed record PhotoMeasurements
{
    public required string Photos { get; init; }

    /// <summary>The network that measured, and its weights' file where one was named.</summary>
    public required BackboneRequest Backbone { get; init; }

    /// <summary>Labeled photos of each class, test photos left out.</summary>
    public required IReadOnlyDictionary<string, int> Classes { get; init; }

    /// <summary>Of all photos, in pixels.</summary>
    public required (int Width, int Height) MedianSize { get; init; }

    /// <summary>Photos that are one or another's copy.</summary>
    public required int Copies { get; init; }

    public required int Unreadable { get; init; }

    /// <summary>The share of photos whose most similar other one is of their class, by the last layer's features.</summary>
    public required double NearestNeighbor { get; init; }

    /// <summary>The same by the features of <see cref="LayerBefore"/>; null where the network has no such layer.</summary>
    public double? NearestNeighborBefore { get; init; }

    /// <summary>The last layer of the stage before the last one.</summary>
    public string? LayerBefore { get; init; }

    /// <summary>The mean of the largest probability that the network's own ImageNet head gives; null of weights without a head.</summary>
    public double? ImageNetConfidence { get; init; }

    public required double LogME { get; init; }

    /// <summary>By cross-validation, the best of several classifiers.</summary>
    public required ClassifierScore Features { get; init; }

    /// <summary>The same classifier on the features of <see cref="LayerBefore"/>.</summary>
    public ClassifierScore? FeaturesBefore { get; init; }

    /// <summary>From files to features.</summary>
    public required double FeaturesPerSecond { get; init; }

    /// <summary>What fitting takes, with the choice of classifier.</summary>
    public required double FitSeconds { get; init; }

    /// <summary>Of the strategies that train the network; empty where it cannot be trained.</summary>
    public required IReadOnlyList<TrainingSpeed> Training { get; init; }

    /// <summary>What could not be measured, a sentence each.</summary>
    public required IReadOnlyList<string> Missing { get; init; }

    public int Images => Classes.Values.Sum();

    public double ImagesOfClass => (double)Images / Classes.Count;

    /// <summary>So many photos are looked at for similarity.</summary>
    private const int MostSampled = 600, MostClassified = 128;

    private static readonly TimeSpan TrainingTime = TimeSpan.FromSeconds(3);

    /// <summary>Measures with one network.</summary>
    /// <exception cref="GraftException">The photos are unsuitable, or the network's weights are not here.</exception>
    public static PhotoMeasurements Of(
        string photos, BackboneRequest backbone, DataCheckReport check, TrialContext context, int seed = 1, CancellationToken cancellation = default)
    {
        var data = LabeledImages.Load(photos, new() { ValidationShare = 0 });
        LabeledImage[] images = [.. data.Train, .. data.Validation];
        var missing = new List<string> { "Fréchet distance to ImageNet: no network's record has the statistics of ImageNet's features." };
        using var blocks = ((IReadOnlyList<BackboneRequest>)[backbone]).LoadFeatures(fetch: context.Fetch);
        var networks = blocks.Networks(InferenceEngine.Onnx);
        FeatureSet set;
        double speed;
        try
        {
            speed = TrialMeasurement.ImagesPerSecond(blocks, networks, images, cancellation);
            set = blocks.Extract(images, networks, context.Cache, context.Warn, InferenceEngine.Onnx, bank: null, context.Progress, cancellation, context.Hashes);
        }
        finally
        {
            foreach (var network in networks.Where(network => network.IsValueCreated)) network.Value.Dispose();
        }
        int[] labels = [.. set.Images.Select(image => image.Class)];
        var clock = System.Diagnostics.Stopwatch.StartNew();
        var (features, classifier) = BestOf(set, labels, data.Classes.Count, seed, context, cancellation);
        var fitSeconds = clock.Elapsed.TotalSeconds;
        var sample = Sample(set.Images, seed);
        var sampled = sample.Select(index => set.Rows[index]).ToList();
        int[] sampledLabels = [.. sample.Select(index => labels[index])];

        var before = LayerBeforeLastStage(blocks.Blocks[0].Network);
        FeatureSet? earlier = null;
        if (before is null)
        {
            missing.Add($"The stage before the last: {blocks.Name} has none that it can be cut after.");
        }
        else
        {
            using var cut = ((IReadOnlyList<BackboneRequest>)[backbone with { Layer = before }]).LoadFeatures();
            earlier = TrialMeasurement.Extract(cut, [.. sample.Select(index => set.Images[index])], context, cancellation);
        }
        var earlierLabels = earlier?.Images.Select(image => image.Class).ToArray();
        return new()
        {
            Photos = photos,
            Backbone = backbone,
            Classes = data.Classes.Select((name, label) => (name, images.Count(image => image.Class == label))).ToDictionary(StringComparer.Ordinal),
            MedianSize = check.Images.Count == 0 ? (0, 0) : (Median(check.Images.Select(image => image.Width)), Median(check.Images.Select(image => image.Height))),
            Copies = check.Duplicates.Sum(group => group.Images.Count - 1),
            Unreadable = check.Unreadable.Count,
            NearestNeighbor = LeaveOneOutNeighbors.Accuracy(sampled, sampledLabels, data.Classes.Count),
            NearestNeighborBefore = earlier is null ? null : LeaveOneOutNeighbors.Accuracy(earlier.Rows, earlierLabels!, data.Classes.Count),
            LayerBefore = before,
            ImageNetConfidence = Confidence(backbone, [.. sample.Take(MostClassified).Select(index => set.Images[index].Path)], context, missing, cancellation),
            LogME = Evaluation.Transferability.LogME.Score(sampled, sampledLabels, data.Classes.Count),
            Features = features,
            FeaturesBefore = earlier is null || sample.Length < set.Images.Count ? null
                : Score(new CrossValidation { Repeats = AutomaticClassifier.Repeats(images.Length), Seed = seed }
                    .Run(classifier, earlier.Rows, earlierLabels!, data.Classes.Count, TrialMeasurement.Groups(earlier, context, cancellation), cancellation: cancellation)),
            FeaturesPerSecond = speed,
            FitSeconds = fitSeconds,
            Training = Speeds(backbone, data, context, missing, seed, cancellation),
            Missing = missing,
        };
    }

    /// <summary>The last layer of a larger map than the last one, at which the network can be cut in two; null without one.</summary>
    internal static string? LayerBeforeLastStage(Network network)
    {
        var maps = network.Layers.Skip(1).Where(layer => network.ShapeOf(layer.Name).IsMap && network.ShapeOf(layer.Name).Height > 1).ToList();
        if (maps.Count == 0) return null;
        var last = network.ShapeOf(maps[^1].Name).Height;
        return maps.Where(layer => network.ShapeOf(layer.Name).Height > last).Reverse().Select(layer => layer.Name).FirstOrDefault(layer =>
        {
            try
            {
                return network.CutAfter(layer).Layers.Count > 1 && network.StartAfter(layer).Layers.Count > 1;
            }
            catch (GraftException)
            {
                return false;
            }
        });
    }

    private static (ClassifierScore Score, FeatureClassifier Classifier) BestOf(
        FeatureSet set, int[] labels, int classes, int seed, TrialContext context, CancellationToken cancellation)
    {
        var validation = new CrossValidation { Repeats = AutomaticClassifier.Repeats(labels.Length), Seed = seed };
        var groups = TrialMeasurement.Groups(set, context, cancellation);
        var candidates = AutomaticClassifier.Candidates(labels.Length);
        List<(FeatureClassifier Classifier, CrossValidated Result)> tried = [];
        foreach (var (candidate, place) in candidates.Select((candidate, place) => (candidate, place)))
        {
            context.Progress?.Report(new("Classifiers", place, candidates.Count, "tried", candidate.Title));
            tried.Add((candidate, validation.Run(candidate, set.Rows, labels, classes, groups, cancellation: cancellation)));
        }
        context.Progress?.Report(new("Classifiers", candidates.Count, candidates.Count, "tried"));
        var best = AutomaticClassifier.Best([.. tried.Select(entry => entry.Result)]);
        return (Score(best), tried.First(entry => entry.Result == best).Classifier);
    }

    private static ClassifierScore Score(CrossValidated result) => new(
        result.Name, result.Accuracy, CorrectedResampledTest.Interval(result.FoldAccuracies, result.HeldOutShare), double.NaN, result.FoldAccuracies,
        result.HeldOutShare, result.Seconds);

    private static double? Confidence(
        BackboneRequest backbone, IReadOnlyList<string> paths, TrialContext context, List<string> missing, CancellationToken cancellation)
    {
        using var whole = backbone.Load();
        if (whole.Head is null || whole.Classes is not { Count: 1000 })
        {
            missing.Add($"Confidence of the ImageNet head: the weights of {whole.Name} have none.");
            return null;
        }
        using var classifier = ImageClassifier.Of(whole);
        var predictions = classifier.Predict(paths, context.Cache, context.Warn, progress: null, cancellation);
        return predictions.Read.Count == 0 ? null : predictions.Read.Average(prediction => (double)prediction.Probabilities.Max());
    }

    private static List<TrainingSpeed> Speeds(
        BackboneRequest backbone, LabeledImages photos, TrialContext context, List<string> missing, int seed, CancellationToken cancellation)
    {
        var speeds = new List<TrainingSpeed>();
        foreach (var strategy in (Strategy[])[Strategy.Partial, Strategy.FineTune])
        {
            try
            {
                speeds.Add(TrainingSpeed.Measure(backbone, photos, strategy, TrainingTime, context, seed, cancellation));
            }
            catch (GraftException problem)
            {
                missing.Add($"The time of {LowerCase.Policy.ConvertName(strategy.ToString())}: {problem.Message}");
            }
        }
        return speeds;
    }

    /// <summary>Of every class in equal parts, as far as there are so many.</summary>
    private static int[] Sample(IReadOnlyList<LabeledImage> images, int seed)
    {
        if (images.Count <= MostSampled) return [.. Enumerable.Range(0, images.Count)];
        var share = (double)MostSampled / images.Count;
        return [.. StratifiedSplit.Of([.. images.Select(image => image.Class)], share, seed).HeldOut];
    }

    private static int Median(IEnumerable<int> values)
    {
        var sorted = values.Order().ToList();
        return sorted[sorted.Count / 2];
    }
}
