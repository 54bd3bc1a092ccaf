using System.Runtime.CompilerServices;
using static Graft.Networks.Scalars;
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
/// Minimizes ½‖w‖² + Σ loss of a linear model by Newton's method. Its systems are solved by conjugate gradients in float32, with the
/// Gram matrix of the features, each image weighted by its curvature, as preconditioner; value and gradient are float64, so that each
/// step mends the rounding of the last, and the end is as exact as float64 throughout. Where a step's float64 residual shows that float32 did
/// not do, as with features of thousands, the systems are solved in float64 from then on. Where there are fewer images than features, the
/// coefficients lie in the span of the images, and it is solved there. Features are divided by a power of two near their root mean square, so
/// that neither their unit nor its rounding matters; the ridge makes up for it. Tensors belong to the dispose scope it was made in.
/// </summary>
internal sealed class LinearModel
{
    private const int MostSteps = 200;

    /// <summary>Products of one step beyond which another preconditioner is worth its price.</summary>
    private const int ManyProducts = 18;

    /// <summary>Beyond this many features a Gram matrix costs more than it saves, and the diagonal must do.</summary>
    private const int MostFeaturesOfGram = 4096;

    /// <summary>Beyond this many images, all their products with each other take too much memory.</summary>
    private const int MostImagesOfGram = 10_000;

    /// <summary>Images of less than this share of the largest weight are left out of the Gram matrix.</summary>
    private const double SmallestShare = 1e-2;

    /// <summary>The decrease that a step must bring, of what its slope promises.</summary>
    private const double SufficientDecrease = 1e-4;

    /// <summary>How much of an objective is rounding.</summary>
    private const double Rounding = 1e-14;

    /// <summary>From a start that is near, this share of its gradient is exact enough to measure by: a temperature moves by a thousandth.</summary>
    private const double NearShare = 0.05;

    private const int RowsAtOnce = 256;

    private const int MostHalvings = 20;

    /// <summary>The residual of a Newton system, as a share of the gradient, beyond which float32 did not solve it: by iteration, and in one go.</summary>
    private const double MostResidual = 0.6, MostDirectResidual = 0.1;

    /// <summary>Steps beyond which float32 makes too slow a progress.</summary>
    private const int MostSingleSteps = 25;

    /// <summary>Products of a float64 step.</summary>
    private const int MostExactProducts = 200;

    private readonly bool _penalizesIntercept;
    private readonly double _scale; // The features are divided by it
    private readonly Tensor? _basis; // [features, reduced], orthonormal columns
    private readonly Tensor _single; // [images, reduced + 1]
    private readonly Tensor? _double; // The same in float64; without a basis the features are float32 by nature, and are widened as they are used
    private readonly Tensor _ridge, _ridge32; // [reduced + 1]
    private readonly StrongBox<Tensor?> _preconditioner; // The last one, of this model and its parts
    private Tensor? _gram; // [images, images], float32: the images' products with each other, by the ridge's inverse

    /// <param name="features">[images, features], float32.</param>
    /// <param name="penalizeIntercept">Whether the intercepts belong to w, as liblinear has it.</param>
    public LinearModel(Tensor features, bool penalizeIntercept)
    {
        _penalizesIntercept = penalizeIntercept;
        using var scope = NewDisposeScope();
        var (images, length) = (features.shape[0], features.shape[1]);
        _scale = ScaleOf(features);
        if (images < length)
        {
            var (q, r) = linalg.qr(features.to_type(ScalarType.Float64).t());
            _basis = q;
            _double = cat([r.t() / Number(_scale), ones([images, 1], ScalarType.Float64)], 1);
            _single = _double.to_type(ScalarType.Float32);
        }
        else
        {
            _single = cat([features, ones([images, 1], ScalarType.Float32)], 1);
            if (_scale != 1) _single.narrow(1, 0, length).div_(Number(_scale)); // Exact
        }
        _ridge = full([Columns], Number(1 / (_scale * _scale)), ScalarType.Float64);
        _ridge[-1] = tensor(penalizeIntercept ? 1.0 : 0);
        _ridge32 = _ridge.to_type(ScalarType.Float32);
        _preconditioner = new();
        foreach (var tensor in (Tensor?[])[_basis, _double, _single, _ridge, _ridge32]) tensor?.MoveToOuterDisposeScope();
    }

