using System.Globalization;
using Graft.Networks;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Classifiers;

/// <summary>
/// Support vector machines with the kernel exp(−γ·|x − y|²), one for each two classes, as LIBSVM and scikit-learn's <c>SVC</c> fit them.
/// The class that wins most pairs is predicted; between classes of as many, the one with the largest sum of outputs, as with scikit-learn's
/// <c>break_ties</c>. Probabilities: a sigmoid 1 / (1 + exp(A·f)), A below 0 and the same for all pairs, fitted on all images that 5-fold
/// cross-validation held out, since those of one pair are often too few even for the sign of A; then pairwise coupling (Wu, Lin and Weng
/// 2004) and a temperature.
/// </summary>
public sealed record RbfSvm : RegularizedClassifier
{
    internal static ClassifierEntry Entry { get; } = new(
        "rbf-svm", "support vector machines with a Gaussian kernel, one for each two classes",
        options => new RbfSvm { C = options.C, Gamma = options.Gamma, ClassWeights = options.ClassWeights, Standardize = options.Standardize ?? true, Calibrate = options.Calibrate },
        nameof(C), nameof(Gamma), nameof(ClassWeights));

    public override string Name => "rbf-svm";

    public override string Title => "RBF support vector machine";

    /// <summary>γ, above 0. Default null: 1 / (features · the variance of all features' values), scikit-learn's "scale".</summary>
    public double? Gamma { get; init; }

    /// <summary>How far the optimality conditions may be missed in the end. Above 0. Default 0.001, as in LIBSVM.</summary>
    public double Tolerance { get; init; } = 1e-3;

    internal override IReadOnlyList<double> Candidates => [0.1, 0.3, 1, 3, 10, 30, 100];

    public override IReadOnlyList<string> Problems()
    {
        var problems = base.Problems().ToList();
        if (Gamma is { } gamma && !(gamma > 0 && double.IsFinite(gamma))) problems.Add($"Expected a gamma above 0, found {gamma}.");
        if (!(Tolerance > 0)) problems.Add($"Expected a tolerance above 0, found {Tolerance}.");
        return problems;
    }

    private protected override FittedClassifier Fit(FeatureMatrix raw, FeatureMatrix features, FittingWork work)
    {
        var (c, candidates) = C is { } given ? (given, []) : Choose(raw, work);
        var gamma = Gamma ?? ScaleOf(features);
        var machine = Machines(features, [c], gamma, work)[0];
        var decisions = Calibrate ? OutOfFold(raw, [c], work) is [var held] ? held : null : null;
        var slope = decisions is null ? 1 : PlattScaling.Slope(Own(decisions, features));
        var sigmoids = tensor([-slope, 0.0]).expand(machine.Operation.Pairs, 2);
        var facts = CommonFacts(c, candidates);
        facts["gamma"] = gamma;
        facts["support_vectors"] = machine.Operation.SupportVectors.Sum();
        var fitted = new FittedClassifier
        {
            Name = Name,
            Summary = string.Create(
                CultureInfo.InvariantCulture,
                $"{Title}, {Describe(c, candidates)}, gamma {gamma:0.####e+0}, {machine.Operation.SupportVectors.Sum():N0} support vectors"),
            Facts = facts,
            C = c,
            Layers = [new("head.classes", machine.Operation, new Dictionary<ParameterRole, float[]>
            {
                [ParameterRole.Examples] = machine.Vectors.ToFloats(),
                [ParameterRole.Coefficients] = machine.Coefficients.ToFloats(),
                [ParameterRole.Offsets] = machine.Offsets.ToFloats(),
                [ParameterRole.Calibration] = sigmoids.ToFloats(),
            })],
        };
        return Calibrated(fitted, features, () => decisions is null
            ? full([features.Count, features.Classes], Number(double.NaN), ScalarType.Float64)
            : TorchClassifiers.LogProbabilities(decisions, sigmoids, features.Classes));
    }

    private static double ScaleOf(FeatureMatrix features)
    {
        using var scope = NewDisposeScope();
        var values = features.Values.to_type(ScalarType.Float64);
        var variance = (values - values.mean()).Squared().mean().Value();
        return variance > 0 ? 1 / (features.Length * variance) : 1;
    }

    private (double C, IReadOnlyList<CandidateC> Candidates) Choose(FeatureMatrix raw, FittingWork work)
    {
        using var scope = NewDisposeScope();
        var decisions = OutOfFold(raw, Candidates, work);
        if (decisions.Count == 0) return (1, []);
        var weights = raw.SampleWeights(ClassWeights);
        IReadOnlyList<CandidateC> candidates =
            [.. Candidates.Select((c, i) => CandidateC.Of(c, TorchClassifiers.Votes(decisions[i], raw.Classes), raw, weights))];
        return (Best(candidates).C, candidates);
    }

