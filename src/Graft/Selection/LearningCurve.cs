using System.Globalization;
using Graft.Classifiers;
using Graft.Data;
using Graft.Evaluation;
using Graft.Networks;
using Graft.Training;

namespace Graft.Selection;

/// <summary>What fits on some photos of each class said of all others.</summary>
/// <param name="Photos">Of a class, the mean over the classes.</param>
/// <param name="Accuracies">Of each draw, from 0 to 1.</param>
/// <param name="Recalls">For each class the share of its photos classified correctly, the mean over the draws.</param>
public sealed record LearningCurvePoint(double Photos, IReadOnlyList<double> Accuracies, IReadOnlyList<double> Recalls)
{
    public double Accuracy => Accuracies.Average();

    /// <summary>The standard deviation of a draw.</summary>
    internal double Deviation => Accuracies.Count < 2 ? 0 : Math.Sqrt(Accuracies.Sum(accuracy => Math.Pow(accuracy - Accuracy, 2)) / (Accuracies.Count - 1));

    /// <summary>95 % of the mean over the draws.</summary>
    public ConfidenceInterval Interval
    {
        get
        {
            var half = 1.96 * Deviation / Math.Sqrt(Accuracies.Count);
            return new(Math.Max(0, Accuracy - half), Math.Min(1, Accuracy + half));
        }
    }
}

/// <summary>An accuracy and how far it may be off.</summary>
public sealed record AccuracyForecast(double Photos, double Accuracy, ConfidenceInterval Interval);

/// <summary>
/// Accuracy with fewer photos, by repeated draws from cached features, and a power law through it. Draws overlap, so that intervals are those of the draws,
/// not of other photos.
/// </summary>
public sealed record LearningCurve
{
    /// <summary>Photos of a class; above the last, four fifths of all.</summary>
    private static readonly int[] Counts = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

    /// <summary>With fewer of a class, accuracy does not follow the law yet.</summary>
    private const int LeastFitted = 5;

    private const int Draws = 10;
    private const double LargestShare = 0.8;

    public required string Backbone { get; init; }

    public required string Classifier { get; init; }

    public required IReadOnlyList<string> Classes { get; init; }

    /// <summary>Photos of a class there are, the mean over the classes.</summary>
    public required double PhotosOfClass { get; init; }

    /// <summary>Ascending by photos.</summary>
    public required IReadOnlyList<LearningCurvePoint> Points { get; init; }

    /// <summary>Of the error; null for fewer than 3 points.</summary>
    public PowerLaw? Law { get; init; }

    public int Seed { get; init; }

    /// <summary>
    /// The accuracy to expect with so many photos of a class, and the 95 % interval of a single training: of the law's uncertainty over the draws, and of
    /// a draw.
    /// </summary>
    public AccuracyForecast Forecast(double photos)
    {
        var law = Law ?? throw new InvalidOperationException("A curve of fewer than 3 points has no law.");
        // The last is tested on the fewest photos, so with more of both a draw varies no more than that.
        var noise = Points[^1].Deviation;
        var random = new SplitMix64((ulong)Seed);
        var errors = Resampled().Select(other => other.Error(photos) + noise * random.NextGaussian()).ToList();
        var interval = PowerLaw.Middle(errors);
        return new(photos, 1 - law.Error(photos), new(Math.Max(0, 1 - interval.High), Math.Min(1, 1 - interval.Low)));
    }

    /// <summary>What so many times the photos would add, and its 95 % interval over the draws.</summary>
    public (double Gain, ConfidenceInterval Interval) Gain(double times = 2)
    {
        double Of(PowerLaw law) => law.Error(PhotosOfClass) - law.Error(times * PhotosOfClass);
        return (Of(Law!), PowerLaw.Middle(Resampled().Select(Of)));
    }

    /// <summary>What the curve says, in two sentences.</summary>
    public string Summary()
    {
        if (Law is not { } law || Points.Count == 0) return "There are too few photos for a learning curve: add some, at least 10 of each class.";
        var middle = Points.Where(point => point.Photos <= PhotosOfClass / 2).DefaultIfEmpty(Points[0]).MaxBy(point => point.Photos)!;
        var (gain, interval) = Gain();
        var all = 1 - law.Error(PhotosOfClass);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"With {middle.Photos:0} photos of a class {100 * middle.Accuracy:0} %, with all {PhotosOfClass:0} {100 * all:0} %; twice as many would bring about {InPoints(gain)} ({100 * interval.Low:0.0} to {100 * interval.High:0.0}){MostIn()}. The intervals are those of {Draws} draws from these photos.");

