using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Graft.Runs;

/// <summary>How a run was started, as its <c>run.json</c> has it: enough to repeat it, or to resume it, from any folder.</summary>
public sealed record RunDescription
{
    internal const string FileName = "run.json";

    /// <summary>What the run was to do, with full paths; null of a run that an older Graft started.</summary>
    public TrainingRequest? Request { get; init; }

    /// <summary>Of a run that an older Graft started: what followed <c>graft train</c>.</summary>
    public IReadOnlyList<string>? Arguments { get; init; }

    /// <summary>Graft's version.</summary>
    public string Graft { get; init; } = "";

    /// <summary>The operating system.</summary>
    public string System { get; init; } = "";

    /// <summary>The .NET runtime.</summary>
    public string Runtime { get; init; } = "";

    /// <summary>How many cores there were to compute with.</summary>
    public int Cores { get; init; }

    public DateTimeOffset Begun { get; init; }

    /// <summary>A run that starts now, on this machine.</summary>
    public static RunDescription Of(TrainingRequest request) => new()
    {
        Request = request.WithFullPaths(),
        Graft = typeof(RunDescription).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "",
        System = RuntimeInformation.OSDescription,
        Runtime = RuntimeInformation.FrameworkDescription,
        Cores = Environment.ProcessorCount,
        Begun = DateTimeOffset.UtcNow,
    };

    /// <summary>The command that repeats the run, quoted for a shell.</summary>
    public string Command() => Request is { } request ? RequestCommand.Of(request) : RequestCommand.Quoted(Arguments ?? []);

    /// <summary>What was asked for, by the words of the command line; <c>photos</c> apart.</summary>
    public IReadOnlyDictionary<string, string> Options() => Request is { } request ? RequestCommand.OptionsOf(request) : RequestCommand.OptionsIn(Arguments ?? []);

    internal string ToJson()
    {
        var document = JsonSerializer.SerializeToNode(this with { Request = null }, RunFolder.Json)!.AsObject();
        foreach (var (name, value) in document.ToList())
            if (value is null) document.Remove(name);
        if (Request is { } request) document.Insert(0, "request", RequestJson.ToObject(request));
        return document.ToJsonString(RunFolder.Json) + "\n";
    }

    /// <summary>Of a run folder; null if it has no <c>run.json</c>, as a run that C# code trained without a request.</summary>
    /// <exception cref="GraftException">The file is damaged.</exception>
    public static RunDescription? Load(string folder)
    {
        var file = Path.Combine(folder, FileName);
        if (!File.Exists(file)) return null;
        try
        {
            var document = JsonNode.Parse(RegularFile.ReadAllText(file)) as JsonObject ?? throw new JsonException("it is empty.");
            var request = document.TryGetPropertyValue("request", out var node) && node is not null ? TrainingRequest.FromJson(node.ToJsonString(), file) : null;
            document.Remove("request");
            return document.Deserialize<RunDescription>(RunFolder.Json)! with { Request = request };
        }
        catch (Exception problem) when (problem is JsonException or InvalidOperationException or ArgumentException)
        {
            throw new GraftException($"{file} is damaged: {problem.Message} Start a new run.", problem);
        }
    }
}
