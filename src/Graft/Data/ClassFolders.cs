using Graft.Data.Collections;

namespace Graft.Data;

/// <summary>Where a photo lies among the folders of its class.</summary>
/// <param name="Path">The copy, or the file of the same content that was there already.</param>
/// <param name="WasThere">Whether nothing had to be copied.</param>
public readonly record struct SortedPhoto(string Path, bool WasThere);

/// <summary>
/// Copies photos into a folder per class, a layout that training reads. Nothing is overwritten: of two photos of one name the second gets a
/// number. A photo that the folder of its class already holds, under any name, is not copied again.
/// </summary>
public sealed class ClassFolders
{
    private readonly OutputFolder _target;
    private readonly Dictionary<string, string> _folders = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Dictionary<long, List<string>>> _content = new(StringComparer.Ordinal);

    /// <param name="folder">Holds the folders of the classes; made when the first photo comes. What it holds stays as it is.</param>
    /// <param name="classes">All there are. One whose name cannot be a folder's gets one that is like it.</param>
    public ClassFolders(string folder, IEnumerable<string> classes)
    {
        _target = new(folder);
        var taken = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var name in classes)
        {
            var safe = OutputFolder.SafeName(name);
            var free = safe;
            for (var number = 2; !taken.Add(free); number++) free = $"{safe} ({number})";
            _folders.Add(name, free);
        }
    }

    /// <summary>The folder's path, as it was given.</summary>
    public string FullName => _target.FullName;

    /// <summary>Copies a photo to its class, whole or not at all.</summary>
    /// <exception cref="GraftException">
    /// The photo cannot be read; or the folder of its class cannot be written, or is a link that leads elsewhere.
    /// </exception>
    public SortedPhoto Add(string photo, string className) => Add(photo, className, asLink: false, before: null);

    /// <param name="asLink">Whether a symbolic link to the photo takes the place of a copy.</param>
    /// <param name="before">Told the path of what is about to come.</param>
    internal SortedPhoto Add(string photo, string className, bool asLink, Action<string>? before)
    {
        _ = _target.PathOf(Path.Join(_folders[className], Path.GetFileName(photo)));
        var folder = Path.Join(FullName, _folders[className]);
        try
        {
            Directory.CreateDirectory(folder);
            using var source = PhotoFile.OpenRead(photo);
            var length = source.Length;
            var content = ContentOf(folder);
            var ofLength = content.TryGetValue(length, out var known) ? known : content[length] = [];
            if (ofLength.Count > 0)
            {
                var bytes = PhotoFile.ReadAllBytes(photo);
                if (ofLength.Find(file => RegularFile.ReadAllBytes(file).AsSpan().SequenceEqual(bytes)) is { } same) return new(same, WasThere: true);
            }
            var copy = before is null ? WholeFile.Copy(source, Path.GetFileName(photo), folder) : Place(photo, folder, asLink, before);
            ofLength.Add(copy);
            return new(copy, WasThere: false);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new GraftException(
                $"{photo} cannot be copied into {folder}: {problem.Message} "
                + "Copies made before remain; repeat the command to continue.", problem);
        }
    }

    private static string Place(string photo, string folder, bool asLink, Action<string> before)
    {
        var target = WholeFile.FreePaths(Path.Join(folder, Path.GetFileName(photo))).First(path => !Path.Exists(path) && new FileInfo(path).LinkTarget is null);
        before(target);
        if (asLink)
        {
            File.CreateSymbolicLink(target, Path.GetFullPath(photo));
            return target;
        }
        using var source = PhotoFile.OpenRead(photo);
        WholeFile.Write(target, source.CopyTo);
        return target;
    }

    /// <summary>The files of a folder by their length.</summary>
    private Dictionary<long, List<string>> ContentOf(string folder)
    {
        if (_content.TryGetValue(folder, out var content)) return content;
        content = new DirectoryInfo(folder).EnumerateFiles().Where(file => !WholeFile.IsDraft(file.Name))
            .GroupBy(file => (file.ResolveLinkTarget(returnFinalTarget: true) as FileInfo ?? file) is { Exists: true } there ? there.Length : -1).ToDictionary(group => group.Key, group => group.Select(file => Path.Join(folder, file.Name)).ToList());
        _content.Add(folder, content);
        return content;
    }
}
