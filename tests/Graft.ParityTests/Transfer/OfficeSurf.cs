using Graft.Classifiers;
using Graft.Testing;
using Graft.Transfer;
using static TorchSharp.torch;

namespace Graft.ParityTests.Transfer;

/// <summary>Office-Caltech10 with SURF histograms, as the JDA paper prepares them: rows divided by their sum, columns z-scored per domain.</summary>
internal static class OfficeSurf
{
    public const string File = "reference/transfer/data/office_caltech10_surf800.npz";

    /// <summary>As in the paper's table: the features are not scaled to length 1, nor the components.</summary>
    public static TransferComponentAnalysis Components { get; } = new() { Components = 100, Lambda = 1, UnitFeatures = false, UnitComponents = false };

    public static JointDistributionAdaptation Joint { get; } = new() { Components = 100, Lambda = 1, Iterations = 10 };

    /// <summary>[photos, 800], float64, and classes from 0.</summary>
    public static (Tensor Rows, int[] Labels) Domain(string name)
    {
        var path = SharedFolder.Path(File);
        var array = NumpyFile.Load<byte>(path, $"{name}_x");
        using var scope = NewDisposeScope();
        var counts = tensor([.. array.Values.Select(value => (double)value)]).view(array.Shape[0], array.Shape[1]);
        var shares = counts / counts.sum(1, keepdim: true);
        var centered = shares - shares.mean([0], keepdim: true);
        var deviation = (centered * centered).mean([0], keepdim: true).sqrt();
        deviation = where(deviation.gt(0), deviation, ones_like(deviation));
        return ((centered / deviation).MoveToOuterDisposeScope(), NumpyFile.Load<int>(path, $"{name}_y").Values);
    }

    /// <summary>
    /// Share of the target's photos that linear support vector machines classify correctly, as they are and after CORAL with λ = 1, having learned from 20 drawn photos of each
    /// class of the source, or all that it has: the protocol of Sun et al. 2016. The machines are of pairs of classes and with a hard margin, as
    /// LIBSVM's are there with any C that cross-validation takes (linear ones, as those with a Gaussian kernel and so small a γ are: Keerthi and Lin 2003).
    /// </summary>
    /// <param name="draw">Decides which photos are drawn.</param>
    public static (double AsTheyAre, double Aligned) AfterCoral((Tensor Rows, int[] Labels) source, (Tensor Rows, int[] Labels) target, int draw, CancellationToken cancellation)
    {
        Random random = new(draw);
        int[] drawn = [.. source.Labels.Select((label, row) => (label, row)).GroupBy(entry => entry.label).SelectMany(group => group.Select(entry => entry.row).OrderBy(_ => random.Next()).Take(20))];
        var (all, others) = (Rows(source.Rows), Rows(target.Rows));
        TransferData data = new() { Source = [.. drawn.Select(row => all[row])], SourceLabels = [.. drawn.Select(row => source.Labels[row])], Unlabeled = others, Classes = 10 };
        RbfSvm svm = new() { Gamma = 1e-5, C = 1e5, Standardize = false, Calibrate = false };
        // The ridge is a multiple of the mean variance of both.
        var ridge = 2 / (Variance(data.Source) + Variance(others));
        double Right(TransferMethod method) => AutomaticTransfer.Accuracy(method.Fit(data, svm, draw, cancellation: cancellation).Classifier, others, target.Labels, 10);
        return (Right(new Pooling()), Right(new Coral { UnitFeatures = false, Ridge = ridge }));

        static float[][] Rows(Tensor rows) => [.. rows.to_type(ScalarType.Float32).data<float>().ToArray().Chunk((int)rows.shape[1])];

        static double Variance(IReadOnlyList<float[]> rows)
        {
            using var scope = NewDisposeScope();
            return TransferData.Matrix(rows).var([0]).mean().item<double>();
        }
    }

    /// <summary>The class of the nearest row.</summary>
    public static int[] Nearest(Tensor source, int[] labels, Tensor target)
    {
        using var scope = NewDisposeScope();
        var squares = (source * source).sum(1, keepdim: true) - source.mm(target.t()) * 2;
        return [.. squares.argmin(0).data<long>().ToArray().Select(place => labels[place])];
    }

    /// <summary>The same on 100 principal axes of both domains.</summary>
    public static int[] NearestOnAxes(Tensor source, int[] labels, Tensor target)
    {
        using var scope = NewDisposeScope();
        var (axes, mean) = PrincipalAxes.Of(cat([source, target], 0), 100);
        return Nearest((source - mean).mm(axes), labels, (target - mean).mm(axes));
    }
}
