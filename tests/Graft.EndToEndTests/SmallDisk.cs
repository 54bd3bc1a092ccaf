using System.Diagnostics;

namespace Graft.EndToEndTests;

/// <summary>A file system of a few kilobytes; the test is skipped where one cannot be mounted.</summary>
internal sealed class SmallDisk : IDisposable
{
    private SmallDisk(string path) => Path = path;

    public string Path { get; }

    public static SmallDisk Mount(string path, int kilobytes)
    {
        Directory.CreateDirectory(path);
        Assert.SkipUnless(
            OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess
            && Execute("mount", "-t", "tmpfs", "-o", $"size={kilobytes}k", "tmpfs", path) == 0,
            "no small file system can be mounted here");
        return new(path);
    }

    /// <summary>From now on nothing can be written on it.</summary>
    public void MakeReadOnly() => Assert.Equal(0, Execute("mount", "-o", "remount,ro", Path));

    public void Dispose() => Execute("umount", Path);

    private static int Execute(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        process.WaitForExit();
        return process.ExitCode;
    }
}
