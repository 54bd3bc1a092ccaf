using System.Runtime.InteropServices;
using Graft.Data.Remote;

namespace Graft.Data;

/// <summary>How the images of a split get to their place.</summary>
public enum SplitMode
{
    /// <summary>Copied into folders.</summary>
    Copy,

    /// <summary>Hard links in folders: the same files under a second name, which take no room. On one file system only.</summary>
    Link,

    /// <summary>A table of path, label and split; the images stay where they are.</summary>
    Csv,
}

/// <summary>Writes a split to folders or a table, whole or not at all; nothing is overwritten.</summary>
public static partial class SplitWriter
{
    /// <summary>Writes folders <c>train/CLASS/…</c>, <c>val/…</c>, <c>test/…</c>, or a table.</summary>
    /// <param name="split">What goes where.</param>
    /// <param name="target">A new folder, or for a table a new file.</param>
    /// <param name="mode">How.</param>
    /// <param name="progress">Images written.</param>
    /// <param name="cancellation">Leaves no files.</param>
    /// <exception cref="DataException">
    /// The target is unsuitable, see <see cref="CheckTarget"/>, cannot be written, or the file system knows no hard links.
    /// </exception>
    public static void Write(
        DataSplit split, string target, SplitMode mode, IProgress<StepProgress>? progress = null, CancellationToken cancellation = default)
    {
        CheckTarget(split.Source, target, mode);
        if (mode != SplitMode.Copy && split.Images.FirstOrDefault(image => !image.Source.IsFile) is { } inMemory)
            throw new DataException($"'{inMemory.Path}' is no file, so no link or table can lead to it. Copy the images.");
        try
        {
            if (mode == SplitMode.Csv) WriteTable(split, target);
            else WriteFolders(split, target, mode, progress, cancellation);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new DataException($"The split cannot be written to {target}: {problem.Message} Nothing was left there. Choose another place.");
        }
    }

    /// <summary>Says early, before images are read, that nothing can be written there.</summary>
    /// <param name="source">What is divided.</param>
    /// <param name="target">A new folder, or for a table a new file.</param>
    /// <param name="mode">How.</param>
    /// <exception cref="DataException">
    /// There is something at the target already; or it is a folder inside the source, or a table of another extension than .csv.
    /// </exception>
    public static void CheckTarget(string source, string target, SplitMode mode)
    {
        if (File.Exists(target))
            throw new DataException($"The file {target} exists and is not overwritten. Choose another name.");
        if (mode == SplitMode.Csv)
        {
            if (Directory.Exists(target)) throw new DataException($"{target} is a folder. Name a new .csv file for the table.");
            if (!Path.GetExtension(target).Equals(".csv", StringComparison.OrdinalIgnoreCase))
                throw new DataException($"A table needs the extension .csv. Name it {target}.csv.");
            return;
        }
        if (Directory.Exists(source) && OutputFolder.Contains(OutputFolder.RealPath(source), OutputFolder.RealPath(target)))
            throw new DataException($"'{target}' lies inside '{source}', so its photos would count as photos of the data set. Choose a folder elsewhere.");
        if (Directory.Exists(target) && Directory.EnumerateFileSystemEntries(target).Any())
            throw new DataException($"The folder {target} is not empty, and nothing is overwritten. Choose a new folder.");
    }

    private static void WriteFolders(
        DataSplit split, string target, SplitMode mode, IProgress<StepProgress>? progress, CancellationToken cancellation)
    {
        CheckClassNames(split);
        var final = OutputFolder.RealPath(target);
        Directory.CreateDirectory(Path.GetDirectoryName(final)!);
        using var own = FileLock.TryTake($"{final}.lock")
            ?? throw new DataException($"Another process is writing {target} now. Wait until it is done, or choose another folder.");
        // It may have been written while this process read the photos.
        CheckTarget(split.Source, target, mode);
        RemoveDraftsOf(final);
        var draft = new OutputFolder($"{final}.{Guid.NewGuid():N}.partial");
        try
        {
            var done = 0;
            foreach (var (image, file) in Named(split))
            {
                cancellation.ThrowIfCancellationRequested();
                var path = draft.PathOf(file);
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                if (mode == SplitMode.Link) Link(image.Path, path);
                else if (image.Source.IsFile) RegularFile.Copy(image.Path, path);
                else File.WriteAllBytes(path, image.Source.Read());
                progress?.Report(new(mode == SplitMode.Link ? "Link" : "Copy", ++done, split.Images.Count, "images"));
            }
            if (Directory.Exists(final)) Directory.Delete(final); // It was empty, or this fails.
            Directory.Move(draft.FullName, final);
        }
        catch
        {
            if (Directory.Exists(draft.FullName)) Directory.Delete(draft.FullName, recursive: true);
            throw;
        }
    }

