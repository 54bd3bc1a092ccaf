namespace Graft.Selection;

/// <summary>What to do with a set of photos, with the measurements that say so.</summary>
public sealed record Advice
{
    public required string Recommendation { get; init; }
    public required string Command { get; init; }
    public required IReadOnlyList<string> Reasons { get; init; }
    public required string Expectation { get; init; }
    public required IReadOnlyList<string> Changes { get; init; }
}
