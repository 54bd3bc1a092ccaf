using System.Globalization;
using Graft.Evaluation;
using Graft.Evaluation.Transferability;
using Graft.Runs;
using Graft.Training;

namespace Graft.Selection;

/// <summary>A way to train, what it would take here and what to expect of it.</summary>
/// <param name="Seconds">On this machine, with nothing in the cache.</param>
/// <param name="Accuracy">95 %, of the validation photos that a run would hold out.</param>
public sealed record StrategyForecast(Strategy Strategy, double Seconds, ConfidenceInterval Accuracy);

/// <summary>What to do with a set of photos, with the measurements that say so.</summary>
public sealed record Advice
{
    /// <summary>Tutorials call fewer photos of a class small.</summary>
    private const int SmallClass = 1000;

    /// <summary>With fewer photos of a class, a network is not trained further: it would learn them by heart.</summary>
    public const int FewestToTrain = 100;

    /// <summary>A largest class so many times the smallest is an imbalance.</summary>
    private const double Imbalance = 3;

    /// <summary>How much of the error of features training the network removes at best; docs/choosing.md.</summary>
    private const double MostRemoved = 0.6;

    private const double ValidationShare = 0.2;

    /// <summary>The quadrant of the tutorials: "small and similar".</summary>
    public required string Quadrant { get; init; }

    public required Strategy Strategy { get; init; }

    public required string Recommendation { get; init; }

    /// <summary>To copy into a shell.</summary>
    public required string Command { get; init; }

    public required TrainingRequest Request { get; init; }

    /// <summary>Of the recommended way.</summary>
    public required StrategyForecast Forecast { get; init; }

    /// <summary>Every way that was considered.</summary>
    public required IReadOnlyList<StrategyForecast> Considered { get; init; }

    /// <summary>Each with its numbers.</summary>
    public required IReadOnlyList<string> Reasons { get; init; }

    /// <summary>Time and accuracy in words.</summary>
    public required string Expectation { get; init; }

    /// <summary>What would change the advice.</summary>
    public required IReadOnlyList<string> Changes { get; init; }

    public required PhotoMeasurements Measured { get; init; }

    public static Advice Of(PhotoMeasurements measured)
    {
        var (smallest, largest) = (measured.Classes.MinBy(entry => entry.Value), measured.Classes.MaxBy(entry => entry.Value));
        var isSmall = measured.ImagesOfClass < SmallClass;
        var isSimilar = (measured.NearestNeighborBefore is not { } before || measured.NearestNeighbor >= before)
            && measured.ImageNetConfidence is null or > 0.2;
        var considered = Forecasts(measured);
        var usesEarlier = measured.FeaturesBefore is { } earlier && earlier.Interval.Low > measured.Features.Interval.High;
        var trains = measured.ImagesOfClass >= FewestToTrain && considered.Count > 1;
        var strategy = !trains ? Strategy.Features : !isSimilar || !isSmall ? Strategy.FineTune : Strategy.Partial;
        var forecast = considered.FirstOrDefault(entry => entry.Strategy == strategy) ?? considered[0];
        strategy = forecast.Strategy;
        var backbone = usesEarlier && strategy == Strategy.Features ? measured.Backbone with { Layer = measured.LayerBefore } : measured.Backbone;
        var request = new TrainingRequest
        {
            Photos = measured.Photos,
            Backbones = [backbone],
            Strategy = strategy == Strategy.Features ? null : strategy,
            Classifier = strategy == Strategy.Features ? Classifiers.AutomaticClassifier.CatalogName : null,
        };
        return new()
        {
            Quadrant = $"{(isSmall ? "small" : "large")} and {(isSimilar ? "similar" : "different")}",
            Strategy = strategy,
            Recommendation = strategy switch
            {
                Strategy.Features when usesEarlier => $"Keep the network frozen, and fit a classifier on the features of an earlier layer, {measured.LayerBefore}.",
                Strategy.Features => "Keep the network frozen, and fit the best of several classifiers on its features.",
                Strategy.Partial => "Train the head and the upper layers of the network; keep the lower ones frozen.",
                _ => "Train the head first, then the whole network at a small learning rate.",
            },
            Command = RequestCommand.Of(request),
            Request = request,
            Forecast = forecast,
            Considered = considered,
            Reasons = [.. ReasonsOf(measured, smallest, largest, isSmall, isSimilar, strategy)],
            Expectation = Text($"It takes about {Time(forecast.Seconds)} here. Expect {100 * forecast.Accuracy.Low:0} to {100 * forecast.Accuracy.High:0} % on photos that were not trained on{(strategy == Strategy.Features ? "" : "; the upper end is a guess, as nothing was trained yet")}."),
            Changes = [.. ChangesOf(measured, strategy, isSimilar)],
            Measured = measured,
        };
    }

