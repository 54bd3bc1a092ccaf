namespace Graft.Classifiers;

/// <summary>
/// The sigmoid 1 / (1 + exp(−slope·f)) that makes the outputs of machines for two classes each probabilities (Platt 1999), one for all of
/// them: without a shift, so that a probability is above one half where the machine decides so, and with a slope that is never negative.
/// </summary>
internal static class PlattScaling
{
    private const double Smallest = 1e-3, Largest = 1e3;

    /// <summary>
    /// The slope of the lowest cross-entropy, from 0.001 to 1000. Platt's target, a little short of 1, keeps it finite where no output is
    /// wrong.
    /// </summary>
    /// <param name="own">Outputs for images that the machines were not fitted on, positive where they are right.</param>
    public static double Slope(IReadOnlyList<double> own)
    {
        var target = (own.Count + 1.0) / (own.Count + 2.0);
        // The loss is convex in the slope: bisection of its derivative, −Σ f·(target − σ(slope·f)).
        var (low, high) = (Math.Log(Smallest), Math.Log(Largest));
        for (var step = 0; step < 50; step++)
        {
            var middle = (low + high) / 2;
            var slope = Math.Exp(middle);
            if (own.Sum(f => f * (target - 1 / (1 + Math.Exp(-slope * f)))) > 0) low = middle;
            else high = middle;
        }
        return Math.Exp((low + high) / 2);
    }
}
