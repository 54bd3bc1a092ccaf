using System.Numerics.Tensors;
using Graft.Evaluation;

namespace Graft.Studio;

/// <summary>What a person is asked next.</summary>
/// <param name="IsRandom">Whether it was drawn at random, to measure the model, and not chosen to teach it.</param>
internal sealed record Suggestion(Photo Photo, Guess Guess, bool IsRandom);

/// <summary>How labeling goes: what the answers so far say.</summary>
/// <param name="Advice">Whether to go on.</param>
/// <param name="Estimate">The honest estimate, of photos drawn at random; null before there are any.</param>
internal sealed record LabelingReport(string Advice, string? Estimate, int Answers);

/// <summary>
/// Chooses the photos that a person labels next: one in ten at random, of the others those that the model is unsure of, each as unlike the last ones as can be.
/// </summary>
internal static class LabelSuggestions
{
    private const int RandomEvery = 10, Unsure = 200, Remembered = 50, Recent = 30, FewestAnswers = 10;

    private const double SureProbability = 0.95, NearlyAll = 0.95;

    /// <param name="skipped">Ids that were passed over.</param>
    public static Suggestion? Next(Project project, Learned learned, FeatureTable features, IReadOnlySet<string> skipped)
    {
        var now = project.Labeling;
        var left = learned.Guesses.Select(entry => (Number: now.NumberOf(entry.Key), Guess: entry.Value))
            .Where(entry => entry.Number >= 0 && now.Labels[entry.Number] is null && !skipped.Contains(now.Photos[entry.Number].Id))
            .OrderBy(entry => entry.Number).ToList();
        if (left.Count == 0) return null;
        var answers = Answers(project);
        if (answers.Count % RandomEvery == RandomEvery - 1)
        {
            var drawn = left[new Random(answers.Count).Next(left.Count)];
            return new(now.Photos[drawn.Number], drawn.Guess, IsRandom: true);
        }
        var last = answers.TakeLast(Remembered).SelectMany(entry => entry.Photos).Select(Photo.IdOf).Select(now.NumberOf).Where(number => number >= 0)
            .Select(number => features.Find(now.Photos[number])).OfType<float[]>().ToList();
        var chosen = left.OrderBy(entry => entry.Guess.Margin).Take(Unsure)
            .MaxBy(entry => features.Find(now.Photos[entry.Number]) is { } row
                ? last.Select(other => 1 - TensorPrimitives.CosineSimilarity<float>(row, other)).DefaultIfEmpty(1 - entry.Guess.Margin).Min()
                : -1);
        return new(now.Photos[chosen.Number], chosen.Guess, IsRandom: false);
    }

    /// <summary>Photos that look alike and that the model takes for one class: to accept at once, but for some.</summary>
    public static (string Class, IReadOnlyList<Photo> Photos)? Batch(Project project, Learned learned, FeatureTable features, int count)
    {
        var now = project.Labeling;
        var left = learned.Guesses.Select(entry => (Number: now.NumberOf(entry.Key), Guess: entry.Value))
            .Where(entry => entry.Number >= 0 && now.Labels[entry.Number] is null)
            .Select(entry => (Photo: now.Photos[entry.Number], entry.Guess, Row: features.Find(now.Photos[entry.Number]))).Where(entry => entry.Row is not null).ToList();
        if (left.Count == 0) return null;
        // Of the class that is guessed most often, the photo in the middle of the sure ones and those nearest to it.
        var group = left.GroupBy(entry => entry.Guess.Best).MaxBy(group => group.Count())!.OrderByDescending(entry => entry.Guess.Probability).ToList();
        var seed = group[0].Row!;
        return (
            learned.Classes[group[0].Guess.Best],
            [.. group.OrderByDescending(entry => TensorPrimitives.CosineSimilarity<float>(seed, entry.Row!)).Take(count).Select(entry => entry.Photo)]);
    }

    public static LabelingReport Report(Project project, Learned? learned)
    {
        var answers = Answers(project);
        var random = answers.Where(entry => entry.IsRandom == true).ToList();
        var right = random.Count(entry => entry.Guess == entry.Class);
        string? estimate = null;
        if (random.Count > 0)
        {
            var interval = ConfidenceInterval.OfShare(right, random.Count);
            estimate = FormattableString.Invariant(
                $"Of {random.Count} {(random.Count == 1 ? "photo" : "photos")} drawn at random, {right} had the right guess ({100 * interval.Low:0} to {100 * interval.High:0} of 100).");
        }
        return new(Advice(project, learned, answers, random), estimate, answers.Count);
    }

    private static string Advice(Project project, Learned? learned, List<JournalEntry> answers, List<JournalEntry> random)
    {
        var now = project.Labeling;
        var left = (learned?.Guesses ?? new Dictionary<string, Guess>()).Where(entry => now.NumberOf(entry.Key) is >= 0 and var number && now.Labels[number] is null)
            .Select(entry => entry.Value.Probability).ToList();
        if (left.Count > 0 && left.Count(probability => probability >= SureProbability) >= NearlyAll * left.Count) return "It is sure of nearly all that is left.";
        var chosen = answers.Where(entry => entry.IsRandom != true).TakeLast(Recent).ToList();
        if (chosen.Count < FewestAnswers || random.Count == 0) return "Too early to say.";
        var (wrong, wrongAtRandom) = (
            (double)chosen.Count(entry => entry.Guess != entry.Class) / chosen.Count, (double)random.Count(entry => entry.Guess != entry.Class) / random.Count);
        return wrong > wrongAtRandom ? "These still teach something." : "No better than random.";
    }

    private static List<JournalEntry> Answers(Project project) => [.. project.Journal.Entries.Where(entry => entry is { Action: JournalAction.Label, Guess: not null })];
}