    private static List<StrategyForecast> Forecasts(PhotoMeasurements measured)
    {
        var validation = Math.Max(1, (int)Math.Round(ValidationShare * measured.Images));
        var training = measured.Images - validation;
        var features = measured.Images / measured.FeaturesPerSecond;
        var accuracy = OfOneSplit(measured.Features, validation);
        List<StrategyForecast> forecasts = [new(Strategy.Features, features + measured.FitSeconds, accuracy)];
        foreach (var speed in measured.Training)
        {
            // Partial computes what its frozen layers make of the photos once, as features do; finetune trains its head on features first.
            forecasts.Add(new(
                speed.Strategy, features + speed.SecondsFor(speed.Epochs, training, validation),
                new(accuracy.Low, 1 - (1 - MostRemoved) * (1 - accuracy.High))));
        }
        return forecasts;
    }

    /// <summary>Where the accuracy on the validation photos of one split lies, rather than the mean over many.</summary>
    private static ConfidenceInterval OfOneSplit(ClassifierScore score, int validation)
    {
        var folds = score.FoldAccuracies;
        var mean = folds.Average();
        var deviation = folds.Count < 2 ? 0 : Math.Sqrt(folds.Sum(fold => Math.Pow(fold - mean, 2)) / (folds.Count - 1));
        var half = folds.Count < 2 ? 0.5 : CorrectedResampledTest.Quantile(folds.Count - 1) * deviation * Math.Sqrt(1 + 1.0 / folds.Count);
        var share = ConfidenceInterval.OfShare((int)Math.Round(mean * validation), validation);
        return new(Math.Max(0, Math.Min(mean - half, share.Low)), Math.Min(1, Math.Max(mean + half, share.High)));
    }

    private static IEnumerable<string> ReasonsOf(
        PhotoMeasurements measured, KeyValuePair<string, int> smallest, KeyValuePair<string, int> largest, bool isSmall, bool isSimilar, Strategy strategy)
    {
        yield return Text($"{measured.Images:N0} photos of {measured.Classes.Count:N0} classes, {measured.ImagesOfClass:0} a class{(smallest.Value == largest.Value ? "" : Text($" ({smallest.Key} {smallest.Value:N0}, {largest.Key} {largest.Value:N0})"))}: {(isSmall ? $"small, as tutorials call fewer than {SmallClass:N0}" : "large")}.");
        if (largest.Value >= Imbalance * smallest.Value)
            yield return Text($"The classes are unequal, {(double)largest.Value / Math.Max(1, smallest.Value):0.#} to 1: judge by macro F1, and consider --class-weights balanced.");
        if (measured.Copies > 0) yield return Text($"{measured.Copies:N0} photos are copies of others; graft data check {measured.Photos} lists them.");
        if (measured.Unreadable > 0) yield return Text($"{measured.Unreadable:N0} files cannot be read and are left out.");
        yield return measured.NearestNeighborBefore is { } before
            ? Text($"By the features of the last layer {100 * measured.NearestNeighbor:0.0} % of the photos have their nearest neighbor in their own class, by those of the stage before ({measured.LayerBefore}) {100 * before:0.0} %: {(measured.NearestNeighbor >= before ? "what the last layers learned from ImageNet helps here, so the photos are similar" : "what the last layers learned from ImageNet hurts here, so the photos are of another domain")}.")
            : Text($"{100 * measured.NearestNeighbor:0.0} % of the photos have their nearest neighbor in their own class.");
        if (measured.ImageNetConfidence is { } confidence)
            yield return Text($"The network's own ImageNet head is {100 * confidence:0} % sure of them on average (above 50 %: like ImageNet's own).");
        yield return Text($"LogME {measured.LogME:0.000} (for comparing networks on these photos: graft try).");
        yield return Text($"The best classifier on the frozen features, {measured.Features.Classifier}, reaches {100 * measured.Features.Accuracy:0.0} % in cross-validation (95 % CI {100 * measured.Features.Interval.Low:0.0}–{100 * measured.Features.Interval.High:0.0}).");
        if (measured.FeaturesBefore is { } earlier) yield return Text($"On the stage before it reaches {100 * earlier.Accuracy:0.0} %.");
        if (strategy == Strategy.Features && measured.ImagesOfClass < FewestToTrain)
            yield return Text($"With fewer than {FewestToTrain} photos of a class, training layers of the network gained nothing in our measurements (docs/choosing.md).");
        foreach (var missing in measured.Missing) yield return $"Not measured: {missing}";
        if (!isSimilar && isSmall && strategy != Strategy.Features) yield return "Photos unlike ImageNet's need more of the network trained.";
    }

    private static IEnumerable<string> ChangesOf(PhotoMeasurements measured, Strategy strategy, bool isSimilar)
    {
        if (strategy == Strategy.Features) yield return Text($"More photos: from {FewestToTrain} of a class on, training the upper layers pays.");
        else yield return "Less time than that: graft train with --classifier auto takes seconds once features are cached.";
        if (strategy == Strategy.Partial) yield return Text($"{SmallClass:N0} photos of a class or more, or photos unlike ImageNet's: train the whole network.");
        if (!isSimilar) yield return "A network that was pretrained on photos like yours.";
        yield return $"Another network: graft try {measured.Photos} measures those on this machine.";
    }

    internal static string Time(double seconds) => seconds < 90 ? Text($"{Math.Max(1, Math.Round(seconds)):0} s") : seconds < 5400 ? Text($"{seconds / 60:0} minutes") : Text($"{seconds / 3600:0.0} hours");

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