        static string InPoints(double share) => string.Create(CultureInfo.InvariantCulture, $"{100 * share:0.0} points");
    }

    /// <param name="rows">The features of each image; copies of a photo count once.</param>
    /// <param name="groups">Copies of one photo have one number; null where each stands alone.</param>
    public static LearningCurve Of(
        string backbone, FeatureClassifier classifier, IReadOnlyList<float[]> rows, IReadOnlyList<int> labels, IReadOnlyList<string> classes,
        IReadOnlyList<int>? groups = null, int seed = 1, IProgress<StepProgress>? progress = null, CancellationToken cancellation = default)
    {
        int[] images = [.. Enumerable.Range(0, rows.Count).DistinctBy(image => groups?[image] ?? image)];
        var byClass = images.GroupBy(image => labels[image]).OrderBy(ofClass => ofClass.Key).Select(ofClass => ofClass.ToArray()).ToArray();
        var largest = byClass.Max(ofClass => (int)(LargestShare * ofClass.Length));
        List<int> counts = [.. Counts.Where(count => count < 0.9 * largest)];
        if (largest >= 1) counts.Add(largest);
        var points = new List<LearningCurvePoint>();
        for (var place = 0; place < counts.Count; place++)
        {
            var fixedC = classifier;
            var (accuracies, recalls, taken) = (new List<double>(), new double[classes.Count], 0);
            for (var draw = 0; draw < Draws; draw++)
            {
                cancellation.ThrowIfCancellationRequested();
                progress?.Report(new("Learning curve", place * Draws + draw, counts.Count * Draws, "draws", $"{counts[place]} photos of a class"));
                var (train, test) = Draw(byClass, counts[place], seed, place * Draws + draw);
                if (test.Count == 0) break;
                taken = train.Count;
                var fitted = fixedC.Fit([.. train.Select(image => rows[image])], [.. train.Select(image => labels[image])], classes.Count, seed, cancellation: cancellation);
                // C is chosen on the first draw of each number.
                if (fixedC is RegularizedClassifier { C: null } chosen && fitted.C is { } c) fixedC = chosen with { C = c };
                var isCorrect = Correct(fitted, [.. test.Select(image => rows[image])], [.. test.Select(image => labels[image])], cancellation);
                accuracies.Add(isCorrect.Average(correct => correct ? 1.0 : 0));
                foreach (var ofClass in test.Zip(isCorrect).GroupBy(pair => labels[pair.First]))
                    recalls[ofClass.Key] += ofClass.Average(pair => pair.Second ? 1.0 : 0) / Draws;
            }
            if (accuracies.Count == Draws) points.Add(new((double)taken / classes.Count, accuracies, recalls));
        }
        progress?.Report(new("Learning curve", counts.Count * Draws, counts.Count * Draws, "draws"));
        return new()
        {
            Backbone = backbone,
            Classifier = classifier.Name,
            Classes = classes,
            PhotosOfClass = (double)images.Length / classes.Count,
            Points = points,
            Law = points.Count < 3 ? null : PowerLaw.Fit(Errors(points)),
            Seed = seed,
        };
    }

    /// <summary>The class that more photos help most, where one stands out.</summary>
    private string MostIn()
    {
        const double StandsOut = 0.4;
        var gains = Classes.Select((_, label) =>
        {
            var law = PowerLaw.Fit([.. Fitted(Points).Select(point => (point.Photos, (IReadOnlyList<double>)[1 - point.Recalls[label]]))]);
            return Math.Max(0, law.Error(PhotosOfClass) - law.Error(2 * PhotosOfClass));
        }).ToList();
        var most = gains.IndexOf(gains.Max());
        return gains.Sum() > 0 && gains[most] > StandsOut * gains.Sum() ? $", most of it in {Classes[most]}" : "";
    }

    private IReadOnlyList<PowerLaw> Resampled() => PowerLaw.Resampled(Errors(Points), Seed);

    private static IReadOnlyList<LearningCurvePoint> Fitted(IReadOnlyList<LearningCurvePoint> points) =>
        points.Count(point => point.Photos >= LeastFitted) >= 4 ? [.. points.Where(point => point.Photos >= LeastFitted)] : points;

    private static IReadOnlyList<(double Photos, IReadOnlyList<double> Errors)> Errors(IReadOnlyList<LearningCurvePoint> points) =>
        [.. Fitted(points).Select(point => (point.Photos, (IReadOnlyList<double>)[.. point.Accuracies.Select(accuracy => 1 - accuracy)]))];

    private static (List<int> Train, List<int> Test) Draw(int[][] byClass, int count, int seed, int draw)
    {
        var (train, test) = (new List<int>(), new List<int>());
        for (var label = 0; label < byClass.Length; label++)
        {
            var streams = new SplitMix64((ulong)(uint)seed * 1_000_003 + (ulong)draw);
            var shuffled = byClass[label].ToArray();
            new SplitMix64(streams.Next() + (ulong)label).Shuffle(shuffled);
            var taken = Math.Min(count, Math.Max(1, (int)(LargestShare * shuffled.Length)));
            train.AddRange(shuffled.Take(taken));
            test.AddRange(shuffled.Skip(taken));
        }
        return (train, test);
    }

    private static List<bool> Correct(FittedClassifier fitted, IReadOnlyList<float[]> rows, IReadOnlyList<int> labels, CancellationToken cancellation)
    {
        using var head = fitted.ToModule(new("features", [new("features", Input.Of(TensorShape.Vector(rows[0].Length)), [])]));
        return [.. Trainer.Outputs(head, new ExamplesInMemory(rows, labels), 512, cancellation).Zip(labels, (row, label) => Array.IndexOf(row, row.Max()) == label)];
    }
}
