using Graft.Data;

namespace Graft.Classifiers;

/// <summary>Which images are fitted on and which measured on; ascending.</summary>
internal sealed record Fold(int[] Kept, int[] HeldOut);

/// <summary>Folds for cross-validation in which every class keeps its share.</summary>
internal static class StratifiedFolds
{
    public const int Count = 5;

    /// <summary>
    /// Each image is held out in one fold, but for a class's only one, which never is: every fold has every class to fit on. Depends on
    /// the labels and the seed alone. Fewer folds than <paramref name="most"/>, as many as the largest class has images, where that has fewer; none where each has one.
    /// </summary>
    /// <param name="groups">Rows of one number are views of one image and stay together; null where each row is an image.</param>
    /// <param name="most">At least 2.</param>
    public static IReadOnlyList<Fold> Of(IReadOnlyList<int> labels, int seed, IReadOnlyList<int>? groups = null, int most = Count)
    {
        if (groups is not null)
        {
            // The folds of the images, and then of their views.
            var images = Enumerable.Range(0, labels.Count).GroupBy(row => groups[row]).Select(group => group.ToArray()).ToArray();
            return [.. Of([.. images.Select(rows => labels[rows[0]])], seed, most: most)
                .Select(fold => new Fold(Rows(fold.Kept), Rows(fold.HeldOut)))];

            int[] Rows(int[] chosen) => [.. chosen.SelectMany(image => images[image]).Order()];
        }
        // Of classes that all are small, each is to lose as many in a fold as the others.
        var count = Math.Clamp(labels.CountBy(label => label).Max(label => label.Value), 2, most);
        var foldOf = new int[labels.Count];
        var next = 0;
        foreach (var group in Enumerable.Range(0, labels.Count).GroupBy(item => labels[item]).OrderBy(group => group.Key))
        {
            var items = group.ToArray();
            if (items.Length == 1)
            {
                foldOf[items[0]] = -1;
                continue;
            }
            var streams = new SplitMix64((ulong)(uint)seed);
            new SplitMix64(streams.Next() + (ulong)group.Key).Shuffle(items);
            // The next class begins where this one ended, so that the folds are of one size.
            foreach (var item in items) foldOf[item] = next++ % count;
        }
        return [.. Enumerable.Range(0, count)
            .Select(fold => new Fold(
                [.. Enumerable.Range(0, labels.Count).Where(item => foldOf[item] != fold)],
                [.. Enumerable.Range(0, labels.Count).Where(item => foldOf[item] == fold)]))
            .Where(fold => fold.HeldOut.Length > 0)];
    }
}
