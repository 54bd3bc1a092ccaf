namespace Graft.Data;

/// <summary>A data set that cannot be used as it is. The message lists every problem found, one a line.</summary>
public sealed class DataException : GraftException
{
    public DataException(string source, IReadOnlyList<string> problems) : base(Describe(source, problems)) =>
        Problems = problems;

    public DataException(string problem) : base(problem) => Problems = [problem];

    public IReadOnlyList<string> Problems { get; }

    private static string Describe(string source, IReadOnlyList<string> problems) => problems.Count == 1
        ? problems[0]
        : $"'{source}' has {problems.Count} problems:{string.Concat(problems.Select(problem => "\n  - " + problem))}";
}
