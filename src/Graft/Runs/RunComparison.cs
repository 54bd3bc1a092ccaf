using Graft.Data.Collections;
using Graft.Evaluation;

namespace Graft.Runs;

/// <summary>Two runs on the same images, or the reason why they cannot be held against each other.</summary>
/// <param name="First">The index of the first run.</param>
/// <param name="Second">The index of the second run.</param>
/// <param name="SharedImages">How many images both were measured on.</param>
/// <param name="Test">Null where they were not measured on the same images.</param>
/// <param name="Verdict">What that means, in a sentence.</param>
public sealed record RunPair(int First, int Second, int SharedImages, McNemarTest? Test, string Verdict);

/// <summary>An option that the runs do not have in common.</summary>
/// <param name="Values">Of each run the value; null where it was not given, so that the default holds.</param>
public sealed record DifferingOption(string Name, IReadOnlyList<string?> Values);

/// <summary>
/// Several runs side by side: what differs between them, how good each is, and whether a difference is more than luck, by McNemar's test on
/// each two that were measured on the same images.
/// </summary>
public sealed class RunComparison
{
    private const double Significance = 0.05;

    private RunComparison(IReadOnlyList<SavedRun> runs, string split, IReadOnlyList<DifferingOption> options)
    {
        (Runs, Split, Options) = (runs, split, options);
        Names = DistinctNames(runs);
        Results = [.. runs.Select(run => split == PredictionTable.Test ? run.Test! : run.Validation)];
        var images = runs.Select(run => run.Predictions.Of(split)).ToList();
        Pairs = [.. Enumerable.Range(0, runs.Count).SelectMany(first =>
            Enumerable.Range(first + 1, runs.Count - first - 1).Select(second => Compare(first, second, images[first], images[second])))];
    }

    /// <param name="runs">At least 2.</param>
    /// <exception cref="GraftException">Fewer than two runs.</exception>
    public static RunComparison Of(IReadOnlyList<SavedRun> runs)
    {
        if (runs.Count < 2) throw new GraftException($"Expected at least 2 runs to compare, found {runs.Count}.");
        return new(runs, runs.All(run => run.Test is not null) ? PredictionTable.Test : PredictionTable.Validation, Differences(runs));
    }

    public IReadOnlyList<SavedRun> Runs { get; }

    /// <summary>For each run a name that no other has: its folder's, or its path.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>On which images they are compared: <c>test</c> where all have test images, else <c>val</c>.</summary>
    public string Split { get; }

    /// <summary>Of each run the result on the images of <see cref="Split"/>.</summary>
    public IReadOnlyList<EvaluationResult> Results { get; }

    /// <summary>What was said differently on the command lines.</summary>
    public IReadOnlyList<DifferingOption> Options { get; }

    /// <summary>Each two runs.</summary>
    public IReadOnlyList<RunPair> Pairs { get; }