    private LinearModel(LinearModel all, Tensor images)
    {
        (_penalizesIntercept, _scale, _basis, _ridge, _ridge32, _preconditioner) = (all._penalizesIntercept, all._scale, all._basis, all._ridge, all._ridge32, all._preconditioner);
        _double = all._double?.index_select(0, images);
        _single = all._single.index_select(0, images);
        _gram = all._gram?.index_select(0, images).index_select(1, images);
    }

    /// <summary>The power of two nearest to the root mean square; 1 where all features are 0.</summary>
    private static double ScaleOf(Tensor features)
    {
        // Of the largest, so that no square overflows or vanishes.
        using var scope = NewDisposeScope();
        var largest = Math.Max(features.max().Value(), -features.min().Value());
        if (largest == 0) return 1;
        var (images, sum) = (features.shape[0], 0.0);
        for (var start = 0L; start < images; start += RowsAtOnce)
        {
            using var inner = NewDisposeScope();
            sum += (features.narrow(0, start, Math.Min(RowsAtOnce, images - start)) / Number(largest)).Squared().sum().Value();
        }
        return Math.Pow(2, Math.Clamp(Math.Round(Math.Log2(largest * Math.Sqrt(sum / features.numel()))), -120, 120));
    }

    /// <summary>Coefficients of a class, the intercept included.</summary>
    private long Columns => _single.shape[1];

    /// <summary>The same of some of the images; belongs to the present dispose scope.</summary>
    public LinearModel Subset(int[] images) => new(this, tensor([.. images.Select(image => (long)image)]));

