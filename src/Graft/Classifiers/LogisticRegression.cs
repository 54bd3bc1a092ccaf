namespace Graft.Classifiers;

/// <summary>
/// Multinomial logistic regression: minimizes ½‖w‖² + C·Σ −log p(class), with the intercept free; scikit-learn's
/// <c>LogisticRegression</c>. With two classes it is the ordinary, binary one, as there.
/// </summary>
public sealed record LogisticRegression : LinearClassifier
{
    internal static ClassifierEntry Entry { get; } = new(
        "logistic", "logistic regression: a good first choice",
        options => new LogisticRegression { C = options.C, ClassWeights = options.ClassWeights, Standardize = options.Standardize ?? true, Calibrate = options.Calibrate },
        nameof(C), nameof(ClassWeights));

    public override string Name => "logistic";

    public override string Title => "logistic regression";

    private protected override bool PenalizesIntercept => false;

    private protected override bool HasLogits => true;

    private protected override double Objective(double minimized, int classes) => classes == 2 ? 2 * minimized : minimized;

    /// <remarks>Two vectors of ±w/2 cost half of what the one vector w of the binary model does.</remarks>
    private protected override LinearLoss Loss(FeatureMatrix features, double c) => new CrossEntropy(
        features.Labels, features.Classes,
        [.. features.SampleWeights(ClassWeights).Select(weight => weight * (features.Classes == 2 ? c / 2 : c))]);
}
