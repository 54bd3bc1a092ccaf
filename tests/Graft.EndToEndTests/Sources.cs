using System.Diagnostics;

namespace Graft.EndToEndTests;

/// <summary>The checkout that the tests were built in.</summary>
internal static class Sources
{
    /// <summary>Null where the tests run elsewhere.</summary>
    public static string? Root { get; } = Find();

    /// <summary>NuGet's packages of this machine, which the build of these tests restored.</summary>
    public static string Packages => Environment.GetEnvironmentVariable("NUGET_PACKAGES")
        ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");

    /// <summary>Runs a program to its end; returns its exit code, and its output and messages together.</summary>
    public static (int ExitCode, string Output) Run(string program, string workingFolder, IReadOnlyDictionary<string, string> environment, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = workingFolder, RedirectStandardOutput = true, RedirectStandardError = true };
        // What the test runner and MSBuild set for their own processes.
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase)).ToList()) start.Environment.Remove(name);
        foreach (var (name, value) in environment) start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var (output, messages) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        if (!process.WaitForExit(TimeSpan.FromMinutes(9)))
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{program} {string.Join(' ', arguments)} did not end within 9 minutes.");
        }
        return (process.ExitCode, output.Result + messages.Result);
    }

    private static string? Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "Graft.slnx"))) return folder.FullName;
        return null;
    }
}
