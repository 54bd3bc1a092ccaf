using Graft.Data;

namespace Graft.Evaluation;

/// <summary>A 95 % confidence interval.</summary>
public readonly record struct ConfidenceInterval(double Low, double High)
{
    /// <summary>The 97.5 % quantile of the standard normal distribution.</summary>
    private const double Quantile = 1.959963984540054;

    /// <summary>
    /// Of a share, such as an accuracy, by Wilson's score (Wilson 1927; Brown, Cai and DasGupta 2001): it is never empty, not even where all
    /// are correct.
    /// </summary>
    /// <param name="correct">How many of them are.</param>
    /// <param name="count">At least 1.</param>
    public static ConfidenceInterval OfShare(int correct, int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        var (share, square) = ((double)correct / count, Quantile * Quantile / count);
        var middle = (share + square / 2) / (1 + square);
        var half = Quantile * Math.Sqrt(share * (1 - share) / count + square / (4.0 * count)) / (1 + square);
        // The ends that are certain, without their rounding.
        return new(correct == 0 ? 0 : middle - half, correct == count ? 1 : middle + half);
    }
}

/// <summary>
/// The interval of a figure that has no formula: the figure of many weightings of the images, class by class (the Bayesian bootstrap, Rubin
/// 1981); the middle 95 % of them are the interval. One image in all, divided among the classes, is added to the correct ones; and one to the
/// misclassified ones for the lower end, since without a class's misclassified images the others would pass for certain, and 0.6 for the upper
/// end, as Clopper and Pearson have a prior for each end too. The same seed gives the same interval on every machine.
/// </summary>
public static class Bootstrap
{
    private const int Resamples = 2000;

    /// <summary>Misclassified images that are added, of all classes together. By simulation, see IntervalTests.</summary>
    private const double AddedErrorsBelow = 1, AddedErrorsAbove = 0.6;

    /// <param name="confusion">Which images, by truth and prediction, there are: all that F1 depends on.</param>
    /// <param name="seed">Of the weightings.</param>
    public static ConfidenceInterval MacroF1(ConfusionMatrix confusion, int seed = 1) =>
        MacroF1(confusion, seed, Resamples);

    internal static ConfidenceInterval MacroF1(ConfusionMatrix confusion, int seed, int resamples)
    {
        var estimate = ClassificationReport.Of(confusion).MacroAverage.F1;
        return new(
            Math.Min(Quantile(0.025, Scores(confusion, AddedErrorsBelow, seed, resamples)), estimate),
            Math.Max(Quantile(0.975, Scores(confusion, AddedErrorsAbove, seed, resamples)), estimate));
    }

    /// <summary>The macro F1 of each weighting, ascending.</summary>
    private static double[] Scores(ConfusionMatrix confusion, double addedErrors, int seed, int resamples)
    {
        var classes = confusion.Classes.Count;
        var (prior, errorPrior) = (1.0 / classes, addedErrors / classes);
        var support = Enumerable.Range(0, classes).Select(confusion.Support).ToArray();
        var errors = Enumerable.Range(0, classes).Select(truth => Enumerable.Range(0, classes)
            .Where(predicted => predicted != truth && confusion[truth, predicted] > 0).ToArray()).ToArray();
        var random = new SplitMix64((ulong)seed);
        var scores = new double[resamples];
        var (hits, taken) = (new double[classes], new double[classes]);
        for (var resample = 0; resample < resamples; resample++)
        {
            Array.Clear(taken);
            var elsewhere = 0.0; // What each class takes from classes without an error
            for (var truth = 0; truth < classes; truth++)
            {
                hits[truth] = 0;
                if (support[truth] == 0) continue;
                var correct = random.NextGamma(confusion[truth, truth] + prior);
                var wrong = support[truth] - confusion[truth, truth];
                var drawn = errors[truth].Select(predicted => random.NextGamma(confusion[truth, predicted] * (1 + errorPrior / wrong))).ToArray();
                var error = wrong == 0 && classes > 1 ? random.NextGamma(errorPrior) : drawn.Sum();
                var scale = support[truth] / (correct + error);
                hits[truth] = correct * scale;
                taken[truth] += hits[truth];
                for (var i = 0; i < drawn.Length; i++) taken[errors[truth][i]] += drawn[i] * scale;
                if (wrong > 0 || classes == 1) continue;
                var share = error * scale / (classes - 1);
                elsewhere += share;
                taken[truth] -= share;
            }
            // As in the report: a class without images and predictions scores 0.
            scores[resample] = Enumerable.Range(0, classes)
                .Average(label => hits[label] == 0 ? 0 : 2 * hits[label] / (taken[label] + elsewhere + support[label]));
        }
        Array.Sort(scores);
        return scores;
    }

    /// <summary>Between the two nearest values, as numpy's percentile.</summary>
    private static double Quantile(double share, double[] sorted)
    {
        var place = share * (sorted.Length - 1);
        var below = (int)place;
        return sorted[below] + (place - below) * (sorted[Math.Min(below + 1, sorted.Length - 1)] - sorted[below]);
    }
}
