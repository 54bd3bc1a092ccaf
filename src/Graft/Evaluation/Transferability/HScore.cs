using Graft.Classifiers;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Evaluation.Transferability;

/// <summary>
/// The H-score with a shrunk covariance (Bao et al. 2019; Ibrahim, Ponomareva and Mazumder 2022, arXiv:2110.06893): how much of the features'
/// variance lies between the classes, tr(cov(f)⁻¹ · cov(E[f | y])), where the covariance of the features is Ledoit and Wolf's and that between
/// the classes is multiplied by 1 − shrinkage. Without it the score is always classes − 1 where there are more features than images. Higher is better.
/// </summary>
public static class HScore
{
    /// <inheritdoc cref="LogME.Score"/>
    public static double Score(IReadOnlyList<float[]> rows, IReadOnlyList<int> labels, int classes)
    {
        using var inference = no_grad();
        using var scope = NewDisposeScope();
        var features = FeatureMatrix.Of(rows, labels, classes);
        var x = features.Values.to_type(ScalarType.Float64);
        x -= x.mean([0], keepdim: true);
        double count = features.Count, length = features.Length;
        var shrinkage = LedoitWolf.Shrinkage(x);
        var identity = shrinkage * x.Squared().sum().Value() / count / length;
        var means = features.Means(x);
        var weights = tensor([.. features.Counts().Select(images => images / (count - 1))]).unsqueeze(1);
        Tensor solved; // cov(f)⁻¹ · meansᵀ
        if (count >= length)
        {
            var covariance = x.t().mm(x) * Number((1 - shrinkage) / count);
            covariance.diagonal().Increase(identity);
            solved = linalg.pinv(covariance).mm(means.t());
        }
        else
        {
            var system = x.mm(x.t());
            var share = (1 - shrinkage) / count;
            if (share == 0) return 0;
            system.diagonal().Increase(identity / share);
            solved = (means.t() - x.t().mm(linalg.solve(system, x.mm(means.t())))) / Number(identity);
        }
        return (1 - shrinkage) * (means * solved.t() * weights).sum().Value();
    }
}
