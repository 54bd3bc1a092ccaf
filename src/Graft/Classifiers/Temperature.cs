using Graft.Networks;
using TorchSharp;
using static TorchSharp.torch;

namespace Graft.Classifiers;

/// <summary>
/// The one factor that makes a classifier's outputs logits: that of the lowest cross-entropy on images it was not fitted on (temperature
/// scaling, Guo et al. 2017, arXiv:1706.04599).
/// </summary>
internal static class Temperature
{
    private const double Smallest = 1e-6, Largest = 1e6;

    /// <param name="outputs">[images, classes], float64; rows that begin with NaN do not count. 1 if none does.</param>
    public static double Fit(Tensor outputs, FeatureMatrix features) => Fit(outputs, features.Labels, features.Classes, areCertain: false);

    /// <param name="outputs">[images, classes], float64; rows that begin with NaN do not count. 1 if none does.</param>
    /// <param name="classOf">The class of each image.</param>
    /// <param name="classes">How many there are.</param>
    /// <param name="areCertain">Whether labels are taken at their word, as Guo et al. do, or as Platt does.</param>
    public static double Fit(Tensor outputs, int[] classOf, int classes, bool areCertain)
    {
        using var scope = NewDisposeScope();
        var rows = outputs.select(1, 0).isnan().logical_not_().nonzero().squeeze(1);
        if (rows.shape[0] == 0) return 1;
        var kept = outputs.index_select(0, rows);
        var labels = tensor([.. classOf.Select(label => (long)label)]).index_select(0, rows);

        // Platt's targets, a little short of 0 and 1, as if each class had been seen once more: without errors on few images the
        // factor would grow without end.
        var counts = new int[classes];
        foreach (var label in classOf) counts[label]++;
        var targets = areCertain ? eye(classes, dtype: ScalarType.Float64).index_select(0, labels) : tensor([.. counts.SelectMany((count, label) => Enumerable.Range(0, counts.Length)
            .Select(other => (other == label ? count + 1.0 : 1.0) / (count + counts.Length)))]).view(counts.Length, -1).index_select(0, labels);

        // The loss is convex in the factor, so it has one valley in the factor's logarithm too: golden section.
        var (low, high) = (Math.Log(Smallest), Math.Log(Largest));
        var golden = (Math.Sqrt(5) - 1) / 2;
        for (var step = 0; step < 50; step++)
        {
            var (left, right) = (high - golden * (high - low), low + golden * (high - low));
            if (Loss(left) <= Loss(right)) high = right;
            else low = left;
        }
        return Math.Exp((low + high) / 2);

        double Loss(double logarithm)
        {
            using var inner = NewDisposeScope();
            return -((kept * Math.Exp(logarithm)).log_softmax(1) * targets).sum().ToDouble();
        }
    }

    public static FittedLayer Layer(double factor, int classes) => new(
        "head.calibration", new LayerScale(),
        new Dictionary<ParameterRole, float[]> { [ParameterRole.LayerScale] = [.. Enumerable.Repeat((float)factor, classes)] });
}
