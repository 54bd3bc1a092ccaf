using System.Globalization;
using Graft.Data;
using Graft.Networks;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Classifiers;

/// <summary>How <see cref="LinearDiscriminant.Shrinkage"/> is chosen where it is not given.</summary>
public enum ShrinkageRule
{
    /// <summary>By the predictions for each training image by a fit without it, in closed form.</summary>
    LeaveOneOut,

    /// <summary>By the formula of Ledoit and Wolf 2004, of the deviations from the class means.</summary>
    LedoitWolf,
}

/// <summary>
/// Linear discriminant analysis with a shrunk covariance: within each class features are normal with one covariance for all classes,
/// (1 − shrinkage) · S + shrinkage · tr(S) / features · I, where S is that of the deviations from the class means; with a given shrinkage
/// scikit-learn's <c>LinearDiscriminantAnalysis(solver="lsqr")</c>. With fewer images than features it is solved in the span of the images
/// (Woodbury). A dense layer.
/// </summary>
public sealed record LinearDiscriminant : ClosedFormClassifier
{
    /// <summary>What is tried where the shrinkage is to be chosen.</summary>
    private static readonly double[] Candidates = [0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1];

    /// <summary>The share of the mean variance that is always added, so that features that do not vary within classes do not divide by 0.</summary>
    private const double LeastShrinkage = 1e-9;

    internal static ClassifierEntry Entry { get; } = new(
        "lda", "linear discriminant analysis with shrinkage, good with few images of a class",
        options => new LinearDiscriminant
        {
            Shrinkage = options.Shrinkage,
            ClassWeights = options.ClassWeights,
            Standardize = options.Standardize ?? true,
            Calibrate = options.Calibrate,
        },
        nameof(Shrinkage), nameof(ClassWeights));

    public override string Name => "lda";

    public override string Title => "linear discriminant analysis";

    /// <summary>From 0 to 1. Default null: chosen by <see cref="Rule"/>.</summary>
    public double? Shrinkage { get; init; }

    /// <summary>Default leave-one-out: the highest accuracy, of equal ones the lowest loss.</summary>
    public ShrinkageRule Rule { get; init; }

    /// <summary>Default none: a class is as probable beforehand as it is frequent among the training images; balanced: all the same.</summary>
    public ClassWeighting ClassWeights { get; init; }

    public override IReadOnlyList<string> Problems() => Shrinkage is null or (>= 0 and <= 1)
        ? []
        : [string.Create(CultureInfo.InvariantCulture, $"Expected a shrinkage from 0 to 1, found {Shrinkage}.")];

    private protected override FittedClassifier Fit(FeatureMatrix raw, FeatureMatrix features, FittingWork work)
    {
        if (features.Counts().All(count => count == 1))
        {
            throw new GraftException("Linear discriminant analysis needs a class with at least 2 images.")
            {
                Code = "too-few-images-of-class",
                Remedy = "Add images, or take the centered class mean.",
            };
        }
        // Chosen once: the folds of calibration keep it.
        return Shrinkage is not null
            ? base.Fit(raw, features, work)
            : (this with { Shrinkage = Choose(features) }).Fit(raw, features, work);
    }

    private protected override FittedLayer FitLayer(FeatureMatrix features, FittingWork work)
    {
        using var scope = NewDisposeScope();
        var (means, deviations) = Deviations(features);
        var middle = means.mean([0], keepdim: true);
        var kernel = Solve(deviations, (means - middle).t(), Shrinkage!.Value).t(); // Σ⁻¹·(mean − middle) of each class
        var bias = LogPriors(features) - kernel.mul(means.Plus(middle) / Number(2)).sum(1);
        return new("head.decisions", new Dense(features.Classes), new Dictionary<ParameterRole, float[]>
        {
            [ParameterRole.DenseKernel] = kernel.ToFloats(),
            [ParameterRole.Bias] = (bias - bias.mean()).ToFloats(),
        });
    }

    private protected override (string Summary, Dictionary<string, object?> Facts) Describe(FittedLayer layer, FeatureMatrix features) => (
        string.Create(CultureInfo.InvariantCulture, $"{Title}, shrinkage {Shrinkage:0.####}"),
        new(StringComparer.Ordinal)
        {
            ["shrinkage"] = Shrinkage,
            ["class_weights"] = ClassWeights == ClassWeighting.Balanced ? "balanced" : "none",
        });

    private Tensor LogPriors(FeatureMatrix features) => tensor([.. features.Counts().Select(count =>
        ClassWeights == ClassWeighting.Balanced ? 0 : Math.Log((double)count / features.Count))]);

    /// <summary>Class means [classes, features], and each image's deviation from its own [images, features]; float64.</summary>
    private static (Tensor Means, Tensor Deviations) Deviations(FeatureMatrix features)
    {
        var x = features.Values.to_type(ScalarType.Float64);
        var means = features.Means(x);
        return (means, x - means.index_select(0, tensor([.. features.Labels.Select(label => (long)label)])));
    }

    /// <summary>Σ⁻¹ · right, [features, columns].</summary>
    private static Tensor Solve(Tensor deviations, Tensor right, double shrinkage)
    {
        var (count, length) = (deviations.shape[0], deviations.shape[1]);
        var mean = deviations.Squared().sum().Value() / count / length;
        // Features that are all alike within classes have no covariance: any is as good.
        var identity = mean > 0 ? Math.Max(shrinkage, LeastShrinkage) * mean : 1;
        var share = (1 - shrinkage) / count;
        if (count >= length)
        {
            var covariance = deviations.t().mm(deviations).mul_(Number(share));
            covariance.diagonal().Increase(identity);
            return cholesky_solve(right, linalg.cholesky(covariance));
        }
        // (b·I + a·RᵀR)⁻¹ = (I − Rᵀ·(b/a·I + R·Rᵀ)⁻¹·R) / b
        if (share == 0) return right / Number(identity);
        var system = deviations.mm(deviations.t());
        system.diagonal().Increase(identity / share);
        return (right - deviations.t().mm(cholesky_solve(deviations.mm(right), linalg.cholesky(system)))) / Number(identity);
    }

