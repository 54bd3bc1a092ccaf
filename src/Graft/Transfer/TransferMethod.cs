using System.Text.Json.Serialization;
using Graft.Classifiers;
using static TorchSharp.torch;

namespace Graft.Transfer;

/// <summary>A way to learn a target's classes with the help of labeled photos from another source.</summary>
public abstract record TransferMethod
{
    /// <summary>As the command and the files know it: <c>balanced</c>, <c>coral</c>.</summary>
    public abstract string Name { get; }

    /// <summary>In words, for a summary.</summary>
    [JsonIgnore]
    public abstract string Title { get; }

    /// <summary>Whether photos of the target must have labels.</summary>
    [JsonIgnore]
    public virtual bool NeedsLabels => false;

    /// <summary>Whether the classifier must let photos count differently, see <see cref="FeatureClassifier.TakesWeights"/>.</summary>
    [JsonIgnore]
    public virtual bool NeedsWeights => false;

    /// <summary>Whether features of either source come from the network with batch norms by that source's statistics.</summary>
    [JsonIgnore]
    public virtual bool AdaptsNetwork => false;

    /// <summary>What is fitted where no classifier is named.</summary>
    [JsonIgnore]
    public virtual FeatureClassifier DefaultClassifier => new LogisticRegression();

    /// <summary>What is wrong with these options, a sentence each; empty if nothing is.</summary>
    public IReadOnlyList<string> Problems() => DeclaredRanges.ProblemsOf(this);

    /// <param name="classifier">What is fitted; a method that fits its own kind takes its C.</param>
    /// <param name="seed">Decides the folds of cross-validation.</param>
    /// <exception cref="GraftException">Unsuitable options or photos, or labels that the method needs are missing.</exception>
    public TransferFit Fit(
        TransferData data, FeatureClassifier classifier, int seed = 1, IProgress<StepProgress>? progress = null, CancellationToken cancellation = default)
    {
        if ((IReadOnlyList<string>)[.. Problems(), .. classifier.Problems()] is { Count: > 0 } problems) throw new GraftException(string.Join(" ", problems));
        if (data.Source.Count == 0) throw new GraftException("The source has no photo to learn from.");
        if (NeedsLabels && data.Target.Count == 0)
        {
            throw new GraftException($"The method {Name} needs labeled photos of the target, and there are none.")
            {
                Code = "transfer-needs-labels",
                Remedy = "Label some photos of each class, or take coral.",
            };
        }
        if (NeedsWeights && !classifier.TakesWeights)
        {
            throw new GraftException($"The method {Name} weights photos, and {classifier.Title} takes all alike. Take logistic or svm.");
        }
        using var inference = no_grad();
        using var scope = NewDisposeScope();
        return Fit(data, classifier, new FittingWork(seed, progress, cancellation));
    }

    internal abstract TransferFit Fit(TransferData data, FeatureClassifier classifier, FittingWork work);

    /// <summary>The fit with what the method says of itself.</summary>
    private protected FittedClassifier Described(FittedClassifier fitted, string? summary = null, params (string Name, object? Value)[] facts)
    {
        var all = new Dictionary<string, object?>(fitted.Facts, StringComparer.Ordinal) { ["method"] = Name };
        foreach (var (name, value) in facts) all[name] = value;
        return fitted with { Summary = $"{fitted.Summary}; {Title}{(summary is null ? "" : $", {summary}")}", Facts = all };
    }
}

/// <summary>A method that weights the photos of both sources and fits one classifier on all of them.</summary>
public abstract record InstanceWeighting : TransferMethod
{
    /// <summary>Below this share of the source photos, the weights rest on too few of them.</summary>
    private const double SmallestEffectiveShare = 0.2;

    public override bool NeedsWeights => true;

    /// <summary>How much each source photo counts against the others, and how much a labeled photo of the target counts.</summary>
    internal abstract (double[] Source, double Target) Weights(TransferData data, FittingWork work);

    internal override TransferFit Fit(TransferData data, FeatureClassifier classifier, FittingWork work)
    {
        var (source, target) = Weights(data, work);
        var effective = EffectiveSampleSize(source);
        double[] weights = [.. source, .. Enumerable.Repeat(target, data.Target.Count)];
        // Of mean 1, so that a classifier's C means what it always means.
        var mean = weights.Average();
        var fitted = Described(
            classifier.Fit(data.Labeled() with { Weights = [.. weights.Select(weight => weight / mean)] }, work),
            FormattableString.Invariant($"{effective:0} of {source.Length} source photos count (effective sample size)"),
            ("effective_sample_size", effective), ("target_weight", target / source.Average()));
        if (effective < SmallestEffectiveShare * source.Length)
        {
            fitted = fitted with
            {
                Warnings =
                [
                    .. fitted.Warnings,
                    FormattableString.Invariant($"The weights rest on about {effective:0} of {source.Length} source photos: the sources hardly overlap. A method without density weights, such as balanced or coral, is likely better."),
                ],
            };
        }
        return new() { Classifier = fitted, OnSource = fitted };
    }

    /// <summary>Kish's (Σ w)² / Σ w²: as many photos of equal weight would say as much.</summary>
    public static double EffectiveSampleSize(IReadOnlyList<double> weights)
    {
        var sum = weights.Sum();
        return sum * sum / weights.Sum(weight => weight * weight);
    }
}
