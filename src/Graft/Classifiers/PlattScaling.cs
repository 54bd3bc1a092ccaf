namespace Graft.Classifiers;

/// <summary>
/// The sigmoid 1 / (1 + exp(A·f + B)) that best makes a machine's outputs probabilities: Platt 1999, by the Newton method of Lin, Lin
/// and Weng 2007, "A note on Platt's probabilistic outputs for support vector machines", algorithm 1.
/// </summary>
internal static class PlattScaling
{
    private const int MostSteps = 100;
    private const double SmallestStep = 1e-10, Ridge = 1e-12, GradientTolerance = 1e-5;

    /// <param name="decisions">Outputs for images that the machine was not fitted on.</param>
    /// <param name="positive">Whether each is of the first class.</param>
    public static (double A, double B) Fit(ReadOnlySpan<double> decisions, ReadOnlySpan<bool> positive)
    {
        var (first, second) = (positive.Count(true), positive.Count(false));
        var (high, low) = ((first + 1.0) / (first + 2.0), 1 / (second + 2.0));
        var (a, b) = (0.0, Math.Log((second + 1.0) / (first + 1.0)));
        var value = Value(decisions, positive, a, b);
        for (var step = 0; step < MostSteps; step++)
        {
            var (h11, h22, h21, g1, g2) = (Ridge, Ridge, 0.0, 0.0, 0.0);
            for (var i = 0; i < decisions.Length; i++)
            {
                var p = Sigmoid(decisions[i] * a + b);
                var curvature = p * (1 - p);
                h11 += decisions[i] * decisions[i] * curvature;
                h22 += curvature;
                h21 += decisions[i] * curvature;
                var slope = (positive[i] ? high : low) - p;
                g1 += decisions[i] * slope;
                g2 += slope;
            }
            if (Math.Abs(g1) < GradientTolerance && Math.Abs(g2) < GradientTolerance) break;
            var determinant = h11 * h22 - h21 * h21;
            var (da, db) = (-(h22 * g1 - h21 * g2) / determinant, -(h11 * g2 - h21 * g1) / determinant);
            var along = g1 * da + g2 * db;
            var length = 1.0;
            for (; length >= SmallestStep; length /= 2)
            {
                var next = Value(decisions, positive, a + length * da, b + length * db);
                if (next >= value + 1e-4 * length * along) continue;
                (a, b, value) = (a + length * da, b + length * db, next);
                break;
            }
            if (length < SmallestStep) break;
        }
        return (a, b);

        double Value(ReadOnlySpan<double> outputs, ReadOnlySpan<bool> isFirst, double a, double b)
        {
            var sum = 0.0;
            for (var i = 0; i < outputs.Length; i++)
            {
                var x = outputs[i] * a + b;
                var target = isFirst[i] ? high : low;
                sum += x >= 0 ? target * x + Math.Log(1 + Math.Exp(-x)) : (target - 1) * x + Math.Log(1 + Math.Exp(x));
            }
            return sum;
        }
    }

    /// <summary>1 / (1 + exp(x)), without an overflow.</summary>
    private static double Sigmoid(double x) => x >= 0 ? Math.Exp(-x) / (1 + Math.Exp(-x)) : 1 / (1 + Math.Exp(x));
}
