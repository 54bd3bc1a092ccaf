namespace Graft;

/// <summary>
/// A folder that a user named, and the only door to what is written in it under names that come from data: labels, class names, lists of
/// files, names of files. No such name leads out of the folder, neither by itself nor through a link that is in the folder.
/// </summary>
/// <param name="path">The folder as it was given; it may itself be a link, and need not exist yet.</param>
internal sealed class OutputFolder(string path)
{
    /// <summary>Names that Windows keeps for devices, with any extension.</summary>
    private static readonly HashSet<string> Devices = new(StringComparer.OrdinalIgnoreCase)
    {
        "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$",
        "COM0", "COM1", "COM2", "COM3", "COM4", "COM5", "COM6", "COM7", "COM8", "COM9", "COM¹", "COM²", "COM³",
        "LPT0", "LPT1", "LPT2", "LPT3", "LPT4", "LPT5", "LPT6", "LPT7", "LPT8", "LPT9", "LPT¹", "LPT²", "LPT³",
    };

    private readonly string _full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));

    /// <summary>The folder's path, as it was given.</summary>
    public string FullName => path;

    /// <summary>The full path of a file or folder in this one.</summary>
    /// <param name="relative">Names separated by <c>/</c> or what the system separates them by.</param>
    /// <exception cref="GraftException">It leads out of the folder, or a name in it cannot be a file's or a folder's.</exception>
    public string PathOf(string relative) => ProblemWith(relative) is { } problem
        ? throw new GraftException($"'{VisibleText.Of(relative)}' {problem}, so nothing is written for it in {path}.")
        : Inside(relative);

    /// <summary>Why nothing may be written, moved or removed under a path: "leads out of the folder"; null if it may.</summary>
    public string? ProblemWith(string relative)
    {
        if (relative.Length == 0) return "is empty";
        if (Path.IsPathRooted(relative)) return "is a full path";
        foreach (var name in relative.Split('/', Path.DirectorySeparatorChar))
            if (ProblemWithName(name) is { } problem) return problem;
        var parent = Path.GetDirectoryName(Inside(relative))!;
        return Contains(RealPath(_full), RealPath(parent)) ? null : "leads out of the folder through a link";
    }

    /// <summary>Why a name cannot be that of one file or folder; null if it can.</summary>
    /// <param name="isWindows">Whether it is to be one on Windows, where more is forbidden; null where this runs.</param>
    public static string? ProblemWithName(string name, bool? isWindows = null)
    {
        if (name.Length == 0) return "has an empty name in it";
        if (name is "." or "..") return "leads out of the folder";
        if (name.Contains('\0')) return "has a NUL character in it";
        if (name.Contains('/') || name.Contains(Path.DirectorySeparatorChar)) return "has a path separator in it";
        if (!(isWindows ?? OperatingSystem.IsWindows())) return null;
        if (name.Any(IsForbidden)) return "has a character in it that Windows does not allow";
        if (name[^1] is ' ' or '.') return "ends in a space or a dot, which Windows drops";
        return IsDevice(name) ? "is the name of a device on Windows" : null;
    }

    /// <summary>A name like the given one that can be a folder's on any system.</summary>
    public static string SafeName(string name)
    {
        var safe = new string([.. name.Select(letter => IsForbidden(letter) ? '_' : letter)]).Trim().TrimEnd('.', ' ');
        return safe.Length == 0 ? "_" : IsDevice(safe) ? $"_{safe}" : safe;
    }

    /// <summary>Whether a path leads into a folder or to it itself; both are full ones.</summary>
    internal static bool Contains(string folder, string path)
    {
        // The root alone ends in a separator already.
        var start = Path.EndsInDirectorySeparator(folder) ? folder : folder + Path.DirectorySeparatorChar;
        return (path + Path.DirectorySeparatorChar).StartsWith(start, StringComparison.Ordinal);
    }

    /// <summary>The full path without links in it, as far as it exists.</summary>
    internal static string RealPath(string path)
    {
        path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        if (Path.GetDirectoryName(path) is not { } parent) return path;
        if (new DirectoryInfo(path) is not { LinkTarget: { } target }) return Path.Join(RealPath(parent), Path.GetFileName(path));
        try
        {
            return RealPath(new DirectoryInfo(path).ResolveLinkTarget(returnFinalTarget: true)!.FullName);
        }
        catch (IOException)
        {
            // A loop of links leads nowhere.
            return Path.GetFullPath(target, parent);
        }
    }

    private string Inside(string relative) => Path.GetFullPath(Path.Join(_full, relative.Replace('/', Path.DirectorySeparatorChar)));

    private static bool IsForbidden(char letter) => letter is < ' ' or '<' or '>' or ':' or '"' or '/' or '\\' or '|' or '?' or '*';

    private static bool IsDevice(string name) => Devices.Contains(name.Split('.')[0].TrimEnd());
}
