using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Transfer;

/// <summary>
/// A linear map from one feature space to another, by photos that went through both: B minimizes ‖(F − m)·B − (G − n)‖² + λ·‖B‖², and a row x becomes
/// (x − m)·B + n. λ is that of the lowest leave-one-out error, which one singular value decomposition gives for all λ.
/// </summary>
public sealed record RidgeMap
{
    private static readonly double[] Shares = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10];

    private readonly double[] _center, _matrix, _shift;

    private RidgeMap(double[] center, double[] matrix, double[] shift) => (_center, _matrix, _shift) = (center, matrix, shift);

    /// <summary>λ, in squared units of the features.</summary>
    public required double Lambda { get; init; }

    /// <summary>
    /// The leave-one-out error, as a share of what the target space varies around its mean: 0 is exact, 1 no better than the mean.
    /// </summary>
    public required double LeaveOneOutError { get; init; }

    /// <param name="from">Features of at least 3 photos in the old space.</param>
    /// <param name="to">Of the same photos, in the same order, in the new space.</param>
    /// <param name="lambda">Null to choose it.</param>
    /// <exception cref="GraftException">Too few photos, or different numbers of them.</exception>
    public static RidgeMap Fit(IReadOnlyList<float[]> from, IReadOnlyList<float[]> to, double? lambda = null)
    {
        if (from.Count != to.Count) throw new GraftException($"Expected the same photos in both spaces, found {from.Count} and {to.Count}.");
        if (from.Count < 3) throw new GraftException($"Expected at least 3 photos that went through both networks, found {from.Count}; a few hundred are better.");
        if (lambda is not (null or > 0)) throw new GraftException($"Expected a lambda above 0, found {lambda}.");
        using var inference = no_grad();
        using var scope = NewDisposeScope();
        var (f, g) = (TransferData.Matrix(from), TransferData.Matrix(to));
        var (m, n) = (f.mean([0], keepdim: true), g.mean([0], keepdim: true));
        (f, g) = (f - m, g - n);
        var (v, squares) = PrincipalAxes.Directions(f);
        var u = f.mm(v) / squares.sqrt();
        var projected = u.t().mm(g);
        var all = g.Squared().sum().Value();
        var mean = squares.mean().Value();
        if (!(mean > 0 && all > 0)) throw new GraftException("All photos have the same features: there is no map to fit.");
        var (best, chosen) = (double.PositiveInfinity, 0.0);
        foreach (var candidate in lambda is { } given ? (double[])[given] : [.. Shares.Select(share => share * mean)])
        {
            using var inner = NewDisposeScope();
            var kept = squares / squares.Plus(candidate);
            // The hat matrix's diagonal, with 1/n for the means, which leave with the photo.
            var leverage = (u.Squared() * kept).sum(1).Plus(1.0 / from.Count);
            var residual = (g - (u * kept).mm(projected)) / (leverage.neg().Plus(1)).clamp_min(Number(1e-12)).unsqueeze(1);
            var error = residual.Squared().sum().Value() / all;
            if (error < best) (best, chosen) = (error, candidate);
        }
        var matrix = (v * (squares.sqrt() / squares.Plus(chosen))).mm(projected);
        return new(Doubles(m), Doubles(matrix), Doubles(n)) { Lambda = chosen, LeaveOneOutError = best };

        static double[] Doubles(Tensor values) => Classifiers.TensorNumbers.ToDoubles(values);
    }

    /// <param name="rows">Of the old space.</param>
    /// <returns>The same photos in the new space.</returns>
    public IReadOnlyList<float[]> Apply(IReadOnlyList<float[]> rows)
    {
        if (rows.Count == 0) return [];
        if (rows[0].Length != _center.Length) throw new GraftException($"The map takes {_center.Length} features, found {rows[0].Length}.");
        using var inference = no_grad();
        using var scope = NewDisposeScope();
        var mapped = (TransferData.Matrix(rows) - tensor(_center)).mm(tensor(_matrix, [_center.Length, _shift.Length])).Plus(tensor(_shift));
        return [.. Classifiers.TensorNumbers.ToFloats(mapped).Chunk(_shift.Length)];
    }
}
