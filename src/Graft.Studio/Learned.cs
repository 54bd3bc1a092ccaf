using System.Globalization;
using Graft.Classifiers;
using Graft.Evaluation;

namespace Graft.Studio;

/// <summary>What the model says of a photo.</summary>
/// <param name="Probabilities">In the order of <see cref="Learned.Classes"/>; of a labeled photo by a model that did not learn from it.</param>
internal sealed record Guess(float[] Probabilities)
{
    /// <summary>The most probable class.</summary>
    public int Best { get; } = Enumerable.Range(0, Probabilities.Length).MaxBy(index => Probabilities[index]);

    public float Probability => Probabilities[Best];

    /// <summary>By how much the most probable class is ahead of the next.</summary>
    public float Margin => Probability - Probabilities.Where((_, index) => index != Best).DefaultIfEmpty(0).Max();
}

/// <summary>A labeled photo that was judged by a model that did not learn from it.</summary>
internal readonly record struct Judged(string Id, int Label, int Guess)
{
    public bool IsCorrect => Label == Guess;
}

/// <summary>What was learned from the labels of one moment.</summary>
internal sealed record Learned
{
    public required Labeling From { get; init; }

    /// <summary>Those with enough photos.</summary>
    public required IReadOnlyList<string> Classes { get; init; }

    public required IReadOnlyList<Judged> Judged { get; init; }

    /// <summary>Whether there are more labeled photos than it has learned from.</summary>
    public required bool IsPart { get; init; }

    /// <summary>By photo id.</summary>
    public required IReadOnlyDictionary<string, Guess> Guesses { get; init; }

    public required ImageClassifier Model { get; init; }

    /// <summary>How well it does, in one sentence or two.</summary>
    public required string Sentence { get; init; }

    /// <summary>From the change of the labels to this, in seconds.</summary>
    public required double Seconds { get; init; }

    /// <summary>What takes longer; null until it is there.</summary>
    public Insights? Insights { get; init; }

    public int Correct => Judged.Count(photo => photo.IsCorrect);

    /// <summary>"89 of 100 photos named correctly (85 to 92). Before: 87; the difference may be luck."</summary>
    public static string Say(IReadOnlyList<Judged> now, IReadOnlyList<Judged>? before)
    {
        if (now.Count == 0) return "No photo could be held out to measure on. Label more photos.";
        var correct = now.Count(photo => photo.IsCorrect);
        var interval = ConfidenceInterval.OfShare(correct, now.Count);
        var said = string.Create(CultureInfo.InvariantCulture, $"{Of100(correct, now.Count)} of 100 photos named correctly ({100 * interval.Low:0} to {100 * interval.High:0}).");
        if (before is not { Count: > 0 }) return said;
        var old = before.ToDictionary(photo => (photo.Id, photo.Label), photo => photo.IsCorrect);
        var same = now.Where(photo => old.ContainsKey((photo.Id, photo.Label))).ToList();
        var test = McNemarTest.Of([.. same.Select(photo => photo.IsCorrect)], [.. same.Select(photo => old[(photo.Id, photo.Label)])]);
        var share = Of100(before.Count(photo => photo.IsCorrect), before.Count);
        if (share == Of100(correct, now.Count)) return $"{said} Before: the same.";
        return $"{said} Before: {share}; the difference {(test.PValue < 0.05 ? "is more than luck" : "may be luck")}.";

        static string Of100(int correct, int count) => (100.0 * correct / count).ToString("0", CultureInfo.InvariantCulture);
    }
}

/// <summary>What the Look page shows beside right and wrong.</summary>
/// <param name="Suspects">Photos whose label is likely wrong, the most likely first, by id.</param>
/// <param name="Unlike">Photos without a class that are like none of the labeled ones, the least like first, by id.</param>
/// <param name="Map">Places of photos on a plane, by id.</param>
internal sealed record Insights(IReadOnlyList<string> Suspects, IReadOnlyList<string> Unlike, IReadOnlyDictionary<string, MapPoint> Map);