    /// <param name="loss">Of as many classes as the coefficients have rows.</param>
    /// <param name="tolerance">The largest component, by the scaled features' coefficients, that the gradient may have in the end.</param>
    /// <param name="start">Coefficients to begin with, [classes, features + 1]; null for 0.</param>
    /// <param name="isNear">
    /// Whether the start is the solution for most of the same images: the preconditioner used last still serves, and <see cref="NearShare"/> ends it.
    /// </param>
    /// <exception cref="GraftException">It does not come to an end.</exception>
    public LinearSolution Minimize(LinearLoss loss, int classes, double tolerance, Tensor? start, bool isNear, CancellationToken cancellation)
    {
        var coefficients = empty([classes, _basis is null ? Columns : _basis.shape[0] + 1], ScalarType.Float64);
        using var scope = NewDisposeScope();
        var w = start is null ? zeros([classes, Columns], ScalarType.Float64) : Reduce(start);
        var outputs = OutputsOf(w);
        var values = Values(loss, w, outputs);
        var (largest, before, products) = (double.NaN, double.NaN, 0);
        var (needed, isExact) = (!isNear || _preconditioner.Value is null, false);
        for (var step = 0; step < MostSteps; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var inner = NewDisposeScope();
            var gradient = SumOver(loss.Gradient(outputs)).addcmul_(_ridge, w, Number(1));
            var largestByClass = gradient.abs().amax([1]);
            largest = largestByClass.max().Value();
            var curvature = loss.Curvature(outputs);
            if (isNear && step == 0 && curvature.ByClass is null) tolerance = Math.Max(tolerance, NearShare * largest);
            if (largest <= tolerance) return Solution(step);
            if (!double.IsFinite(largest)) break;

            // As exact as the last step's success deserves (Eisenstat and Walker 1996, choice 2), and not beyond what is asked in the end.
            var accuracy = Math.Max(
                double.IsNaN(before) ? 0.5 : Math.Min(0.5, 0.9 * Math.Pow(largest / before, 1.6)), 0.3 * tolerance / largest);
            before = largest;
            Tensor? direction = null;
            if (!isExact)
            {
                if (curvature.ByClass is { } weights && IsSolvable(weights))
                {
                    direction = SolveByClass(gradient, weights, largestByClass.ToDoubles(), tolerance);
                }
                else
                {
                    if (needed)
                    {
                        _preconditioner.Value?.Dispose();
                        _preconditioner.Value = Precondition(curvature.Weights).MoveToOtherDisposeScope(_ridge);
                    }
                    var (solved, used) = new NewtonSystem(_single, _ridge32.ToFloats(), curvature, _preconditioner.Value!, classes)
                        .Solve(gradient.ToFloats(), accuracy);
                    products += used;
                    needed = used > ManyProducts;
                    direction = tensor(solved, [classes, Columns]).to_type(ScalarType.Float64);
                }
                isExact = direction is null || step >= MostSingleSteps || !IsSolved(curvature, gradient, direction, largestByClass.gt(Number(tolerance)));
            }
            if (isExact) direction = SolveExactly(curvature, gradient, Math.Min(accuracy, 0.1), ref products);
            var isByClass = values.dim() == 2;
            var slopes = direction! * gradient;
            slopes = isByClass ? slopes.sum(1, keepdim: true) : slopes.sum().view(1);
            var change = OutputsOf(direction!);

            // Each class that is by itself has a step length of its own.
            var lengths = isByClass
                ? BestLengths(loss, w, outputs, direction!, change)
                : SufficientLengths(loss, w, outputs, direction!, change, values, slopes);
            w.Increase(direction! * lengths);
            outputs.Increase(change * lengths);
            var valueBefore = values.sum().Value();
            values.copy_(Values(loss, w, outputs));
            if (lengths.max().Value() == 0 || (isByClass && values.sum().Value() >= valueBefore))
            {
                if (isExact) return Solution(step); // As exact as float64 gets.
                isExact = true;
            }
        }
        throw new GraftException(
            $"The fit did not come to its optimum in {MostSteps} steps (gradient {largest:0.0e+0}). "
            + "Give a smaller C, or standardize the features.");

        LinearSolution Solution(int steps) =>
            new(coefficients.copy_(Extend(w)), values.sum().Value(), largest, steps, products);
    }

    /// <summary>The Newton system times a direction, [classes, reduced + 1], float64.</summary>
    private Tensor Curve(Curvature curvature, Tensor direction)
    {
        using var scope = NewDisposeScope();
        return SumOver(curvature.Multiply(OutputsOf(direction))).addcmul_(_ridge, direction, Number(1)).MoveToOuterDisposeScope();
    }

    /// <summary>Whether a direction solves the Newton system well enough to be a step.</summary>
    /// <param name="classes">Those that are not at their optimum yet; the others have no direction.</param>
    private bool IsSolved(Curvature curvature, Tensor gradient, Tensor direction, Tensor classes)
    {
        using var scope = NewDisposeScope();
        var residual = Curve(curvature, direction).Increase(gradient).Squared().sum(1);
        var size = gradient.Squared().sum(1);
        var most = curvature.ByClass is null ? MostResidual : MostDirectResidual;
        if (curvature.ByClass is null) (residual, size, classes) = (residual.sum().view(1), size.sum().view(1), ones([1], ScalarType.Bool));
        return residual.le(size * Number(most * most)).logical_or_(classes.logical_not()).all().IsTrue();
    }

