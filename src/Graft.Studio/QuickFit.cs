using Graft.Classifiers;
using Graft.Networks;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Studio;

/// <summary>
/// The classifier that learns along: linear discriminant analysis, which is fitted by a formula, so that thousands of photos are learned, and each judged by a fit without it, in less
/// than a second.
/// </summary>
/// <param name="Fitted">On all rows.</param>
/// <param name="Probabilities">[rows × classes], each row by a fit without it; NaN where a row could not be held out.</param>
/// <param name="Factor">What outputs are multiplied by to become logits.</param>
internal sealed record QuickFit(FittedClassifier Fitted, double[] Probabilities, double Factor)
{
    /// <summary>As training requests name it.</summary>
    public const string Classifier = "lda";

    public static QuickFit Of(float[][] rows, int[] labels, int classes, CancellationToken cancellation)
    {
        // The matrices are small: threads that wait for each other would cost more than they save, and the page needs a core too.
        using var oneThread = new TorchThreads(1);
        using var inference = no_grad();
        using var scope = NewDisposeScope();
        var features = FeatureMatrix.Of(rows, labels, classes, Copies(rows, labels, classes));
        var classifier = new LinearDiscriminant { Rule = ShrinkageRule.LedoitWolf, Calibrate = false };
        var outputs = classifier.HeldOutOutputs(features, features.Folds(1), new(1, null, cancellation));
        var factor = Temperature.Fit(outputs, features);
        return new(classifier.Fit(rows, labels, classes, cancellation: cancellation), (outputs * Number(factor)).softmax(1).ToDoubles(), factor);
    }

    /// <summary>Photos of one content are held out together; null where a class would be left out by that.</summary>
    private static int[]? Copies(float[][] rows, int[] labels, int classes)
    {
        var first = new Dictionary<(float, float, float, float), int>();
        int[] groups = [.. rows.Select((row, index) =>
        {
            var key = (row[0], row[row.Length / 3], row[row.Length / 2], row[^1]);
            if (first.TryGetValue(key, out var known) && rows[known].AsSpan().SequenceEqual(row)) return known;
            first[key] = index;
            return index;
        })];
        return groups.Distinct().Count() < groups.Length
            && StratifiedFolds.Of(labels, 1, groups).All(fold => fold.Kept.Select(row => labels[row]).Distinct().Count() == classes)
            ? groups
            : null;
    }
}
