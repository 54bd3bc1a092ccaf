using System.Text.RegularExpressions;

namespace Graft.Data;

/// <summary>An image and where it goes.</summary>
/// <param name="File">Its path inside the data set, separated by '/'.</param>
/// <param name="Path">Its path on this machine.</param>
/// <param name="Class">The name of its class.</param>
/// <param name="Part">train, val or test.</param>
public sealed record SplitImage(string File, string Path, string Class, string Part)
{
    internal ImageSource Source { get; init; } = new(Path);
}

/// <summary>A data set divided into training, validation and test images, of every class the same share.</summary>
public sealed class DataSplit
{
    private static readonly string[] Names = ["train", "val", "test"];

    private DataSplit(
        string source, IReadOnlyList<string> classes, IReadOnlyList<string> parts, IReadOnlyList<SplitImage> images, int leftOut,
        IReadOnlyList<SkippedFile> skipped, int together, IReadOnlyList<string> notes)
    {
        (Source, Classes, Parts, Images, LeftOut) = (source, classes, parts, images, leftOut);
        (Skipped, KeptTogether, Notes) = (skipped, together, notes);
    }

    /// <summary>The folder or table that was divided, as it was given.</summary>
    public string Source { get; }

    public IReadOnlyList<string> Classes { get; }

    /// <summary>train, val and, if there are three, test.</summary>
    public IReadOnlyList<string> Parts { get; }

    /// <summary>In the order of the data set.</summary>
    public IReadOnlyList<SplitImage> Images { get; }

    /// <summary>Number of images in no part, because counts or ratios ask for fewer than there are.</summary>
    public int LeftOut { get; }

    /// <summary>Files that cannot be read and are in no part.</summary>
    public IReadOnlyList<SkippedFile> Skipped { get; }

    /// <summary>Number of images that stay together with others, as duplicates or by the group pattern.</summary>
    public int KeptTogether { get; }

    /// <summary>Remarks that stop nothing, a sentence each.</summary>
    public IReadOnlyList<string> Notes { get; }

    /// <summary>Images per class of a part.</summary>
    public IReadOnlyList<int> CountsOf(string part)
    {
        var counts = Images.Where(image => image.Part == part).CountBy(image => image.Class).ToDictionary();
        return [.. Classes.Select(name => counts.GetValueOrDefault(name))];
    }

    /// <summary>
    /// Decides where each image goes; nothing is written. It depends on the paths inside the data set, the options and, where duplicates
    /// are kept together, on which images are: so it is the same wherever the data set lies. Bound images go first, the largest groups before
    /// all, each to the part that lacks most of what it should have; single ones then fill the parts exactly.
    /// </summary>
    /// <exception cref="DataException">
    /// The options are wrong, a class has too few images, or a part gets none; all problems are listed.
    /// </exception>
    public static DataSplit Of(
        LabeledImages photos, DataSplitOptions? options = null, IProgress<StepProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        options ??= new();
        if (options.Problems() is { Count: > 0 } wrong) throw new DataException("the options", wrong);
        var images = photos.All.ToList();
        var files = images.Select(image => DataCheck.RelativePath(photos.Source, image)).ToArray();
        var notes = new List<string>(photos.Notes);
        if (photos.Test.Count > 0 || (photos.Validation.Count > 0 && !photos.ValidationWasSplit))
            notes.Add($"'{photos.Source}' is already divided; all of its images are divided again.");

        var pairs = new List<(int, int)>();
        IReadOnlyList<SkippedFile> unreadable = [];
        if (options.KeepDuplicatesTogether)
        {
            (var groups, unreadable) = DataCheck.SamePhotos(photos, new(), progress, cancellation);
            pairs.AddRange(groups.SelectMany(group => group.Skip(1).Select(index => (group[0], index))));
        }
        if (options.GroupPattern is { } pattern)
            pairs.AddRange(NamedTogether(files, new(pattern, RegexOptions.None, TimeSpan.FromSeconds(1)), notes));
        var broken = unreadable.Select(file => file.Path).ToHashSet(StringComparer.Ordinal);
        var usable = Enumerable.Range(0, images.Count).Where(index => !broken.Contains(images[index].Path)).ToList();
        var bound = Duplicates.Connect(images.Count, pairs)
            .Select(group => group.Where(index => !broken.Contains(images[index].Path)).ToList()).Where(group => group.Count > 1).ToList();

        var partCount = options.Counts?.Count ?? options.Ratios.Count;
        var needs = Needs(photos, usable.CountBy(index => images[index].Class).ToDictionary(), options);
        var part = Assign(images, files, usable, bound, needs, partCount, options.Seed);
        CheckParts(photos, images, usable, part, bound, Names[..partCount], notes);
        return new(
            photos.Source, photos.Classes, Names[..partCount],
            [.. usable.Where(index => part[index] >= 0).Select(index =>
                new SplitImage(files[index], images[index].Path, photos.Classes[images[index].Class], Names[part[index]]) { Source = images[index] })],
            usable.Count(index => part[index] < 0), [.. photos.Skipped, .. unreadable], bound.Sum(group => group.Count), notes);
    }

    /// <summary>Of a part without images nothing can be learned or measured; of one without images of some class, nothing of that class.</summary>
    private static void CheckParts(
        LabeledImages photos, List<LabeledImage> images, List<int> usable, int[] part, List<List<int>> bound, string[] names, List<string> notes)
    {
        var problems = new List<string>();
        for (var p = 0; p < names.Length; p++)
        {
            var classes = usable.Where(index => part[index] == p).Select(index => images[index].Class).ToHashSet();
            var absent = photos.Classes.Where((_, index) => !classes.Contains(index)).ToArray();
            if (classes.Count > 0 && absent.Length > 0) notes.Add($"{names[p]} has no images of {DataFindings.Named(absent)}.");
            if (classes.Count > 0) continue;
            problems.Add(bound.Count == 0
                ? $"{names[p]} would get none of the {usable.Count:N0} images. Give it a larger share."
                : $"{names[p]} would get none of the {usable.Count:N0} images: {bound.Sum(group => group.Count):N0} of them are in "
                    + $"groups of up to {bound.Max(group => group.Count):N0} that stay together. Make smaller groups, or choose other shares.");
        }
        if (problems.Count > 0) throw new DataException(photos.Source, problems);
    }

