namespace Graft.Studio;

/// <summary>Which photos a page shows: each tab, bar and cell is a name of some of them.</summary>
internal static class PhotoViews
{
    /// <summary>Below this margin between the two most probable classes a guess counts as unsure.</summary>
    private const float UnsureMargin = 0.4f;

    /// <summary>What the Look page has a tab for.</summary>
    public static IReadOnlyList<string> Tabs { get; } = ["wrong", "unsure", "mislabeled", "copies", "unlike", "kept"];

    /// <param name="view">
    /// all, unlabeled, problems, wrong, unsure, mislabeled, copies, unlike, kept, <c>class:NAME</c>, or <c>cell:NUMBER:NUMBER</c> of the classes that were learned.
    /// </param>
    /// <returns>Numbers of photos, in the order to show; null if there is no such view.</returns>
    public static IReadOnlyList<int>? Of(string view, Labeling now, Learned? learned, PhotoProblems? check)
    {
        var all = Enumerable.Range(0, now.Photos.Length);
        if (view.StartsWith("class:", StringComparison.Ordinal)) return !now.Classes.Contains(view[6..]) ? null : [.. all.Where(number => now.Labels[number] == view[6..])];
        if (view.StartsWith("cell:", StringComparison.Ordinal))
        {
            return view.Split(':') is [_, var truth, var guess] && int.TryParse(truth, out var label) && int.TryParse(guess, out var predicted)
                && Math.Min(label, predicted) >= 0 && Math.Max(label, predicted) < (learned?.Classes.Count ?? int.MaxValue)
                ? Numbers((learned?.Judged ?? []).Where(photo => photo.Label == label && photo.Guess == predicted).Select(photo => photo.Id))
                : null;
        }
        return view switch
        {
            "all" => [.. all],
            "unlabeled" => [.. all.Where(number => now.Labels[number] is null)],
            "kept" => [.. all.Where(number => now.Kept.Contains(now.Photos[number].Place))],
            "problems" => Numbers(check?.Problems.Keys ?? []),
            "copies" => Numbers(check?.Copies ?? []),
            "wrong" => Numbers(Wrong(now, learned)),
            "unsure" => Numbers((learned?.Guesses ?? new Dictionary<string, Guess>()).Where(entry => entry.Value.Margin < UnsureMargin)
                .OrderBy(entry => entry.Value.Margin).Select(entry => entry.Key)),
            "mislabeled" => [.. Numbers(learned?.Insights?.Suspects ?? []).Where(number => !now.Kept.Contains(now.Photos[number].Place))],
            "unlike" => Numbers(learned?.Insights?.Unlike ?? []),
            _ => null,
        };

        IReadOnlyList<int> Numbers(IEnumerable<string> ids) => [.. ids.Select(now.NumberOf).Where(number => number >= 0)];
    }

    /// <summary>The surest mistakes first; what was relabeled since is judged by its new label.</summary>
    private static IEnumerable<string> Wrong(Labeling now, Learned? learned) => learned is null ? [] : learned.Judged
        .Where(photo => now.NumberOf(photo.Id) is >= 0 and var number && now.Labels[number] is { } label && label != learned.Classes[photo.Guess])
        .OrderByDescending(photo => learned.Guesses[photo.Id].Probability).Select(photo => photo.Id);
}
