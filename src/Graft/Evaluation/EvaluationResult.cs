namespace Graft.Evaluation;

/// <summary>How well predictions agree with the truth on a set of images.</summary>
/// <param name="Loss">Mean cross-entropy, in nats.</param>
public sealed record EvaluationResult(ConfusionMatrix Confusion, ClassificationReport Report, double Loss)
{
    /// <summary>Share of images classified correctly, from 0 to 1.</summary>
    public double Accuracy => Report.Accuracy;

    /// <summary>Mean over the classes of the harmonic mean of precision and recall, from 0 to 1.</summary>
    public double MacroF1 => Report.MacroAverage.F1;

    /// <summary>Images.</summary>
    public int Count => Confusion.Total;

    /// <summary>The true class of each image.</summary>
    public required IReadOnlyList<int> Labels { get; init; }

    /// <summary>For each image, one number per class.</summary>
    public required IReadOnlyList<IReadOnlyList<float>> Probabilities { get; init; }

    /// <summary>The calibration of the probabilities.</summary>
    public required Calibration Calibration { get; init; }

    /// <summary>The model's temperature, and what the calibration would be without it; null where it has none.</summary>
    public ScaledCalibration? Uncalibrated { get; init; }

    /// <summary>How well each class's probability tells it from the rest.</summary>
    public required IReadOnlyList<Discrimination> OneVersusRest { get; init; }

    /// <summary>The mean over the classes that occur of the area under the ROC curve, one against the rest; NaN if only one class occurs.</summary>
    public double RocAuc => OneVersusRest.Select(one => one.RocAuc).Where(area => !double.IsNaN(area)).DefaultIfEmpty(double.NaN).Average();

    /// <summary>The 95 % confidence interval of the accuracy, by Wilson's score.</summary>
    public required ConfidenceInterval AccuracyInterval { get; init; }

    /// <summary>The 95 % confidence interval of macro F1, by the Bayesian bootstrap within classes.</summary>
    public required ConfidenceInterval MacroF1Interval { get; init; }

    /// <summary>The share of images whose true class is among the k most probable.</summary>
    public double TopKAccuracy(int k) => Metrics.TopKAccuracy<float>([.. Probabilities.SelectMany(row => row)], [.. Labels], k);

    /// <summary>The same of a model whose temperature is in these probabilities already; null where it has none.</summary>
    public EvaluationResult WithTemperature(double? temperature) =>
        this with { Uncalibrated = temperature is { } value ? new(value, ScaledCalibration.Of(this, 1 / value).Calibration) : null };

    /// <summary>The result with a temperature put into the probabilities.</summary>
    public EvaluationResult Calibrated(double temperature) => temperature == 1
        ? WithTemperature(1)
        : Of(Confusion.Classes, Labels, ScaledCalibration.Scaled(this, temperature)) with { Uncalibrated = new(temperature, Calibration) };

    /// <param name="classes">Names, in the order of the labels.</param>
    /// <param name="labels">The true class of each image.</param>
    /// <param name="probabilities">For each image, one number per class.</param>
    public static EvaluationResult Of(
        IReadOnlyList<string> classes, IReadOnlyList<int> labels, IReadOnlyList<IReadOnlyList<float>> probabilities)
    {
        for (var image = 0; image < probabilities.Count; image++)
        {
            if (probabilities[image].Any(value => !float.IsFinite(value)))
            {
                throw new GraftException(
                    $"The probabilities of image {image + 1} are not finite, so there is nothing to evaluate. "
                    + "The model's weights are damaged, or its training diverged.");
            }
        }
        int[] predicted = [.. probabilities.Select(row => Enumerable.Range(0, row.Count).MaxBy(index => row[index]))];
        var confusion = ConfusionMatrix.Of(labels, predicted, classes);
        float[] flat = [.. probabilities.SelectMany(row => row)];
        return new(confusion, ClassificationReport.Of(confusion), Metrics.LogLoss<float>(flat, [.. labels]))
        {
            Labels = labels,
            Probabilities = probabilities,
            Calibration = Calibration.Of(labels, probabilities),
            OneVersusRest = Discrimination.OneVersusRest(classes.Count, labels, probabilities),
            AccuracyInterval = ConfidenceInterval.OfShare(confusion.Correct, confusion.Total),
            MacroF1Interval = Bootstrap.MacroF1(confusion),
        };
    }
}
