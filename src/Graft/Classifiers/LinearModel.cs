using TorchSharp;
using static TorchSharp.torch;

namespace Graft.Classifiers;

/// <summary>The coefficients of a linear model and how well they fit.</summary>
/// <param name="Coefficients">[classes, features + 1], float64; the last column is the intercepts.</param>
/// <param name="Objective">Half the sum of squared coefficients plus the loss.</param>
/// <param name="Gradient">The largest component of the objective's gradient.</param>
/// <param name="Steps">Newton steps taken.</param>
/// <param name="Products">Products of the features with a direction that these took.</param>
internal sealed record LinearSolution(Tensor Coefficients, double Objective, double Gradient, int Steps, int Products);

/// <summary>
/// Minimises ½‖w‖² + Σ loss of a linear model by Newton's method. Its systems are solved by conjugate gradients in float32, with the
/// Gram matrix of the features, each image weighted by its curvature, as preconditioner; value and gradient are float64, so that each
/// step mends the rounding of the last, and the end is as exact as float64 throughout. Where there are fewer images than features, the
/// coefficients lie in the span of the images, and it is solved there. Tensors belong to the dispose scope it was made in.
/// </summary>
internal sealed class LinearModel
{
    private const int MostSteps = 200, MostProductsPerStep = 250;

    /// <summary>Products of one step beyond which another preconditioner is worth its price.</summary>
    private const int ManyProducts = 12;

    /// <summary>Beyond this many features a Gram matrix costs more than it saves, and the diagonal must do.</summary>
    private const int MostFeaturesOfGram = 4096;

    /// <summary>Images of less than this share of the largest weight are left out of the Gram matrix.</summary>
    private const double SmallestShare = 1e-3;

    /// <summary>The decrease that a step must bring, of what its slope promises.</summary>
    private const double SufficientDecrease = 1e-4;

    private readonly Tensor? _basis; // [features, reduced], orthonormal columns
    private readonly Tensor _single, _double; // [images, reduced + 1]
    private readonly Tensor _ridge, _ridge32; // [reduced + 1]

    /// <param name="features">[images, features], float32.</param>
    /// <param name="penalizeIntercept">Whether the intercepts belong to w, as liblinear has it.</param>
    public LinearModel(Tensor features, bool penalizeIntercept)
    {
        using var scope = NewDisposeScope();
        var (images, length) = (features.shape[0], features.shape[1]);
        var wide = features.to_type(ScalarType.Float64);
        if (images < length)
        {
            var (q, r) = linalg.qr(wide.t());
            (_basis, wide) = (q, r.t());
        }
        _double = cat([wide, ones([images, 1], ScalarType.Float64)], 1);
        _single = _double.to_type(ScalarType.Float32);
        _ridge = ones([_double.shape[1]], ScalarType.Float64);
        if (!penalizeIntercept) _ridge[-1] = zeros([], ScalarType.Float64);
        _ridge32 = _ridge.to_type(ScalarType.Float32);
        foreach (var tensor in (Tensor?[])[_basis, _double, _single, _ridge, _ridge32]) tensor?.MoveToOuterDisposeScope();
    }

    /// <param name="loss">Of as many classes as the coefficients have rows.</param>
    /// <param name="tolerance">The largest component that the gradient may have in the end.</param>
    /// <param name="start">Coefficients to begin with, [classes, features + 1]; null for 0.</param>
    /// <exception cref="GraftException">It does not come to an end.</exception>
    public LinearSolution Minimize(LinearLoss loss, int classes, double tolerance, Tensor? start, CancellationToken cancellation)
    {
        var coefficients = empty([classes, (_basis ?? _double).shape[_basis is null ? 1 : 0] + (_basis is null ? 0 : 1)], ScalarType.Float64);
        using var scope = NewDisposeScope();
        var w = start is null ? zeros([classes, _double.shape[1]], ScalarType.Float64) : Reduce(start);
        var outputs = w.mm(_double.t());
        var (value, largest, products) = (Value(loss, w, outputs), double.NaN, 0);
        var (preconditioner, needed, first) = ((Tensor?)null, true, double.NaN);
        for (var step = 0; step < MostSteps; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var inner = NewDisposeScope();
            var (byOutputs, curvature) = loss.Derivatives(outputs);
            var gradient = byOutputs.mm(_double).addcmul_(_ridge, w, 1);
            largest = gradient.abs().max().ToDouble();
            if (largest <= tolerance) return Solution(step);
            if (!double.IsFinite(largest)) break;
            if (double.IsNaN(first)) first = largest;

            if (needed)
            {
                preconditioner?.Dispose();
                preconditioner = Precondition(curvature.Weights).MoveToOuterDisposeScope();
            }
            var accuracy = Math.Min(0.1, Math.Sqrt(largest / first));
            var (direction, used) = Solve(gradient.to_type(ScalarType.Float32), curvature, preconditioner!, accuracy);
            products += used; if (Environment.GetEnvironmentVariable("TRACE") != null) Console.Error.WriteLine($"{step} f {value:R} g {largest:e2} used {used} acc {accuracy:e1} fresh {needed} {System.Diagnostics.Stopwatch.GetTimestamp()/1000000} ms");
            needed = used > ManyProducts;
            direction = direction.to_type(ScalarType.Float64);
            var slope = (direction * gradient).sum().ToDouble();
            if (slope >= 0) (direction, slope) = (-gradient, -gradient.square().sum().ToDouble());
            var change = direction.mm(_double.t());

            var length = 1.0;
            while (true)
            {
                using var trial = NewDisposeScope();
                var (nextW, nextOutputs) = (w + direction * length, outputs + change * length);
                var next = Value(loss, nextW, nextOutputs);
                // Near the end the decrease is smaller than the rounding of the value; the gradient then decides.
                if (next <= value + SufficientDecrease * length * slope + 1e-14 * Math.Abs(value))
                {
                    w.copy_(nextW);
                    outputs.copy_(nextOutputs);
                    value = next;
                    break;
                }
                length /= 2;
                if (length < 1e-10) return Solution(step); // As exact as float64 gets.
            }
        }
        throw new GraftException(
            $"The fit did not come to its optimum in {MostSteps} steps (gradient {largest:0.0e+0}). Give a smaller C, or standardise the features.");

        LinearSolution Solution(int steps) =>
            new(coefficients.copy_(Extend(w)), value, largest, steps, products);
    }

