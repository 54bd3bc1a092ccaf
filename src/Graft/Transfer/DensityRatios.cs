using Graft.Classifiers;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Transfer;

/// <summary>A method whose source photos count as much more as photos like them are frequent in the target: w(x) = p(x | target) / p(x | source).</summary>
public abstract record DensityRatio : InstanceWeighting
{
    /// <summary>With as many dimensions as photos the two sources can always be told apart, and the weights collapse: principal axes at most.</summary>
    private protected const int MostAxes = 64;

    /// <summary>Above this share of the weights, the largest ones are cut off.</summary>
    private const double Clip = 0.99;

    /// <summary>The ratio at each source photo, at least 0.</summary>
    /// <param name="source">[images, axes], float64.</param>
    /// <param name="target">[images, axes], float64.</param>
    internal abstract double[] Ratio(Tensor source, Tensor target, FittingWork work);

    internal override (double[] Source, double Target) Weights(TransferData data, FittingWork work)
    {
        using var scope = NewDisposeScope();
        var target = data.AllTarget;
        if (target.Count < 2) throw new GraftException($"The method {Name} compares the sources and needs at least 2 photos of the target, found {target.Count}.");
        var (axes, mean) = PrincipalAxes.Of(TransferData.Matrix([.. data.Source, .. target]), MostAxes);
        var ratio = Ratio((TransferData.Matrix(data.Source) - mean).mm(axes), (TransferData.Matrix(target) - mean).mm(axes), work);
        var most = ratio.Order().ElementAt((int)(Clip * (ratio.Length - 1)));
        double[] clipped = [.. ratio.Select(weight => Math.Min(weight, most))];
        var average = clipped.Average();
        if (!(average > 0))
        {
            throw new GraftException($"No photo of the source is like those of the target: all weights of the method {Name} are 0.")
            {
                Code = "transfer-no-overlap",
                Remedy = "Take balanced or coral, which need no overlap.",
            };
        }
        return ([.. clipped.Select(weight => weight / average)], BalancedWeighting.TargetWeight(data));
    }

    /// <summary>exp(−γ·|x − c|²), [images, centers].</summary>
    private protected static Tensor Kernel(Tensor x, Tensor centers, double gamma)
    {
        using var scope = NewDisposeScope();
        var squares = x.Squared().sum(1, keepdim: true).Plus(centers.Squared().sum(1).unsqueeze(0)) - x.mm(centers.t()) * Number(2);
        return (squares.clamp_min(Number(0)) * Number(-gamma)).exp().MoveToOuterDisposeScope();
    }

    /// <summary>Half, once and twice 1 / (the median squared distance to the centers): the widths that are tried.</summary>
    private protected static double[] Gammas(Tensor x, Tensor centers)
    {
        using var scope = NewDisposeScope();
        var squares = x.Squared().sum(1, keepdim: true).Plus(centers.Squared().sum(1).unsqueeze(0)) - x.mm(centers.t()) * Number(2);
        var median = Math.Max(squares.flatten().median().Value(), 1e-12);
        return [0.25 / median, 0.5 / median, 1 / median, 2 / median, 4 / median];
    }

    /// <summary>At most this many photos of the target, spread evenly over their order.</summary>
    private protected static Tensor Centers(Tensor target, int most)
    {
        var count = (int)Math.Min(most, target.shape[0]);
        return target.index_select(0, tensor([.. Enumerable.Range(0, count).Select(index => index * target.shape[0] / count)]));
    }
}

/// <summary>
/// The density ratio by logistic regression between source and target (Bickel, Brückner and Scheffer 2007; adapt's <c>IWC</c>): w = (ns / nt) ·
/// p / (1 − p), where p = p(target | x), standardized over both.
/// </summary>
public sealed record LogisticDensityRatio : DensityRatio
{
    public override string Name => "density";

    public override string Title => "source photos weighted by logistic regression between the sources";

    /// <remarks>Each source photo's p is by a fit without it: one that was fitted on it takes it for a source photo too surely.</remarks>
    internal override double[] Ratio(Tensor source, Tensor target, FittingWork work)
    {
        using var scope = NewDisposeScope();
        var (ns, nt) = ((int)source.shape[0], (int)target.shape[0]);
        var probabilities = new LogisticRegression { Calibrate = false }.OutOfFoldProbabilities(
            [.. source.ToFloats().Chunk((int)source.shape[1]), .. target.ToFloats().Chunk((int)source.shape[1])],
            [.. Enumerable.Repeat(0, ns), .. Enumerable.Repeat(1, nt)], 2, work.Seed, cancellation: work.Cancellation);
        return [.. Enumerable.Range(0, ns).Select(row => (double)ns / nt * Odds(probabilities[2 * row + 1]))];
    }

