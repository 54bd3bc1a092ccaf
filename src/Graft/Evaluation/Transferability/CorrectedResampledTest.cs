namespace Graft.Evaluation.Transferability;

/// <summary>
/// Whether two models differ by more than luck in repeated cross-validation: Nadeau and Bengio's t-test (2003, "Inference for the generalization
/// error"), whose variance counts that the training sets of the folds overlap, as that of a plain t-test does not.
/// </summary>
/// <param name="Difference">The mean difference of the scores, first minus second.</param>
/// <param name="StandardError">Corrected.</param>
/// <param name="PValue">Two-sided, of Student's t distribution.</param>
public sealed record CorrectedResampledTest(double Difference, double StandardError, double PValue)
{
    /// <param name="first">A score of each fold.</param>
    /// <param name="second">The other model's, on the same folds in the same order.</param>
    /// <param name="heldOutShare">Images held out in a fold for each image fitted on: 1 / (folds − 1) in cross-validation.</param>
    public static CorrectedResampledTest Of(IReadOnlyList<double> first, IReadOnlyList<double> second, double heldOutShare)
    {
        if (first.Count != second.Count || first.Count < 2)
            throw new ArgumentException($"Expected the scores of at least 2 folds for both models, found {first.Count} and {second.Count}.");
        if (!(heldOutShare > 0)) throw new ArgumentOutOfRangeException(nameof(heldOutShare), heldOutShare, "Expected a share above 0.");
        var differences = first.Zip(second, (a, b) => a - b).ToArray();
        var mean = differences.Average();
        var error = Classifiers.CrossValidated.StandardError(differences, heldOutShare);
        return new(mean, error, error > 0 ? TwoSided(mean / error, differences.Length - 1) : mean == 0 ? 1 : 0);
    }

    /// <summary>The 95 % interval of a mean score over the folds, with the corrected variance; within 0 to 1.</summary>
    /// <param name="scores">Of at least 2 folds.</param>
    /// <param name="heldOutShare">See <see cref="Of"/>.</param>
    public static ConfidenceInterval Interval(IReadOnlyList<double> scores, double heldOutShare)
    {
        var test = Of(scores, new double[scores.Count], heldOutShare);
        var half = Quantile(scores.Count - 1) * test.StandardError;
        return new(Math.Max(0, test.Difference - half), Math.Min(1, test.Difference + half));
    }

    /// <summary>The 97.5 % quantile of Student's t distribution, by bisection of <see cref="TwoSided"/>.</summary>
    internal static double Quantile(int freedom)
    {
        var (low, high) = (1.0, 20.0);
        for (var step = 0; step < 60; step++)
        {
            var middle = (low + high) / 2;
            if (TwoSided(middle, freedom) > 0.05) low = middle;
            else high = middle;
        }
        return (low + high) / 2;
    }

    /// <summary>P(|T| > |t|) by the finite sums of Abramowitz and Stegun 26.7.3 and 26.7.4.</summary>
    internal static double TwoSided(double t, int freedom)
    {
        var angle = Math.Atan(Math.Abs(t) / Math.Sqrt(freedom));
        var (sine, square) = (Math.Sin(angle), Math.Pow(Math.Cos(angle), 2));
        var (term, sum) = (1.0, 0.0);
        if (freedom % 2 == 0)
        {
            for (var k = 0; k < freedom / 2; k++)
            {
                if (k > 0) term *= square * (2 * k - 1) / (2 * k);
                sum += term;
            }
            return Math.Max(0, 1 - sine * sum);
        }
        term = Math.Cos(angle);
        for (var k = 1; k <= (freedom - 1) / 2; k++)
        {
            if (k > 1) term *= square * (2 * k - 2) / (2 * k - 1);
            sum += term;
        }
        return Math.Max(0, 1 - 2 / Math.PI * (angle + sine * sum));
    }
}