    private RunPair Compare(int first, int second, IReadOnlyList<EvaluatedImage> ofFirst, IReadOnlyList<EvaluatedImage> ofSecond)
    {
        var (a, b) = (Names[first], Names[second]);
        if (!Runs[first].Result.Classes.SequenceEqual(Runs[second].Result.Classes))
        {
            return new(first, second, 0, null,
                $"{a} and {b} tell other classes apart ({Runs[first].Result.Classes.Count} and {Runs[second].Result.Classes.Count}): their figures measure different things.");
        }
        var (keys, others) = Keys(ofFirst, ofSecond);
        var places = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var index = 0; index < others.Count; index++) places.TryAdd(others[index], index);
        var shared = keys.Select((key, index) => (index, other: places.GetValueOrDefault(key, -1))).Where(pair => pair.other >= 0).ToList();
        if (shared.Count < keys.Count || shared.Select(pair => pair.other).Distinct().Count() < others.Count)
        {
            return new(first, second, shared.Count, null, FormattableString.Invariant(
                $"{a} was measured on {keys.Count:N0} images and {b} on {others.Count:N0}, of which {shared.Count:N0} are the same: which is better cannot be told from their figures. Evaluate both on one set of photos."));
        }
        if (shared.Count(pair => ofFirst[pair.index].Label != ofSecond[pair.other].Label) is var relabeled and > 0)
        {
            return new(first, second, shared.Count, null, FormattableString.Invariant(
                $"{a} and {b} were measured on the same {shared.Count:N0} images, but {relabeled:N0} of them had another label: which is better cannot be told from their figures."));
        }
        var test = McNemarTest.Of([.. shared.Select(pair => ofFirst[pair.index].IsCorrect)], [.. shared.Select(pair => ofSecond[pair.other].IsCorrect)]);
        return new(first, second, shared.Count, test, Verdict(a, b, test, shared.Count));
    }

    private static string Verdict(string first, string second, McNemarTest test, int images)
    {
        var counts = FormattableString.Invariant(
            $"of {images:N0} images {test.OnlyFirst:N0} are classified correctly by {first} only, {test.OnlySecond:N0} by {second} only (p {(test.PValue < 1e-4 ? "below 0.0001" : FormattableString.Invariant($"= {test.PValue:0.####}"))})");
        if (test.OnlyFirst + test.OnlySecond == 0) return $"{first} and {second} classify the very same images correctly.";
        return test.PValue < Significance
            ? $"{(test.OnlyFirst > test.OnlySecond ? first : second)} is better, hardly by luck: {counts}."
            : $"The difference between {first} and {second} may be luck: {counts}.";
    }

    /// <summary>What tells images apart: their paths or, where these differ, their content, as far as the files are still there.</summary>
    private static (IReadOnlyList<string> First, IReadOnlyList<string> Second) Keys(
        IReadOnlyList<EvaluatedImage> first, IReadOnlyList<EvaluatedImage> second)
    {
        var paths = second.Select(image => image.Path).ToHashSet(StringComparer.Ordinal);
        return first.Count == second.Count && first.All(image => paths.Contains(image.Path))
            ? ([.. first.Select(image => image.Path)], [.. second.Select(image => image.Path)])
            : (Contents(first), Contents(second));
    }

    private static string[] Contents(IReadOnlyList<EvaluatedImage> images)
    {
        var keys = new string[images.Count];
        Parallel.For(0, images.Count, index =>
        {
            try
            {
                keys[index] = Convert.ToHexString(PhotoFile.Hash(images[index].Path));
            }
            catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
            {
                keys[index] = images[index].Path;
            }
        });
        // Copies of one photo count as many times as there are of them.
        var seen = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var index = 0; index < keys.Length; index++)
        {
            var copy = seen[keys[index]] = seen.GetValueOrDefault(keys[index]) + 1;
            if (copy > 1) keys[index] += $" {copy}";
        }
        return keys;
    }

    private static IReadOnlyList<DifferingOption> Differences(IReadOnlyList<SavedRun> runs)
    {
        var options = runs.Select(OptionsOf).ToList();
        return
        [
            .. options.SelectMany(ofRun => ofRun.Keys).Distinct(StringComparer.Ordinal)
                .Select(name => new DifferingOption(name, [.. options.Select(ofRun => ofRun.GetValueOrDefault(name))]))
                .Where(option => option.Values.Distinct(StringComparer.Ordinal).Count() > 1),
        ];
    }

    /// <summary>What was asked for, by option, and <c>photos</c>.</summary>
    private static Dictionary<string, string> OptionsOf(SavedRun run) =>
        new(run.Description?.Options() ?? new Dictionary<string, string>(), StringComparer.Ordinal) { ["photos"] = run.Result.Data };

    private static List<string> DistinctNames(IReadOnlyList<SavedRun> runs)
    {
        var names = runs.Select(run => run.Name).ToList();
        if (names.Distinct(StringComparer.Ordinal).Count() == runs.Count) return names;
        var paths = runs.Select(run => run.Folder).ToList();
        return paths.Distinct(StringComparer.Ordinal).Count() == runs.Count ? paths : [.. paths.Select((path, index) => $"{path} ({index + 1})")];
    }
}
