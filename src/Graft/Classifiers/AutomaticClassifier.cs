using System.Globalization;

namespace Graft.Classifiers;

/// <summary>
/// A classifier chosen by cross-validation on the training images: each of <see cref="Candidates"/> is tried on the same folds, and the chosen one, see
/// <see cref="Best"/>, is fitted on all images. C is chosen in the same way.
/// </summary>
public sealed record AutomaticClassifier : FeatureClassifier
{
    /// <summary>So many held-out predictions are enough; fewer images are divided anew more often, up to <see cref="MostRepeats"/> times.</summary>
    private const int EnoughPredictions = 1000, MostRepeats = 10;

    /// <summary>Above so many images, only what is fitted in seconds is tried.</summary>
    private const int MostForSlow = 3000;

    public const string CatalogName = "auto";

    public override string Name => CatalogName;

    public override string Title => "a classifier chosen by cross-validation";

    /// <summary>What is tried; of those that are equally good, the first is chosen.</summary>
    /// <param name="images">How many there are to fit on.</param>
    public static IReadOnlyList<FeatureClassifier> Candidates(int images) =>
    [
        new LinearDiscriminant(),
        new LogisticRegression { C = null },
        new LinearSvm { C = null },
        new CenteredClassMean(),
        new NearestClassMean(),
        new NearestNeighbors(),
        new GaussianNaiveBayes(),
        .. images <= MostForSlow ? (FeatureClassifier[])[new RbfSvm { C = 10 }] : [],
    ];

    /// <summary>Repetitions of cross-validation that suit so many images.</summary>
    public static int Repeats(int images) => Math.Clamp(EnoughPredictions / images, 1, MostRepeats);

    /// <summary>
    /// The one to take: the first that is within one standard error of the most accurate, so that a difference of a photo or two does not decide; of the
    /// mean difference over the folds, corrected as by Nadeau and Bengio. docs/choosing.md compares rules.
    /// </summary>
    /// <param name="tried">On the same folds, in the order of <see cref="Candidates"/>.</param>
    public static CrossValidated Best(IReadOnlyList<CrossValidated> tried)
    {
        var best = tried.MaxBy(result => result.Accuracy)!;
        return tried.First(result => best.Accuracy - result.Accuracy <= best.StandardErrorOfDifference(result));
    }

    internal override FittedClassifier Fit(FeatureMatrix features, FittingWork work)
    {
        if (!CanChoose(features))
        {
            var only = Configured(new CenteredClassMean()).Fit(features, work);
            return only with { Summary = $"{only.Summary}: with one image of a class there is nothing to choose by" };
        }
        var (chosen, tried, best) = Choose(features, work);
        var fitted = chosen.Fit(features, work);
        return fitted with
        {
            Summary = string.Create(
                CultureInfo.InvariantCulture, $"{fitted.Summary}; chosen among {tried.Count} classifiers by cross-validation (accuracy {100 * best.Accuracy:0.0} %, the highest {100 * tried.Max(result => result.Accuracy):0.0} %)"),
            Facts = new Dictionary<string, object?>(fitted.Facts, StringComparer.Ordinal)
            {
                ["classifier_candidates"] = tried.Select(result => new Candidate(result.Name, result.Accuracy, result.Loss)).ToList(),
            },
        };
    }

    /// <summary>With one image of each class nothing can be held out.</summary>
    internal static bool CanChoose(FeatureMatrix features) => features.ImageCounts().Any(count => count > 1);

    /// <summary>The classifier to take for these images, what cross-validation said of each that was tried, and of it.</summary>
    internal (FeatureClassifier Chosen, IReadOnlyList<CrossValidated> Tried, CrossValidated Best) Choose(FeatureMatrix features, FittingWork work)
    {
        var images = features.ImageCounts().Sum();
        var validation = new CrossValidation { Repeats = Repeats(images), Seed = work.Seed };
        var candidates = Candidates(images);
        List<(FeatureClassifier Classifier, CrossValidated Result)> tried = [];
        foreach (var (candidate, index) in candidates.Select((candidate, index) => (Configured(candidate), index)))
        {
            work.Progress?.Report(new("Choosing", index, candidates.Count, "classifiers", candidate.Title));
            try
            {
                tried.Add((candidate, validation.Run(candidate, features, work with { Progress = null })));
            }
            catch (GraftException) when (tried.Count > 0 || index + 1 < candidates.Count)
            {
                // One that these images do not suit.
            }
        }
        work.Progress?.Report(new("Choosing", candidates.Count, candidates.Count, "classifiers"));
        var best = Best([.. tried.Select(entry => entry.Result)]);
        return (tried.First(entry => entry.Result == best).Classifier with { Calibrate = Calibrate }, [.. tried.Select(entry => entry.Result)], best);
    }

    private FeatureClassifier Configured(FeatureClassifier candidate) => candidate with { Standardize = candidate.Standardize && Standardize, Calibrate = Calibrate };

    private protected override FittedClassifier Fit(FeatureMatrix raw, FeatureMatrix features, FittingWork work) => Fit(raw, work);

    /// <summary>A classifier that was tried, and what cross-validation said of it.</summary>
    internal sealed record Candidate(string Classifier, double Accuracy, double Loss);
}
