using Graft.Data;

namespace Graft.Evaluation;

/// <summary>Where a figure would lie for 95 of 100 sets of images like this one.</summary>
public readonly record struct ConfidenceInterval(double Low, double High);

/// <summary>
/// Percentile bootstrap (Efron 1979): the figure of many sets drawn from the images with replacement; the middle 95 % of them are the interval.
/// The same seed gives the same interval on every machine.
/// </summary>
public static class Bootstrap
{
    private const int Resamples = 2000;

    /// <param name="confusion">Which images, by truth and prediction, there are: all that accuracy and F1 depend on.</param>
    /// <returns>The intervals of accuracy and of macro F1.</returns>
    public static (ConfidenceInterval Accuracy, ConfidenceInterval MacroF1) Of(ConfusionMatrix confusion, int seed = 1)
    {
        var classes = confusion.Classes.Count;
        var items = new List<(int Truth, int Predicted)>();
        for (var truth = 0; truth < classes; truth++)
            for (var predicted = 0; predicted < classes; predicted++)
                items.AddRange(Enumerable.Repeat((truth, predicted), confusion[truth, predicted]));
        var accuracies = new double[Resamples];
        var scores = new double[Resamples];
        var random = new SplitMix64((ulong)seed);
        var (hits, taken, support) = (new int[classes], new int[classes], new int[classes]);
        for (var resample = 0; resample < Resamples; resample++)
        {
            Array.Clear(hits);
            Array.Clear(taken);
            Array.Clear(support);
            for (var draw = 0; draw < items.Count; draw++)
            {
                var (truth, predicted) = items[random.Below(items.Count)];
                support[truth]++;
                taken[predicted]++;
                if (truth == predicted) hits[truth]++;
            }
            accuracies[resample] = (double)hits.Sum() / items.Count;
            // As in the report: a class without images and predictions scores 0.
            scores[resample] = Enumerable.Range(0, classes)
                .Average(label => hits[label] == 0 ? 0 : 2.0 * hits[label] / (taken[label] + support[label]));
        }
        return (Middle(accuracies), Middle(scores));
    }

    private static ConfidenceInterval Middle(double[] values)
    {
        Array.Sort(values);
        return new(At(0.025), At(0.975));

        // Between the two nearest values, as numpy's percentile.
        double At(double share)
        {
            var place = share * (values.Length - 1);
            var below = (int)place;
            return values[below] + (place - below) * (values[Math.Min(below + 1, values.Length - 1)] - values[below]);
        }
    }
}