    /// <summary>The same by one fit on all photos, as scikit-learn's users write it.</summary>
    internal static double[] InSample(IReadOnlyList<float[]> source, IReadOnlyList<float[]> target, double c)
    {
        var fitted = new LogisticRegression { C = c, Calibrate = false, Standardize = false, Tolerance = 1e-9 }.Fit(
            [.. source, .. target], [.. Enumerable.Repeat(0, source.Count), .. Enumerable.Repeat(1, target.Count)], 2);
        using var scope = NewDisposeScope();
        var outputs = fitted.Outputs(FeatureMatrix.Of(source, [.. source.Select((_, row) => row % 2)], 2)).softmax(1).ToDoubles();
        return [.. Enumerable.Range(0, source.Count).Select(row => (double)source.Count / target.Count * Odds(outputs[2 * row + 1]))];
    }

    private static double Odds(double probability) => probability / Math.Max(1 - probability, 1e-12);
}

/// <summary>
/// Least-squares density ratio: Kanamori, Hido and Sugiyama 2009 (uLSIF), relative by <see cref="Alpha"/> as in Yamada et al. 2011 (RuLSIF).
/// With Φ the kernels at <see cref="MaxCenters"/> target photos: H = (1 − α)·Φs'Φs/ns + α·Φt'Φt/nt, h = mean Φt, θ = max(0, (H + λI)⁻¹h), w = Φθ. γ and λ
/// are those of the lowest θ'Hθ/2 − h'θ on held-out photos.
/// </summary>
public sealed record LeastSquaresDensityRatio : DensityRatio
{
    private static readonly double[] Lambdas = [0.01, 0.1, 1];

    public override string Name => Alpha > 0 ? "rulsif" : "ulsif";

    public override string Title => "source photos weighted by least-squares density ratio";

    /// <summary>0 for uLSIF; above, the weights are at most 1/α. Below 1. Default 0.1.</summary>
    [System.ComponentModel.DataAnnotations.Range(0.0, 1.0, MaximumIsExclusive = true)]
    public double Alpha { get; init; } = 0.1;

    /// <summary>Default 100.</summary>
    [System.ComponentModel.DataAnnotations.Range(1, 10_000)]
    public int MaxCenters { get; init; } = 100;

    internal override double[] Ratio(Tensor source, Tensor target, FittingWork work)
    {
        using var scope = NewDisposeScope();
        var centers = Centers(target, MaxCenters);
        var (best, chosen) = (double.PositiveInfinity, (Gamma: 1.0, Lambda: 1.0));
        foreach (var gamma in Gammas(cat([source, target], 0), centers))
        {
            foreach (var lambda in Lambdas)
            {
                work.Cancellation.ThrowIfCancellationRequested();
                var score = HeldOut(source, target, centers, gamma, lambda);
                if (score < best) (best, chosen) = (score, (gamma, lambda));
            }
        }
        return Solve(source, target, centers, chosen.Gamma, chosen.Lambda, Alpha).Weights;
    }

    internal static (double[] Theta, double[] Weights) Solve(Tensor source, Tensor target, Tensor centers, double gamma, double lambda, double alpha)
    {
        using var scope = NewDisposeScope();
        var ofSource = Kernel(source, centers, gamma);
        var theta = Theta(ofSource, Kernel(target, centers, gamma), lambda, alpha);
        return (theta.ToDoubles(), ofSource.mv(theta).ToDoubles());
    }

    private static Tensor Theta(Tensor ofSource, Tensor ofTarget, double lambda, double alpha)
    {
        using var scope = NewDisposeScope();
        var h = ofSource.t().mm(ofSource) * Number((1 - alpha) / ofSource.shape[0]);
        h = h.Plus(ofTarget.t().mm(ofTarget) * Number(alpha / ofTarget.shape[0]));
        h.diagonal().Increase(lambda);
        return linalg.solve(h, ofTarget.mean([0]).unsqueeze(1)).squeeze(1).clamp_min(Number(0)).MoveToOuterDisposeScope();
    }

    /// <summary>The objective on every second photo by θ of the others, and the other way round.</summary>
    private double HeldOut(Tensor source, Tensor target, Tensor centers, double gamma, double lambda)
    {
        using var scope = NewDisposeScope();
        var (ofSource, ofTarget) = (Kernel(source, centers, gamma), Kernel(target, centers, gamma));
        var sum = 0.0;
        for (var part = 0; part < 2; part++)
        {
            var (fitS, fitT) = (Half(ofSource, part), Half(ofTarget, part));
            var (outS, outT) = (Half(ofSource, 1 - part), Half(ofTarget, 1 - part));
            var theta = Theta(fitS, fitT, lambda, Alpha);
            var (atSource, atTarget) = (outS.mv(theta), outT.mv(theta));
            sum += (1 - Alpha) * atSource.Squared().mean().Value() / 2 + Alpha * atTarget.Squared().mean().Value() / 2 - atTarget.mean().Value();
        }
        return sum;
    }

