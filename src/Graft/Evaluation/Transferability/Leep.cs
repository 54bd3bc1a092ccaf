namespace Graft.Evaluation.Transferability;

/// <summary>
/// The log expected empirical prediction (Nguyen et al. 2020, arXiv:2002.12462): how well a pretrained network's own classes predict the labels,
/// the mean logarithm of Σ p(label | source class) · p(source class | image). At most 0; higher is better.
/// </summary>
public static class Leep
{
    /// <param name="sourceProbabilities">For each image, one number for each class of the pretrained network; they sum to 1.</param>
    /// <param name="labels">The class of each image, from 0.</param>
    /// <param name="classes">How many there are.</param>
    public static double Score(IReadOnlyList<IReadOnlyList<double>> sourceProbabilities, IReadOnlyList<int> labels, int classes)
    {
        if (sourceProbabilities.Count != labels.Count || labels.Count == 0)
            throw new ArgumentException($"Expected a row of probabilities for each of {labels.Count} labels, found {sourceProbabilities.Count}.");
        if (sourceProbabilities.Any(row => row.Any(value => !double.IsFinite(value))))
            throw new GraftException("A probability of the pretrained network is not finite.");
        var sources = sourceProbabilities[0].Count;
        var joint = new double[classes, sources];
        var totals = new double[sources];
        foreach (var (row, label) in sourceProbabilities.Zip(labels))
        {
            for (var source = 0; source < sources; source++)
            {
                joint[label, source] += row[source];
                totals[source] += row[source];
            }
        }
        return sourceProbabilities.Zip(labels, (row, label) => Math.Log(
            Enumerable.Range(0, sources).Where(source => totals[source] > 0).Sum(source => joint[label, source] / totals[source] * row[source]))).Average();
    }
}
