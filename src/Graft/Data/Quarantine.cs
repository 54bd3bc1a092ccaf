using System.Globalization;
using CsvHelper;
using Graft.Data.Collections;
using Graft.Data.Remote;

namespace Graft.Data;

/// <summary>Why a file may be moved aside.</summary>
public enum SuspectKind
{
    /// <summary>It does not decode.</summary>
    Unreadable,

    /// <summary>Another file shows the same photo, in the same class, and stays.</summary>
    Duplicate,

    /// <summary>The same photo is in two classes; which is right, a person must say, so all of its files go.</summary>
    Contradiction,
    Blank,
    Dark,
    Blurred,
    Tiny,
    OddAspect,

    /// <summary>Its label is likely wrong.</summary>
    WrongLabel,
}

/// <summary>A file to be moved aside.</summary>
/// <param name="File">Its path inside the data set, separated by '/'.</param>
/// <param name="Path">Its path on this machine.</param>
/// <param name="Kind">Why.</param>
/// <param name="Reason">The same for a person to read.</param>
public sealed record Suspect(string File, string Path, SuspectKind Kind, string Reason);

/// <summary>
/// Moves suspects out of a data set into a folder of their own, keeping their relative paths, and back. A list there,
/// <see cref="ListName"/>, records each file before it is moved; nothing is ever deleted or overwritten.
/// </summary>
public static class Quarantine
{
    public const string ListName = "quarantine.csv";

    private const string LockName = ".lock";

    private static readonly string[] Columns = ["file", "moved_to", "reason", "moved_from"];

    private static readonly string Header = string.Join(',', Columns);

    /// <summary>Of lists that do not say which data set their files came out of.</summary>
    private static readonly string FirstHeader = string.Join(',', Columns[..^1]);

    // Names may hold anything, line breaks too.
    private static readonly CsvReaderOptions Format = new() { AllowLineBreaksInQuotes = true, MaxRecordSize = 1 << 20 };

    /// <summary>Moved by default; measures such as sharpness are too unreliable to act on without a look.</summary>
    public static IReadOnlySet<SuspectKind> UsualKinds { get; } = new HashSet<SuspectKind>
    {
        SuspectKind.Unreadable, SuspectKind.Duplicate, SuspectKind.Contradiction, SuspectKind.Blank,
    };

    /// <summary>The files of a report that are of these kinds, each once, with the first reason that applies.</summary>
    public static IReadOnlyList<Suspect> SuspectsOf(DataCheckReport report, IReadOnlySet<SuspectKind>? kinds = null)
    {
        kinds ??= UsualKinds;
        var all = report.Unreadable
            .Select(file => new Suspect(DataCheck.RelativePath(report.Source, file.Path), file.Path, SuspectKind.Unreadable, file.Reason))
            .Concat(report.Duplicates.Where(group => group.IsContradiction).SelectMany(group => group.Images.Select(image => Of(
                image, SuspectKind.Contradiction, $"in several classes: {Others(group, image)}"))))
            .Concat(report.Duplicates.Where(group => !group.IsContradiction).SelectMany(group => group.Images.Skip(1).Select(image => Of(
                image, SuspectKind.Duplicate, $"{(group.IsExact ? "the same file as" : "looks like")} {group.Images[0].File}"))))
            .Concat(report.Flawed.Select(flawed => Of(
                flawed.Image, Enum.Parse<SuspectKind>($"{flawed.Flaw}"), $"{flawed.Flaw.ToString().ToLowerInvariant()}: {flawed.Detail}")))
            .Concat((report.Labels?.Suspects ?? []).Select(suspect => Of(
                suspect.Image, SuspectKind.WrongLabel,
                string.Create(
                    CultureInfo.InvariantCulture, $"label likely wrong: rather {suspect.Suggested} ({100 * suspect.Probability:0.0} %)"))));
        return [.. all.Where(suspect => kinds.Contains(suspect.Kind)).DistinctBy(suspect => suspect.Path)];

        static Suspect Of(CheckedImage image, SuspectKind kind, string reason) => new(image.File, image.Path, kind, reason);
        static string Others(DuplicateGroup group, CheckedImage image) =>
            string.Join(", ", group.Images.Where(other => other != image).Select(other => other.File));
    }

