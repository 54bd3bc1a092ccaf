using System.Runtime.CompilerServices;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Classifiers;

/// <summary>
/// A convex loss of a linear model's outputs, summed over the images; what differs between logistic regression and a support vector machine.
/// Outputs and gradients are float64 [classes, images]; the curvature is float32, as it only says where to go.
/// </summary>
internal abstract class LinearLoss
{
    /// <summary>
    /// Numbers for libtorch that are kept: one that is made for a call may be collected while the call still reads it, and a fit makes
    /// many thousand calls.
    /// </summary>

    /// <summary>
    /// Of all images, float64: [1] or, where the classes' models do not know of each other, of each class by itself, [classes, 1].
    /// </summary>
    public abstract Tensor Values(Tensor outputs);

    /// <summary>By the outputs.</summary>
    public abstract Tensor Gradient(Tensor outputs);

    public abstract Curvature Curvature(Tensor outputs);

    /// <summary>1 at each image's class, else 0: [classes, images], float64.</summary>
    private protected static Tensor OneHot(int[] labels, int classes)
    {
        using var scope = NewDisposeScope();
        return eye(classes, dtype: ScalarType.Float64)
            .index_select(1, tensor([.. labels.Select(label => (long)label)])).MoveToOuterDisposeScope();
    }
}

/// <summary>A second derivative by the outputs of each image.</summary>
internal abstract class Curvature
{
    /// <summary>Times a change of an image's outputs, [classes], in its place.</summary>
    public abstract void Multiply(int image, Span<float> change);

    /// <summary>Times changes of all images' outputs, [classes, images], float64.</summary>
    public abstract Tensor Multiply(Tensor changes);

    /// <summary>About how much each image counts in it, [images].</summary>
    public abstract Tensor Weights { get; }

    /// <summary>How much each image counts for each class, [classes, images], if that is all there is to it; null where classes mix.</summary>
    public virtual Tensor? ByClass => null;
}

/// <summary>Σ weight · −log softmax(outputs)[label].</summary>
/// <param name="weights">Of each image.</param>
internal sealed class CrossEntropy(int[] labels, int classes, double[] weights) : LinearLoss
{
    private readonly Tensor _hot = OneHot(labels, classes);
    private readonly Tensor _weights = tensor(weights).unsqueeze(0);

    public override Tensor Values(Tensor outputs)
    {
        using var scope = NewDisposeScope();
        var losses = outputs.logsumexp(0, keepdim: true) - (outputs * _hot).sum(0, keepdim: true);
        return (losses * _weights).sum().view(1).MoveToOuterDisposeScope();
    }

    public override Tensor Gradient(Tensor outputs) => outputs.softmax(0).sub_(_hot).mul_(_weights);

    public override Curvature Curvature(Tensor outputs) =>
        new Covariance(outputs.softmax(0), _weights);

    /// <summary>weight · (diag(p) − p·pᵀ).</summary>
    private sealed class Covariance(Tensor probabilities, Tensor weights) : Curvature
    {
        private readonly float[] _probabilities = probabilities.t().ToFloats(), _weights = weights.ToFloats();

        public override Tensor Multiply(Tensor changes)
        {
            using var scope = NewDisposeScope();
            return (changes - (probabilities * changes).sum(0, keepdim: true)).mul_(probabilities).mul_(weights).MoveToOuterDisposeScope();
        }

        public override Tensor Weights { get; } =
            (probabilities * probabilities).sum([0]).neg_().Increase(1).mul_(weights.squeeze(0)).div_(Number(probabilities.shape[0] - 1)).to_type(ScalarType.Float32);

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public override void Multiply(int image, Span<float> change)
        {
            var own = _probabilities.AsSpan(image * change.Length, change.Length);
            var mean = 0f;
            for (var label = 0; label < own.Length; label++) mean += own[label] * change[label];
            for (var label = 0; label < own.Length; label++) change[label] = _weights[image] * own[label] * (change[label] - mean);
        }
    }
}

/// <summary>
/// Σ weight · max(0, 1 − ±output)², each class against the rest, with + for its own images: the loss of liblinear's L2-loss SVM.
/// </summary>
internal sealed class SquaredHinge : LinearLoss
{
    private readonly Tensor _signs, _weights, _slopes, _curvatures;

    /// <param name="weights">Of each class's own images against the rest, which count 1 (with two classes: of each class's images), as in liblinear.</param>
    /// <param name="c">How much the loss counts.</param>
    /// <param name="rows">How much each row counts; null where all count the same.</param>
    public SquaredHinge(int[] labels, double[] weights, double c, double[]? rows = null)
    {
        var hot = OneHot(labels, weights.Length);
        var own = tensor(weights).unsqueeze(1);
        _signs = hot * Number(2) - Number(1);
        _weights = (weights.Length == 2 ? (hot * own).sum(0, keepdim: true).expand_as(hot) : (hot * (own - Number(1))).Plus(1)) * Number(c);
        if (rows is not null) _weights = _weights * tensor(rows).unsqueeze(0);
        _slopes = _signs * _weights * Number(-2);
        _curvatures = _weights * Number(2);
    }

    public override Tensor Values(Tensor outputs)
    {
        using var scope = NewDisposeScope();
        return (Slack(outputs).Squared() * _weights).sum(1, keepdim: true).MoveToOuterDisposeScope();
    }

    public override Tensor Gradient(Tensor outputs) => Slack(outputs).mul_(_slopes);

    public override Curvature Curvature(Tensor outputs) =>
        new Active(Slack(outputs).gt(Number(0)).to_type(ScalarType.Float64).mul_(_curvatures));

    private Tensor Slack(Tensor outputs) => (outputs * _signs).neg_().Increase(1).clamp_min_(Number(0));

    private sealed class Active(Tensor weights) : Curvature
    {
        private readonly float[] _weights = weights.t().ToFloats();

        public override Tensor Multiply(Tensor changes) => changes * weights;

        public override Tensor Weights { get; } = weights.mean([0]).to_type(ScalarType.Float32);

        public override Tensor ByClass { get; } = weights.to_type(ScalarType.Float32);

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public override void Multiply(int image, Span<float> change)
        {
            var own = _weights.AsSpan(image * change.Length, change.Length);
            for (var label = 0; label < own.Length; label++) change[label] *= own[label];
        }
    }
}
