namespace Graft.Evaluation;

/// <summary>How well predictions agree with the truth on a set of images.</summary>
/// <param name="Loss">Mean cross-entropy, in nats.</param>
public sealed record EvaluationResult(ConfusionMatrix Confusion, ClassificationReport Report, double Loss)
{
    /// <summary>Share of images classified rightly, from 0 to 1.</summary>
    public double Accuracy => Report.Accuracy;

    /// <summary>Mean over the classes of the harmonic mean of precision and recall, from 0 to 1.</summary>
    public double MacroF1 => Report.MacroAverage.F1;

    /// <summary>Images.</summary>
    public int Count => Confusion.Total;

    /// <param name="classes">Names, in the order of the labels.</param>
    /// <param name="labels">The true class of each image.</param>
    /// <param name="probabilities">For each image, one number per class.</param>
    public static EvaluationResult Of(
        IReadOnlyList<string> classes, IReadOnlyList<int> labels, IReadOnlyList<IReadOnlyList<float>> probabilities)
    {
        int[] predicted = [.. probabilities.Select(row => Enumerable.Range(0, row.Count).MaxBy(index => row[index]))];
        var confusion = ConfusionMatrix.Of(labels, predicted, classes);
        float[] flat = [.. probabilities.SelectMany(row => row)];
        return new(confusion, ClassificationReport.Of(confusion), Metrics.LogLoss<float>(flat, [.. labels]));
    }
}
