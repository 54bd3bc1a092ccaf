using Graft.Evaluation;

namespace Graft.Unlabeled;

/// <summary>From which probability on a class's label keeps a promise.</summary>
/// <param name="Threshold">Labels at least so probable keep it; null where none would.</param>
/// <param name="Count">Photos of known class that the model named so, at least so surely.</param>
/// <param name="Correct">How many of them are of the class.</param>
/// <param name="LowerBound">What the precision is at least, but in the share of cases that was allowed.</param>
/// <param name="Named">Photos of known class that the model named so, however surely.</param>
public sealed record PrecisionThreshold(double? Threshold, int Count, int Correct, double LowerBound, int Named);

/// <summary>
/// For each class the least probability that is right often enough: the largest part of the surest photos of known class whose precision is, by Clopper and Pearson's exact
/// bound, at least what was promised. The photos must not have been fitted on.
/// </summary>
public static class PrecisionThresholds
{
    /// <summary>Parts of a class's photos that are tried, the surest first; few, since trying many finds lucky ones.</summary>
    private static readonly double[] Parts = [1, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2];

    /// <param name="predicted">For each photo of known class the class that the model gave it and its probability.</param>
    /// <param name="labels">The class of each.</param>
    /// <param name="precision">Promised, above 0 and below 1.</param>
    /// <param name="risk">The share of cases in which a class may be less precise. Default 0.05.</param>
    public static IReadOnlyList<PrecisionThreshold> Of(
        IReadOnlyList<(int Class, double Probability)> predicted, IReadOnlyList<int> labels, int classes, double precision, double risk = 0.05)
    {
        if (precision is not (> 0 and < 1)) throw new GraftException($"Expected a precision above 0 and below 1, found {precision}.");
        var all = predicted.Zip(labels, (answer, label) => (answer.Class, answer.Probability, IsCorrect: answer.Class == label)).ToLookup(photo => photo.Class);
        return [.. Enumerable.Range(0, classes).Select(label => Of([.. all[label].OrderByDescending(photo => photo.Probability).Select(photo => (photo.Probability, photo.IsCorrect))], precision, risk))];
    }

    private static PrecisionThreshold Of((double Probability, bool IsCorrect)[] sorted, double precision, double risk)
    {
        foreach (var part in Parts)
        {
            var count = (int)Math.Ceiling(part * sorted.Length);
            if (count == 0) break;
            // Photos of one probability stand or fall together.
            while (count < sorted.Length && sorted[count].Probability == sorted[count - 1].Probability) count++;
            var correct = sorted.Take(count).Count(photo => photo.IsCorrect);
            var bound = ClopperPearson.LowerBound(correct, count, risk);
            if (bound >= precision) return new(sorted[count - 1].Probability, count, correct, bound, sorted.Length);
        }
        return new(null, 0, 0, 0, sorted.Length);
    }
}
