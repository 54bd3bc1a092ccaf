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
