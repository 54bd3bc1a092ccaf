using System.ComponentModel.DataAnnotations;
using Graft.Classifiers;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Transfer;

/// <summary>
/// Components of both sources in which their means are alike and the variance is kept: transfer component analysis (Pan, Tsang, Kwok and Yang 2011) and
/// joint distribution adaptation (Long, Wang, Ding, Sun and Yu 2013), with the linear kernel. With X [features, images] of both, K = X'X, H the centering and
/// M = C·e₀e₀' + Σ e_c·e_c', scaled to ‖M‖ = 1, where e₀ holds 1/ns and −1/nt and e_c the same of class c, the components are the a of length 1 with the
/// largest μ of K·H·K·a = μ·(K·M·K + λI)·a, and Z = A'K.
/// </summary>
/// <remarks>
/// Exact by the thin singular value decomposition X' = U·S·V': a = U·b, all matrices become [rank, rank], and Z = W'·X with W = V·S·b, so that new
/// photos need no kernel. M is never built.
/// </remarks>
public abstract record TransferComponents : FeatureAlignment
{
    /// <summary>k. Fewer where the photos span fewer dimensions. Default 60; the papers' is 100.</summary>
    [Range(1, int.MaxValue)]
    public int Components { get; init; } = 60;

    /// <summary>λ. Above 0. Default 0.1; JDA's paper has 1 for photos of objects.</summary>
    [Range(0.0, double.MaxValue, MinimumIsExclusive = true)]
    public double Lambda { get; init; } = 0.1;

    /// <summary>Whether features are scaled to length 1 first. Default true.</summary>
    public bool UnitFeatures { get; init; } = true;

    /// <summary>Whether a photo's components are scaled to length 1. Default true.</summary>
    public bool UnitComponents { get; init; } = true;

    public override FeatureClassifier DefaultClassifier => new NearestNeighbors { Neighbors = 1, Standardize = false };

    private protected abstract int Rounds { get; }

    /// <summary>The map, and what each round said of the target.</summary>
    /// <param name="Map">W, [features, components].</param>
    /// <param name="Components">Z of the source, then of the target, [images, components].</param>
    /// <param name="Eigenvalues">μ of the last round, the largest first.</param>
    /// <param name="Labels">Of each round the class of the nearest labeled photo of each photo of the target.</param>
    internal sealed record Solution(Tensor Map, Tensor Components, Tensor Eigenvalues, IReadOnlyList<int[]> Labels);

    internal override Alignment Align(Tensor source, Tensor target, TransferData data, FittingWork work)
    {
        using var scope = NewDisposeScope();
        var map = Solve(source, target, [.. data.SourceLabels], [.. data.TargetLabels], data.Classes, work.Cancellation).Map;
        FittedLayer[] layers =
        [
            .. UnitFeatures ? (FittedLayer[])[Unit("length")] : [],
            Affine("components", zeros([1, map.shape[0]], ScalarType.Float64), map),
            .. UnitComponents ? (FittedLayer[])[Unit("components_length")] : [],
        ];
        return new(layers, layers);
    }