    /// <summary>The same as <see cref="NewtonSystem"/> solves, all in float64: slow, but right whatever the features are.</summary>
    private Tensor SolveExactly(Curvature curvature, Tensor gradient, double accuracy, ref int products)
    {
        using var scope = NewDisposeScope();
        var factors = curvature.ByClass is { } weights
            ? Enumerable.Range(0, (int)weights.shape[0]).Select(label => ExactFactor(weights[label])).ToList()
            : [ExactFactor(curvature.Weights)];
        var direction = zeros_like(gradient);
        var residual = gradient.neg();
        var goal = accuracy * gradient.norm().Value();
        var search = Conditioned(residual);
        var product = (residual * search).sum().Value();
        for (var count = 0; count < MostExactProducts; count++)
        {
            products++;
            using var inner = NewDisposeScope();
            var curved = Curve(curvature, search);
            var along = (search * curved).sum().Value();
            if (!(along > 0)) break;
            direction.Increase(search * Number(product / along));
            residual.sub_(curved * Number(product / along));
            if (residual.norm().Value() <= goal) break;
            var conditioned = Conditioned(residual);
            var next = (residual * conditioned).sum().Value();
            search.mul_(Number(next / product)).Increase(conditioned);
            product = next;
        }
        return direction.MoveToOuterDisposeScope();

        Tensor Conditioned(Tensor vector)
        {
            using var inner = NewDisposeScope();
            var solved = factors.Select((factor, index) =>
            {
                var own = (factors.Count == 1 ? vector : vector.narrow(0, index, 1)).t();
                return (factor.dim() == 1 ? own / factor.unsqueeze(1) : cholesky_solve(own, factor)).t();
            });
            return cat([.. solved], 0).contiguous().MoveToOuterDisposeScope();
        }
    }

    /// <summary>In float64 the Cholesky factor of ridge + Σ weight · x·xᵀ, or that matrix's diagonal.</summary>
    private Tensor ExactFactor(Tensor weights)
    {
        using var scope = NewDisposeScope();
        var own = weights.to_type(ScalarType.Float64).unsqueeze(1);
        var x = _double ?? _single.to_type(ScalarType.Float64);
        if (Columns > MostFeaturesOfGram) return (x.Squared() * own).sum(0).Increase(_ridge).clamp_min_(Number(1e-300)).MoveToOuterDisposeScope();
        var gram = x.t().mm(x * own);
        gram.diagonal().Increase(_ridge);
        return Factor(gram, 1e-15).MoveToOuterDisposeScope();
    }

    /// <summary>The Cholesky factor of a matrix to whose diagonal is added what rounding asks for.</summary>
    private static Tensor Factor(Tensor matrix, double rounding)
    {
        for (var added = matrix.diagonal().max().Value() * rounding; ; added *= 10)
        {
            matrix.diagonal().Increase(added);
            var (factor, info) = linalg.cholesky_ex(matrix);
            if (info.Whole() == 0) return factor;
            if (!double.IsFinite(added)) throw new GraftException("The fit met numbers beyond float64. Standardize the features.");
        }
    }

    /// <summary>Coefficients [classes, reduced + 1] → outputs [classes, images], float64.</summary>
    private Tensor OutputsOf(Tensor coefficients) =>
        _double is null ? WidenedProducts.WithRows(coefficients, _single) : coefficients.mm(_double.t());

    /// <summary>One number for each output [classes, images] → the sum over the images of number · x, [classes, reduced + 1], float64.</summary>
    private Tensor SumOver(Tensor numbers) => _double is null ? WidenedProducts.WithColumns(numbers, _single) : numbers.mm(_double);

    /// <summary>float64 outputs [images, classes] of coefficients that were fitted on others of the images.</summary>
    public Tensor Outputs(Tensor coefficients)
    {
        using var scope = NewDisposeScope();
        return OutputsOf(Reduce(coefficients)).t().contiguous().MoveToOuterDisposeScope();
    }

