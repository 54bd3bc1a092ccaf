using System.Globalization;
using Graft.Networks;
using TorchSharp;
using static TorchSharp.torch;

namespace Graft.Classifiers;

/// <summary>
/// Support vector machines with the kernel exp(−γ·|x − y|²), one for each two classes, as LIBSVM and scikit-learn's <c>SVC</c> fit them.
/// Their outputs become probabilities as LIBSVM makes them: by a sigmoid for each pair, fitted on images that were held out in 5-fold
/// cross-validation (Platt 1999), and by pairwise coupling (Wu, Lin and Weng 2004). As in LIBSVM with probabilities, the class with the
/// highest one is the prediction; next to a tie it can be another one than that of the pairs' votes.
/// </summary>
public sealed record RbfSvm : RegularizedClassifier
{
    public override string Name => "rbf-svm";

    public override string Title => "RBF support vector machine";

    /// <summary>γ, above 0. Default null: 1 / (features · the variance of all features' values), scikit-learn's "scale".</summary>
    public double? Gamma { get; init; }

    /// <summary>How far the optimality conditions may be missed in the end. Above 0. Default 0.001, as in LIBSVM.</summary>
    public double Tolerance { get; init; } = 1e-3;

    internal override IReadOnlyList<double> Candidates { get; } = [0.1, 0.3, 1, 3, 10, 30, 100];

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
        var machine = Machines(features, [c], gamma, isCalibrated: true, work)[0];
        var facts = CommonFacts(c, candidates);
        facts["gamma"] = gamma;
        facts["support_vectors"] = machine.Operation.SupportVectors.Sum();
        return new()
        {
            Name = Name,
            Account = string.Create(
                CultureInfo.InvariantCulture,
                $"{Title}, {Describe(c, candidates)}, gamma {gamma:0.####e+0}, {machine.Operation.SupportVectors.Sum():N0} support vectors"),
            Facts = facts,
            C = c,
            Layers = [new("head.classes", machine.Operation, new Dictionary<ParameterRole, float[]>
            {
                [ParameterRole.Examples] = machine.Vectors.ToFloats(),
                [ParameterRole.Coefficients] = machine.Coefficients.ToFloats(),
                [ParameterRole.Offsets] = machine.Offsets.ToFloats(),
                [ParameterRole.Calibration] = machine.Calibration.ToFloats(),
            })],
        };
    }

    private static double ScaleOf(FeatureMatrix features)
    {
        using var scope = NewDisposeScope();
        var values = features.Values.to_type(ScalarType.Float64);
        var variance = (values - values.mean()).square().mean().ToDouble();
        return variance > 0 ? 1 / (features.Length * variance) : 1;
    }

    private (double C, IReadOnlyList<CandidateC> Candidates) Choose(FeatureMatrix raw, FittingWork work)
    {
        var folds = raw.Folds(work.Seed);
        if (folds.Count == 0) return (1, []);
        using var scope = NewDisposeScope();
        var logits = Candidates.Select(_ => full([raw.Count, raw.Classes], double.NaN, ScalarType.Float64)).ToList();
        for (var fold = 0; fold < folds.Count; fold++)
        {
            work.Progress?.Report(new("Cross-validation", fold, folds.Count, "folds"));
            using var inner = NewDisposeScope();
            var (kept, heldOut) = Prepare(raw, folds[fold]);
            var machines = Machines(kept, Candidates, Gamma ?? ScaleOf(kept), isCalibrated: false, work);
            var index = tensor([.. folds[fold].HeldOut.Select(image => (long)image)]);
            for (var i = 0; i < machines.Count; i++) logits[i].index_copy_(0, index, machines[i].Votes(heldOut.Values));
        }
        work.Progress?.Report(new("Cross-validation", folds.Count, folds.Count, "folds"));
        var weights = raw.SampleWeights(ClassWeights);
        IReadOnlyList<CandidateC> candidates = [.. Candidates.Select((c, i) => CandidateC.Of(c, logits[i], raw, weights))];
        return (Best(candidates).C, candidates);
    }

    /// <summary>Fits the machines of all pairs, for each C.</summary>
    private List<PairMachines> Machines(
        FeatureMatrix features, IReadOnlyList<double> values, double gamma, bool isCalibrated, FittingWork work)
    {
        var classes = features.Classes;
        var byClass = Enumerable.Range(0, classes)
            .Select(label => Enumerable.Range(0, features.Count).Where(image => features.Labels[image] == label).ToArray()).ToArray();
        var weights = features.ClassWeights(ClassWeights);
        var found = values.Select(_ => new List<(int First, int Second, SmoSolution Solution, (double A, double B) Sigmoid)>()).ToList();
        for (var i = 0; i < classes; i++)
        {
            for (var j = i + 1; j < classes; j++)
            {
                using var scope = NewDisposeScope();
                int[] images = [.. byClass[i], .. byClass[j]];
                var pair = features.Subset(images);
                var kernel = new KernelRows(pair.Values, gamma);
                bool[] positive = [.. images.Select(image => features.Labels[image] == i)];
                for (var k = 0; k < values.Count; k++)
                {
                    double[] upper = [.. positive.Select(first => values[k] * weights[first ? i : j])];
                    var solution = SequentialMinimalOptimization.Solve(kernel, positive, upper, Tolerance, work.Cancellation);
                    var sigmoid = isCalibrated ? Calibrate(kernel, pair, positive, upper, work) : (-1, 0);
                    found[k].Add((i, j, solution, sigmoid));
                }
            }
        }
        return [.. found.Select(pairs => PairMachines.Of(features, byClass, gamma, pairs))];
    }

    /// <summary>The sigmoid of one pair, from the outputs for images that were held out; the folds depend on the seed alone.</summary>
    private (double A, double B) Calibrate(KernelRows kernel, FeatureMatrix pair, bool[] positive, double[] upper, FittingWork work)
    {
        var decisions = new double[positive.Length];
        decisions.AsSpan().Fill(double.NaN);
        foreach (var fold in pair.Folds(work.Seed))
        {
            using var scope = NewDisposeScope();
            var solution = SequentialMinimalOptimization.Solve(
                kernel.Subset(fold.Kept), [.. fold.Kept.Select(image => positive[image])], [.. fold.Kept.Select(image => upper[image])],
                Tolerance, work.Cancellation);
            foreach (var image in fold.HeldOut)
            {
                var row = kernel.Row(image);
                var sum = solution.Offset;
                for (var t = 0; t < fold.Kept.Length; t++) sum += solution.Coefficients[t] * row[fold.Kept[t]];
                decisions[image] = sum;
            }
        }
        var measured = Enumerable.Range(0, decisions.Length).Where(image => !double.IsNaN(decisions[image])).ToArray();
        return measured.Length == 0
            ? (-1, 0)
            : PlattScaling.Fit([.. measured.Select(image => decisions[image])], [.. measured.Select(image => positive[image])]);
    }

    /// <summary>The machines of all pairs in the layout of <see cref="RbfMachine"/>; float64 tensors but for the vectors.</summary>
    private sealed record PairMachines(RbfMachine Operation, Tensor Vectors, Tensor Coefficients, Tensor Offsets, Tensor Calibration)
    {
        public static PairMachines Of(
            FeatureMatrix features, int[][] byClass, double gamma,
            List<(int First, int Second, SmoSolution Solution, (double A, double B) Sigmoid)> pairs)
        {
            var classes = byClass.Length;
            var coefficients = new double[classes - 1][];
            for (var row = 0; row < coefficients.Length; row++) coefficients[row] = new double[features.Count];
            foreach (var (i, j, solution, _) in pairs)
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
                tensor([.. pairs.Select(pair => pair.Solution.Offset)]),
                tensor([.. pairs.SelectMany(pair => new[] { pair.Sigmoid.A, pair.Sigmoid.B })]).view(pairs.Count, 2));
        }

        /// <summary>
        /// Votes of the pairs and, between classes of as many, how clear they were: what scikit-learn's <c>decision_function</c> gives. [N, classes].
        /// </summary>
        public Tensor Votes(Tensor features)
        {
            using var scope = NewDisposeScope();
            var decisions = TorchClassifiers.PairDecisions(
                Operation, features.to_type(ScalarType.Float64), Vectors.to_type(ScalarType.Float64), Coefficients, Offsets);
            return TorchClassifiers.Votes(decisions, Operation.Classes).MoveToOuterDisposeScope();
        }
    }
}