    /// <param name="known">The classes of the first photos of the target, which have labels.</param>
    internal Solution Solve(Tensor source, Tensor target, int[] labels, int[] known, int classes, CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        var (ns, nt) = ((int)source.shape[0], (int)target.shape[0]);
        var x = cat([source, target], 0);
        if (UnitFeatures) x = Normalized(x);
        var (v, squares) = PrincipalAxes.Directions(x);
        var s = squares.sqrt();
        var u = x.mm(v) / s; // [images, rank]
        var count = (int)Math.Min(Components, s.shape[0]);
        var mean = u.mean([0], keepdim: true);
        // S²·U'HU·S²
        var scatter = (u.t().mm(u) - mean.t().mm(mean) * Number(ns + nt)) * squares.unsqueeze(1) * squares.unsqueeze(0);

        List<int[]> rounds = [];
        int[]? pseudo = null;
        Tensor? b = null, z = null, eigenvalues = null;
        for (var round = 0; round < Rounds; round++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var inner = NewDisposeScope();
            var differences = Differences(labels, pseudo, ns, nt, classes);
            var e = u.t().mm(differences); // [rank, 1 + classes]
            var norm = differences.t().mm(differences).Squared().sum().sqrt().Value(); // ‖E·E'‖ = ‖E'·E‖
            var weighed = e * squares.unsqueeze(1);
            var penalty = weighed.mm(weighed.t()) / Number(norm);
            penalty.diagonal().Increase(Lambda);
            var lower = linalg.cholesky(penalty);
            var half = linalg.solve_triangular(lower, scatter, upper: false);
            var whole = linalg.solve_triangular(lower, half.t().contiguous(), upper: false);
            var (values, vectors) = linalg.eigh((whole.Plus(whole.t())) * Number(0.5));
            var chosen = linalg.solve_triangular(lower.t().contiguous(), vectors.narrow(1, vectors.shape[1] - count, count).flip(1), upper: true);
            chosen = chosen / chosen.Squared().sum(0, keepdim: true).sqrt();
            var components = (u * squares).mm(chosen);
            if (UnitComponents) components = Normalized(components);
            pseudo = Nearest(components, labels, known, ns, nt);
            rounds.Add(pseudo);
            foreach (var old in (Tensor?[])[b, z, eigenvalues]) old?.Dispose();
            (b, z) = (chosen.MoveToOuterDisposeScope(), components.MoveToOuterDisposeScope());
            eigenvalues = values.narrow(0, values.shape[0] - count, count).flip(0).MoveToOuterDisposeScope();
        }
        return new((v * s).mm(b!).MoveToOuterDisposeScope(), z!.MoveToOuterDisposeScope(), eigenvalues!.MoveToOuterDisposeScope(), rounds);
    }

    /// <summary>E with E·E' = M: √C·e₀ and, once there are classes of the target, e_c; [images, columns].</summary>
    private static Tensor Differences(int[] labels, int[]? pseudo, int ns, int nt, int classes)
    {
        var columns = pseudo is null ? 1 : 1 + classes;
        var e = new double[(ns + nt) * columns];
        var root = Math.Sqrt(labels.Distinct().Count());
        for (var row = 0; row < ns + nt; row++) e[row * columns] = root * (row < ns ? 1.0 / ns : -1.0 / nt);
        if (pseudo is not null)
        {
            var (ofSource, ofTarget) = (new int[classes], new int[classes]);
            foreach (var label in labels) ofSource[label]++;
            foreach (var label in pseudo) ofTarget[label]++;
            for (var row = 0; row < ns; row++) e[row * columns + 1 + labels[row]] = 1.0 / ofSource[labels[row]];
            for (var row = 0; row < nt; row++)
                if (ofSource[pseudo[row]] > 0) e[(ns + row) * columns + 1 + pseudo[row]] = -1.0 / ofTarget[pseudo[row]];
        }
        return tensor(e, [ns + nt, columns]);
    }

    /// <summary>The class of the nearest labeled photo; photos of the target that have labels keep them.</summary>
    private static int[] Nearest(Tensor components, int[] labels, int[] known, int ns, int nt)
    {
        using var scope = NewDisposeScope();
        var (a, b) = (components.narrow(0, 0, ns + known.Length), components.narrow(0, ns, nt));
        var nearest = (a.Squared().sum(1, keepdim: true) - a.mm(b.t()) * Number(2)).argmin(0).data<long>().ToArray();
        int[] all = [.. labels, .. known];
        return [.. nearest.Select((place, row) => row < known.Length ? known[row] : all[place])];
    }

    internal static Tensor Normalized(Tensor rows) => rows / rows.Squared().sum(1, keepdim: true).sqrt().clamp_min(Number(1e-300));
}

/// <summary>Transfer component analysis: the means of both sources are made alike.</summary>
public sealed record TransferComponentAnalysis : TransferComponents
{
    public override string Name => "tca";

    public override string Title => "transfer component analysis";

    private protected override int Rounds => 1;
}

/// <summary>Joint distribution adaptation: the means of each class too, by the classes that the nearest neighbors of the round before gave the target's photos.</summary>
public sealed record JointDistributionAdaptation : TransferComponents
{
    public override string Name => "jda";

    public override string Title => "joint distribution adaptation";

    /// <summary>T. Default 5; the paper's is 10.</summary>
    [Range(1, 1000)]
    public int Iterations { get; init; } = 5;

    private protected override int Rounds => Iterations;
}
