using System.Collections.Concurrent;
using Graft.Data.Remote;
using Graft.Imaging;

namespace Graft.Data.Collections;

/// <summary>What a collection holds under a name.</summary>
/// <param name="Name">With <c>/</c> between folders; it never leads outside.</param>
/// <param name="Bytes">Null where only reading tells.</param>
internal readonly record struct CollectionMember(string Name, long? Bytes);

/// <summary>
/// A file that holds many photos: a tar shard, a zip archive or a Parquet file. It is read in place and never unpacked. A path may lead through
/// it as through a folder, <c>flowers.zip/daisy/1.jpg</c>, so that whatever takes the path of a photo takes that of a member.
/// </summary>
internal abstract class PhotoCollection
{
    private static readonly string[] Extensions = [".tar", ".zip", ".parquet"];

    /// <summary>Those that were opened, by their full path: their lists of members are read once.</summary>
    private static readonly ConcurrentDictionary<string, (DateTime Written, long Bytes, Lazy<PhotoCollection> Collection)> Opened = new(StringComparer.Ordinal);

    private readonly List<CollectionMember> _members = [];
    private readonly List<SkippedFile> _skipped = [];
    private readonly Dictionary<string, int> _numbers = new(StringComparer.Ordinal);
    private readonly Lazy<Dictionary<string, FolderEntries>> _folders;
    private ObjectFacts? _facts;

    protected PhotoCollection(string path)
    {
        Path = path;
        _folders = new(Folders);
    }

    /// <summary>What a folder of the collection holds, in the order of the collection.</summary>
    internal sealed record FolderEntries(List<int> Members, List<string> Folders);

    /// <summary>As it was given when it was opened.</summary>
    public string Path { get; }

    /// <summary>Of a collection on another machine: its length and tag when it was opened.</summary>
    /// <exception cref="RemoteException">It cannot be read in ranges.</exception>
    public ObjectFacts Facts => _facts ??= ObjectStore.Of(Path).FactsForRanges(Path);

    /// <summary>In the order of the file.</summary>
    public IReadOnlyList<CollectionMember> Members => _members;

    /// <summary>Members that cannot be used, by their path, and why.</summary>
    public IReadOnlyList<SkippedFile> Skipped => _skipped;

    /// <summary>The class of each photo, by its name, where the collection says it beside the photo; null where it does not.</summary>
    /// <param name="column">The column or field that holds it; null for the usual ones.</param>
    /// <param name="findings">Told what is wrong with single labels.</param>
    public abstract IReadOnlyDictionary<string, string>? Labels(string? column, DataFindings findings);

    /// <summary>Whether a path has the extension of a collection.</summary>
    public static bool HasExtension(string path) => Extensions.Any(extension => path.EndsWith(extension, StringComparison.OrdinalIgnoreCase));

    /// <summary>Whether there is a collection, no folder, at a path.</summary>
    public static bool IsAt(string path) => HasExtension(path) && (RemotePlace.Is(path) ? !CollectionPattern.Is(path) : File.Exists(path));

    /// <summary>The collection that a path leads to or through, and the name inside of it, "" for the collection itself; null if there is none.</summary>
    public static (string File, string Name)? In(string path)
    {
        if (RemotePlace.Is(path)) return InRemote(RemotePlace.Of(path));
        for (var end = 0; end < path.Length;)
        {
            var next = path.AsSpan(end + 1).IndexOfAny('/', System.IO.Path.DirectorySeparatorChar);
            end = next < 0 ? path.Length : end + 1 + next;
            if (HasExtension(path[..end]) && File.Exists(path[..end])) return (path[..end], path[end..].Replace(System.IO.Path.DirectorySeparatorChar, '/').Trim('/'));
        }
        return null;
    }

    /// <summary>
    /// Of a path on another machine: the collection file in it, else the folder around it that was opened before. A bucket's prefix is a collection;
    /// what has the name of an image is one only within a folder that is open.
    /// </summary>
    private static (string File, string Name)? InRemote(string path)
    {
        var start = path.IndexOf("://", StringComparison.Ordinal) + 3;
        for (var end = path.IndexOf('/', start); end >= 0;)
        {
            var next = path.IndexOf('/', end + 1);
            end = next < 0 ? path.Length : next;
            if (IsAt(path[..end])) return (path[..end], path[end..].Trim('/'));
            if (end == path.Length) break;
        }
        for (var end = path.Length; end > start; end = path.LastIndexOf('/', end - 1))
            if (Opened.ContainsKey(path[..end])) return (path[..end], path[end..].Trim('/'));
        return RemotePlace.IsS3(path) && !CollectionPattern.Is(path) && !ImageDecoder.FileExtensions.Contains(System.IO.Path.GetExtension(path)) && !IsList(path) ? (path, "") : null;
    }

    /// <summary>Whether a collection on another machine is open.</summary>
    public static bool IsOpen(string path) => Opened.ContainsKey(path);

    /// <summary>Whether a path on another machine names a list or table of photos.</summary>
    public static bool IsList(string path) => System.IO.Path.GetExtension(path).ToLowerInvariant() is ".txt" or ".csv" or ".tsv";

