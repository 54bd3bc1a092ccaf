using System.Numerics.Tensors;
using Graft.Evaluation;
using Graft.Unlabeled;

namespace Graft.Studio;

/// <summary>What a person is asked next.</summary>
/// <param name="IsRandom">Whether it was drawn at random, to measure the model, and not chosen to teach it.</param>
internal sealed record Suggestion(Photo Photo, Guess Guess, bool IsRandom);

/// <summary>How labeling goes: what the answers so far say.</summary>
/// <param name="Advice">Whether to go on.</param>
/// <param name="Estimate">The honest estimate, of photos drawn at random; null before there are any.</param>
internal sealed record LabelingReport(string Advice, string? Estimate, int Answers);

/// <summary>
/// Asks for the photos that a person labels next, ten at a time as <see cref="ActiveSelection"/> chooses them: one drawn at random, the others unsure or unlike what is labeled. Safe to use
/// from several threads.
/// </summary>
internal sealed class LabelSuggestions(Project project, ProjectFeatures features)
{
    /// <summary>Chosen at once; of more photos than these it would take seconds.</summary>
    private const int AtOnce = 10, MostUnlabeled = 4000, MostLabeled = 500;

    private const int Recent = 30, FewestAnswers = 10;

    private const double SureProbability = 0.95, NearlyAll = 0.95;

    private readonly Lock _gate = new();
    private readonly HashSet<string> _skipped = new(StringComparer.Ordinal);
    private readonly Queue<(string Id, bool IsRandom)> _queue = new();
    private int _rounds;

    /// <summary>Passes a photo over until the studio is closed.</summary>
    public void Skip(string id)
    {
        lock (_gate) _skipped.Add(id);
    }

    /// <summary>The same photo until it is labeled or skipped; null where none is left.</summary>
    public Suggestion? Next(Learned learned)
    {
        lock (_gate)
        {
            for (var attempt = 0; attempt < 2; attempt++)
            {
                var now = project.Labeling;
                while (_queue.TryPeek(out var first))
                {
                    if (now.NumberOf(first.Id) is >= 0 and var number && now.Labels[number] is null && !_skipped.Contains(first.Id) && learned.Guesses.TryGetValue(first.Id, out var guess))
                        return new(now.Photos[number], guess, first.IsRandom);
                    _queue.Dequeue();
                }
                Fill(learned, now);
            }
            return null;
        }
    }

    private void Fill(Learned learned, Labeling now)
    {
        var open = Spread(
            [.. Enumerable.Range(0, now.Photos.Length).Where(number => now.Labels[number] is null && !_skipped.Contains(now.Photos[number].Id) && learned.Guesses.ContainsKey(now.Photos[number].Id))],
            MostUnlabeled).Select(number => (now.Photos[number].Id, Row: features.Find(now.Photos[number]))).Where(entry => entry.Row is not null).ToList();
        var labeled = Spread([.. Enumerable.Range(0, now.Photos.Length).Where(number => now.Labels[number] is not null)], MostLabeled)
            .Select(number => features.Find(now.Photos[number])).OfType<float[]>().ToList();
        var chosen = new ActiveSelection { Count = AtOnce }.Next(
            [.. open.Select(entry => entry.Row!)], [.. open.Select(entry => (IReadOnlyList<float>)learned.Guesses[entry.Id].Probabilities)], labeled, seed: Answers().Count + ++_rounds);
        foreach (var next in chosen) _queue.Enqueue((open[next.Photo].Id, next.Reason == QueueReason.Random));
    }

    private static IEnumerable<int> Spread(IReadOnlyList<int> numbers, int most)
    {
        var step = Math.Max(1, (numbers.Count + most - 1) / most);
        return numbers.Where((_, index) => index % step == 0);
    }

    /// <summary>Photos that look alike and that the model takes for one class: to accept at once, but for some.</summary>
    public (string Class, IReadOnlyList<Photo> Photos)? LookAlikes(Learned learned, int count)
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

    public LabelingReport Report(Learned? learned)
    {
        var answers = Answers();
        var random = answers.Where(entry => entry.IsRandom == true).ToList();
        var right = random.Count(entry => entry.Guess == entry.Class);
        string? estimate = null;
        if (random.Count > 0)
        {
            var interval = ConfidenceInterval.OfShare(right, random.Count);
            estimate = FormattableString.Invariant(
                $"Of {random.Count} {(random.Count == 1 ? "photo" : "photos")} drawn at random, {right} had the right guess ({100 * interval.Low:0} to {100 * interval.High:0} of 100).");
        }
        return new(Advice(learned, answers, random), estimate, answers.Count);
    }

    private string Advice(Learned? learned, List<JournalEntry> answers, List<JournalEntry> random)
    {
        var now = project.Labeling;
        var left = (learned?.Guesses ?? new Dictionary<string, Guess>()).Where(entry => now.NumberOf(entry.Key) is >= 0 and var number && now.Labels[number] is null)
            .Select(entry => entry.Value.Probability).ToList();
        if (left.Count > 0 && left.Count(probability => probability >= SureProbability) >= NearlyAll * left.Count) return "It is sure of nearly all that is left.";
        var chosen = answers.Where(entry => entry.IsRandom != true).TakeLast(Recent).ToList();
        if (chosen.Count < FewestAnswers || random.Count == 0) return "Too early to say whether more labels help.";
        var (wrong, wrongAtRandom) = (
            (double)chosen.Count(entry => entry.Guess != entry.Class) / chosen.Count, (double)random.Count(entry => entry.Guess != entry.Class) / random.Count);
        return wrong > wrongAtRandom ? "These still teach something." : "These teach no more than photos drawn at random.";
    }

    private List<JournalEntry> Answers() => [.. project.Journal.Entries.Where(entry => entry is { Action: JournalAction.Label, Guess: not null })];
}
