namespace Graft;

/// <summary>
/// Something the user can mend: broken or unsuitable input, a missing file, a full disk. The message says what was
/// expected, what came, where, and what to do; the command line prints it without a stack trace.
/// </summary>
/// <param name="problem">What was expected, what came, and where, in whole sentences.</param>
public class GraftException(string problem, Exception? innerException = null) : Exception(problem, innerException)
{
    /// <summary>The kind of problem, in lower case with hyphens, such as <c>weights-missing</c>: for programs, which do not read sentences.</summary>
    public string Code { get; init; } = "error";

    /// <summary>
    /// What to do about it, in the words of the library. A program that has other words for it, as the command has options, says it in those,
    /// after <see cref="Problem"/>. Null where <see cref="Problem"/> says it already.
    /// </summary>
    public string? Remedy { get; init; }

    /// <summary>What the remedy names: a network, a layer, a file; null where it names nothing.</summary>
    public string? Value { get; init; }

    /// <summary><see cref="Exception.Message"/> without the remedy.</summary>
    public string Problem => base.Message;

    /// <summary><see cref="Problem"/>, then <see cref="Remedy"/>.</summary>
    public override string Message => Remedy is null ? Problem : $"{Problem} {Remedy}";
}
