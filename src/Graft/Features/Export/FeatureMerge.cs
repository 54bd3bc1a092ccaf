using System.Text.Json;
using Graft.Data;

namespace Graft.Features.Export;

/// <summary>What a merge has come to.</summary>
/// <param name="Images">Photos in the merged table.</param>
/// <param name="Shape">Of a photo's features.</param>
/// <param name="Classes">The classes.</param>
/// <param name="Missing">Photos that no part has.</param>
/// <param name="Twice">Photos that several parts have, the same in each: they count once.</param>
/// <param name="Skipped">Photos that could not be read.</param>
public sealed record FeatureMergeResult(int Images, IReadOnlyList<int> Shape, IReadOnlyList<string> Classes, int Missing, IReadOnlyList<string> Twice, IReadOnlyList<SkippedFile> Skipped);

/// <summary>
/// Joins parts that <see cref="FeaturePart"/> wrote into the table that one run over all photos would have written, byte for byte. Parts are
/// read side by side in their order, so that memory holds a group of rows of each.
/// </summary>
public static class FeatureMerge
{
    private const int Named = 10;

    /// <summary>Merges parts.</summary>
    /// <param name="parts">The files; their order does not matter.</param>
    /// <param name="path">A new <c>.parquet</c> file. It appears when it is complete.</param>
    /// <param name="photos">The photos that the parts were made of, to say which are missing by name; null to say how many.</param>
    /// <param name="allowsMissing">Whether photos may be missing.</param>
    /// <param name="cancellation">Leaves no file.</param>
    /// <exception cref="GraftException">
    /// A part is missing, damaged, of other photos or other features; photos differ between parts; or photos are missing.
    /// </exception>
    public static FeatureMergeResult Write(
        IReadOnlyList<string> parts, string path, LabeledImages? photos = null, bool allowsMissing = false, CancellationToken cancellation = default)
    {
        if (!Path.GetExtension(path).Equals(".parquet", StringComparison.OrdinalIgnoreCase)) throw new GraftException($"Expected a file that ends in .parquet, found {path}.");
        if (FeatureTable.ProblemWith(path) is { } problem) throw new GraftException(problem);
        List<(ParquetFeatures File, PartRecord Record)> opened = [.. parts.Select(ParquetFeatures.Open).Select(file => (file, RecordOf(file)))];
        if (opened.Count == 0) throw new GraftException("There are no parts to merge.");
        CheckAlike(opened);
        var first = opened[0];
        var (count, twice, differing) = (0, new List<string>(), new List<string>());
        var skipped = opened.SelectMany(part => part.Record.Skipped).GroupBy(entry => entry.Key, StringComparer.Ordinal)
            .Select(group => new SkippedFile(group.Key, group.First().Value)).OrderBy(file => file.Path, StringComparer.Ordinal).ToList();
        var missing = 0;
        var there = photos is null ? null : new HashSet<string>(StringComparer.Ordinal);
        try
        {
            WholeFile.Write(path, file =>
            {
                ParquetTable.Write(file, first.File.Shape, first.File.Classes, hasHashes: true, Merged(), () => first.File.Metadata.Where(entry => entry.Key != PartRecord.Key).ToDictionary());
                if (differing.Count > 0)
                    throw new GraftException($"{differing.Count:N0} photos differ between parts: {Some(differing)}. The photos or the computation have changed. Compute the parts of one kind anew.");
                missing = first.Record.Photos - count - skipped.Count;
                if (missing > 0 && !allowsMissing) throw Missing(missing);
            });
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new GraftException($"{path} cannot be written: {failure.Message}", failure);
        }
        return new(count, first.File.Shape, first.File.Classes, missing, twice, skipped);

        IEnumerable<FeatureRow> Merged()
        {
            FeatureRow? last = null;
            foreach (var row in InOrder(opened.Select(part => part.File), cancellation))
            {
                if (last is { } same && same.Path == row.Path)
                {
                    if (same.Hash == row.Hash && same.Label == row.Label && same.Values.AsSpan().SequenceEqual(row.Values)) twice.Add(row.Path);
                    else differing.Add(row.Path);
                    continue;
                }
                last = row;
                count++;
                there?.Add(row.Path);
                yield return row;
            }
        }

        GraftException Missing(int number)
        {
            var shards = Absent(opened.Select(part => part.Record.Shard));
            List<string> names = [];
            if (photos is not null)
            {
                there!.UnionWith(skipped.Select(file => file.Path));
                names = [.. FeatureTable.Placed(photos).Select(photo => photo.Name).Where(name => !there.Contains(name))];
            }
            return new($"{number:N0} of {first.Record.Photos:N0} photos are missing{(names.Count > 0 ? $": {Some(names)}" : "")}. {shards}") { Code = "photos-missing" };
        }
    }

