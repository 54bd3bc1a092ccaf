namespace Graft.Evaluation;

/// <summary>How often each class was taken for each: rows are the truth, columns the predictions.</summary>
public sealed class ConfusionMatrix
{
    private readonly int[,] counts;

    private ConfusionMatrix(IReadOnlyList<string> classes) =>
        (Classes, counts) = (classes, new int[classes.Count, classes.Count]);

    /// <summary>Counts paired class indices, 0-based into <paramref name="classes"/>.</summary>
    public static ConfusionMatrix Of(
        IReadOnlyList<int> truth, IReadOnlyList<int> predictions, IReadOnlyList<string> classes)
    {
        if (truth.Count != predictions.Count)
            throw new ArgumentException($"There are {truth.Count} true classes but {predictions.Count} predictions.");
        var matrix = new ConfusionMatrix(classes);
        for (var item = 0; item < truth.Count; item++)
            matrix.counts[Index(truth[item]), Index(predictions[item])]++;
        return matrix;

        int Index(int label) => label >= 0 && label < classes.Count
            ? label
            : throw new ArgumentOutOfRangeException(
                nameof(truth), label, $"Expected class indices from 0 to {classes.Count - 1}.");
    }

    public IReadOnlyList<string> Classes { get; }

    public int this[int truth, int predicted] => counts[truth, predicted];

    public int Total => Enumerable.Range(0, Classes.Count).Sum(Support);

    public int Correct => Enumerable.Range(0, Classes.Count).Sum(label => counts[label, label]);

    /// <summary>How many items are truly of the class.</summary>
    public int Support(int truth) => Enumerable.Range(0, Classes.Count).Sum(predicted => counts[truth, predicted]);

    /// <summary>How many items were taken for the class.</summary>
    public int Predicted(int predicted) => Enumerable.Range(0, Classes.Count).Sum(truth => counts[truth, predicted]);

    /// <summary>The counts as rows, for JSON.</summary>
    public int[][] ToRows() =>
        [.. Enumerable.Range(0, Classes.Count).Select(truth =>
            Enumerable.Range(0, Classes.Count).Select(predicted => counts[truth, predicted]).ToArray())];
}
