using Graft.Classifiers;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Evaluation.Transferability;

/// <summary>
/// How well features suit labels without training anything (You et al. 2021, arXiv:2102.11005): the logarithm of the highest evidence of
/// Bayesian linear regression to each class against the rest, for each image, mean over the classes. With the rank of the features where the authors'
/// code has their number, which is wrong for fewer images than features. Comparable between networks on the same images only; higher is better.
/// </summary>
public static class LogME
{
    private const int MostIterations = 200;
    private const double Tolerance = 1e-12, Tiny = 1e-12;

    /// <param name="rows">The features of each image, all of one length.</param>
    /// <param name="labels">The class of each, from 0.</param>
    /// <param name="classes">At least 2; each has an image.</param>
    /// <exception cref="GraftException">A feature that is not finite, or a class without images.</exception>
    public static double Score(IReadOnlyList<float[]> rows, IReadOnlyList<int> labels, int classes)
    {
        using var inference = no_grad();
        using var scope = NewDisposeScope();
        var (left, singular, _) = linalg.svd(FeatureMatrix.Of(rows, labels, classes).Values.to_type(ScalarType.Float64), fullMatrices: false);
        var kept = singular.gt(singular.max() * Number(Tiny)).nonzero().squeeze(1);
        var sizes = singular.index_select(0, kept).Squared().ToDoubles();
        left = left.index_select(1, kept);
        var score = 0.0;
        for (var label = 0; label < classes; label++)
        {
            var target = tensor([.. labels.Select(own => own == label ? 1.0 : 0)]);
            score += Evidence(sizes, left.t().mv(target).Squared().ToDoubles(), labels.Count(own => own == label), labels.Count);
        }
        return score / classes;
    }

    /// <param name="sizes">Squared singular values of the features.</param>
    /// <param name="projections">Squared projections of the target on the left singular vectors.</param>
    /// <param name="total">The target's squared length.</param>
    private static double Evidence(double[] sizes, double[] projections, double total, int count)
    {
        var rest = total - projections.Sum();
        var (alpha, beta, ratio) = (1.0, 1.0, 1.0);
        for (var iteration = 0; iteration < MostIterations; iteration++)
        {
            var gamma = sizes.Sum(size => size / (size + ratio));
            (alpha, beta) = (gamma / (Length() + Tiny), (count - gamma) / (Residual() + Tiny));
            var next = alpha / beta;
            var isDone = Math.Abs(next - ratio) <= Tolerance * ratio;
            ratio = next;
            if (isDone) break;
        }
        return (sizes.Length / 2.0 * Math.Log(alpha) + count / 2.0 * Math.Log(beta) - 0.5 * sizes.Sum(size => Math.Log(alpha + beta * size))
            - beta / 2 * Residual() - alpha / 2 * Length() - count / 2.0 * Math.Log(2 * Math.PI)) / count;

        double Length() => sizes.Zip(projections, (size, projection) => size * projection / Math.Pow(ratio + size, 2)).Sum();
        double Residual() => sizes.Zip(projections, (size, projection) => projection * Math.Pow(ratio / (size + ratio), 2)).Sum() + rest;
    }
}
