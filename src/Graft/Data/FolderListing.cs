using System.IO.Enumeration;
using Graft.Data.Collections;
using Graft.Data.Remote;
using Graft.Imaging;

namespace Graft.Data;

/// <summary>What lies in a folder, or in a collection: image candidates and sub-folders in ordinal order of their names.</summary>
/// <remarks>
/// A folder of nothing but collections (tar, zip, Parquet) has these for its folders; beside photos or folders they are other files.
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

    private readonly record struct Entry(string Name, bool IsFolder, bool IsLink, long? Bytes);

    /// <summary>Lists one folder; files that are no images go to the findings.</summary>
    public static FolderListing Of(string folder, DataFindings findings)
    {
        var images = new List<string>();
        var folders = new List<string>();
        var entries = Entries(folder, findings);
        if (CollectionsOf(folder, entries) is { Length: > 0 } collections) return new([], collections);
        foreach (var entry in entries)
        {
            var path = RemotePlace.Join(folder, entry.Name);
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
            if (!listed.Add(RemotePlace.Is(current) ? current : OutputFolder.RealPath(current))) continue;
            var listing = Of(current, findings);
            foreach (var image in listing.Images) yield return image;
            foreach (var below in listing.Folders.Reverse()) pending.Push(below);
        }
    }

    /// <summary>Whether there is a folder, a collection, or a folder in a collection.</summary>
    public static bool IsFolder(string path)
    {
        if (Directory.Exists(path)) return true;
        return PhotoCollection.In(path) is { } inner && (inner.Name.Length == 0 || PhotoCollection.Open(inner.File).Folder(inner.Name) is not null);
    }

    /// <summary>A folder's name; a collection's without its extension.</summary>
    public static string NameOf(string folder) => PhotoCollection.IsAt(folder) ? Path.GetFileNameWithoutExtension(folder) : Path.GetFileName(folder);

    /// <summary>The collections of a folder that holds no photos and no folders.</summary>
    private static string[] CollectionsOf(string folder, Entry[] entries) =>
        !(Directory.Exists(folder) || IsRemoteFolder(folder)) || Array.Exists(entries, entry => entry.IsFolder || ImageDecoder.FileExtensions.Contains(Path.GetExtension(entry.Name)))
            ? []
            : [.. entries.Where(entry => PhotoCollection.HasExtension(entry.Name)).Select(entry => RemotePlace.Join(folder, entry.Name))];

    /// <summary>Whether it is no collection file, nor within one.</summary>
    private static bool IsRemoteFolder(string path) => RemotePlace.Is(path) && PhotoCollection.In(path) is { } inner && !PhotoCollection.HasExtension(inner.File);

    private static Entry[] Entries(string folder, DataFindings findings)
    {
        if (PhotoCollection.In(folder) is { } inner) return Entries(inner.File, inner.Name, findings);
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

    /// <summary>What a folder of a collection holds.</summary>
    private static Entry[] Entries(string file, string name, DataFindings findings)
    {
        try
        {
            var collection = PhotoCollection.Open(file);
            if (name.Length == 0)
                foreach (var skipped in collection.Skipped) findings.Skip(skipped.Path, skipped.Reason);
            if (collection.Folder(name) is not { } inside) return [];
            Entry[] entries =
            [
                .. inside.Folders.Select(folder => new Entry(Path.GetFileName(folder), IsFolder: true, IsLink: false, Bytes: 0)),
                .. inside.Members.Select(number => collection.Members[number]).Select(member => new Entry(Path.GetFileName(member.Name), IsFolder: false, IsLink: false, member.Bytes)),
            ];
            entries = [.. entries.Where(entry => entry.Name[0] != '.' && !LeftBehind.Contains(entry.Name))];
            Array.Sort(entries, (a, b) => string.CompareOrdinal(a.Name, b.Name));
            return entries;
        }
        catch (DataException damaged)
        {
            findings.Problem(damaged.Message);
            return [];
        }
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
        var isLink = file.LinkTarget is not null;
        return Objection(path, new(file.Name, IsFolder: false, isLink, isLink ? 0 : PhotoFile.Length(path)));
    }

    private static string? Objection(string path, Entry entry)
    {
        if (entry.Name.Contains('\uFFFD') && !File.Exists(path)) return "its name is not valid Unicode; rename it";
        try
        {
            // Pipes and devices, which could block a reader for ever, have no length either.
            var bytes = entry.IsLink ? LinkedLength(path) : entry.Bytes;
            return entry.IsLink && bytes is null ? "broken link" : bytes == 0 ? EmptyFile : ImageFormat.Objection(path);
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
