using System.Diagnostics;
using Graft.Networks;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Classifiers;

/// <summary>A classifier whose outputs are linear in the features, fitted to the optimum of a convex objective.</summary>
public abstract record LinearClassifier : RegularizedClassifier
{
    /// <summary>
    /// The fit ends when no component of the objective's gradient, by coefficients of features scaled to a root mean square of about 1, is
    /// larger. Above 0. Default 1e-5 (scikit-learn's is 1e-4).
    /// </summary>
    public double Tolerance { get; init; } = 1e-5;

    /// <summary>What a fit that only measures need not be better than, at C = 1.</summary>
    private const double FoldTolerance = 1e-2;

    /// <summary>Images held out that determine one number, the temperature, to a few per cent.</summary>
    private const int EnoughImages = 1000;

    /// <summary>Decades and, between those around the best, half decades.</summary>
    internal override IReadOnlyList<double> Candidates => [1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100];

    public override IReadOnlyList<string> Problems() =>
        Tolerance > 0 ? base.Problems() : [.. base.Problems(), $"Expected a tolerance above 0, found {Tolerance}."];

    public override bool TakesWeights => true;

    private protected abstract bool PenalizesIntercept { get; }

    /// <summary>Whether the outputs are logits by themselves, as those of a model of probabilities are.</summary>
    private protected abstract bool HasLogits { get; }

    /// <summary>The documented objective, given the sum of half the squared coefficients and the loss.</summary>
    private protected abstract double Objective(double minimized, int classes);

    private protected abstract LinearLoss Loss(FeatureMatrix features, double c);

    private protected override FittedClassifier Fit(FeatureMatrix raw, FeatureMatrix features, FittingWork work)
    {
        // Folds are standardized as all training images are, so that they share what is computed of these.
        var model = ModelOf(raw, features);
        var (c, candidates) = C is { } given ? (given, []) : Choose(model, features, work);
        var clock = Stopwatch.StartNew();
        var solution = Minimize(model, features, c, start: null, isNear: false, Tolerance, work);
        var seconds = clock.Elapsed.TotalSeconds;
        var coefficients = solution.Coefficients;
        var intercepts = coefficients.select(1, features.Length);
        // Outputs that move together are the same probabilities: of all such intercepts, those around 0.
        if (!PenalizesIntercept) intercepts = intercepts - intercepts.mean();
        var layer = new FittedLayer(
            Calibrate ? "head.decisions" : "head.classes", new Dense(features.Classes), new Dictionary<ParameterRole, float[]>
            {
                [ParameterRole.DenseKernel] = coefficients.narrow(1, 0, features.Length).ToFloats(),
                [ParameterRole.Bias] = intercepts.ToFloats(),
            });
        var facts = CommonFacts(c, candidates);
        facts["objective"] = Objective(solution.Objective, features.Classes);
        facts["gradient"] = solution.Gradient;
        facts["solver_seconds"] = Math.Round(seconds, 3);
        return Calibrated(
            new() { Name = Name, Summary = $"{Title}, {Describe(c, candidates)}", Facts = facts, C = c, Layers = [layer] }, features,
            () => OutOfFold(model, features, FoldsOfTemperature(features, work.Seed), [c], coefficients, work) is [var outputs]
                ? outputs
                : full([features.Count, features.Classes], Number(double.NaN), ScalarType.Float64));
    }

    /// <summary>What classifiers say of images that they were not fitted on: cross-validation in 5 stratified folds.</summary>
    /// <param name="rows">The features of each image, all of one length.</param>
    /// <param name="labels">The class of each, from 0.</param>
    /// <param name="classes">How many there are, at least 2; each has an image.</param>
    /// <param name="seed">Decides the folds.</param>
    /// <param name="groups">Images of one number are held out together; null where each stands alone.</param>
    /// <param name="leftOut">Images that no classifier is fitted on, by number, but for folds that would lose a class by that.</param>
    /// <returns>[images × classes] probabilities, row by row; NaN for a class's only image, which cannot be held out.</returns>
    internal double[] OutOfFoldProbabilities(
        IReadOnlyList<float[]> rows, IReadOnlyList<int> labels, int classes, int seed, IReadOnlyList<int>? groups = null,
        IReadOnlySet<int>? leftOut = null, IProgress<StepProgress>? progress = null, CancellationToken cancellation = default)
    {
        using var inference = no_grad();
        using var scope = NewDisposeScope();
        var raw = FeatureMatrix.Of(rows, labels, classes, groups);
        var features = Standardize ? Standardization.Of(raw).Apply(raw) : raw;
        var model = ModelOf(raw, features);
        var folds = features.Folds(seed);
        if (leftOut is not null) folds = [.. folds.Select(fold => Without(fold, leftOut, labels))];
        return OutOfFold(model, features, folds, [C ?? 1], start: null, new(seed, progress, cancellation)) is [var outputs]
            ? outputs.softmax(1).ToDoubles()
            : [.. Enumerable.Repeat(double.NaN, labels.Count * classes)];
    }

    /// <summary>As many folds as hold out <see cref="EnoughImages"/>; all of fewer images.</summary>
    private static List<Fold> FoldsOfTemperature(FeatureMatrix features, int seed)
    {
        var (folds, images) = (new List<Fold>(), 0);
        foreach (var fold in features.Folds(seed))
        {
            if (images >= EnoughImages) break;
            folds.Add(fold);
            images += fold.HeldOut.Select(row => features.Groups?[row] ?? row).Distinct().Count();
        }
        return folds;
    }

