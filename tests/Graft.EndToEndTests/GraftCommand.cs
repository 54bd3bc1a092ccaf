using System.Diagnostics;
using System.Text;
using System.Text.Json;

namespace Graft.EndToEndTests;

/// <summary>What a run of the command gave.</summary>
internal sealed record CommandResult(int ExitCode, string Output, string Messages, long PeakBytes)
{
    public JsonElement Json => JsonDocument.Parse(Output).RootElement;

    /// <summary>For assertions: everything a person would see.</summary>
    public override string ToString() => $"exit code {ExitCode}\n{Output}\n{Messages}";
}

/// <summary>Runs the <c>graft</c> command as its users do: as a process of its own, with a cache folder of its own.</summary>
internal sealed class GraftCommand(string home)
{
    private static readonly string Program = Path.Combine(AppContext.BaseDirectory, "Graft.Cli.dll");

    public Dictionary<string, string> Environment { get; } = new() { ["GRAFT_HOME"] = home, ["GRAFT_OFFLINE"] = "1" };

    public string? WorkingFolder { get; init; }

    /// <summary>What starts the command, with its arguments; none for nothing.</summary>
    public IReadOnlyList<string> Launcher { get; init; } = [];

    /// <summary>The command as a launcher's argument names it.</summary>
    public static IReadOnlyList<string> Words { get; } = ["dotnet", Program];

    public CommandResult Run(params string[] arguments) => Run(TimeSpan.FromMinutes(5), arguments);

    public CommandResult RunWithInput(string input, params string[] arguments)
    {
        using var process = StartWithInput(arguments);
        process.StandardInput.Write(input);
        process.StandardInput.Close();
        return Result(process, TimeSpan.FromMinutes(5), arguments);
    }

    public CommandResult Run(TimeSpan limit, params string[] arguments)
    {
        using var process = Start(arguments);
        return Result(process, limit, arguments);
    }

    private static CommandResult Result(Process process, TimeSpan limit, string[] arguments)
    {
        var (output, messages) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        var peak = 0L;
        var clock = Stopwatch.StartNew();
        while (!process.WaitForExit(50))
        {
            peak = Math.Max(peak, PeakBytes(process.Id));
            if (clock.Elapsed < limit) continue;
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"graft {string.Join(' ', arguments)} did not end within {limit}.");
        }
        return new(process.ExitCode, output.Result, messages.Result, peak);
    }

    public Process Start(params string[] arguments) => Start(arguments, hasInput: false);

    public Process StartWithInput(params string[] arguments) => Start(arguments, hasInput: true);

    private Process Start(string[] arguments, bool hasInput)
    {
        // Started in the background, a shell's children ignore Ctrl-C; a user's do not.
        var start = OperatingSystem.IsLinux()
            ? new ProcessStartInfo("env", ["--default-signal=INT", .. Launcher, "dotnet", Program, .. arguments])
            : new ProcessStartInfo("dotnet", [Program, .. arguments]);
        (start.RedirectStandardOutput, start.RedirectStandardError, start.RedirectStandardInput) = (true, true, hasInput);
        (start.StandardOutputEncoding, start.StandardErrorEncoding) = (Encoding.UTF8, Encoding.UTF8);
        start.WorkingDirectory = WorkingFolder ?? home;
        foreach (var (name, value) in Environment) start.Environment[name] = value;
        return Process.Start(start)!;
    }

    private static long PeakBytes(int process)
    {
        try
        {
            return File.ReadLines($"/proc/{process}/status").Where(line => line.StartsWith("VmHWM:", StringComparison.Ordinal))
                .Select(line => long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]) * 1024).FirstOrDefault();
        }
        catch (IOException)
        {
            return 0; // It has just ended, or this is no Linux.
        }
    }
}
