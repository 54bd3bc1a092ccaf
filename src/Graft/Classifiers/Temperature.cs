using Graft.Networks;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Classifiers;

/// <summary>
/// Temperature scaling (Guo et al. 2017, arXiv:1706.04599): the one factor that turns a classifier's outputs into logits, chosen for the
/// lowest cross-entropy on images that the classifier was not fitted on. It changes no prediction.
/// </summary>
internal static class Temperature
{
    private const double Smallest = 1e-6, Largest = 1e6;

    /// <summary>
    /// The factor for a classifier's out-of-fold outputs. By Laplace's rule of succession, n images show an error rate no lower than
    /// 1 / (n + 2), so that is what the label of each is doubted by, whatever the number of classes: few images without an error cannot
    /// make the classifier certain.
    /// </summary>
    /// <param name="outputs">[images, classes], float64; rows that begin with NaN do not count. 1 if none does.</param>
    public static double Fit(Tensor outputs, FeatureMatrix features) => Minimum(outputs, features).Factor;

    /// <summary>The cross-entropy that remains with <see cref="Fit"/>'s factor, summed over the images.</summary>
    public static double LossOfFit(Tensor outputs, FeatureMatrix features) => Minimum(outputs, features).Loss;

    private static (double Factor, double Loss) Minimum(Tensor outputs, FeatureMatrix features)
    {
        using var scope = NewDisposeScope();
        var (kept, own) = Counted(outputs, features.Labels);
        var (count, classes) = (kept.shape[0], kept.shape[1]);
        if (count == 0) return (1, 0);
        // Views of one image say no more than one.
        var doubt = 1 / ((double)count * features.ImageCounts().Sum() / features.Count + 2);
        var targets = (eye(classes, dtype: ScalarType.Float64) * Number(1 - doubt - doubt / (classes - 1))).Plus(doubt / (classes - 1));
        return Minimize(kept, targets.index_select(0, own));
    }

    /// <summary>The factor of the lowest cross-entropy, the labels taken to be certain, as Guo et al. do.</summary>
    /// <param name="outputs">[images, classes], float64.</param>
    /// <param name="labels">The class of each image.</param>
    public static double FitCertain(Tensor outputs, int[] labels)
    {
        using var scope = NewDisposeScope();
        var (kept, own) = Counted(outputs, labels);
        return kept.shape[0] == 0 ? 1 : Minimize(kept, eye(kept.shape[1], dtype: ScalarType.Float64).index_select(0, own)).Factor;
    }

    /// <summary>A layer that multiplies outputs by the factor.</summary>
    public static FittedLayer Layer(double factor, int classes) => new(
        "head.calibration", new LayerScale(),
        new Dictionary<ParameterRole, float[]> { [ParameterRole.LayerScale] = [.. Enumerable.Repeat((float)factor, classes)] });

    private static (Tensor Outputs, Tensor Labels) Counted(Tensor outputs, int[] labels)
    {
        var rows = outputs.select(1, 0).isnan().logical_not_().nonzero().squeeze(1);
        return (outputs.index_select(0, rows), tensor([.. labels.Select(label => (long)label)]).index_select(0, rows));
    }

    /// <summary>The loss is convex in the factor, so it has one valley in the factor's logarithm too: golden section.</summary>
    private static (double Factor, double Loss) Minimize(Tensor outputs, Tensor targets)
    {
        var (low, high) = (Math.Log(Smallest), Math.Log(Largest));
        var golden = (Math.Sqrt(5) - 1) / 2;
        for (var step = 0; step < 50; step++)
        {
            var (left, right) = (high - golden * (high - low), low + golden * (high - low));
            if (Loss(left) <= Loss(right)) high = right;
            else low = left;
        }
        var middle = (low + high) / 2;
        return (Math.Exp(middle), Loss(middle));

        double Loss(double logarithm)
        {
            using var scope = NewDisposeScope();
            return -((outputs * Number(Math.Exp(logarithm))).log_softmax(1) * targets).sum().Value();
        }
    }
}
