using System.Runtime.InteropServices;

namespace Graft.Cli;

/// <summary>
/// Ends the process at once, without the C++ libraries' farewell: libtorch takes a tenth of a second to tidy up what the system takes back
/// anyway, and threads that still compute, or load it, would crash during it. Files are written whole or not at all.
/// </summary>
internal static partial class ProcessExit
{
    /// <returns>Only on Windows, which knows no such end: the code.</returns>
    public static int With(int code)
    {
        if (OperatingSystem.IsWindows()) return code;
        RemoveDiagnosticPorts();
        Exit(code);
        return code;
    }

    /// <summary>.NET takes these out of the temporary folder in its own farewell.</summary>
    private static void RemoveDiagnosticPorts()
    {
        try
        {
            foreach (var names in new[] { $"dotnet-diagnostic-{Environment.ProcessId}-*", $"clr-debug-pipe-{Environment.ProcessId}-*" })
                foreach (var port in Directory.EnumerateFiles(Path.GetTempPath(), names)) File.Delete(port);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            // They take no room.
        }
    }

    [LibraryImport("libc", EntryPoint = "_exit")]
    private static partial void Exit(int code);
}
