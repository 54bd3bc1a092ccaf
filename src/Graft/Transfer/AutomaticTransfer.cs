using System.Globalization;
using Graft.Classifiers;
using static TorchSharp.torch;

namespace Graft.Transfer;

/// <summary>The labeled photos of the target alone: what every method with another source must beat.</summary>
public sealed record TargetAlone : TransferMethod
{
    public override string Name => "target";

    public override string Title => "the target's own photos alone";

    public override bool NeedsLabels => true;

    internal override TransferFit Fit(TransferData data, FeatureClassifier classifier, FittingWork work)
    {
        if (Enumerable.Range(0, data.Classes).Except(data.TargetLabels).Any())
            throw new GraftException("A class has no labeled photo of the target, so the target alone cannot be learned from.");
        var fitted = Described(classifier.Fit(FeatureMatrix.Of(data.Target, data.TargetLabels, data.Classes), work));
        return new() { Classifier = fitted, OnSource = fitted };
    }
}

/// <summary>
/// A method chosen by cross-validation on labeled photos of the target: each candidate is fitted on the source and four fifths of them, and measured on
/// the rest. Of those within a standard error of the best, the simplest is taken.
/// </summary>
public sealed record AutomaticTransfer : TransferMethod
{
    public override string Name => "auto";

    public override string Title => "a method chosen by cross-validation";

    public override bool NeedsLabels => true;

    /// <summary>Simplest first. TrAdaBoost takes ten fits for each of five folds, and is no better than balanced weights in docs/transfer.md.</summary>
    private static IReadOnlyList<TransferMethod> Candidates =>
        [new BalancedWeighting(), new Pooling(), new TargetAlone(), new MeanAlignment(), new Coral(), new LogisticDensityRatio()];

    internal override TransferFit Fit(TransferData data, FeatureClassifier classifier, FittingWork work)
    {
        if (data.TargetLabels.CountBy(label => label).All(count => count.Value < 2))
        {
            throw new GraftException("A method is chosen by labeled photos of the target, and no class has two of them, so none can be held out.")
            {
                Code = "transfer-needs-labels",
                Remedy = "Label some photos of each class, or take balanced.",
            };
        }
        List<(TransferMethod Method, CrossValidated Result)> tried = [];
        List<string> failed = [];
        foreach (var candidate in Candidates.Where(candidate => !candidate.NeedsWeights || classifier.TakesWeights))
        {
            work.Progress?.Report(new("Choosing", tried.Count + failed.Count, Candidates.Count, "methods", candidate.Title));
            try
            {
                tried.Add((candidate, Validate(candidate, data, classifier, work)));
            }
            catch (GraftException problem)
            {
                failed.Add($"The method {candidate.Name} was not tried: {problem.Message}");
            }
        }
        work.Progress?.Report(new("Choosing", Candidates.Count, Candidates.Count, "methods"));
        if (tried.Count == 0) throw new GraftException(string.Join(" ", failed));
        var best = AutomaticClassifier.Best([.. tried.Select(entry => entry.Result)]);
        var method = tried.First(entry => entry.Result == best).Method;
        var fit = method.Fit(data, classifier, work);
        var note = string.Create(
            CultureInfo.InvariantCulture,
            $"; {method.Name} chosen among {tried.Count} methods by cross-validation on {data.Target.Count} photos of the target ({string.Join(", ", tried.Select(entry => $"{entry.Method.Name} {100 * entry.Result.Accuracy:0.0} %"))})");
        return new() { Classifier = Noted(fit.Classifier), OnSource = Noted(fit.OnSource) };

        FittedClassifier Noted(FittedClassifier fitted) => fitted with
        {
            Summary = fitted.Summary + note,
            Warnings = [.. fitted.Warnings, .. failed],
            Facts = new Dictionary<string, object?>(fitted.Facts, StringComparer.Ordinal)
            {
                ["method_candidates"] = tried.Select(entry => new Candidate(entry.Method.Name, entry.Result.Accuracy)).ToList(),
            },
        };
    }

    private static CrossValidated Validate(TransferMethod method, TransferData data, FeatureClassifier classifier, FittingWork work)
    {
        List<double> accuracies = [], shares = [];
        foreach (var fold in StratifiedFolds.Of(data.TargetLabels, work.Seed))
        {
            work.Cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var part = data with
            {
                Target = [.. fold.Kept.Select(row => data.Target[row])],
                TargetLabels = [.. fold.Kept.Select(row => data.TargetLabels[row])],
            };
            var fit = method.Fit(part, classifier with { Calibrate = false }, work with { Progress = null });
            accuracies.Add(Accuracy(fit.Classifier, [.. fold.HeldOut.Select(row => data.Target[row])], [.. fold.HeldOut.Select(row => data.TargetLabels[row])], data.Classes));
            shares.Add((double)fold.HeldOut.Length / fold.Kept.Length);
        }
        return new()
        {
            Name = method.Name,
            FoldAccuracies = accuracies,
            HeldOutShare = shares.Average(),
            Loss = double.NaN,
            Predictions = [],
            Seconds = 0,
        };
    }

    internal static double Accuracy(FittedClassifier fitted, IReadOnlyList<float[]> rows, IReadOnlyList<int> labels, int classes)
    {
        using var scope = NewDisposeScope();
        var values = tensor([.. rows.SelectMany(row => row)]).view(rows.Count, -1);
        var predicted = fitted.Outputs(new FeatureMatrix(values, [.. labels], classes)).argmax(1).data<long>().ToArray();
        return predicted.Zip(labels).Average(pair => pair.First == pair.Second ? 1.0 : 0);
    }

    /// <summary>A method that was tried, and its accuracy on held-out photos of the target.</summary>
    internal sealed record Candidate(string Method, double Accuracy);
}