    /// <summary>Says early, before photos are read, that they cannot be moved into a folder.</summary>
    /// <exception cref="DataException">
    /// The data set is a collection; or a table, whose rows would miss their images; or the folder lies inside it, is a file, or holds something else.
    /// </exception>
    public static void CheckFolder(string source, string folder)
    {
        if (RemotePlace.Is(source) || PhotoCollection.IsAt(source) || CollectionPattern.Is(source))
            throw new DataException($"'{source}' is read in place, and nothing can be moved out of it. Unpack it to a folder, and check that.");
        if (!Directory.Exists(source))
            throw new DataException($"'{source}' is a table, and moving images would break its rows. Remove the rows, or check the folder.");
        if (OutputFolder.Contains(OutputFolder.RealPath(source), OutputFolder.RealPath(folder)))
            throw new DataException($"'{folder}' lies inside '{source}', where it would be read as a class. Choose another folder.");
        if (File.Exists(folder)) throw new DataException($"'{folder}' is a file. Choose a folder.");
        var list = Path.Combine(folder, ListName);
        if (Directory.Exists(folder) && !File.Exists(list) && Directory.EnumerateFileSystemEntries(folder).Any(IsForeign))
            throw new DataException($"'{folder}' is not empty and not a quarantine folder. Choose a new folder.");

        // A process that has just begun has no list yet.
        static bool IsForeign(string entry) => Path.GetFileName(entry) is var name && name != LockName && !WholeFile.IsDraft(name);
    }

    /// <summary>
    /// Moves files into a folder outside the data set; one that was used before takes more. Several processes may do so at once: one waits
    /// for the other. What lies outside the data set, seen through a link to a folder, stays.
    /// </summary>
    /// <returns>How many were moved, and those that cannot be and stay where they are, with the reason.</returns>
    /// <exception cref="DataException">The folder is unsuitable, see <see cref="CheckFolder"/>, or its list cannot be written.</exception>
    public static (int Moved, IReadOnlyList<SkippedFile> Left) Move(
        string source, IReadOnlyList<Suspect> suspects, string folder, CancellationToken cancellation = default)
    {
        CheckFolder(source, folder);
        if (suspects.Count == 0) return (0, []);
        var (moved, left, origin) = (0, new List<SkippedFile>(), FullPath(source));
        var (data, aside) = (new OutputFolder(source), new OutputFolder(folder));
        try
        {
            using var own = Lock(folder, cancellation);
            CheckFolder(source, folder);
            var list = Path.Combine(folder, ListName);
            var known = File.Exists(list) ? ReadRows(list) : [];
            if (!File.Exists(list) || RegularFile.ReadLines(list).First() == FirstHeader) WriteRows(list, known);
            var gone = known.Select(row => row.File).ToHashSet(StringComparer.Ordinal);
            using var rows = new FileStream(list, FileMode.Append, FileAccess.Write, FileShare.Read, bufferSize: 0);
            foreach (var suspect in suspects)
            {
                cancellation.ThrowIfCancellationRequested();
                // Another process that checked the same photos has moved it.
                if (!IsThere(suspect.Path) && gone.Contains(suspect.File)) continue;
                if ((data.ProblemWith(suspect.File) ?? aside.ProblemWith(suspect.File)) is { } outside)
                {
                    left.Add(new(suspect.Path, $"it {outside}"));
                    continue;
                }
                var target = WholeFile.FreePaths(aside.PathOf(suspect.File)).First(path => !Path.Exists(path));
                // First the list, on the disk, then the move: whenever this ends, the list knows every file that is gone.
                CsvFile.Append(rows, suspect.File, DataCheck.RelativePath(folder, target), suspect.Reason, origin);
                Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                if (Problem(() => MoveEntry(suspect.Path, target)) is { } problem) left.Add(new(suspect.Path, problem));
                else moved++;
            }
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new DataException(
                $"No {(moved == 0 ? "" : "more ")}photos can be moved into {folder}: {problem.Message} "
                + (moved == 0 ? "Choose another folder." : $"The {moved:N0} that were moved before are on its list."));
        }
        return (moved, left);
    }