    /// <summary>A class is a folder of its name, or training on the result would not know it again.</summary>
    private static void CheckClassNames(DataSplit split)
    {
        List<string> problems =
        [
            .. split.Classes.Select(name => (name, Problem: OutputFolder.ProblemWithName(name))).Where(entry => entry.Problem is not null)
                .Select(entry => $"The class '{VisibleText.Of(entry.name)}' cannot be a folder: its name {entry.Problem}. "
                    + "Rename the class, or write a table (.csv)."),
        ];
        if (problems.Count > 0) throw new DataException(split.Source, problems);
    }

    /// <summary>What killed processes left of the same target; the lock says that none writes there now.</summary>
    private static void RemoveDraftsOf(string final)
    {
        foreach (var draft in Directory.EnumerateDirectories(Path.GetDirectoryName(final)!, $"{Path.GetFileName(final)}.*.partial"))
            if (WholeFile.IsDraft(Path.GetFileName(draft))) Directory.Delete(draft, recursive: true);
    }

    /// <summary>
    /// The place of each image: its part, its class and its name; where two of a class have one name, their whole path in place of it.
    /// </summary>
    internal static IEnumerable<(SplitImage Image, string File)> Named(DataSplit split)
    {
        // Names that differ in case alone are one on some systems.
        var names = split.Images.CountBy(image => (image.Class, NameOf(image).ToUpperInvariant())).ToDictionary();
        var taken = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var image in split.Images)
        {
            var name = names[(image.Class, NameOf(image).ToUpperInvariant())] == 1 ? NameOf(image) : image.File.Replace('/', '_');
            var (stem, extension) = (Path.GetFileNameWithoutExtension(name), Path.GetExtension(name));
            for (var number = 2; !taken.Add($"{image.Part}/{image.Class}/{name}"); number++) name = $"{stem} ({number}){extension}";
            yield return (image, $"{image.Part}/{image.Class}/{name}");
        }

        static string NameOf(SplitImage image) => image.File[(image.File.LastIndexOf('/') + 1)..];
    }

    private static void WriteTable(DataSplit split, string target)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(target))!;
        if (split.Images.FirstOrDefault(image => $"{image.Path}{image.Class}".AsSpan().IndexOfAny('\r', '\n') >= 0) is { } broken)
        {
            throw new DataException(
                $"The name of {VisibleText.Of(broken.File)} or of its class has a line break in it, which no program expects in a table. "
                + "Rename it, or divide the photos into folders.");
        }
        Directory.CreateDirectory(folder);
        CsvFile.Write(target, ["path", "label", "split"], split.Images.Select(image => (string[])
        [
            RemotePlace.Is(image.Path) ? image.Path : Path.GetRelativePath(folder, Path.GetFullPath(image.Path)).Replace(Path.DirectorySeparatorChar, '/'), image.Class, image.Part,
        ]));
    }

    private static void Link(string existing, string path)
    {
        // A hard link to a symbolic link would link the link, not the photo.
        if (new FileInfo(existing).ResolveLinkTarget(returnFinalTarget: true) is { } real) existing = real.FullName;
        var made = OperatingSystem.IsWindows() ? CreateHardLink(path, Path.GetFullPath(existing), 0) : LinkFile(existing, path) == 0;
        if (!made)
        {
            throw new DataException(
                $"No hard link can be made from {existing}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}. "
                + "Hard links need both folders on one file system that supports them. Copy the files, or write a table.");
        }
    }

    [LibraryImport("libc", EntryPoint = "link", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int LinkFile(string existing, string path);

    [LibraryImport("kernel32", EntryPoint = "CreateHardLinkW", StringMarshalling = StringMarshalling.Utf16, SetLastError = true)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool CreateHardLink(string path, string existing, nint security);
}
