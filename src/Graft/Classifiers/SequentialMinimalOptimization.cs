namespace Graft.Classifiers;

/// <summary>What a support vector machine of two classes comes to: f(x) = Σ coefficient · kernel(x, xᵢ) + offset.</summary>
/// <param name="Coefficients">Of each image, yᵢ·αᵢ; 0 for those that are no support vectors.</param>
internal sealed record SmoSolution(double[] Coefficients, double Offset);

/// <summary>
/// Sequential minimal optimization with second-order working set selection: Fan, Chen and Lin 2005, "Working set selection using second
/// order information for training support vector machines", and LIBSVM's solver (without shrinking).
/// </summary>
internal static class SequentialMinimalOptimization
{
    private const double Flat = 1e-12;

    /// <summary>Minimizes ½·αᵀQα − Σα with 0 ≤ α ≤ C and Σ y·α = 0.</summary>
    /// <param name="kernel">Of the two classes' images among each other.</param>
    /// <param name="positive">Whether each is of the first class.</param>
    /// <param name="upper">The C of each image.</param>
    /// <param name="tolerance">How far the optimality conditions may be missed in the end; LIBSVM's eps.</param>
    /// <exception cref="GraftException">It does not come to an end.</exception>
    public static SmoSolution Solve(
        KernelRows kernel, bool[] positive, double[] upper, double tolerance, CancellationToken cancellation)
    {
        var count = positive.Length;
        var y = positive.Select(first => first ? 1.0 : -1.0).ToArray();
        var alpha = new double[count];
        var gradient = new double[count];
        gradient.AsSpan().Fill(-1);
        var most = Math.Max(10_000_000, 100L * count);
        for (var step = 0L; step < most; step++)
        {
            if (step % 1024 == 0) cancellation.ThrowIfCancellationRequested();
            var i = First(out var largest);
            var j = i < 0 ? -1 : Second(i, largest);
            if (j < 0) return Solution();
            Step(i, j);
        }
        throw new GraftException(
            "The RBF support vector machine did not come to its optimum. Standardize the features, or give a smaller C.");

        // The image whose α may move so that f grows, and whose condition is missed most.
        int First(out double largest)
        {
            (largest, var best) = (double.NegativeInfinity, -1);
            for (var t = 0; t < count; t++)
            {
                var wanted = -y[t] * gradient[t];
                if (wanted >= largest && (y[t] > 0 ? alpha[t] < upper[t] : alpha[t] > 0)) (largest, best) = (wanted, t);
            }
            return best;
        }

        // The image that lowers the objective most together with i; none at the optimum.
        int Second(int i, double largest)
        {
            var row = kernel.Row(i);
            var (best, decrease, smallest) = (-1, double.PositiveInfinity, double.PositiveInfinity);
            for (var t = 0; t < count; t++)
            {
                if (!(y[t] > 0 ? alpha[t] > 0 : alpha[t] < upper[t])) continue;
                var wanted = -y[t] * gradient[t];
                if (wanted < smallest) smallest = wanted;
                var difference = largest - wanted;
                if (difference <= 0) continue;
                var curvature = 2 - 2.0 * row[t]; // The kernel of an image with itself is 1.
                var change = -(difference * difference) / (curvature > 0 ? curvature : Flat);
                if (change <= decrease) (best, decrease) = (t, change);
            }
            var gap = largest - smallest;
            return gap < tolerance ? -1 : best;
        }

        void Step(int i, int j)
        {
            var rowI = kernel.Row(i);
            var curvature = Math.Max(2 - 2.0 * rowI[j], Flat);
            var (oldI, oldJ) = (alpha[i], alpha[j]);
            if (y[i] != y[j])
            {
                var delta = (-gradient[i] - gradient[j]) / curvature;
                var difference = oldI - oldJ;
                alpha[i] += delta;
                alpha[j] += delta;
                if (difference > 0 && alpha[j] < 0) (alpha[j], alpha[i]) = (0, difference);
                else if (difference <= 0 && alpha[i] < 0) (alpha[i], alpha[j]) = (0, -difference);
                if (difference > upper[i] - upper[j] && alpha[i] > upper[i]) (alpha[i], alpha[j]) = (upper[i], upper[i] - difference);
                else if (difference <= upper[i] - upper[j] && alpha[j] > upper[j]) (alpha[j], alpha[i]) = (upper[j], upper[j] + difference);
            }
            else
            {
                var delta = (gradient[i] - gradient[j]) / curvature;
                var sum = oldI + oldJ;
                alpha[i] -= delta;
                alpha[j] += delta;
                if (sum > upper[i] && alpha[i] > upper[i]) (alpha[i], alpha[j]) = (upper[i], sum - upper[i]);
                else if (sum <= upper[i] && alpha[j] < 0) (alpha[j], alpha[i]) = (0, sum);
                if (sum > upper[j] && alpha[j] > upper[j]) (alpha[j], alpha[i]) = (upper[j], sum - upper[j]);
                else if (sum <= upper[j] && alpha[i] < 0) (alpha[i], alpha[j]) = (0, sum);
            }
            var (changeI, changeJ) = (y[i] * (alpha[i] - oldI), y[j] * (alpha[j] - oldJ));
            var rowJ = kernel.Row(j);
            rowI = kernel.Row(i);
            for (var t = 0; t < count; t++) gradient[t] += y[t] * (changeI * rowI[t] + changeJ * rowJ[t]);
        }

        SmoSolution Solution()
        {
            var (free, sum, above, below) = (0, 0.0, double.PositiveInfinity, double.NegativeInfinity);
            for (var t = 0; t < count; t++)
            {
                var value = y[t] * gradient[t];
                if (alpha[t] > 0 && alpha[t] < upper[t])
                {
                    free++;
                    sum += value;
                }
                else if (alpha[t] >= upper[t] == y[t] > 0) below = Math.Max(below, value);
                else above = Math.Min(above, value);
            }
            var rho = free > 0 ? sum / free : (above + below) / 2;
            return new([.. alpha.Select((value, t) => value * y[t])], -rho);
        }
    }
}
