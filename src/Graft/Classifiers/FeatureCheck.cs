using Graft.Data;
using Graft.Features;
using Graft.Networks;

namespace Graft.Classifiers;

/// <summary>When features call two pictures one photo. The defaults were set on photographs; see docs/data.md.</summary>
public sealed record FeatureCheckOptions
{
    /// <summary>
    /// Least cosine similarity of the features of two pictures of one photo: 0.9 to 1, default 0.985. Different photos of one thing, shot in a
    /// row, reach 0.98 with small networks.
    /// </summary>
    public double LeastSimilarity { get; init; } = 0.985;

    /// <summary>
    /// Least correlation of their gray values at 32×32, upright or in a mirror: 0 to 1, default 0.92. It keeps apart what is only like
    /// one another.
    /// </summary>
    public double LeastCorrelation { get; init; } = 0.92;

    /// <summary>
    /// How much the classifiers that judge labels fit their photos: above 0, default 0.01. With more, they learn wrong labels by heart.
    /// </summary>
    public double C { get; init; } = 0.01;

    /// <summary>Decides the folds of cross-validation.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>What is wrong with these options, a sentence each; empty if nothing is.</summary>
    public IReadOnlyList<string> Problems()
    {
        var problems = new List<string>();
        if (LeastSimilarity is not (>= 0.9 and <= 1)) problems.Add($"Expected a similarity from 0.9 to 1, found {LeastSimilarity}.");
        if (LeastCorrelation is not (>= 0 and <= 1)) problems.Add($"Expected a correlation from 0 to 1, found {LeastCorrelation}.");
        if (C is not (> 0 and < double.PositiveInfinity)) problems.Add($"Expected a C above 0, found {C}.");
        return problems;
    }
}

/// <summary>
/// What features of a pretrained network say of a data set beyond its pixels: near duplicates, and labels that are likely wrong.
/// </summary>
public static class FeatureCheck
{
    /// <summary>Completes a report: groups of duplicates grow, and <see cref="DataCheckReport.Labels"/> is there.</summary>
    /// <param name="report">Of <see cref="DataCheck.Run"/>.</param>
    /// <param name="features">Networks cut to vectors. Stay the caller's.</param>
    /// <param name="cache">Where features are looked up and kept; null to compute them.</param>
    /// <exception cref="GraftException">Unsuitable options.</exception>
    public static DataCheckReport Run(
        DataCheckReport report, FeatureBlocks features, FeatureCache? cache, FeatureCheckOptions? options = null, Action<string>? warn = null,
        InferenceEngine engine = InferenceEngine.Onnx, IProgress<StepProgress>? progress = null, CancellationToken cancellation = default)
    {
        options ??= new();
        if (options.Problems() is { Count: > 0 } problems) throw new DataException("the options", problems);
        // The number of an image goes along as its class.
        var set = features.Extract(
            [.. report.Images.Select((image, number) => new LabeledImage(image.Path, number))], cache, warn, engine, bank: null, progress,
            cancellation);
        LibtorchTuning.ReleaseFree();
        int[] numbers = [.. set.Images.Select(image => image.Class)];
        report = DataCheck.WithSamePhotos(report, SamePhotos(report, set.Rows, numbers, features, options, cancellation));
        LibtorchTuning.ReleaseFree();
        return report with { Labels = Check(report, set.Rows, numbers, features.Name, options, progress, cancellation) };
    }

    private static IEnumerable<(int First, int Second)> SamePhotos(
        DataCheckReport report, IReadOnlyList<float[]> rows, int[] numbers, FeatureBlocks features, FeatureCheckOptions options,
        CancellationToken cancellation)
    {
        var blank = report.Flawed.Where(flawed => flawed.Flaw == ImageFlaw.Blank).Select(flawed => flawed.Image.File)
            .ToHashSet(StringComparer.Ordinal);
        return FeatureSimilarity.Pairs(
                rows, [.. features.Blocks.Select(block => block.Network.OutputShape.ElementCount)], options.LeastSimilarity, cancellation)
            .Select(pair => (First: numbers[pair.First], Second: numbers[pair.Second]))
            .Where(pair =>
            {
                var (first, second) = (report.Images[pair.First], report.Images[pair.Second]);
                return !blank.Contains(first.File) && !blank.Contains(second.File)
                    && Math.Max(first.Look!.Correlation(second.Look!), first.Look.MirroredCorrelation(second.Look!)) >= options.LeastCorrelation;
            });
    }

    private static LabelCheck? Check(
        DataCheckReport report, IReadOnlyList<float[]> rows, int[] numbers, string backbone, FeatureCheckOptions options,
        IProgress<StepProgress>? progress, CancellationToken cancellation)
    {
        // Of classes without any image that can be read, nothing is learned.
        string[] classes = [.. report.Classes.Where(name => numbers.Any(number => report.Images[number].Class == name))];
        if (classes.Length < 2) return null;
        int[] labels = [.. numbers.Select(number => Array.IndexOf(classes, report.Images[number].Class))];
        var groups = Groups(report, numbers, labels, classes.Length, options.Seed);
        double[] Probabilities(IReadOnlySet<int>? leftOut) => new LogisticRegression { C = options.C }.OutOfFoldProbabilities(
            rows, labels, classes.Length, options.Seed, groups, leftOut, progress, cancellation);
        // Wrong labels mislead the very classifiers that are to find them, so these learn a second time, without the worst.
        var probabilities = Probabilities(leftOut: null);
        var worst = Worst(ConfidentLearning.Suspects(labels, probabilities, classes.Length), labels);
        if (worst.Count > 0) probabilities = Probabilities(worst);
        var judged = Enumerable.Range(0, labels.Length).Where(row => !double.IsNaN(probabilities[row * classes.Length])).ToList();
        if (judged.Count == 0) return null;
        return new(
            backbone, judged.Average(row => MostProbable(row) == labels[row] ? 1.0 : 0),
            [
                .. ConfidentLearning.Suspects(labels, probabilities, classes.Length).Select(row => new LabelSuspect(
                    report.Images[numbers[row]], probabilities[row * classes.Length + labels[row]],
                    classes[MostProbable(row)], probabilities[row * classes.Length + MostProbable(row)])),
            ]);

        int MostProbable(int row) => Enumerable.Range(0, classes.Length).MaxBy(label => probabilities[row * classes.Length + label]);
    }

    /// <summary>The most suspicious third, but no more than a quarter of a class.</summary>
    private static HashSet<int> Worst(IReadOnlyList<int> suspects, int[] labels)
    {
        var left = labels.CountBy(label => label).ToDictionary(count => count.Key, count => count.Value / 4);
        return [.. suspects.Take((suspects.Count + 2) / 3).Where(row => left[labels[row]]-- > 0)];
    }

    /// <summary>
    /// Pictures of one photo are judged by a classifier that learned from none of them; null where some class would then be left out of a fit.
    /// </summary>
    private static int[]? Groups(DataCheckReport report, int[] numbers, int[] labels, int classes, int seed)
    {
        var groups = Enumerable.Range(0, numbers.Length).ToArray();
        var rowOf = numbers.Select((number, row) => (report.Images[number].File, row)).ToDictionary(StringComparer.Ordinal);
        foreach (var group in report.Duplicates)
        {
            int[] rows = [.. group.Images.Where(image => rowOf.ContainsKey(image.File)).Select(image => rowOf[image.File])];
            foreach (var row in rows) groups[row] = rows[0];
        }
        return StratifiedFolds.Of(labels, seed, groups).All(fold => fold.Kept.Select(row => labels[row]).Distinct().Count() == classes)
            ? groups
            : null;
    }
}
