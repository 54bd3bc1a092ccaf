using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Classifiers;

/// <summary>
/// How far a covariance is best moved towards a multiple of the identity: Ledoit and Wolf 2004, "A well-conditioned estimator for
/// large-dimensional covariance matrices"; scikit-learn's <c>ledoit_wolf_shrinkage</c>. Neither needs the covariance itself.
/// </summary>
internal static class LedoitWolf
{
    /// <param name="centered">[images, features], float64, of mean 0.</param>
    /// <returns>From 0 to 1.</returns>
    public static double Shrinkage(Tensor centered)
    {
        using var scope = NewDisposeScope();
        double count = centered.shape[0], length = centered.shape[1];
        var squares = centered.Squared();
        var trace = squares.sum().Value() / count;
        // Σ over all pairs of features of their squared covariance, and of the mean of their squared product.
        var gram = count < length ? centered.mm(centered.t()) : centered.t().mm(centered);
        var delta = gram.Squared().sum().Value() / (count * count);
        var beta = squares.sum(1).Squared().sum().Value();
        beta = (beta / count - delta) / (length * count);
        delta = (delta - trace * trace / length) / length;
        return delta <= 0 || beta <= 0 ? 0 : Math.Min(beta, delta) / delta;
    }
}
