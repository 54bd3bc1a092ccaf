using Graft.Networks;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Transfer;

/// <summary>Directions of the largest variance.</summary>
internal static class PrincipalAxes
{
    /// <summary>Axes of less than this share of the largest variance are rounding.</summary>
    internal const double Rounding = 1e-12;

    /// <summary>At most so many axes [features, axes], orthonormal, that of the largest variance first, and the mean [1, features].</summary>
    /// <param name="rows">[images, features], float64.</param>
    public static (Tensor Axes, Tensor Mean) Of(Tensor rows, int most)
    {
        using var scope = NewDisposeScope();
        var mean = rows.mean([0], keepdim: true);
        var (axes, _) = Directions(rows - mean);
        return (axes.narrow(1, 0, Math.Min(most, axes.shape[1])).contiguous().MoveToOuterDisposeScope(), mean.MoveToOuterDisposeScope());
    }

    /// <summary>The right singular vectors [features, rank] of rows, and the squares of the singular values [rank], the largest first.</summary>
    public static (Tensor Vectors, Tensor Squares) Directions(Tensor rows)
    {
        using var scope = NewDisposeScope();
        var isWide = rows.shape[0] < rows.shape[1];
        var (values, vectors) = linalg.eigh(isWide ? rows.mm(rows.t()) : rows.t().mm(rows));
        (values, vectors) = (values.flip(0), vectors.flip(1));
        var rank = Math.Max(1, values.gt(values.max() * Number(Rounding)).sum().Whole());
        (values, vectors) = (values.narrow(0, 0, rank), vectors.narrow(1, 0, rank));
        if (isWide) vectors = rows.t().mm(vectors) / values.clamp_min(Number(double.Epsilon)).sqrt();
        return (vectors.contiguous().MoveToOuterDisposeScope(), values.contiguous().MoveToOuterDisposeScope());
    }

    /// <summary>A symmetric matrix to a power; eigenvalues below 0 are rounding and count as <paramref name="least"/>.</summary>
    public static Tensor Power(Tensor symmetric, double power, double least = 1e-300)
    {
        using var scope = NewDisposeScope();
        var (values, vectors) = linalg.eigh(symmetric);
        return (vectors * values.clamp_min(Number(least)).pow(Number(power))).mm(vectors.t()).MoveToOuterDisposeScope();
    }

    /// <summary>Centered, by n − 1: [features, features].</summary>
    public static Tensor Covariance(Tensor rows)
    {
        using var scope = NewDisposeScope();
        var centered = rows - rows.mean([0], keepdim: true);
        return (centered.t().mm(centered) / Number(rows.shape[0] - 1)).MoveToOuterDisposeScope();
    }
}
