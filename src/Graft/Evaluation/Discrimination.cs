namespace Graft.Evaluation;

/// <summary>A point of a ROC curve: what is found, and what is wrongly taken, by calling all scores of at least a threshold positive.</summary>
public readonly record struct RocPoint(double FalsePositiveRate, double TruePositiveRate, double Threshold);

/// <summary>A point of a precision-recall curve.</summary>
public readonly record struct PrecisionRecallPoint(double Recall, double Precision, double Threshold);

/// <summary>
/// How well a score tells the items of one class from all others, whatever the threshold. Equal scores count as one threshold, as in
/// scikit-learn; without a positive or without a negative item there is nothing to tell apart, and the areas are NaN.
/// </summary>
public sealed class Discrimination
{
    /// <param name="scores">Higher means more likely positive; no NaN.</param>
    /// <param name="isPositive">The truth, item by item.</param>
    public static Discrimination Of(IReadOnlyList<double> scores, IReadOnlyList<bool> isPositive)
    {
        if (scores.Count != isPositive.Count) throw new ArgumentException($"There are {scores.Count} scores for {isPositive.Count} items.");
        if (scores.Any(double.IsNaN)) throw new ArgumentException("A score is not a number.", nameof(scores));
        return new(Steps(scores, isPositive, score => score));
    }

    private static List<(double Threshold, int Positives, int Negatives)> Steps(
        IReadOnlyList<double> scores, IReadOnlyList<bool> isPositive, Func<double, double> threshold) =>
    [
        .. scores.Zip(isPositive).GroupBy(pair => pair.First).OrderByDescending(group => group.Key).Select(group =>
            (threshold(group.Key), group.Count(pair => pair.Second), group.Count(pair => !pair.Second))),
    ];

    /// <summary>
    /// Each class against the rest. Two classes are told apart by one column, the second, for both: of two probabilities next to 1, the
    /// smaller ones beside them, which float32 keeps apart, tell the order.
    /// </summary>
    /// <param name="classes">How many there are.</param>
    /// <param name="labels">The true class of each image.</param>
    /// <param name="probabilities">For each image, one number per class.</param>
    public static IReadOnlyList<Discrimination> OneVersusRest(
        int classes, IReadOnlyList<int> labels, IReadOnlyList<IReadOnlyList<float>> probabilities)
    {
        if (classes != 2) return [.. Enumerable.Range(0, classes).Select(label => Of(label, labels, probabilities))];
        var second = probabilities.Select(row => (double)row[1]).ToArray();
        return
        [
            new(Steps([.. second.Select(value => -value)], [.. labels.Select(label => label == 0)], score => 1 + score)),
            Of(second, [.. labels.Select(label => label == 1)]),
        ];
    }

    /// <summary>One class against the rest.</summary>
    /// <param name="probabilities">For each image, one number per class.</param>
    public static Discrimination Of(int label, IReadOnlyList<int> labels, IReadOnlyList<IReadOnlyList<float>> probabilities) =>
        Of([.. probabilities.Select(row => (double)row[label])], [.. labels.Select(truth => truth == label)]);

    private Discrimination(IReadOnlyList<(double Threshold, int Positives, int Negatives)> steps)
    {
        double positives = steps.Sum(step => step.Positives), negatives = steps.Sum(step => step.Negatives);
        var (found, wrong, area, precisionArea) = (0.0, 0.0, 0.0, 0.0);
        var roc = new List<RocPoint> { new(0, 0, double.PositiveInfinity) };
        var precisionRecall = new List<PrecisionRecallPoint>();
        foreach (var (threshold, more, moreWrong) in steps)
        {
            area += moreWrong * (found + more / 2.0);
            (found, wrong) = (found + more, wrong + moreWrong);
            precisionArea += more * (found / (found + wrong));
            roc.Add(new(wrong / negatives, found / positives, threshold));
            precisionRecall.Add(new(found / positives, found / (found + wrong), threshold));
        }
        (Roc, PrecisionRecall) = (roc, precisionRecall);
        RocAuc = positives == 0 || negatives == 0 ? double.NaN : area / (positives * negatives);
        AveragePrecision = positives == 0 ? double.NaN : precisionArea / positives;
    }

    /// <summary>From (0, 0) to (1, 1).</summary>
    public IReadOnlyList<RocPoint> Roc { get; }

    /// <summary>From the highest threshold to the lowest.</summary>
    public IReadOnlyList<PrecisionRecallPoint> PrecisionRecall { get; }

    /// <summary>
    /// The area under the ROC curve: how probable it is that a positive item scores higher than a negative one, equal scores counting half.
    /// </summary>
    public double RocAuc { get; }

    /// <summary>The mean of the precision over the recall, without interpolation: scikit-learn's average_precision_score.</summary>
    public double AveragePrecision { get; }
}