    private static Tensor Half(Tensor rows, int part) => rows.slice(0, rows.shape[0] > 1 ? part : 0, rows.shape[0], 2);
}

/// <summary>
/// KLIEP: Sugiyama et al. 2008, "Direct importance estimation with model selection". w = Σ a·K(x, c) maximizes the mean of log w over the target, with
/// mean 1 over the source and a ≥ 0, by the fixed point a ← a · mean(K / w) / b, b = mean K over the source, which never lowers it. γ is that of the
/// highest likelihood of held-out photos of the target.
/// </summary>
public sealed record Kliep : DensityRatio
{
    private const int MostSteps = 20_000, StepsOfChoice = 500, Folds = 5;

    private const double Gap = 1e-9, SmallestMean = 1e-12;

    public override string Name => "kliep";

    public override string Title => "source photos weighted by KLIEP";

    /// <summary>Default 100.</summary>
    [System.ComponentModel.DataAnnotations.Range(1, 10_000)]
    public int MaxCenters { get; init; } = 100;

    internal override double[] Ratio(Tensor source, Tensor target, FittingWork work)
    {
        using var scope = NewDisposeScope();
        var centers = Centers(target, MaxCenters);
        var (best, chosen) = (double.NegativeInfinity, 1.0);
        var folds = (int)Math.Min(Folds, target.shape[0]);
        foreach (var gamma in Gammas(cat([source, target], 0), centers))
        {
            work.Cancellation.ThrowIfCancellationRequested();
            using var inner = NewDisposeScope();
            var (ofSource, ofTarget) = (Kernel(source, centers, gamma), Kernel(target, centers, gamma));
            var likelihood = 0.0;
            for (var fold = 0; fold < folds; fold++)
            {
                long[] rows = [.. Enumerable.Range(0, (int)target.shape[0]).Select(row => (long)row)];
                var kept = ofTarget.index_select(0, tensor([.. rows.Where(row => row % folds != fold)]));
                var heldOut = ofTarget.index_select(0, tensor([.. rows.Where(row => row % folds == fold)]));
                var a = tensor(Coefficients(ofSource, kept, StepsOfChoice));
                likelihood += heldOut.mv(a).clamp_min(Number(SmallestMean)).log().mean().Value() / folds;
            }
            if (likelihood > best) (best, chosen) = (likelihood, gamma);
        }
        return Solve(source, target, centers, chosen).Weights;
    }

    /// <returns>The mean of log w over the target, and w at the source.</returns>
    internal static (double Objective, double[] Weights) Solve(Tensor source, Tensor target, Tensor centers, double gamma)
    {
        using var scope = NewDisposeScope();
        var (ofSource, ofTarget) = (Kernel(source, centers, gamma), Kernel(target, centers, gamma));
        var a = tensor(Coefficients(ofSource, ofTarget, MostSteps));
        return (ofTarget.mv(a).log().mean().Value(), ofSource.mv(a).ToDoubles());
    }

    private static double[] Coefficients(Tensor ofSource, Tensor ofTarget, int steps)
    {
        var (source, target) = (ofSource.ToDoubles(), ofTarget.ToDoubles());
        var (centers, rows) = ((int)ofTarget.shape[1], (int)ofTarget.shape[0]);
        var b = new double[centers];
        for (var index = 0; index < source.Length; index++) b[index % centers] += source[index] / ofSource.shape[0];
        // A center that no source photo is near to would have any coefficient.
        var used = Enumerable.Range(0, centers).Where(center => b[center] > SmallestMean).ToArray();
        if (used.Length == 0) throw new GraftException("No photo of the source is like those of the target. Take balanced or coral, which need no overlap.");
        var a = new double[centers];
        foreach (var center in used) a[center] = 1 / (b[center] * used.Length);
        for (var step = 0; step < steps; step++)
        {
            var gain = new double[centers];
            for (var row = 0; row < rows; row++)
            {
                var w = 0.0;
                foreach (var center in used) w += target[row * centers + center] * a[center];
                foreach (var center in used) gain[center] += target[row * centers + center] / w;
            }
            var largest = 0.0;
            foreach (var center in used)
            {
                var factor = gain[center] / rows / b[center];
                a[center] *= factor;
                largest = Math.Max(largest, factor);
            }
            if (largest - 1 < Gap) break;
        }
        return a;
    }
}