    /// <summary>
    /// For each C the outputs of all pairs' machines, [images, pairs], for each image by machines that were fitted without it; NaN where an
    /// image is its class's only one. Empty if no image can be held out.
    /// </summary>
    private List<Tensor> OutOfFold(FeatureMatrix raw, IReadOnlyList<double> values, FittingWork work)
    {
        var folds = raw.Folds(work.Seed);
        if (folds.Count == 0) return [];
        var pairs = raw.Classes * (raw.Classes - 1) / 2;
        var decisions = values.Select(_ => full([raw.Count, pairs], Number(double.NaN), ScalarType.Float64)).ToList();
        for (var fold = 0; fold < folds.Count; fold++)
        {
            work.Progress?.Report(new("Cross-validation", fold, folds.Count, "folds"));
            using var scope = NewDisposeScope();
            var (kept, heldOut) = Prepare(raw, folds[fold]);
            var machines = Machines(kept, values, Gamma ?? ScaleOf(kept), work);
            var index = tensor([.. folds[fold].HeldOut.Select(image => (long)image)]);
            for (var i = 0; i < machines.Count; i++) decisions[i].index_copy_(0, index, machines[i].Decisions(heldOut.Values));
        }
        work.Progress?.Report(new("Cross-validation", folds.Count, folds.Count, "folds"));
        return decisions;
    }

    /// <summary>Outputs of machines that know an image's class, positive where they are in its favor.</summary>
    private static double[] Own(Tensor decisions, FeatureMatrix features)
    {
        var (outputs, classes, own) = (decisions.ToDoubles(), features.Classes, new List<double>());
        var pairs = classes * (classes - 1) / 2;
        for (var image = 0; image < features.Count; image++)
        {
            var pair = image * pairs;
            if (double.IsNaN(outputs[pair])) continue;
            for (var i = 0; i < classes; i++)
            {
                for (var j = i + 1; j < classes; j++, pair++)
                {
                    if (features.Labels[image] == i) own.Add(outputs[pair]);
                    else if (features.Labels[image] == j) own.Add(-outputs[pair]);
                }
            }
        }
        return [.. own];
    }

    /// <summary>Fits the machines of all pairs, for each C.</summary>
    private List<PairMachines> Machines(FeatureMatrix features, IReadOnlyList<double> values, double gamma, FittingWork work)
    {
        var classes = features.Classes;
        var byClass = Enumerable.Range(0, classes)
            .Select(label => Enumerable.Range(0, features.Count).Where(image => features.Labels[image] == label).ToArray()).ToArray();
        var weights = features.ClassWeights(ClassWeights);
        var found = values.Select(_ => new List<(int First, int Second, SmoSolution Solution)>()).ToList();
        for (var i = 0; i < classes; i++)
        {
            for (var j = i + 1; j < classes; j++)
            {
                using var scope = NewDisposeScope();
                int[] images = [.. byClass[i], .. byClass[j]];
                var kernel = new KernelRows(features.Subset(images).Values, gamma);
                bool[] positive = [.. images.Select(image => features.Labels[image] == i)];
                for (var k = 0; k < values.Count; k++)
                {
                    double[] upper = [.. positive.Select(first => values[k] * weights[first ? i : j])];
                    found[k].Add((i, j, SequentialMinimalOptimization.Solve(kernel, positive, upper, Tolerance, work.Cancellation)));
                }
            }
        }
        return [.. found.Select(pairs => PairMachines.Of(features, byClass, gamma, pairs))];
    }

    /// <summary>The machines of all pairs in the layout of <see cref="RbfMachine"/>; float64 tensors but for the vectors.</summary>
    private sealed record PairMachines(RbfMachine Operation, Tensor Vectors, Tensor Coefficients, Tensor Offsets)
    {
        public static PairMachines Of(
            FeatureMatrix features, int[][] byClass, double gamma,
            List<(int First, int Second, SmoSolution Solution)> pairs)
        {
            var classes = byClass.Length;
            var coefficients = new double[classes - 1][];
            for (var row = 0; row < coefficients.Length; row++) coefficients[row] = new double[features.Count];
            foreach (var (i, j, solution) in pairs)
            {
                for (var t = 0; t < byClass[i].Length; t++) coefficients[j - 1][byClass[i][t]] = solution.Coefficients[t];
                for (var t = 0; t < byClass[j].Length; t++) coefficients[i][byClass[j][t]] = solution.Coefficients[byClass[i].Length + t];
            }
            var vectors = byClass.Select(images => images.Where(image => coefficients.Any(row => row[image] != 0)).ToArray()).ToArray();
            int[] order = [.. vectors.SelectMany(images => images)];
            return new(
                new(classes, gamma, [.. vectors.Select(images => images.Length)]),
                features.Subset(order).Values,
                tensor([.. coefficients.SelectMany(row => order.Select(image => row[image]))]).view(classes - 1, order.Length),
                tensor([.. pairs.Select(pair => pair.Solution.Offset)]));
        }

        /// <summary>The outputs of all machines, [N, pairs].</summary>
        public Tensor Decisions(Tensor features)
        {
            using var scope = NewDisposeScope();
            return TorchClassifiers.PairDecisions(
                Operation, features.to_type(ScalarType.Float64), Vectors.to_type(ScalarType.Float64), Coefficients, Offsets)
                .MoveToOuterDisposeScope();
        }
    }
}
