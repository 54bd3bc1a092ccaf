using System.Text.RegularExpressions;

namespace Graft.Runs;

/// <summary>Something wrong with a request.</summary>
/// <param name="Code"><c>out_of_range</c>, <c>unknown_value</c>, <c>unused</c>, <c>missing</c>, <c>conflict</c>.</param>
/// <param name="Setting">The property that is concerned, such as <c>LearningRate</c>.</param>
/// <param name="Value">What it is; null where it is missing.</param>
/// <param name="Message">A sentence; other properties stand in braces: <c>{Strategy}</c>.</param>
/// <param name="Remedy">A sentence that says what to do, in the same way; may be empty.</param>
public sealed partial record RequestProblem(string Code, string Setting, object? Value, string Message, string Remedy = "")
{
    /// <summary>Message and remedy, with properties called as in JSON.</summary>
    public override string ToString() => Text(name => SettingNames.InJson(name));

    /// <param name="nameOf">What a property is called where this is read: <c>LearningRate</c> as <c>--learning-rate</c>.</param>
    public string Text(Func<string, string> nameOf) =>
        Reference().Replace(Remedy.Length == 0 ? Message : $"{Message} {Remedy}", match => nameOf(match.Groups[1].Value));

    [GeneratedRegex(@"\{([A-Z]\w*)\}")]
    private static partial Regex Reference();
}

/// <summary>What the properties of a request, and of its networks, are called.</summary>
public static class SettingNames
{
    public static string InJson(string property) =>
        Setting.All.FirstOrDefault(setting => setting.Name == property)?.JsonName ?? RunFolder.Json.PropertyNamingPolicy!.ConvertName(property);

    public static string OnTheCommandLine(string property) =>
        Setting.All.FirstOrDefault(setting => setting.Name == property)?.Option ?? $"--{property.ToLowerInvariant()}";
}

/// <summary>A request that cannot be meant, with all that is wrong with it.</summary>
public sealed class RequestException(IReadOnlyList<RequestProblem> problems) : GraftException(string.Join(" ", problems))
{
    public IReadOnlyList<RequestProblem> Problems => problems;
}
