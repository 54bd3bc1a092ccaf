namespace Graft.Classifiers;

/// <summary>
/// Linear support vector machines, each class against the rest: each minimizes ½‖w‖² + C·Σ max(0, 1 − y·f(x))², with the intercept
/// penalized as one weight more; liblinear's and scikit-learn's <c>LinearSVC</c>. Its outputs become logits by one factor for all
/// classes, which changes no decision: that of the lowest cross-entropy on images that were held out in 5-fold cross-validation.
/// </summary>
public sealed record LinearSvm : LinearClassifier
{
    internal static ClassifierEntry Entry { get; } = new(
        "svm", "linear support vector machines, each class against the rest",
        options => new LinearSvm { C = options.C, ClassWeights = options.ClassWeights, Standardize = options.Standardize ?? true, Calibrate = options.Calibrate },
        nameof(C), nameof(ClassWeights));

    public override string Name => "svm";

    public override string Title => "linear support vector machine";

    private protected override bool PenalizesIntercept => true;

    private protected override bool HasLogits => false;

    /// <remarks>The sum over the classes; of two, each machine is the other's mirror image, and one counts, as in scikit-learn.</remarks>
    private protected override double Objective(double minimized, int classes) => classes == 2 ? minimized / 2 : minimized;

    private protected override LinearLoss Loss(FeatureMatrix features, double c) =>
        new SquaredHinge(features.Labels, features.ClassWeights(ClassWeights), c, features.Weights);
}
