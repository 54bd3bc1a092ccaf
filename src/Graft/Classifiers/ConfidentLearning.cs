namespace Graft.Classifiers;

/// <summary>
/// Finds labels that are likely wrong by confident learning (Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in
/// Dataset Labels", JAIR 2021, arXiv:1911.00068): a class is meant where it is at least as probable as it is on average for the images that
/// are labeled so; how often another class than the label is meant estimates how many labels are wrong, and those of the lowest
/// self-confidence (the probability of the label) are taken.
/// </summary>
public static class ConfidentLearning
{
    /// <summary>The images whose labels are likely wrong, by number, the most likely first.</summary>
    /// <param name="labels">The given class of each image, from 0.</param>
    /// <param name="probabilities">
    /// [images × classes], row by row, each row by a classifier that was not fitted on its image; an image whose row begins with NaN does
    /// not count.
    /// </param>
    /// <param name="classes">How many there are.</param>
    public static IReadOnlyList<int> Suspects(IReadOnlyList<int> labels, ReadOnlySpan<double> probabilities, int classes)
    {
        if (probabilities.Length != labels.Count * classes)
            throw new ArgumentException($"Expected {labels.Count} × {classes} probabilities, found {probabilities.Length}.", nameof(probabilities));
        var table = probabilities.ToArray();
        ReadOnlySpan<double> Row(int image) => table.AsSpan(image * classes, classes);
        int[] counted = [.. Enumerable.Range(0, labels.Count).Where(image => !double.IsNaN(table[image * classes]))];

        var thresholds = new double[classes];
        for (var label = 0; label < classes; label++)
        {
            thresholds[label] = counted.Where(image => labels[image] == label).Select(image => Row(image)[label])
                .DefaultIfEmpty(double.PositiveInfinity).Average();
        }
        // The confident joint: how often each class is meant where each label is given.
        var joint = new int[classes, classes];
        foreach (var image in counted)
        {
            var meant = -1;
            for (var label = 0; label < classes; label++)
                if (Row(image)[label] >= thresholds[label] && (meant < 0 || Row(image)[label] > Row(image)[meant])) meant = label;
            if (meant >= 0) joint[labels[image], meant]++;
        }
        // Of each label as many are wrong as its share of the joint says.
        var wrong = 0.0;
        foreach (var (label, count) in counted.CountBy(image => labels[image]))
        {
            var sum = Enumerable.Range(0, classes).Sum(meant => joint[label, meant]);
            if (sum > 0) wrong += (double)count * (sum - joint[label, label]) / sum;
        }
        return
        [
            .. counted.Where(image => Row(image)[labels[image]] < Largest(Row(image)))
                .OrderBy(image => Row(image)[labels[image]]).Take((int)Math.Round(wrong)),
        ];
    }

    private static double Largest(ReadOnlySpan<double> row)
    {
        var largest = row[0];
        foreach (var value in row[1..]) largest = Math.Max(largest, value);
        return largest;
    }
}