    /// <summary>
    /// Moves everything back. What cannot be, because there is another file in its place by now, or because it came out of another data set
    /// that is still there, stays where it is and on the list.
    /// </summary>
    /// <param name="source">The data set, where it lies now.</param>
    /// <param name="folder">What was moved out of it.</param>
    /// <returns>How many files are back, and those that are not, with the reason.</returns>
    /// <exception cref="DataException">
    /// The folder is no quarantine, holds files of other data sets only, or its list is damaged or cannot be written.
    /// </exception>
    public static (int Restored, IReadOnlyList<SkippedFile> Left) Undo(string source, string folder, CancellationToken cancellation = default)
    {
        var list = Path.Combine(folder, ListName);
        if (!File.Exists(list)) throw new DataException($"'{folder}' is not a quarantine folder: it has no {ListName}.");
        using var own = Lock(folder, cancellation);
        // Another process may have moved everything back meanwhile.
        var rows = File.Exists(list) ? ReadRows(list) : [];
        var here = FullPath(source);
        if (rows.Length > 0 && rows.All(IsForeign))
        {
            var origin = rows[0].MovedFrom;
            throw new DataException(
                $"The photos in '{folder}' come from '{origin}', not from '{source}'.")
            { Code = "quarantine-of-another-folder", Remedy = "Move them back there." };
        }
        var (restored, left, kept) = (0, new List<SkippedFile>(), new List<Row>());
        var (data, aside) = (new OutputFolder(source), new OutputFolder(folder));
        foreach (var row in rows.Reverse())
        {
            if ((aside.ProblemWith(row.MovedTo) ?? data.ProblemWith(row.File)) is { } outside)
            {
                left.Add(new(Path.Join(folder, row.MovedTo), $"its path {outside}"));
                kept.Add(row);
                continue;
            }
            var (from, back) = (aside.PathOf(row.MovedTo), data.PathOf(row.File));
            var problem = (IsThere(from), IsThere(back)) switch
            {
                _ when IsForeign(row) => $"it comes from {row.MovedFrom}",
                (true, false) => Problem(() =>
                {
                    Directory.CreateDirectory(Path.GetDirectoryName(back)!);
                    MoveEntry(from, back);
                }),
                (true, true) => $"a file {back} exists now",
                (false, false) => "it is in neither folder",
                _ => "",
            };
            if (problem is null)
            {
                restored++;
            }
            else if (problem.Length > 0)
            {
                left.Add(new(Path.Combine(folder, row.MovedTo), problem));
                kept.Add(row);
            }
        }
        try
        {
            if (kept.Count > 0)
            {
                kept.Reverse();
                WriteRows(list, kept);
            }
            else
            {
                File.Delete(list);
            }
            RemoveEmptyIn(new(folder));
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new DataException($"{restored:N0} files are back in {source}, but the list {list} cannot be updated: {problem.Message}");
        }
        own.Dispose();
        _ = Problem(() =>
        {
            if (!Directory.EnumerateFileSystemEntries(folder).Any()) Directory.Delete(folder);
        });
        return (restored, left);

        bool IsForeign(Row row) => row.MovedFrom.Length > 0 && FullPath(row.MovedFrom) != here && Directory.Exists(row.MovedFrom);
    }

    /// <summary>A line of the list.</summary>
    /// <param name="File">The path inside the data set.</param>
    /// <param name="MovedTo">The path inside the quarantine.</param>
    /// <param name="Reason">Why it was moved.</param>
    /// <param name="MovedFrom">The full path of the data set; empty where it is not known.</param>
    private sealed record Row(string File, string MovedTo, string Reason, string MovedFrom);

    private static Row[] ReadRows(string list)
    {
        var rows = new List<Row>();
        try
        {
            RegularFile.Check(list);
            using var csv = CsvReader.FromFile(list, Format);
            var header = string.Join(',', csv.Headers);
            if (header != Header && header != FirstHeader) throw new DataException($"{list} is damaged: expected the columns {Header}.");
            while (csv.Read()) rows.Add(new(Cell(0), Cell(1), Cell(2), header == Header ? Cell(3) : ""));

            string Cell(int column) => CsvFile.Restore(csv.GetString(column)) is var cell && cell.Contains('\0')
                ? throw new DataException($"{list} is damaged: a path has a NUL character in it.")
                : cell;
        }
        catch (Exception broken) when (broken is CsvFormatException or IOException)
        {
            throw new DataException($"{list} is damaged: {broken.Message}");
        }
        return [.. rows];
    }

    /// <summary>Whole or not at all.</summary>
    private static void WriteRows(string list, IEnumerable<Row> rows) => CsvFile.Write(
        list, Columns, rows.Select(row => (string[])[row.File, row.MovedTo, row.Reason, row.MovedFrom]), replaces: true);

    /// <summary>One process at a time moves photos in or out.</summary>
    private static FileLock Lock(string folder, CancellationToken cancellation)
    {
        while (true)
        {
            try
            {
                Directory.CreateDirectory(folder);
                return FileLock.Take(Path.Combine(folder, LockName), cancellation);
            }
            catch (DirectoryNotFoundException)
            {
                // Another process has just emptied and removed it.
            }
        }
    }

    /// <summary>Whether there is a file, or a link whether or not it leads to one.</summary>
    private static bool IsThere(string path) => File.Exists(path) || new FileInfo(path).LinkTarget is not null;

    /// <summary>Moves a file; of a link, the link and not what it leads to.</summary>
    private static void MoveEntry(string from, string to)
    {
        if (new FileInfo(from).LinkTarget is not { } target)
        {
            File.Move(from, to, overwrite: false);
            return;
        }
        File.CreateSymbolicLink(to, target);
        File.Delete(from);
    }

    private static string FullPath(string folder) => Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));

    /// <summary>Does something with a file, and says why it cannot be done; null if it was.</summary>
    private static string? Problem(Action work)
    {
        try
        {
            work();
            return null;
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            return problem.Message.TrimEnd('.');
        }
    }

    /// <summary>Removes empty folders below one; links are left.</summary>
    private static void RemoveEmptyIn(DirectoryInfo folder)
    {
        foreach (var below in folder.GetDirectories().Where(below => below.LinkTarget is null))
        {
            RemoveEmptyIn(below);
            if (!below.EnumerateFileSystemInfos().Any()) below.Delete();
        }
    }
}