    /// <exception cref="GraftException">The file is no part.</exception>
    internal static PartRecord RecordOf(ParquetFeatures file)
    {
        try
        {
            return file.Metadata.TryGetValue(PartRecord.Key, out var text) && JsonSerializer.Deserialize<PartRecord>(text) is { Shard: not null, Listing: not null, Space: not null, Skipped: not null } record
                ? record
                : throw new GraftException($"{file.FullName} is no part of a sharded extraction: it does not say which shard it is.");
        }
        catch (JsonException problem)
        {
            throw new GraftException($"{file.FullName} is damaged: {problem.Message}", problem);
        }
    }

    private static void CheckAlike(List<(ParquetFeatures File, PartRecord Record)> parts)
    {
        var first = parts[0];
        foreach (var (file, record) in parts)
        {
            if (record.Space != first.Record.Space)
            {
                throw new GraftException(
                    $"{file.FullName} and {first.File.FullName} hold features of different weights, preprocessing, engine or precision: {file.Metadata.GetValueOrDefault("blocks")} and "
                    + $"{first.File.Metadata.GetValueOrDefault("blocks")}. Compute one of them anew.");
            }
            if (!file.Classes.SequenceEqual(first.File.Classes) || record.Listing != first.Record.Listing || record.Photos != first.Record.Photos)
            {
                throw new GraftException(
                    $"{file.FullName} and {first.File.FullName} were made of different photos, {record.Photos:N0} and {first.Record.Photos:N0} (by their names, classes and splits). "
                    + "Run the older shards again: they compute what is new only.");
            }
        }
    }

    /// <summary>All rows in the order of one run: training, validation and test, each by path.</summary>
    private static IEnumerable<FeatureRow> InOrder(IEnumerable<ParquetFeatures> files, CancellationToken cancellation)
    {
        var queue = new PriorityQueue<(IEnumerator<FeatureRow> Rows, string File), FeatureRow>(Comparer<FeatureRow>.Create(Compare));
        List<IEnumerator<FeatureRow>> open = [];
        try
        {
            foreach (var file in files)
            {
                var rows = file.Rows().GetEnumerator();
                open.Add(rows);
                if (rows.MoveNext()) queue.Enqueue((rows, file.FullName), rows.Current);
            }
            while (queue.TryDequeue(out var next, out var row))
            {
                cancellation.ThrowIfCancellationRequested();
                yield return row;
                if (!next.Rows.MoveNext()) continue;
                if (Compare(row, next.Rows.Current) > 0) throw new GraftException($"{next.File} is damaged: its photos are not in order. Compute it anew.");
                queue.Enqueue(next, next.Rows.Current);
            }
        }
        finally
        {
            foreach (var rows in open) rows.Dispose();
        }

        static int Compare(FeatureRow one, FeatureRow other) =>
            Place(one.Split).CompareTo(Place(other.Split)) is not 0 and var place ? place : string.CompareOrdinal(one.Path, other.Path);
        static int Place(string split) => split switch { FeatureTable.Train => 0, FeatureTable.Validation => 1, _ => 2 };
    }

    /// <summary>Which shards are missing, if all parts are of as many.</summary>
    private static string Absent(IEnumerable<string> shards)
    {
        var known = shards.Select(text => Shard.Parse(text)).ToHashSet();
        if (known.Select(shard => shard.Count).Distinct().Count() > 1) return "Parts of different numbers of shards were given; run the shards of one number that are missing.";
        var count = known.First().Count;
        string[] absent = [.. Enumerable.Range(1, count).Where(number => !known.Contains(new(number, count))).Select(number => $"{number}/{count}")];
        return absent.Length == 0 ? "All shards are here: photos changed while they ran. Run them again." : $"Run the missing shards: {Some(absent)}.";
    }

    private static string Some(IReadOnlyCollection<string> items) =>
        string.Join(", ", items.Take(Named)) + (items.Count > Named ? $" and {items.Count - Named:N0} more" : "");
}
