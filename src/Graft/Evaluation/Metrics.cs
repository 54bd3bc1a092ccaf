using System.Numerics;

namespace Graft.Evaluation;

/// <summary>Scores of probabilities, [N, C] in row order, against the true classes, [N] indices below C.</summary>
public static class Metrics
{
    /// <summary>
    /// The mean of -ln p over the true classes. As in scikit-learn, p is kept a machine epsilon of its type away from 0
    /// and 1, so that one sure and wrong answer does not make it infinite. Rows are taken as they are, not normalized.
    /// </summary>
    public static double LogLoss<T>(ReadOnlySpan<T> probabilities, ReadOnlySpan<int> labels)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        var classes = ClassCount(probabilities.Length, labels);
        var epsilon = double.CreateChecked(T.BitIncrement(T.One) - T.One);
        var sum = 0.0;
        for (var item = 0; item < labels.Length; item++)
        {
            var probability = double.CreateChecked(probabilities[item * classes + labels[item]]);
            sum -= Math.Log(Math.Clamp(probability, epsilon, 1 - epsilon));
        }
        return sum / labels.Length;
    }

    /// <summary>
    /// The share of items whose true class is among the <paramref name="k"/> most probable. Of equal probabilities the
    /// smaller class comes first, so that k = 1 is the accuracy of the first maximum; NaN is never a hit.
    /// </summary>
    public static double TopKAccuracy<T>(ReadOnlySpan<T> probabilities, ReadOnlySpan<int> labels, int k)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(k, 1);
        var classes = ClassCount(probabilities.Length, labels);
        var hits = 0;
        for (var item = 0; item < labels.Length; item++)
        {
            var row = probabilities.Slice(item * classes, classes);
            var (label, own) = (labels[item], row[labels[item]]);
            var before = 0;
            for (var other = 0; other < classes; other++)
                if (row[other] > own || (row[other] == own && other < label)) before++;
            if (before < k && !T.IsNaN(own)) hits++;
        }
        return (double)hits / labels.Length;
    }

    private static int ClassCount(int probabilities, ReadOnlySpan<int> labels)
    {
        if (labels.IsEmpty || probabilities == 0 || probabilities % labels.Length != 0)
            throw new ArgumentException(
                $"Expected a row of probabilities for each of the {labels.Length} labels, " +
                $"found {probabilities} values.");
        var classes = probabilities / labels.Length;
        foreach (var label in labels)
            if (label < 0 || label >= classes)
                throw new ArgumentOutOfRangeException(
                    nameof(labels), label, $"Expected class indices from 0 to {classes - 1}.");
        return classes;
    }
}