    /// <summary>float64 outputs [images, classes] of coefficients for other images.</summary>
    public static Tensor Outputs(Tensor features, Tensor coefficients)
    {
        using var scope = NewDisposeScope();
        var last = coefficients.shape[1] - 1;
        return features.to_type(ScalarType.Float64).mm(coefficients.narrow(1, 0, last).t()).add_(coefficients.select(1, last)).MoveToOuterDisposeScope();
    }

    private double Value(LinearLoss loss, Tensor w, Tensor outputs)
    {
        using var scope = NewDisposeScope();
        return loss.Value(outputs) + 0.5 * (w.square() * _ridge).sum().ToDouble();
    }

    /// <summary>Preconditioned conjugate gradients: −(Hessian)⁻¹·gradient to a residual of <paramref name="accuracy"/> times the gradient.</summary>
    private (Tensor Direction, int Products) Solve(Tensor gradient, Curvature curvature, Tensor preconditioner, double accuracy)
    {
        var direction = zeros_like(gradient);
        var residual = -gradient;
        var conditioned = Conditioned(residual);
        var search = conditioned.clone();
        var product = Dot(residual, conditioned);
        var goal = accuracy * Math.Sqrt(Dot(residual, residual));
        for (var count = 1; count <= MostProductsPerStep; count++)
        {
            using var scope = NewDisposeScope();
            var curved = curvature.Times(search.mm(_single.t())).mm(_single).addcmul_(_ridge32, search, 1);
            var along = Dot(search, curved);
            if (!(along > 0)) return (direction, count);
            var length = product / along;
            direction.add_(search, length);
            residual.add_(curved, -length);
            if (Math.Sqrt(Dot(residual, residual)) <= goal) return (direction, count);
            var next = Conditioned(residual);
            var nextProduct = Dot(residual, next);
            search.mul_(nextProduct / product).add_(next);
            product = nextProduct;
        }
        return (direction, MostProductsPerStep);

        Tensor Conditioned(Tensor vector) => preconditioner.dim() == 1
            ? vector / preconditioner
            : cholesky_solve(vector.t(), preconditioner).t();
    }

    private static double Dot(Tensor a, Tensor b)
    {
        using var scope = NewDisposeScope();
        return (a * b).sum().ToDouble();
    }

    /// <summary>The Cholesky factor of ridge + Σ weight · x·xᵀ, or that matrix's diagonal.</summary>
    private Tensor Precondition(Tensor weights)
    {
        using var scope = NewDisposeScope();
        if (_single.shape[1] > MostFeaturesOfGram) return _single.square().t().mv(weights).add_(_ridge32).clamp_min_(1e-6).MoveToOuterDisposeScope();
        var rows = weights.gt(weights.max() * SmallestShare).nonzero().squeeze(1);
        var scaled = _single.index_select(0, rows).mul_(weights.index_select(0, rows).sqrt_().unsqueeze(1));
        var gram = scaled.t().mm(scaled);
        gram.diagonal().add_(_ridge32);
        var rounding = gram.diagonal().max().ToDouble() * 1e-6;
        while (true)
        {
            gram.diagonal().add_(rounding);
            var (factor, info) = linalg.cholesky_ex(gram);
            if (info.ToInt32() == 0) return factor.MoveToOuterDisposeScope();
            rounding *= 10;
        }
    }

    private Tensor Reduce(Tensor coefficients)
    {
        if (_basis is null) return coefficients.clone();
        using var scope = NewDisposeScope();
        var last = coefficients.shape[1] - 1;
        return cat([coefficients.narrow(1, 0, last).mm(_basis), coefficients.narrow(1, last, 1)], 1).MoveToOuterDisposeScope();
    }

    /// <summary>Back to all features.</summary>
    private Tensor Extend(Tensor w)
    {
        using var scope = NewDisposeScope();
        var last = w.shape[1] - 1;
        var all = _basis is null ? w.clone() : cat([w.narrow(1, 0, last).mm(_basis.t()), w.narrow(1, last, 1)], 1);
        return all.MoveToOuterDisposeScope();
    }
}
