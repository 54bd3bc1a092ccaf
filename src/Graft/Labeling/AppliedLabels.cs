using System.Security.Cryptography;
using CsvHelper;
using Graft.Data;
using Graft.Data.Remote;

namespace Graft.Labeling;

/// <summary>What became of the labels of a table.</summary>
/// <param name="Placed">Photos that were copied or linked, by label.</param>
/// <param name="AlreadyThere">Photos that the folder of their class held already.</param>
/// <param name="Left">Photos that were not, with the reason: one that changed since it was labeled.</param>
public sealed record AppliedResult(IReadOnlyDictionary<string, int> Placed, int AlreadyThere, IReadOnlyList<SkippedFile> Left)
{
    /// <summary>Labels that differ in case alone from a class that was there or came before, with that class, which their photos were put into.</summary>
    public IReadOnlyDictionary<string, string> Respelled { get; init; } = new Dictionary<string, string>();
}

/// <summary>
/// Puts labeled photos into a folder per class, and takes them back. A list there, <see cref="ListName"/>, records each file before it comes; nothing is overwritten, the photos
/// stay where they are, and only what came so and has not changed since is taken back.
/// </summary>
public static class AppliedLabels
{
    public const string ListName = "labels-applied.csv";

    private const string LockName = ".labels-applied.lock";

    private static readonly string[] Columns = ["file", "sha256", "from"];

    /// <param name="into">A folder; made where there is none. What it holds stays as it is.</param>
    /// <param name="asLinks">Whether symbolic links to the photos are made in the place of copies.</param>
    /// <exception cref="GraftException">The folder or its list cannot be written, or a label leads out of it.</exception>
    public static AppliedResult Apply(PhotoLabels labels, string into, bool asLinks = false, IProgress<StepProgress>? progress = null, CancellationToken cancellation = default)
    {
        var photos = labels.Photos.Where(photo => photo.Label is not null).ToList();
        var classes = Spelled(photos.Select(photo => photo.Label!), into);
        var folders = new ClassFolders(into, classes.Values.Distinct(StringComparer.Ordinal));
        List<SkippedFile> left = [];
        SortedDictionary<string, int> placed = new(StringComparer.Ordinal);
        var there = 0;
        try
        {
            Directory.CreateDirectory(into);
            using var own = FileLock.Take(Path.Join(into, LockName), cancellation);
            using var list = OpenList(into);
            for (var done = 0; done < photos.Count; done++)
            {
                cancellation.ThrowIfCancellationRequested();
                progress?.Report(new("Place", done, photos.Count, "photos"));
                var (photo, path, @class) = (photos[done], labels.FullPath(photos[done]), classes[photos[done].Label!]);
                if (Directory.Exists(path))
                {
                    left.Add(new(path, "it is a folder, not a photo"));
                    continue;
                }
                // A table from a stranger may name any file of this machine.
                if (File.Exists(path) && ImageFormat.Objection(path) is { } objection)
                {
                    left.Add(new(path, objection));
                    continue;
                }
                if (HashOf(path, out var problem) is not { } hash || photo.Hash.Length > 0 && hash != photo.Hash)
                {
                    left.Add(new(path, problem ?? "it has changed since it was labeled"));
                    continue;
                }
                // First the list, on the disk, then the file: whenever this ends, the list knows every file that came.
                var sorted = folders.Add(path, @class, asLinks, target => CsvFile.Append(list, Path.GetRelativePath(into, target).Replace(Path.DirectorySeparatorChar, '/'), hash, RemotePlace.Full(path)));
                if (sorted.WasThere) there++;
                else placed[@class] = placed.GetValueOrDefault(@class) + 1;
            }
            progress?.Report(new("Place", photos.Count, photos.Count, "photos"));
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new GraftException($"Photos cannot be placed in {into}: {problem.Message} Those that came before remain; repeat the command to go on.", problem);
        }
        return new(placed, there, left) { Respelled = classes.Where(entry => entry.Key != entry.Value).ToDictionary(StringComparer.Ordinal) };
    }

