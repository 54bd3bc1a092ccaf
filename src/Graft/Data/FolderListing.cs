using System.IO.Enumeration;

namespace Graft.Data;

/// <summary>What lies in a folder: image candidates and sub-folders in ordinal order of their names.</summary>
/// <remarks>
/// Hidden entries and those that operating systems and network storage leave behind are not seen at all. Links to files are followed, links
/// to folders too unless they lead back into what was already listed.
/// </remarks>
internal sealed record FolderListing(IReadOnlyList<string> Images, IReadOnlyList<string> Folders)
{
    public const string EmptyFile = "empty file";

    private static readonly HashSet<string> LeftBehind = new(StringComparer.OrdinalIgnoreCase)
    {
        // Windows, macOS, Linux.
        "Thumbs.db", "ehthumbs.db", "desktop.ini", "$RECYCLE.BIN", "RECYCLER", "System Volume Information", "FOUND.000",
        "__MACOSX", "Icon\r", "Network Trash Folder", "Temporary Items", "lost+found",
        // Network storage (Synology, QNAP), and Python.
        "@eaDir", "@tmp", "#recycle", "#snapshot", "@Recycle", "@Recently-Snapshot", "__pycache__",
    };

    private static readonly EnumerationOptions Everything = new() { AttributesToSkip = 0, IgnoreInaccessible = false };

    private readonly record struct Entry(string Name, bool IsFolder, bool IsLink, long Bytes);

    /// <summary>Lists one folder; files that are no images go to the findings.</summary>
    public static FolderListing Of(string folder, DataFindings findings)
    {
        var images = new List<string>();
        var folders = new List<string>();
        foreach (var entry in Entries(folder, findings))
        {
            var path = Path.Join(folder, entry.Name);
            if (entry.IsFolder)
            {
                if (!entry.IsLink || !OutputFolder.Contains(OutputFolder.RealPath(path), OutputFolder.RealPath(folder))) folders.Add(path);
            }
            else if (Objection(path, entry) is { } reason) findings.Skip(path, reason);
            else images.Add(path);
        }
        return new(images, folders);
    }

    /// <summary>All images of a folder and of the folders below it.</summary>
    public static IEnumerable<string> ImagesBelow(string folder, DataFindings findings)
    {
        var pending = new Stack<string>([folder]);
        var listed = new HashSet<string>(StringComparer.Ordinal);
        while (pending.TryPop(out var current))
        {
            if (!listed.Add(OutputFolder.RealPath(current))) continue;
            var listing = Of(current, findings);
            foreach (var image in listing.Images) yield return image;
            foreach (var below in listing.Folders.Reverse()) pending.Push(below);
        }
    }

    private static Entry[] Entries(string folder, DataFindings findings)
    {
        try
        {
            var entries = new FileSystemEnumerable<Entry>(folder, Read, Everything)
            {
                ShouldIncludePredicate = (ref FileSystemEntry entry) =>
                    !entry.IsHidden && entry.FileName[0] != '.' && !LeftBehind.Contains(entry.FileName.ToString()),
            }.ToArray();
            Array.Sort(entries, (a, b) => string.CompareOrdinal(a.Name, b.Name));
            return entries;
        }
        catch (UnauthorizedAccessException)
        {
            findings.Problem($"Permission to list the folder '{folder}' is denied.");
        }
        catch (IOException broken)
        {
            findings.Problem($"The folder '{folder}' cannot be listed: {broken.Message}");
        }
        return [];
    }

    private static Entry Read(ref FileSystemEntry entry)
    {
        var isLink = entry.Attributes.HasFlag(FileAttributes.ReparsePoint);
        return new(entry.FileName.ToString(), entry.IsDirectory, isLink, entry.IsDirectory ? 0 : entry.Length);
    }

    /// <summary>Why the file is left out, or null if it may be an image.</summary>
    public static string? Objection(string path)
    {
        var file = new FileInfo(path);
        return Objection(path, new(file.Name, IsFolder: false, file.LinkTarget is not null, file.Length));
    }

    private static string? Objection(string path, Entry entry)
    {
        if (entry.Name.Contains('\uFFFD') && !File.Exists(path)) return "its name is not valid Unicode; rename it";
        try
        {
            // Pipes and devices, which could block a reader for ever, have no length either.
            var bytes = entry.IsLink ? LinkedLength(path) : entry.Bytes;
            return bytes is null ? "broken link" : bytes == 0 ? EmptyFile : ImageFormat.Objection(path);
        }
        catch (IOException)
        {
            return "broken link";
        }
        catch (UnauthorizedAccessException)
        {
            return "permission denied";
        }
    }

    /// <summary>Whether a file holds anything, as no pipe or device does.</summary>
    public static bool HasLength(string path) =>
        (new FileInfo(path) is { LinkTarget: null } file ? file.Length : LinkedLength(path)) > 0;

    private static long? LinkedLength(string path) =>
        new FileInfo(path).ResolveLinkTarget(returnFinalTarget: true) is FileInfo { Exists: true } target
            ? target.Length
            : null;
}
