using System.Text.Json;

namespace Graft.Runs;

/// <summary>A step of an automatic run, what was decided in it, and why.</summary>
/// <param name="Step"><c>check</c>, <c>network</c>, <c>probe</c>, <c>training</c> or <c>keep</c>.</param>
/// <param name="Choice">In a word or two.</param>
/// <param name="Reason">With the numbers, in a sentence.</param>
/// <param name="Numbers">The same for a program.</param>
public sealed record Decision(string Step, string Choice, string Reason, IReadOnlyDictionary<string, object?> Numbers)
{
    internal const string FileName = "decisions.json";

    /// <summary>Those in a run folder; empty where nothing was decided but by its user.</summary>
    /// <exception cref="GraftException">The file is damaged.</exception>
    public static IReadOnlyList<Decision> In(string folder)
    {
        var file = Path.Combine(folder, FileName);
        if (!File.Exists(file)) return [];
        try
        {
            return JsonSerializer.Deserialize<Document>(RegularFile.ReadAllText(file), RunFolder.Json)?.Decisions ?? throw new JsonException("it is empty.");
        }
        catch (JsonException problem)
        {
            throw new GraftException($"{file} is damaged: {problem.Message}", problem);
        }
    }

    private sealed record Document(IReadOnlyList<Decision>? Decisions);
}
