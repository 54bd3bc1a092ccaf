namespace Graft.Data;

/// <summary>Splits labeled items in two so that every class keeps its share in both parts.</summary>
public static class StratifiedSplit
{
    /// <summary>
    /// Holds out <paramref name="fraction"/> (0 to below 1) of the items. Each class gives its share, rounded by
    /// largest remainder so that the total is right; a class with two or more items has at least one on each side, a
    /// class with one keeps it. Depends on the labels (class indices, in this order) and the seed alone: the same
    /// split on every machine.
    /// </summary>
    /// <param name="together">
    /// Sets of items that stay on one side: on that where most of them would be, else the first. Single items of the same classes take their
    /// places on the other side, then whole sets, as far as there are any. Without such sets, or where none is divided, the split is the same.
    /// </param>
    /// <returns>Indices into <paramref name="labels"/>, each list ascending.</returns>
    public static (int[] Kept, int[] HeldOut) Of(
        IReadOnlyList<int> labels, double fraction, int seed, IReadOnlyList<IReadOnlyList<int>>? together = null)
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
        KeepTogether(together ?? [], labels, classes.Zip(shares, (group, share) => (group.Items, share)), heldOut);
        return ([.. Enumerable.Range(0, labels.Count).Where(item => !heldOut[item])],
            [.. Enumerable.Range(0, labels.Count).Where(item => heldOut[item])]);
    }

    /// <param name="classes">Of each class its items in the order in which they are held out, and how many are to be.</param>
    private static void KeepTogether(
        IReadOnlyList<IReadOnlyList<int>> together, IReadOnlyList<int> labels, IEnumerable<(int[] Items, int Share)> classes, bool[] heldOut)
    {
        foreach (var set in together)
        {
            var side = 2 * set.Count(item => heldOut[item]) > set.Count;
            foreach (var item in set) heldOut[item] = side;
        }
        var sets = together.SelectMany(set => set.Select(item => (item, set))).ToDictionary();
        foreach (var (items, share) in classes)
        {
            var surplus = items.Count(item => heldOut[item]) - share;
            // Single items first, then whole sets.
            foreach (var item in items.OrderBy(item => sets.ContainsKey(item)))
            {
                if (surplus == 0) break;
                var unit = sets.GetValueOrDefault(item, [item]);
                if (heldOut[item] != surplus > 0 || unit.Count > Math.Abs(surplus) || unit.Any(member => labels[member] != labels[item])) continue;
                foreach (var member in unit) heldOut[member] = surplus < 0;
                surplus -= Math.Sign(surplus) * unit.Count;
            }
        }
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
