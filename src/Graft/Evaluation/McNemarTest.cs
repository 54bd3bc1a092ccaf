namespace Graft.Evaluation;

/// <summary>
/// Whether one of two models is better on the same images, or just luckier (McNemar 1947). Only images that one classifies correctly and the other does not
/// say anything; if both were equally good, each of these would be a toss of a coin.
/// </summary>
/// <param name="OnlyFirst">Images that only the first model classifies correctly.</param>
/// <param name="OnlySecond">Images that only the second model classifies correctly.</param>
/// <param name="PValue">
/// How probable it would be, with equally good models, to see a difference at least this large: two-sided, from the exact binomial distribution.
/// </param>
public sealed record McNemarTest(int OnlyFirst, int OnlySecond, double PValue)
{
    /// <param name="first">Whether the first model is correct, image by image.</param>
    /// <param name="second">The same of the second model, for the same images in the same order.</param>
    public static McNemarTest Of(IReadOnlyList<bool> first, IReadOnlyList<bool> second)
    {
        if (first.Count != second.Count) throw new ArgumentException($"There are {first.Count} and {second.Count} answers.");
        var onlyFirst = first.Zip(second).Count(pair => pair is (true, false));
        var onlySecond = first.Zip(second).Count(pair => pair is (false, true));
        return new(onlyFirst, onlySecond, TwoSided(Math.Min(onlyFirst, onlySecond), onlyFirst + onlySecond));
    }

    /// <summary>Twice the probability of at most so many heads in so many tosses.</summary>
    private static double TwoSided(int heads, int tosses)
    {
        // The terms' logarithms, for 0.5 to the power of thousands is nothing to a double.
        var (logTerm, sum) = (-tosses * Math.Log(2), 0.0);
        for (var k = 0; k <= heads; k++)
        {
            sum += Math.Exp(logTerm);
            logTerm += Math.Log((double)(tosses - k) / (k + 1));
        }
        return Math.Min(1, 2 * sum);
    }
}
