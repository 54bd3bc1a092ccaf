using Graft.Data;
using Graft.Evaluation;

namespace Graft.Selection;

/// <summary>
/// How an error falls with the number of photos: floor + scale · photos^−exponent (Hestness et al. 2017, arXiv:1712.00409), fitted to the means over draws,
/// each weighted by its precision.
/// </summary>
/// <param name="Floor">The error that more photos do not remove, at least 0.</param>
/// <param name="Scale">At least 0.</param>
/// <param name="Exponent">0.05 to 2.</param>
public sealed record PowerLaw(double Floor, double Scale, double Exponent)
{
    /// <summary>The smallest deviation of a mean that a fit believes.</summary>
    private const double LeastDeviation = 1e-3;

    private const int Resamples = 400;

    public double Error(double photos) => Floor + Scale * Math.Pow(photos, -Exponent);

    /// <param name="points">For each number of photos the errors of several draws. At least 3 numbers.</param>
    public static PowerLaw Fit(IReadOnlyList<(double Photos, IReadOnlyList<double> Errors)> points)
    {
        var entries = points.Select(point =>
        {
            var mean = point.Errors.Average();
            var variance = point.Errors.Count < 2 ? 0 : point.Errors.Sum(error => Math.Pow(error - mean, 2)) / (point.Errors.Count - 1) / point.Errors.Count;
            return (point.Photos, Mean: mean, Weight: 1 / (variance + LeastDeviation * LeastDeviation));
        }).ToList();
        PowerLaw best = new(entries[^1].Mean, 0, 1);
        var least = double.PositiveInfinity;
        for (var step = 1; step <= 40; step++)
        {
            var law = WithExponent(0.05 * step);
            var misfit = entries.Sum(entry => entry.Weight * Math.Pow(law.Error(entry.Photos) - entry.Mean, 2));
            if (misfit < least) (best, least) = (law, misfit);
        }
        return best;

        // For a given exponent the rest is a line, with neither number below 0.
        PowerLaw WithExponent(double exponent)
        {
            double w = 0, wx = 0, wy = 0, wxx = 0, wxy = 0;
            foreach (var (photos, mean, weight) in entries)
            {
                var x = Math.Pow(photos, -exponent);
                (w, wx, wy, wxx, wxy) = (w + weight, wx + weight * x, wy + weight * mean, wxx + weight * x * x, wxy + weight * x * mean);
            }
            var determinant = w * wxx - wx * wx;
            var scale = determinant > 0 ? (w * wxy - wx * wy) / determinant : 0;
            var floor = (wy - scale * wx) / w;
            if (scale < 0) return new(wy / w, 0, exponent);
            return floor < 0 ? new(0, wxy / wxx, exponent) : new(floor, scale, exponent);
        }
    }

    /// <summary>The laws of the same draws drawn again with replacement: their spread is the fit's uncertainty.</summary>
    internal static IReadOnlyList<PowerLaw> Resampled(IReadOnlyList<(double Photos, IReadOnlyList<double> Errors)> points, int seed)
    {
        var random = new SplitMix64((ulong)seed);
        var laws = new PowerLaw[Resamples];
        for (var resample = 0; resample < Resamples; resample++)
        {
            var drawn = new List<(double, IReadOnlyList<double>)>();
            foreach (var (photos, errors) in points)
            {
                var again = new double[errors.Count];
                for (var i = 0; i < again.Length; i++) again[i] = errors[random.Below(errors.Count)];
                drawn.Add((photos, again));
            }
            laws[resample] = Fit(drawn);
        }
        return laws;
    }

    /// <summary>The middle 95 % of values.</summary>
    internal static ConfidenceInterval Middle(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        return new(sorted[(int)(0.025 * (sorted.Count - 1))], sorted[(int)Math.Ceiling(0.975 * (sorted.Count - 1))]);
    }
}
