namespace Graft.Data;

/// <summary>Splits labelled items in two so that every class keeps its share in both parts.</summary>
public static class StratifiedSplit
{
    /// <summary>
    /// Holds out <paramref name="fraction"/> (0 to below 1) of the items. Each class gives its share, rounded by
    /// largest remainder so that the total is right; a class with two or more items has at least one on each side, a
    /// class with one keeps it. Depends on the labels (class indices, in this order) and the seed alone: the same
    /// split on every machine.
    /// </summary>
    /// <returns>Indices into <paramref name="labels"/>, each list ascending.</returns>
    public static (int[] Kept, int[] HeldOut) Of(IReadOnlyList<int> labels, double fraction, int seed)
    {
        if (fraction is not (>= 0 and < 1))
            throw new ArgumentOutOfRangeException(
                nameof(fraction), fraction, "Expected a fraction of at least 0 and below 1.");
        if (fraction == 0) return ([.. Enumerable.Range(0, labels.Count)], []);

        var classes = Enumerable.Range(0, labels.Count).GroupBy(item => labels[item]).OrderBy(group => group.Key)
            .Select(group => (Label: group.Key, Items: group.ToArray())).ToArray();
        var shares = Shares([.. classes.Select(group => group.Items.Length)], fraction);
        var heldOut = new bool[labels.Count];
        foreach (var ((label, items), share) in classes.Zip(shares))
        {
            // A stream of its own for each class: a photo more in one class does not reshuffle the others.
            var streams = new SplitMix64((ulong)seed);
            var random = new SplitMix64(streams.Next() + (ulong)label);
            random.Shuffle(items);
            foreach (var item in items.AsSpan(0, share)) heldOut[item] = true;
        }
        return ([.. Enumerable.Range(0, labels.Count).Where(item => !heldOut[item])],
            [.. Enumerable.Range(0, labels.Count).Where(item => heldOut[item])]);
    }

    private static int[] Shares(int[] sizes, double fraction)
    {
        var shares = sizes.Select(size => Math.Clamp((int)(size * fraction), size > 1 ? 1 : 0, size - 1)).ToArray();
        var missing = (int)Math.Round(sizes.Sum() * fraction, MidpointRounding.AwayFromZero) - shares.Sum();
        var byRemainder = Enumerable.Range(0, sizes.Length).Where(c => shares[c] < sizes[c] - 1)
            .OrderByDescending(c => sizes[c] * fraction - shares[c]); // stable: equal remainders in class order
        foreach (var c in byRemainder.Take(Math.Max(0, missing)).ToArray()) shares[c]++;
        return shares;
    }
}