    /// <summary>Reads a list of photos on another machine; then the folder that it lies in is open.</summary>
    /// <exception cref="DataException">It is not there, names nothing, or what lies elsewhere.</exception>
    /// <exception cref="RemoteException">It cannot be read.</exception>
    public static PhotoCollection OpenList(string path)
    {
        try
        {
            var folder = RemoteFolder.OfList(path);
            Opened[folder.Path] = (default, 0, new(folder));
            return folder;
        }
        catch (FileNotFoundException missing)
        {
            throw new DataException(missing.Message);
        }
    }

    /// <summary>What was opened on other machines at a path and below it is opened anew, for it may have changed.</summary>
    public static void ForgetRemote(string path)
    {
        foreach (var (key, _) in Opened)
            if (RemotePlace.Is(key) && key.StartsWith(path, StringComparison.Ordinal)) Opened.TryRemove(key, out _);
    }

    /// <summary>Opens a collection, or takes the one that is open.</summary>
    /// <exception cref="DataException">It is damaged, cannot be read, or holds no photos.</exception>
    public static PhotoCollection Open(string path)
    {
        var file = RemotePlace.Is(path) ? null : new FileInfo(path);
        // What lies on another machine is asked once.
        var (written, bytes) = file is null ? default : (file.LastWriteTimeUtc, file.Exists ? file.Length : 0);
        var key = file?.FullName ?? (path = RemotePlace.Of(path));
        while (true)
        {
            var entry = Opened.GetOrAdd(key, _ => (written, bytes, new(() => OpenAnew(path))));
            if (entry.Written == written && entry.Bytes == bytes)
            {
                try
                {
                    return entry.Collection.Value;
                }
                catch
                {
                    // It may be mended, and named again.
                    Opened.TryRemove(new(key, entry));
                    throw;
                }
            }
            Opened.TryRemove(new(key, entry));
        }
    }

    private static PhotoCollection OpenAnew(string path)
    {
        try
        {
            if (RemotePlace.Is(path) && !HasExtension(path)) return RemoteFolder.OfPrefix(path);
            if (!RemotePlace.Is(path)) RegularFile.Check(path);
            return System.IO.Path.GetExtension(path).ToLowerInvariant() switch
            {
                ".tar" => new TarShard(path),
                ".zip" => new ZipPhotos(path),
                _ => new ParquetPhotos(path),
            };
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new DataException(RemotePlace.Is(path) ? problem.Message : $"'{path}' cannot be read: {problem.Message}");
        }
    }

    public bool Holds(string name) => _numbers.ContainsKey(name);

    /// <summary>The place of a member; null where there is none of that name.</summary>
    protected int? Number(string name) => _numbers.TryGetValue(name, out var number) ? number : null;

    /// <summary>The file.</summary>
    /// <param name="isStraight">Whether most of it will be read from its beginning to its end.</param>
    protected Stream OpenRead(int bufferSize = 1 << 16, bool isStraight = false) =>
        RemotePlace.Is(Path) ? new RemoteStream(Path, Facts, isStraight) : RegularFile.OpenRead(Path, bufferSize);

    /// <summary>Its length; null where only reading tells, or where there is none of that name.</summary>
    public long? BytesOf(string name) => _numbers.TryGetValue(name, out var number) ? _members[number].Bytes : null;

    /// <summary>A member, whole.</summary>
    /// <exception cref="IOException">There is none of that name, or it is damaged or too large.</exception>
    public byte[] Read(string name)
    {
        if (!_numbers.TryGetValue(name, out var number)) throw new FileNotFoundException($"'{Path}' holds nothing called '{name}'.");
        var most = DecodingOptions.Default.MaxFileBytes;
        return _members[number].Bytes > most
            ? throw new IOException($"'{name}' in '{Path}' is too large: {_members[number].Bytes:N0} bytes, more than {most:N0}.")
            : Read(number);
    }

    /// <summary>What a folder of it holds, "" for the topmost; null if there is no such folder.</summary>
    public FolderEntries? Folder(string name) => _folders.Value.GetValueOrDefault(name);

    protected abstract byte[] Read(int number);

    /// <summary>Takes a member in, unless its name will not do.</summary>
    /// <returns>Whether it was.</returns>
    protected bool Add(string name, long? bytes)
    {
        name = name.Replace('\\', '/');
        while (name.StartsWith("./", StringComparison.Ordinal)) name = name[2..];
        if (LeadsOutside(name))
        {
            Skip(name, "its name leads outside of the collection");
            return false;
        }
        if (!_numbers.TryAdd(name, _members.Count))
        {
            Skip(name, "the collection holds this name twice; the first is read");
            return false;
        }
        _members.Add(new(name, bytes));
        return true;
    }

    protected void Skip(string name, string reason) => _skipped.Add(new($"{Path}/{name}", reason));

    private static bool LeadsOutside(string name) => name.Length == 0 || name.Contains('\0') || System.IO.Path.IsPathRooted(name) || name.Contains(':')
        || name.Split('/').Any(part => part is "" or "." or "..");

    private Dictionary<string, FolderEntries> Folders()
    {
        var folders = new Dictionary<string, FolderEntries>(StringComparer.Ordinal) { [""] = new([], []) };
        for (var number = 0; number < _members.Count; number++) Of(Parent(_members[number].Name)).Members.Add(number);
        return folders;

        FolderEntries Of(string folder)
        {
            if (folders.TryGetValue(folder, out var known)) return known;
            var made = folders[folder] = new([], []);
            Of(Parent(folder)).Folders.Add(folder);
            return made;
        }

        static string Parent(string name) => name[..Math.Max(0, name.LastIndexOf('/'))];
    }
}
