using System.ComponentModel.DataAnnotations;
using Graft.Classifiers;
using Graft.Networks;
using static TorchSharp.torch;

namespace Graft.Transfer;

/// <summary>
/// TrAdaBoost: Dai, Yang, Xue and Yu 2007, "Boosting for transfer learning", for any number of classes and with soft errors e = 1 − p(label), as
/// adapt has it. In each of N rounds, source photos that are classified wrongly fade by βs^e, βs = 1 / (1 + √(2·ln ns / N)), and target photos that are
/// grow by βt^(−e), βt = err / (2 − err); rounds of the second half vote with −ln βt. The classifiers are linear.
/// </summary>
public sealed record TrAdaBoost : TransferMethod
{
    /// <summary>An error of 0 would let one round decide alone.</summary>
    private const double LeastError = 1e-6;

    public override string Name => "tradaboost";

    public override string Title => "TrAdaBoost";

    public override bool NeedsLabels => true;

    public override bool NeedsWeights => true;

    /// <summary>N. Default 10; the paper's is 100.</summary>
    [Range(1, 1000)]
    public int Rounds { get; init; } = 10;

    /// <summary>Whether an error is 1 − p(label), the default, or 1 for a wrong class and 0 for the right one, as in the paper.</summary>
    public bool SoftErrors { get; init; } = true;

    /// <summary>What a fit was in the end, and on the way.</summary>
    /// <param name="Weights">Of each round, source photos first, of sum 1, before its fit.</param>
    /// <param name="Errors">Of each round on the target.</param>
    internal sealed record Course(IReadOnlyList<FittedLayer> Members, IReadOnlyList<double> Votes, IReadOnlyList<double[]> Weights, IReadOnlyList<double> Errors);

    internal override TransferFit Fit(TransferData data, FeatureClassifier classifier, FittingWork work)
    {
        var raw = data.Labeled();
        // Standardized once, so that all rounds share one layer.
        var standardization = classifier.Standardize ? Standardization.Of(raw) : null;
        var features = standardization?.Apply(raw) ?? raw;
        var course = Boost(features, data.Source.Count, classifier with { Standardize = false, Calibrate = false }, work);
        var (members, votes) = (course.Members, course.Votes.Sum());
        FittedLayer layer = new("head.classes", new SoftmaxVotes(data.Classes, members.Count), new Dictionary<ParameterRole, float[]>
        {
            [ParameterRole.Factors] = [.. members.SelectMany(member => member.Values[ParameterRole.DenseKernel])],
            [ParameterRole.Offsets] = [.. members.SelectMany(member => member.Values[ParameterRole.Bias])],
            [ParameterRole.Coefficients] = [.. course.Votes.Select(vote => (float)(vote / votes))],
        });
        var fitted = Described(
            new() { Name = classifier.Name, Summary = classifier.Title, Layers = standardization is null ? [layer] : [standardization.Layer(), layer] },
            $"{members.Count} of {Rounds} rounds vote", ("rounds", Rounds), ("target_errors", course.Errors),
            ("effective_sample_size", InstanceWeighting.EffectiveSampleSize(course.Weights[^1][..data.Source.Count])));
        return new() { Classifier = fitted, OnSource = fitted };
    }

    internal Course Boost(FeatureMatrix features, int source, FeatureClassifier learner, FittingWork work)
    {
        var count = features.Count;
        double[] weights = [.. Enumerable.Repeat(1.0 / count, count)];
        var sourceBeta = 1 / (1 + Math.Sqrt(2 * Math.Log(source) / Rounds));
        List<FittedLayer> members = [];
        List<double> votes = [], errors = [];
        List<double[]> course = [];
        for (var round = 0; round < Rounds; round++)
        {
            work.Cancellation.ThrowIfCancellationRequested();
            work.Progress?.Report(new("TrAdaBoost", round, Rounds, "rounds"));
            using var scope = NewDisposeScope();
            var sum = weights.Sum();
            weights = [.. weights.Select(weight => weight / sum)];
            course.Add(weights);
            // A copy, as a fit lets go of what it was given.
            var weighted = features with { Values = features.Values.clone(), Weights = [.. weights.Select(weight => weight * count)] };
            var fitted = learner.Fit(weighted, work with { Progress = null });
            var error = Errors(fitted.Outputs(features), features.Labels);
            var onTarget = Enumerable.Range(source, count - source).Sum(row => weights[row] * error[row]) / weights.Skip(source).Sum();
            errors.Add(onTarget);
            var safe = Math.Max(onTarget, LeastError);
            var targetBeta = safe / (2 - safe);
            if (round >= Rounds / 2)
            {
                members.Add(fitted.Layers.Single());
                votes.Add(-Math.Log(targetBeta));
            }
            weights = [.. weights.Select((weight, row) => weight * (row < source ? Math.Pow(sourceBeta, error[row]) : Math.Pow(targetBeta, -error[row])))];
        }
        work.Progress?.Report(new("TrAdaBoost", Rounds, Rounds, "rounds"));
        return new(members, votes, course, errors);
    }

    private double[] Errors(Tensor outputs, int[] labels)
    {
        var classes = (int)outputs.shape[1];
        if (!SoftErrors)
        {
            using var predicted = outputs.argmax(1);
            return [.. predicted.data<long>().ToArray().Zip(labels, (answer, label) => answer == label ? 0.0 : 1)];
        }
        using var probabilities = outputs.softmax(1);
        var all = probabilities.ToDoubles();
        return [.. labels.Select((label, row) => 1 - all[row * classes + label])];
    }
}
