namespace Graft.Evaluation;

/// <summary>
/// Exact bounds of a share (Clopper and Pearson 1934): quantiles of the beta distribution, found by bisection. Where a promise hangs on few photos, no
/// approximation will do.
/// </summary>
public static class ClopperPearson
{
    /// <summary>The share that is at least so large but in <paramref name="risk"/> of all cases: <c>0.98^149 &lt; 0.05</c>, so 149 of 149 show more than 0.98.</summary>
    /// <param name="successes">0 to <paramref name="count"/>.</param>
    /// <param name="count">At least 1.</param>
    /// <param name="risk">One-sided, above 0 and below 1. Default 0.05.</param>
    public static double LowerBound(int successes, int count, double risk = 0.05)
    {
        Check(successes, count, risk);
        return successes == 0 ? 0 : Quantile(risk, successes, count - successes + 1);
    }

    /// <summary>The share that is at most so large but in <paramref name="risk"/> of all cases.</summary>
    /// <inheritdoc cref="LowerBound"/>
    public static double UpperBound(int successes, int count, double risk = 0.05)
    {
        Check(successes, count, risk);
        return successes == count ? 1 : Quantile(1 - risk, successes + 1, count - successes);
    }

    /// <summary>The two-sided 95 % interval.</summary>
    /// <inheritdoc cref="LowerBound"/>
    public static ConfidenceInterval Interval(int successes, int count) =>
        new(LowerBound(successes, count, 0.025), UpperBound(successes, count, 0.025));

    /// <summary>How many photos, all of them right, show a precision: the least that can keep a promise.</summary>
    public static int LeastCount(double share, double risk = 0.05) => (int)Math.Ceiling(Math.Log(risk) / Math.Log(share));

    private static void Check(int successes, int count, double risk)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(successes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(successes, count);
        if (risk is not (> 0 and < 1)) throw new ArgumentOutOfRangeException(nameof(risk), risk, "Expected a risk between 0 and 1.");
    }

    private static double Quantile(double probability, double a, double b)
    {
        var (low, high) = (0.0, 1.0);
        for (var step = 0; step < 60; step++)
        {
            var middle = (low + high) / 2;
            if (IncompleteBeta(middle, a, b) < probability) low = middle;
            else high = middle;
        }
        return (low + high) / 2;
    }

    /// <summary>The regularized incomplete beta function, by its continued fraction (Abramowitz and Stegun 26.5.8, evaluated as Lentz did).</summary>
    internal static double IncompleteBeta(double x, double a, double b)
    {
        if (x <= 0) return 0;
        if (x >= 1) return 1;
        if (x > (a + 1) / (a + b + 2)) return 1 - IncompleteBeta(1 - x, b, a);
        var front = Math.Exp(LogGamma(a + b) - LogGamma(a) - LogGamma(b) + a * Math.Log(x) + b * Math.Log(1 - x)) / a;
        const double tiny = 1e-300;
        var (c, d) = (1.0, 1 / Guarded(1 - (a + b) * x / (a + 1)));
        var fraction = d;
        for (var m = 1; m < 10_000; m++)
        {
            var even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
            Step(even);
            var before = fraction;
            Step(-(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)));
            if (Math.Abs(fraction - before) < 1e-15 * Math.Abs(fraction)) break;
        }
        return front * fraction;

        double Guarded(double value) => Math.Abs(value) < tiny ? tiny : value;

        void Step(double term)
        {
            d = 1 / Guarded(1 + term * d);
            c = Guarded(1 + term / c);
            fraction *= c * d;
        }
    }

    /// <summary>By Stirling's series, for arguments of 0.5 and more.</summary>
    private static double LogGamma(double x)
    {
        var shift = 0.0;
        for (; x < 10; x++) shift += Math.Log(x);
        var square = 1 / (x * x);
        return (x - 0.5) * Math.Log(x) - x + 0.5 * Math.Log(2 * Math.PI)
            + (1.0 / 12 - square * (1.0 / 360 - square * (1.0 / 1260 - square / 1680))) / x - shift;
    }
}
