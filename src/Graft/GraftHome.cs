using System.Runtime.InteropServices;

namespace Graft;

/// <summary>
/// The folder of what Graft keeps for a user from run to run (pretrained weights, cached features). <c>GRAFT_HOME</c>
/// names it; otherwise it is <c>$XDG_CACHE_HOME/graft</c> or <c>~/.cache/graft</c> on Linux,
/// <c>~/Library/Caches/graft</c> on macOS and <c>%LOCALAPPDATA%\graft</c> on Windows. It can be deleted at any time:
/// everything in it can be had again.
/// </summary>
public static class GraftHome
{
    /// <summary>The full path, read from the environment at each call; the folder need not exist yet.</summary>
    public static string Folder => Locate(
        Environment.GetEnvironmentVariable,
        OperatingSystem.IsWindows() ? OSPlatform.Windows
        : OperatingSystem.IsMacOS() ? OSPlatform.OSX
        : OSPlatform.Linux);

    public static string Subfolder(string name) => Path.Combine(Folder, name);

    internal static string Locate(Func<string, string?> variable, OSPlatform platform)
    {
        if (variable("GRAFT_HOME") is { Length: > 0 } named) return Path.GetFullPath(named);
        if (platform == OSPlatform.Windows)
            return Path.Combine(Known("LOCALAPPDATA", Environment.SpecialFolder.LocalApplicationData), "graft");
        if (platform == OSPlatform.OSX) return Path.Combine(Home(), "Library", "Caches", "graft");
        // A relative XDG_CACHE_HOME is to be ignored (XDG Base Directory Specification).
        return variable("XDG_CACHE_HOME") is { Length: > 0 } cache && Path.IsPathRooted(cache)
            ? Path.Combine(cache, "graft")
            : Path.Combine(Home(), ".cache", "graft");

        string Home() => Known("HOME", Environment.SpecialFolder.UserProfile);

        string Known(string name, Environment.SpecialFolder folder) =>
            variable(name) is { Length: > 0 } value ? value
            : Environment.GetFolderPath(folder) is { Length: > 0 } path ? path
            : throw new GraftException(
                $"There is no place for weights and caches: {name} is not set and this user has no home folder. "
                + "Set GRAFT_HOME to a folder you may write to.");
    }
}
