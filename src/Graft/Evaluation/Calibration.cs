namespace Graft.Evaluation;

/// <summary>Predictions of about the same confidence.</summary>
/// <param name="Confidence">The mean of their largest probability.</param>
/// <param name="Accuracy">The share of them that is correct.</param>
public readonly record struct CalibrationBin(double Confidence, double Accuracy, int Count);

/// <summary>The calibration of probabilities: of predictions made with 80 % confidence, 80 % should be correct.</summary>
public sealed class Calibration
{
    /// <summary>Guo et al. 2017, arXiv:1706.04599.</summary>
    private const int Bins = 15;

    private Calibration(IReadOnlyList<CalibrationBin> bins, double error, double brierScore) =>
        (NonEmptyBins, ExpectedCalibrationError, BrierScore) = (bins, error, brierScore);

    /// <param name="labels">The true class of each image.</param>
    /// <param name="probabilities">For each image, one number per class; they sum to 1.</param>
    public static Calibration Of(IReadOnlyList<int> labels, IReadOnlyList<IReadOnlyList<float>> probabilities)
    {
        var items = labels.Zip(probabilities, (label, row) =>
        {
            var best = Enumerable.Range(0, row.Count).MaxBy(index => row[index]);
            return (Confidence: (double)row[best], IsCorrect: best == label);
        }).ToList();
        // A confidence on the border between two bins belongs to the lower one.
        var bins = items.GroupBy(item => Math.Clamp((int)Math.Ceiling(item.Confidence * Bins) - 1, 0, Bins - 1)).OrderBy(bin => bin.Key)
            .Select(bin => new CalibrationBin(bin.Average(item => item.Confidence), bin.Average(item => item.IsCorrect ? 1.0 : 0), bin.Count()))
            .ToList();
        return new(
            bins,
            bins.Sum(bin => bin.Count * Math.Abs(bin.Confidence - bin.Accuracy)) / items.Count,
            labels.Zip(probabilities, (label, row) => row.Select((p, index) => Math.Pow((double)p - (index == label ? 1 : 0), 2)).Sum()).Average());
    }

    /// <summary>Of 15 bins of equal width, those with predictions, from low confidence to high.</summary>
    public IReadOnlyList<CalibrationBin> NonEmptyBins { get; }

    /// <summary>The mean distance between confidence and accuracy over the bins, each counting by its predictions; 0 to 1.</summary>
    public double ExpectedCalibrationError { get; }

    /// <summary>
    /// The mean squared distance of the probabilities from the truth, summed over the classes (Brier 1950); 0 to 2. For two classes it is
    /// twice what scikit-learn's brier_score_loss gives.
    /// </summary>
    public double BrierScore { get; }
}
