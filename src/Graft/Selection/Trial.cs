using Graft.Evaluation;
using Graft.Evaluation.Transferability;

namespace Graft.Selection;

/// <summary>A classifier on a network's features, by cross-validation.</summary>
/// <param name="Accuracy">From 0 to 1, the mean over the folds.</param>
/// <param name="Interval">95 %, corrected for folds that overlap.</param>
/// <param name="MacroF1">From 0 to 1, the mean over the repetitions.</param>
/// <param name="FoldAccuracies">Of each fold, repetition by repetition: what two trials are compared by.</param>
/// <param name="HeldOutShare">See <see cref="CorrectedResampledTest.Of"/>.</param>
public sealed record ClassifierScore(
    string Classifier, double Accuracy, ConfidenceInterval Interval, double MacroF1, IReadOnlyList<double> FoldAccuracies, double HeldOutShare, double Seconds);

/// <summary>What was measured of one network, or of several joined.</summary>
public sealed record Trial
{
    /// <summary>As it was asked for, without the weights' file: <c>resnet18.cntk</c>, <c>a+b</c>.</summary>
    public required string Name { get; init; }

    /// <summary>As it was asked for.</summary>
    public required string Backbone { get; init; }

    /// <summary>Why nothing was measured; else null.</summary>
    public string? Failure { get; init; }

    /// <summary>The images measured on.</summary>
    public int Images { get; init; }

    /// <summary>Numbers per image.</summary>
    public int Features { get; init; }

    /// <summary>Of the frozen part, as float32.</summary>
    public double Megabytes { get; init; }

    /// <summary>Of the frozen part, for one image.</summary>
    public long MultiplyAdds { get; init; }

    /// <summary>From files to features, on this machine when it was tried.</summary>
    public double ImagesPerSecond { get; init; }

    /// <summary>The share of images whose nearest other is of their class.</summary>
    public double NearestNeighbor { get; init; }

    /// <summary>See <see cref="Evaluation.Transferability.LogME"/>.</summary>
    public double LogME { get; init; }

    /// <summary>In the order asked for; empty after a failure.</summary>
    public IReadOnlyList<ClassifierScore> Scores { get; init; } = [];

    /// <summary>Null without episodes.</summary>
    public EpisodeScore? Episodes { get; init; }

    /// <summary>What the trial took.</summary>
    public double Seconds { get; init; }

    /// <summary>The most accurate classifier; null after a failure.</summary>
    public ClassifierScore? Best => Scores.MaxBy(score => score.Accuracy);
}

/// <summary>A line of the table: a network and a classifier, and how they compare with the best.</summary>
/// <param name="PValue">
/// By Nadeau and Bengio's corrected test: how probable so large a difference would be between equally good ones. Null of the best itself, and where the
/// two were measured on different images.
/// </param>
public sealed record RankedTrial(Trial Trial, ClassifierScore Score, double? PValue)
{
    private const double Significance = 0.05;

    /// <summary>Whether it is the best, or may be as good as it.</summary>
    public bool IsAsGoodAsBest { get; init; } = PValue is null or >= Significance;

    /// <summary>The most accurate first.</summary>
    public static IReadOnlyList<RankedTrial> Of(IEnumerable<Trial> trials)
    {
        var all = trials.SelectMany(trial => trial.Scores.Select(score => (Trial: trial, Score: score))).OrderByDescending(entry => entry.Score.Accuracy).ToList();
        return [.. all.Select((entry, place) => place == 0
            ? new RankedTrial(entry.Trial, entry.Score, null)
            : Compared(all[0], entry))];
    }

    private static RankedTrial Compared((Trial Trial, ClassifierScore Score) best, (Trial Trial, ClassifierScore Score) other)
    {
        if (best.Trial.Images != other.Trial.Images || best.Score.FoldAccuracies.Count != other.Score.FoldAccuracies.Count || best.Score.FoldAccuracies.Count < 2)
            return new(other.Trial, other.Score, null) { IsAsGoodAsBest = false };
        return new(
            other.Trial, other.Score, CorrectedResampledTest.Of(best.Score.FoldAccuracies, other.Score.FoldAccuracies, best.Score.HeldOutShare).PValue);
    }
}
