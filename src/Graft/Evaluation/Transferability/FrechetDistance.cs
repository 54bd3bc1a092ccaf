using Graft.Classifiers;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Evaluation.Transferability;

/// <summary>
/// How far apart two sets of features lie, both taken for normal distributions (Fréchet 1957; Heusel et al. 2017, arXiv:1706.08500):
/// |m₁ − m₂|² + tr(C₁ + C₂ − 2·(C₁·C₂)^½), covariances unbiased. Grows with fewer images, so compare sets of one size.
/// </summary>
public static class FrechetDistance
{
    /// <param name="first">At least 2 images of as many features as <paramref name="second"/>.</param>
    /// <param name="second">At least 2 images.</param>
    /// <returns>At least 0, in squared units of the features.</returns>
    /// <exception cref="GraftException">A feature that is not finite.</exception>
    public static double Squared(IReadOnlyList<float[]> first, IReadOnlyList<float[]> second)
    {
        if (first.Count < 2 || second.Count < 2) throw new ArgumentException($"Expected at least 2 images of each set, found {first.Count} and {second.Count}.");
        using var inference = no_grad();
        using var scope = NewDisposeScope();
        var all = FeatureMatrix.Of(
            [.. first, .. second], [.. Enumerable.Repeat(0, first.Count), .. Enumerable.Repeat(1, second.Count)], 2).Values.to_type(ScalarType.Float64);
        var (a, b) = (all.narrow(0, 0, first.Count), all.narrow(0, first.Count, second.Count));
        var (meanA, meanB) = (a.mean([0], keepdim: true), b.mean([0], keepdim: true));
        (a, b) = ((a - meanA) / Number(Math.Sqrt(first.Count - 1)), (b - meanB) / Number(Math.Sqrt(second.Count - 1)));
        // With C₁ = AᵀA and C₂ = BᵀB, the roots of the eigenvalues of C₁·C₂ are the singular values of A·Bᵀ.
        return Math.Max(
            0, (meanA - meanB).Squared().sum().Value() + a.Squared().sum().Value() + b.Squared().sum().Value()
                - 2 * linalg.svdvals(a.mm(b.t())).sum().Value());
    }
}
