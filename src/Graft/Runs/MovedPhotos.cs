namespace Graft.Runs;

/// <summary>Finds photos again that were moved, by their paths and names.</summary>
/// <param name="old">The folder that they lay in.</param>
/// <param name="current">That in which they lie now.</param>
internal sealed class MovedPhotos(string old, string current)
{
    private readonly Lazy<ILookup<string?, string>> _byName = new(() =>
        Directory.EnumerateFiles(current, "*", new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true })
            .Select(Path.GetFullPath).ToLookup(path => (string?)Path.GetFileName(path), StringComparer.Ordinal));

    /// <summary>Where a photo lies now; null where that is not known, or several are as likely.</summary>
    public string? Find(string path)
    {
        var relative = Path.GetRelativePath(old, path);
        if (!relative.StartsWith("..", StringComparison.Ordinal) && !Path.IsPathRooted(relative))
        {
            var same = Path.GetFullPath(Path.Combine(current, relative));
            if (File.Exists(same)) return same;
        }
        var names = Names(path);
        var likely = _byName.Value[Path.GetFileName(path)].GroupBy(candidate => CommonEnd(names, Names(candidate))).MaxBy(group => group.Key)?.ToList();
        return likely is [var only] ? only : null;
    }

    /// <summary>Folders from the file upwards.</summary>
    private static string[] Names(string path) => [.. path.Split(Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar).Reverse()];

    private static int CommonEnd(string[] first, string[] second) =>
        first.Zip(second).TakeWhile(pair => string.Equals(pair.First, pair.Second, StringComparison.Ordinal)).Count();
}
