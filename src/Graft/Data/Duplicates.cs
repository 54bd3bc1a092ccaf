namespace Graft.Data;

/// <summary>Groups what shows one photo, from pairs that do, however these were found.</summary>
internal static class Duplicates
{
    /// <summary>Pairs of different files, by number, that look like one photo; each file looked at is distinct in its bytes.</summary>
    public static IEnumerable<(int First, int Second)> LookAlike(
        IReadOnlyList<(int Index, PerceptualHash Look)> images, DataCheckOptions options)
    {
        // Each with each: 3,000 images in a fraction of a second, 100,000 in a minute.
        for (var a = 0; a < images.Count; a++)
            for (var b = a + 1; b < images.Count; b++)
                if (images[a].Look.Distance(images[b].Look) <= options.LargestHashDistance
                    && images[a].Look.Correlation(images[b].Look) >= options.LeastCorrelation)
                    yield return (images[a].Index, images[b].Index);
    }

    /// <summary>Sets of two and more items that pairs connect, items ascending, sets in the order of their first items.</summary>
    public static IReadOnlyList<IReadOnlyList<int>> Connect(int count, IEnumerable<(int First, int Second)> pairs)
    {
        var parent = Enumerable.Range(0, count).ToArray();
        foreach (var (first, second) in pairs)
        {
            var (a, b) = (Root(first), Root(second));
            parent[Math.Max(a, b)] = Math.Min(a, b);
        }
        return [.. Enumerable.Range(0, count).GroupBy(Root).Where(group => group.Skip(1).Any()).Select(group => group.ToArray())];

        int Root(int item)
        {
            while (parent[item] != item) item = parent[item] = parent[parent[item]];
            return item;
        }
    }
}