    /// <summary>The model has a matrix of its own; the others are let go.</summary>
    private LinearModel ModelOf(FeatureMatrix raw, FeatureMatrix features)
    {
        if (!ReferenceEquals(raw, features)) raw.Values.Dispose();
        var model = new LinearModel(features.Values, PenalizesIntercept);
        features.Values.Dispose();
        return model;
    }

    private static Fold Without(Fold fold, IReadOnlySet<int> leftOut, IReadOnlyList<int> labels)
    {
        int[] kept = [.. fold.Kept.Where(image => !leftOut.Contains(image))];
        return kept.Select(image => labels[image]).Distinct().Count() == fold.Kept.Select(image => labels[image]).Distinct().Count()
            ? fold with { Kept = kept }
            : fold;
    }

    private (double C, IReadOnlyList<CandidateC> Candidates) Choose(LinearModel model, FeatureMatrix features, FittingWork work)
    {
        using var scope = NewDisposeScope();
        var candidates = Path(model, features, features.Folds(work.Seed), work).Select(entry => entry.Candidate).ToList();
        return candidates.Count == 0 ? (1, []) : (Best(candidates).C, candidates);
    }

    /// <summary>The outputs for held-out images with each C, ascending: the candidates, and half decades around the best of these.</summary>
    private List<(CandidateC Candidate, Tensor Outputs)> Path(LinearModel model, FeatureMatrix features, IReadOnlyList<Fold> folds, FittingWork work)
    {
        var tried = Try(Candidates);
        if (tried.Count == 0) return [];
        var best = Best(tried.Select(entry => entry.Candidate)).C;
        var between = Math.Sqrt(10);
        tried.AddRange(Try([best / between, best * between]));
        return [.. tried.OrderBy(entry => entry.Candidate.C)];

        List<(CandidateC Candidate, Tensor Outputs)> Try(IReadOnlyList<double> values) =>
            [.. OutOfFold(model, features, folds, values, start: null, work).Select((outputs, index) => (Score(values[index], outputs, features), outputs))];
    }

    /// <remarks>
    /// Where C is to be chosen, each fold's is the one that is best on the other folds: one fit for each C and fold, and what is measured has no part in
    /// the choice.
    /// </remarks>
    internal override Tensor HeldOutOutputs(FeatureMatrix raw, IReadOnlyList<Fold> folds, FittingWork work)
    {
        var features = Standardize ? Standardization.Of(raw).Apply(raw) : raw;
        var model = new LinearModel(features.Values, PenalizesIntercept);
        if (C is { } given) return OutOfFold(model, features, folds, [given], start: null, work)[0];
        var path = Path(model, features, folds, work);
        var chosen = full([raw.Count, raw.Classes], Number(double.NaN), ScalarType.Float64);
        foreach (var fold in folds)
        {
            using var scope = NewDisposeScope();
            int[] others = [.. folds.Where(other => other != fold).SelectMany(other => other.HeldOut)];
            var rows = tensor([.. others.Select(image => (long)image)]);
            var ofOthers = features.Labeled(others);
            var best = Best(path.Select(entry => Score(entry.Candidate.C, entry.Outputs.index_select(0, rows), ofOthers))).C;
            var heldOut = tensor([.. fold.HeldOut.Select(image => (long)image)]);
            chosen.index_copy_(0, heldOut, path.First(entry => entry.Candidate.C == best).Outputs.index_select(0, heldOut));
        }
        return chosen;
    }

    private CandidateC Score(double c, Tensor outputs, FeatureMatrix features)
    {
        using var scope = NewDisposeScope();
        var factor = HasLogits ? 1 : Temperature.Fit(outputs, features);
        return CandidateC.Of(c, outputs * Number(factor), features, features.SampleWeights(ClassWeights));
    }

    /// <summary>
    /// For each C the outputs [images, classes] for each image by a model that was fitted without it; NaN where an image is its class's only
    /// one. Empty if no image can be held out.
    /// </summary>
    /// <param name="start">The coefficients of all images, if they are known.</param>
    private List<Tensor> OutOfFold(
        LinearModel all, FeatureMatrix features, IReadOnlyList<Fold> folds, IReadOnlyList<double> values, Tensor? start, FittingWork work)
    {
        if (folds.Count == 0) return [];
        var outputs = values.Select(_ => full([features.Count, features.Classes], Number(double.NaN), ScalarType.Float64)).ToList();
        for (var fold = 0; fold < folds.Count; fold++)
        {
            LibtorchTuning.ReleaseFree();
            using var scope = NewDisposeScope();
            var kept = features.Labeled(folds[fold].Kept);
            var (model, heldOut) = (all.Subset(folds[fold].Kept), all.Subset(folds[fold].HeldOut));
            var coefficients = start;
            for (var i = 0; i < values.Count; i++)
            {
                work.Progress?.Report(new("Cross-validation", fold * values.Count + i, folds.Count * values.Count, "fits"));
                var tolerance = Math.Max(Tolerance, FoldTolerance * Math.Min(1, values[i]));
                coefficients = Minimize(model, kept, values[i], coefficients, isNear: start is not null, tolerance, work).Coefficients;
                using var index = tensor([.. folds[fold].HeldOut.Select(image => (long)image)]);
                outputs[i].index_copy_(0, index, heldOut.Outputs(coefficients));
            }
        }
        work.Progress?.Report(new("Cross-validation", folds.Count * values.Count, folds.Count * values.Count, "fits"));
        return outputs;
    }

    private LinearSolution Minimize(
        LinearModel model, FeatureMatrix features, double c, Tensor? start, bool isNear, double tolerance, FittingWork work) =>
        model.Minimize(Loss(features, c), features.Classes, tolerance * Math.Max(1, c), start, isNear, work.Cancellation);
}