    private static IEnumerable<(int, int)> NamedTogether(string[] files, Regex pattern, List<string> notes)
    {
        var keys = files.Select(file => pattern.Match(file)).Select(match =>
            !match.Success ? null
            : match.Groups.ContainsKey("group") ? match.Groups["group"].Value
            : match.Groups.Count > 1 ? match.Groups[1].Value : match.Value).ToArray();
        var without = keys.Count(key => key is null);
        if (without == files.Length)
            throw new DataException($"The group pattern '{pattern}' matches none of the paths, such as '{files[0]}'.");
        if (without > 0)
            notes.Add($"The group pattern matches {files.Length - without:N0} of {files.Length:N0} paths; the other images stand alone.");
        return Enumerable.Range(0, files.Length).Where(index => keys[index] is not null).GroupBy(index => keys[index])
            .SelectMany(group => group.Skip(1).Select(index => (group.First(), index)));
    }

    /// <summary>[class][part]: how many images each part should get.</summary>
    private static int[][] Needs(LabeledImages photos, Dictionary<int, int> sizes, DataSplitOptions options)
    {
        if (options.Counts is { } counts)
        {
            var few = photos.Classes.Select((name, index) => (Name: name, Size: sizes.GetValueOrDefault(index)))
                .Where(entry => entry.Size < counts.Sum())
                .Select(entry =>
                    $"The class '{entry.Name}' has {entry.Size:N0} usable images; {string.Join('/', counts)} asks for {counts.Sum():N0}.")
                .ToList();
            if (few.Count > 0) throw new DataException(photos.Source, few);
            return [.. photos.Classes.Select(_ => counts.ToArray())];
        }
        return [.. photos.Classes.Select((_, index) => Shares(sizes.GetValueOrDefault(index), options.Ratios))];
    }

    /// <summary>Rounded by largest remainder, what is left out being a share too, so that the sum is right.</summary>
    private static int[] Shares(int size, IReadOnlyList<double> ratios)
    {
        double[] exact = [.. ratios.Append(Math.Max(0, 100 - ratios.Sum())).Select(ratio => size * ratio / 100)];
        // A hair below a whole number is that number, computed.
        int[] shares = [.. exact.Select(share => (int)Math.Floor(share + 1e-9))];
        var byRemainder = Enumerable.Range(0, shares.Length).OrderByDescending(part => Math.Round(exact[part] - shares[part], 9));
        foreach (var part in byRemainder.Take(size - shares.Sum()).ToArray()) shares[part]++;
        return shares[..ratios.Count];
    }

    private static int[] Assign(
        List<LabeledImage> images, string[] files, List<int> usable, List<List<int>> bound, int[][] needs, int partCount, int seed)
    {
        var ranks = files.Select(file => Rank(file, seed)).ToArray();
        var part = Enumerable.Repeat(-1, images.Count).ToArray();
        var left = needs.Select(need => need.ToArray()).ToArray();
        var outside = usable.CountBy(index => images[index].Class)
            .ToDictionary(count => count.Key, count => count.Value - needs[count.Key].Sum());
        var grouped = new HashSet<int>();
        foreach (var group in bound.OrderByDescending(group => group.Count).ThenBy(group => group.Min(index => ranks[index])))
        {
            grouped.UnionWith(group);
            var sizes = group.CountBy(index => images[index].Class).ToList();
            var chosen = Enumerable.Range(0, partCount)
                .Where(p => sizes.All(size => left[size.Key][p] >= size.Value))
                .OrderByDescending(p => sizes.Sum(size => left[size.Key][p]) / (double)sizes.Sum(size => needs[size.Key][p])).ThenBy(p => p)
                .Cast<int?>().FirstOrDefault();
            // One that fits nowhere is left out if so many may be; else it goes where most is lacking, and the parts are uneven.
            if (chosen is null && sizes.All(size => outside[size.Key] >= size.Value))
            {
                foreach (var size in sizes) outside[size.Key] -= size.Value;
                continue;
            }
            var to = chosen ?? Enumerable.Range(0, partCount).MaxBy(p => sizes.Sum(size => left[size.Key][p]));
            foreach (var index in group) part[index] = to;
            foreach (var size in sizes) left[size.Key][to] -= size.Value;
        }
        foreach (var ofClass in usable.Where(index => !grouped.Contains(index)).GroupBy(index => images[index].Class))
        {
            var waiting = new Queue<int>(ofClass.OrderBy(index => ranks[index]).ThenBy(index => files[index], StringComparer.Ordinal));
            for (var p = 0; p < partCount; p++)
                for (; left[ofClass.Key][p] > 0 && waiting.Count > 0; left[ofClass.Key][p]--) part[waiting.Dequeue()] = p;
        }
        return part;
    }

    /// <summary>A number of an image's own, whatever other images there are: one more does not shuffle the rest.</summary>
    private static ulong Rank(string file, int seed)
    {
        // FNV-1a over the path, mixed with the seed.
        var hash = file.Aggregate(14695981039346656037UL, (hash, letter) => (hash ^ letter) * 1099511628211UL);
        return new SplitMix64(hash ^ new SplitMix64((uint)seed).Next()).Next();
    }
}
