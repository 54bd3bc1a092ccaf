using System.ComponentModel.DataAnnotations;
using System.Diagnostics;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Classifiers;

/// <summary>
/// Repeated stratified cross-validation of classifiers on features: each repetition divides the images anew into 5 folds, and each fold is classified
/// by a fit without it. The same seed gives the same folds, so that classifiers, and networks on the same images, are compared fold by fold.
/// </summary>
public sealed record CrossValidation
{
    /// <summary>1 to 100; default 2.</summary>
    [Range(1, 100)]
    public int Repeats { get; init; } = 2;

    /// <summary>Decides the folds. Default 1.</summary>
    public int Seed { get; init; } = 1;

    /// <param name="rows">The features of each image, all of one length.</param>
    /// <param name="labels">The class of each, from 0.</param>
    /// <param name="classes">How many there are, at least 2; each has an image.</param>
    /// <param name="groups">
    /// Images of one number, such as copies of one photo, are held out together; null where each stands alone. Where a fold would lose a class by that,
    /// all stand alone.
    /// </param>
    /// <exception cref="GraftException">Unsuitable images, or every class has only one, so that none can be held out.</exception>
    public CrossValidated Run(
        FeatureClassifier classifier, IReadOnlyList<float[]> rows, IReadOnlyList<int> labels, int classes, IReadOnlyList<int>? groups = null,
        IProgress<StepProgress>? progress = null, CancellationToken cancellation = default)
    {
        if (DeclaredRanges.ProblemsOf(this) is { Count: > 0 } problems) throw new GraftException(string.Join(" ", problems));
        if (classifier.Problems() is { Count: > 0 } unsuitable) throw new GraftException(string.Join(" ", unsuitable));
        using var inference = no_grad();
        using var scope = NewDisposeScope();
        return Run(classifier, FeatureMatrix.Of(rows, labels, classes, groups), new(Seed, progress, cancellation));
    }

    internal CrossValidated Run(FeatureClassifier classifier, FeatureMatrix raw, FittingWork work)
    {
        var clock = Stopwatch.StartNew();
        // No fold needs probabilities: one factor over all that was held out gives them.
        classifier = classifier with { Calibrate = false };
        List<double> accuracies = [], heldOutShares = [], losses = [];
        List<IReadOnlyList<int>> predictions = [];
        for (var repeat = 0; repeat < Repeats; repeat++)
        {
            work.Cancellation.ThrowIfCancellationRequested();
            work.Progress?.Report(new("Cross-validation", repeat, Repeats, "repetitions", classifier.Title));
            using var scope = NewDisposeScope();
            var folds = Folds(raw, Seed + repeat);
            var outputs = classifier.HeldOutOutputs(raw, folds, work with { Progress = null });
            var predicted = outputs.argmax(1).data<long>().ToArray();
            predictions.Add([.. Enumerable.Range(0, raw.Count).Select(image => folds.Any(fold => Array.BinarySearch(fold.HeldOut, image) >= 0) ? (int)predicted[image] : -1)]);
            foreach (var fold in folds)
            {
                accuracies.Add(fold.HeldOut.Average(image => (int)predicted[image] == raw.Labels[image] ? 1.0 : 0));
                heldOutShares.Add((double)fold.HeldOut.Length / fold.Kept.Length);
            }
            losses.Add(CandidateC.Of(0, outputs * Number(Temperature.Fit(outputs, raw)), raw, raw.SampleWeights(Data.ClassWeighting.None)).Loss);
        }
        work.Progress?.Report(new("Cross-validation", Repeats, Repeats, "repetitions", classifier.Title));
        return new()
        {
            Name = classifier.Name,
            FoldAccuracies = accuracies,
            HeldOutShare = heldOutShares.Average(),
            Loss = losses.Average(),
            Predictions = predictions,
            Seconds = clock.Elapsed.TotalSeconds,
        };
    }

    private static IReadOnlyList<Fold> Folds(FeatureMatrix raw, int seed)
    {
        var folds = raw.Folds(seed);
        if (raw.Groups is not null && folds.Any(fold => fold.Kept.Select(image => raw.Labels[image]).Distinct().Count() < raw.Classes))
            folds = StratifiedFolds.Of(raw.Labels, seed);
        return folds.Count > 0
            ? folds
            : throw new GraftException("Every class has one photo, so none can be held out to measure on. Add photos: at least 2 of a class, better 10.");
    }
}

/// <summary>What cross-validation said of a classifier.</summary>
public sealed record CrossValidated
{
    /// <summary>As <see cref="FeatureClassifier.Name"/>.</summary>
    public required string Name { get; init; }

    /// <summary>The share of each fold's images classified correctly, repetition by repetition.</summary>
    public required IReadOnlyList<double> FoldAccuracies { get; init; }

    /// <summary>Images held out in a fold for each image fitted on.</summary>
    public required double HeldOutShare { get; init; }

    /// <summary>Mean cross-entropy of held-out images in nats, the outputs scaled by one factor for each repetition.</summary>
    public required double Loss { get; init; }

    /// <summary>For each repetition the class predicted for each image; −1 for a class's only image, which is never held out.</summary>
    public required IReadOnlyList<IReadOnlyList<int>> Predictions { get; init; }

    public required double Seconds { get; init; }

    /// <summary>The mean over the folds, from 0 to 1.</summary>
    public double Accuracy => FoldAccuracies.Average();

    /// <summary>Of the mean difference from another's accuracies on the same folds; 0 of a single fold.</summary>
    internal double StandardErrorOfDifference(CrossValidated other) =>
        FoldAccuracies.Count < 2 ? 0 : StandardError([.. FoldAccuracies.Zip(other.FoldAccuracies, (a, b) => a - b)], HeldOutShare);

    /// <summary>Of the mean of a number of each fold, by Nadeau and Bengio's variance, which counts that the training sets of the folds overlap.</summary>
    /// <param name="values">Of at least 2 folds.</param>
    internal static double StandardError(double[] values, double heldOutShare)
    {
        var mean = values.Average();
        return Math.Sqrt(values.Sum(value => Math.Pow(value - mean, 2)) / (values.Length - 1) * (1.0 / values.Length + heldOutShare));
    }
}
