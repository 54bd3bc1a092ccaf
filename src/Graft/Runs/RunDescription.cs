using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.Json;
using Graft.Training;

namespace Graft.Runs;

/// <summary>How a run was begun, as its <c>run.json</c> has it: enough to repeat it, or to go on with it, from any folder.</summary>
public sealed record RunDescription
{
    internal const string FileName = "run.json";

    /// <summary>What followed <c>graft train</c>, with full paths and without what names the run folder or shapes the output.</summary>
    public required IReadOnlyList<string> Arguments { get; init; }

    /// <summary>Of a run that trains into the network; null of one on features.</summary>
    public FineTuningOptions? Options { get; init; }

    /// <summary>Graft's version.</summary>
    public string Graft { get; init; } = "";

    /// <summary>The operating system.</summary>
    public string System { get; init; } = "";

    /// <summary>The .NET runtime.</summary>
    public string Runtime { get; init; } = "";

    /// <summary>How many cores there were to compute with.</summary>
    public int Cores { get; init; }

    public DateTimeOffset Begun { get; init; }

    /// <summary>A run that begins now, on this machine.</summary>
    /// <param name="arguments">See <see cref="Arguments"/>.</param>
    public static RunDescription Of(IReadOnlyList<string> arguments, FineTuningOptions? options = null) => new()
    {
        Arguments = arguments,
        Options = options,
        Graft = typeof(RunDescription).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "",
        System = RuntimeInformation.OSDescription,
        Runtime = RuntimeInformation.FrameworkDescription,
        Cores = Environment.ProcessorCount,
        Begun = DateTimeOffset.UtcNow,
    };

    /// <summary>The command that repeats the run, quoted for a shell.</summary>
    public string Command() => string.Join(' ', Arguments.Prepend("train").Prepend("graft").Select(Quoted));

    /// <summary>Writes <c>run.json</c>, whole or not at all.</summary>
    internal void Save(RunFolder folder)
    {
        var file = Path.Combine(folder.FullName, FileName);
        File.WriteAllText(file + ".draft", JsonSerializer.Serialize(this, RunFolder.Json) + "\n");
        File.Move(file + ".draft", file, overwrite: true);
    }

    /// <summary>Of a run folder; null if it has no <c>run.json</c>, as a run that no command began.</summary>
    /// <exception cref="GraftException">The file is damaged.</exception>
    public static RunDescription? Load(string folder)
    {
        var file = Path.Combine(folder, FileName);
        if (!File.Exists(file)) return null;
        try
        {
            return JsonSerializer.Deserialize<RunDescription>(RegularFile.ReadAllText(file), RunFolder.Json)
                   ?? throw new JsonException("it is empty.");
        }
        catch (JsonException problem)
        {
            throw new GraftException($"{file} is damaged: {problem.Message} Begin a new run.", problem);
        }
    }

    /// <summary>As a POSIX shell reads it back; a word of plain letters stays as it is.</summary>
    private static string Quoted(string word) =>
        word.Length > 0 && word.All(letter => char.IsAsciiLetterOrDigit(letter) || "-_./:=,+@%".Contains(letter, StringComparison.Ordinal))
            ? word
            : $"'{word.Replace("'", @"'\''", StringComparison.Ordinal)}'";
}