    /// <summary>
    /// The step lengths of the lowest objective, [classes, 1], by bisection of its slope: where active sets change along the way, as a
    /// squared hinge's do, that saves steps.
    /// </summary>
    private Tensor BestLengths(LinearLoss loss, Tensor w, Tensor outputs, Tensor direction, Tensor change)
    {
        using var scope = NewDisposeScope();
        var low = zeros([w.shape[0], 1], ScalarType.Float64);
        var high = ones_like(low);
        for (var doublings = 0; doublings < 10 && Slopes(high).lt(Number(0)).any().IsTrue(); doublings++)
            high = where(Slopes(high).lt(Number(0)), high * Number(2), high);
        for (var halvings = 0; halvings < MostHalvings; halvings++)
        {
            var middle = low.Plus(high) / Number(2);
            var falls = Slopes(middle).lt(Number(0));
            (low, high) = (where(falls, middle, low), where(falls, high, middle));
        }
        return (low.Plus(high) / Number(2)).MoveToOuterDisposeScope();

        Tensor Slopes(Tensor lengths)
        {
            using var inner = NewDisposeScope();
            var byOutputs = loss.Gradient(outputs.Plus(change * lengths));
            return (byOutputs * change).sum(1, keepdim: true)
                .Plus((w.Plus(direction * lengths) * _ridge * direction).sum(1, keepdim: true)).MoveToOuterDisposeScope();
        }
    }

    /// <summary>The longest of the steps 1, ½, ¼, … that lowers the objective as its slope promises; 0 if none does.</summary>
    private Tensor SufficientLengths(
        LinearLoss loss, Tensor w, Tensor outputs, Tensor direction, Tensor change, Tensor values, Tensor slopes)
    {
        var length = ones_like(values);
        for (var halvings = 0; halvings < MostHalvings; halvings++)
        {
            using var scope = NewDisposeScope();
            var next = Values(loss, w.Plus(direction * length), outputs.Plus(change * length));
            // Near the end the decrease is smaller than the rounding of the value; the gradient then decides.
            if (next.le(values.Plus(slopes * length * Number(SufficientDecrease)).Plus(values.abs() * Number(Rounding))).all().IsTrue()) return length;
            length.div_(Number(2));
        }
        return length.zero_();
    }

    /// <summary>The objective, of each class where the loss is; a shape as <see cref="LinearLoss.Values"/> has it.</summary>
    private Tensor Values(LinearLoss loss, Tensor w, Tensor outputs)
    {
        using var scope = NewDisposeScope();
        var values = loss.Values(outputs);
        var penalty = (w.Squared() * _ridge).mul_(Number(0.5));
        return values.Plus(values.dim() == 2 ? penalty.sum(1, keepdim: true) : penalty.sum()).MoveToOuterDisposeScope();
    }

    /// <summary>Whether the Newton systems of single classes are small enough to be solved as they are.</summary>
    private bool IsSolvable(Tensor weights) =>
        _penalizesIntercept && (Columns <= MostFeaturesOfGram || weights.gt(Number(0)).sum([1]).max().Whole() <= MostFeaturesOfGram);