    /// <summary>The class of each label: a folder that is there, or the label that came first, where they differ in case alone.</summary>
    private static Dictionary<string, string> Spelled(IEnumerable<string> labels, string into)
    {
        List<string> known = [];
        try
        {
            if (Directory.Exists(into)) known.AddRange(Directory.EnumerateDirectories(into).Select(folder => Path.GetFileName(folder)).Order(StringComparer.Ordinal));
        }
        catch (UnauthorizedAccessException)
        {
            // Said where the first photo is to come.
        }
        Dictionary<string, string> classes = new(StringComparer.Ordinal);
        foreach (var label in labels)
        {
            if (classes.ContainsKey(label)) continue;
            classes[label] = ClassSpelling.Known(known, label) ?? label;
            known.Add(classes[label]);
        }
        return classes;
    }

    /// <summary>Takes back what came into a folder so. Files that have changed since stay.</summary>
    /// <returns>How many were taken back, and those that stay, with the reason.</returns>
    /// <exception cref="GraftException">The folder has no such list, or it is damaged.</exception>
    public static (int TakenBack, IReadOnlyList<SkippedFile> Left) Undo(string into, CancellationToken cancellation = default)
    {
        var path = Path.Join(into, ListName);
        if (!File.Exists(path)) throw new GraftException($"{into} has no {ListName}: no labels were applied there.") { Code = "nothing-applied" };
        List<SkippedFile> left = [];
        var taken = 0;
        var folder = new OutputFolder(into);
        try
        {
            using var own = FileLock.Take(Path.Join(into, LockName), cancellation);
            foreach (var (file, hash, from) in Rows(path))
            {
                cancellation.ThrowIfCancellationRequested();
                if (folder.ProblemWith(file) is { } outside)
                {
                    left.Add(new(file, $"it {outside}"));
                    continue;
                }
                var target = folder.PathOf(file);
                var link = new FileInfo(target).LinkTarget;
                if (!File.Exists(target) && link is null) continue;
                if (link is not null ? link != from : HashOf(target, out _) != hash)
                {
                    left.Add(new(target, "it has changed since it was placed"));
                    continue;
                }
                File.Delete(target);
                taken++;
                var parent = Path.GetDirectoryName(target)!;
                if (!Directory.EnumerateFileSystemEntries(parent).Any()) Directory.Delete(parent);
            }
            if (left.Count == 0) File.Delete(path);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or CsvFormatException or FormatException)
        {
            throw new GraftException($"The photos of {path} cannot all be taken back: {problem.Message} Repeat the command to go on.", problem);
        }
        return (taken, left);
    }

    private static FileStream OpenList(string into)
    {
        var path = Path.Join(into, ListName);
        if (!File.Exists(path)) CsvFile.Write(path, Columns, []);
        _ = Rows(path);
        return new(path, FileMode.Append, FileAccess.Write, FileShare.Read, bufferSize: 0);
    }

    private static List<(string File, string Hash, string From)> Rows(string path)
    {
        RegularFile.Check(path);
        using var csv = CsvReader.FromFile(path, new() { Separator = ',', AllowLineBreaksInQuotes = true, MaxRecordSize = 1 << 20 });
        if (!csv.Headers.ToArray().SequenceEqual(Columns)) throw new FormatException($"it is no list of applied labels.");
        List<(string, string, string)> rows = [];
        while (csv.Read()) rows.Add((CsvFile.Restore(csv.GetString(0)), csv.GetString(1), CsvFile.Restore(csv.GetString(2))));
        return rows;
    }

    private static string? HashOf(string path, out string? problem)
    {
        problem = File.Exists(path) ? null : "there is no such file";
        if (problem is not null) return null;
        try
        {
            using var file = RegularFile.OpenRead(path);
            return Convert.ToHexStringLower(SHA256.HashData(file));
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            problem = unreadable is UnauthorizedAccessException ? "permission to read it is denied" : unreadable.Message;
            return null;
        }
    }
}