    private double Choose(FeatureMatrix features)
    {
        using var scope = NewDisposeScope();
        if (Rule == ShrinkageRule.LedoitWolf) return LedoitWolf.Shrinkage(Deviations(features).Deviations);
        var scores = LeaveOneOut(features, Candidates);
        return Candidates.Zip(scores).OrderByDescending(candidate => candidate.Second.Accuracy).ThenBy(candidate => candidate.Second.Loss)
            .First().First;
    }

    /// <summary>
    /// For each shrinkage the accuracy and mean cross-entropy over the images of classes with at least two, each by a fit without it (but for
    /// the classes' shares and the mean variance, which one image hardly changes). Without image i of class c, with r its deviation and n the class's
    /// images, the class's mean moves by −r / (n − 1) and the sum of squares loses n / (n − 1) · r·rᵀ: one rank, by Sherman and Morrison.
    /// </summary>
    internal IReadOnlyList<(double Accuracy, double Loss)> LeaveOneOut(FeatureMatrix features, IReadOnlyList<double> shrinkages)
    {
        using var scope = NewDisposeScope();
        var (means, deviations) = Deviations(features);
        var (count, length) = (deviations.shape[0], deviations.shape[1]);
        var mean = deviations.Squared().sum().Value() / count / length;
        if (mean == 0) return [.. shrinkages.Select(_ => (1.0, 0.0))];
        // Directions in which the images deviate, and how much: the deviations are U·diag(√sizes)·axesᵀ.
        var isWide = count < length;
        var (sizes, vectors) = linalg.eigh(isWide ? deviations.mm(deviations.t()) : deviations.t().mm(deviations));
        var kept = sizes.gt(sizes.max() * Number(1e-12)).nonzero().squeeze(1);
        sizes = sizes.index_select(0, kept);
        vectors = vectors.index_select(1, kept);
        var axes = isWide ? deviations.t().mm(vectors) / sizes.sqrt() : vectors; // [features, kept]

        var labels = tensor([.. features.Labels.Select(label => (long)label)]);
        double[] counts = [.. features.Counts().Select(images => (double)images)];
        var own = tensor([.. features.Labels.Select(label => counts[label])]);
        var rows = own.gt(Number(1)).nonzero().squeeze(1);
        (deviations, labels, own) = (deviations.index_select(0, rows), labels.index_select(0, rows), own.index_select(0, rows));
        var x = deviations.Plus(means.index_select(0, labels));
        var middle = means.mean([0], keepdim: true);
        (x, means) = (x - middle, means - middle);
        var (xAxes, meanAxes, rAxes) = (x.mm(axes), means.mm(axes), deviations.mm(axes));
        var logPriors = LogPriors(features);
        var hot = nn.functional.one_hot(labels, features.Classes).to_type(ScalarType.Bool);
        var scores = new List<(double, double)>();
        foreach (var shrinkage in shrinkages)
        {
            using var inner = NewDisposeScope();
            var identity = Math.Max(shrinkage, LeastShrinkage) * mean;
            var share = (1 - shrinkage) / (count - 1);
            // Product: u'·G⁻¹·v = (u'·v) / identity + Σ weight · (u'·axis)(v'·axis), for G = share · Σ r·r' + identity · I
            var weights = (sizes * Number(share)).Plus(identity).reciprocal() - Number(1 / identity);
            var xx = Product(x.Squared().sum(1, keepdim: true), (xAxes.Squared() * weights).sum(1, keepdim: true));
            var mm = Product(means.Squared().sum(1), (meanAxes.Squared() * weights).sum(1));
            var xm = Product(x.mm(means.t()), (xAxes * weights).mm(meanAxes.t()));
            var xr = Product((x * deviations).sum(1, keepdim: true), (xAxes * rAxes * weights).sum(1, keepdim: true));
            var rm = Product(deviations.mm(means.t()), (rAxes * weights).mm(meanAxes.t()));
            var rr = Product(deviations.Squared().sum(1, keepdim: true), (rAxes.Squared() * weights).sum(1, keepdim: true));
            var (distances, alongs) = ((xx - xm * Number(2)).Plus(mm), xr - rm); // (x − m)'·G⁻¹·(x − m) and (x − m)'·G⁻¹·r, [images, classes]
            // Of its own class's mean without it, the image is farther by n / (n − 1).
            var factor = (own / (own - Number(1))).unsqueeze(1);
            distances = where(hot, rr * factor.Squared(), distances);
            alongs = where(hot, rr * factor, alongs);
            var lost = factor * Number(share);
            distances = distances.Plus(alongs.Squared() * lost / (lost * rr).neg_().Increase(1).clamp_min(Number(1e-12)));
            var outputs = logPriors - distances * Number(0.5);
            scores.Add((
                outputs.argmax(1).eq(labels).to_type(ScalarType.Float64).mean().Value(),
                nn.functional.cross_entropy(outputs, labels).Value()));

            Tensor Product(Tensor plain, Tensor alongAxes) => (plain / Number(identity)).Plus(alongAxes);
        }
        return scores;
    }
}