    /// <summary>
    /// −(ridge + Σ weight · x·xᵀ)⁻¹·gradient for each class that is not at its optimum yet. Images without weight are left out; where
    /// fewer are left than there are features, by the Woodbury identity. Null where float32 does not do.
    /// </summary>
    private Tensor? SolveByClass(Tensor gradient, Tensor weights, double[] largest, double tolerance)
    {
        using var scope = NewDisposeScope();
        var direction = zeros_like(gradient);
        if (_gram is null && weights.shape[1] <= MostImagesOfGram) _gram = _single.mm((_single / _ridge32).t()).MoveToOtherDisposeScope(_single);
        var (factorOfAll, all) = ((Tensor?)null, weights.shape[1]);
        for (var label = 0; label < largest.Length; label++)
        {
            if (largest[label] <= tolerance) continue;
            using var inner = NewDisposeScope();
            var own = weights[label];
            var images = own.gt(Number(0)).nonzero().squeeze(1);
            var right = gradient[label].unsqueeze(1);
            if (images.shape[0] >= Columns)
            {
                // In the beginning all images count, and often the same for all classes.
                var isAll = images.shape[0] == all && weights.min().Value() == weights.max().Value();
                var factor = isAll && factorOfAll is not null ? factorOfAll : Precondition(own);
                if (isAll && factorOfAll is null) factorOfAll = factor.MoveToOuterDisposeScope();
                direction[label] = cholesky_solve(right.to_type(ScalarType.Float32), factor).to_type(ScalarType.Float64).squeeze(1).neg_();
            }
            else
            {
                var root = own.index_select(0, images).to_type(ScalarType.Float64).sqrt_().unsqueeze(1);
                var scaled = (_double ?? _single).index_select(0, images).to_type(ScalarType.Float64).mul_(root);
                var system = _gram is null
                    ? scaled.mm((scaled / _ridge).t())
                    : _gram.index_select(0, images).index_select(1, images).to_type(ScalarType.Float64).mul_(root).mul_(root.t());
                // (R + AᵀA)⁻¹ = R⁻¹ − R⁻¹Aᵀ·(1 + A·R⁻¹·Aᵀ)⁻¹·A·R⁻¹
                var inverse = _ridge.reciprocal().unsqueeze(1);
                system.diagonal().Increase(1);
                var (factor, info) = linalg.cholesky_ex(system);
                if (info.Whole() != 0) return null;
                var solved = cholesky_solve(scaled.mm(right * inverse), factor);
                direction[label] = scaled.t().mm(solved).sub_(right).mul_(inverse).squeeze(1);
            }
        }
        return direction.MoveToOuterDisposeScope();
    }

    /// <summary>The Cholesky factor of ridge + Σ weight · x·xᵀ, or that matrix's diagonal.</summary>
    private Tensor Precondition(Tensor weights)
    {
        using var scope = NewDisposeScope();
        if (_single.shape[1] > MostFeaturesOfGram)
            return _single.Squared().t().mv(weights).Increase(_ridge32).clamp_min_(Number(1e-6)).MoveToOuterDisposeScope();
        var rows = weights.gt(weights.max() * Number(SmallestShare)).nonzero().squeeze(1);
        var scaled = _single.index_select(0, rows).mul_(weights.index_select(0, rows).sqrt_().unsqueeze(1));
        var gram = LowerGram(scaled);
        scaled.Dispose();
        gram.diagonal().Increase(_ridge32);
        return Factor(gram, 1e-6).MoveToOuterDisposeScope();
    }

    /// <summary>xᵀ·x, of which only what lies on and below the diagonal is meant: a Cholesky factor needs no more.</summary>
    private static Tensor LowerGram(Tensor x)
    {
        const int BlockSize = 256;
        var size = x.shape[1];
        var gram = zeros([size, size], ScalarType.Float32);
        for (var start = 0L; start < size; start += BlockSize)
        {
            using var scope = NewDisposeScope();
            var width = Math.Min(BlockSize, size - start);
            gram.narrow(0, start, size - start).narrow(1, start, width)
                .copy_(x.narrow(1, start, size - start).t().mm(x.narrow(1, start, width)));
        }
        return gram;
    }

    private Tensor Reduce(Tensor coefficients)
    {
        using var scope = NewDisposeScope();
        var last = coefficients.shape[1] - 1;
        var own = coefficients.narrow(1, 0, last) * Number(_scale);
        return cat([_basis is null ? own : own.mm(_basis), coefficients.narrow(1, last, 1)], 1).MoveToOuterDisposeScope();
    }

    /// <summary>Back to all features.</summary>
    private Tensor Extend(Tensor w)
    {
        using var scope = NewDisposeScope();
        var last = w.shape[1] - 1;
        var own = w.narrow(1, 0, last) / Number(_scale);
        return cat([_basis is null ? own : own.mm(_basis.t()), w.narrow(1, last, 1)], 1).MoveToOuterDisposeScope();
    }
}
