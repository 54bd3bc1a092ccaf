using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace Graft.Cli;

/// <summary>What is wrong with a command line as such, said with the words that its help has for it.</summary>
internal static class WrongUsage
{
    /// <summary>All problems in one sentence each; null if there are none.</summary>
    public static string? Of(ParseResult parsed)
    {
        if (parsed.Errors.Count > 0) return string.Join(" ", parsed.Errors.Select(Sentence).Distinct(StringComparer.Ordinal));
        for (var index = 0; index < parsed.Tokens.Count; index++)
        {
            if (parsed.Tokens[index].Type == TokenType.DoubleDash) break;
            if (parsed.Tokens[index] is not { Type: TokenType.Argument, Value: var value }) continue;
            // Where several names are taken, a misspelled option would be one of them, and be ignored.
            if (IsLikeAnOption(value)) return $"There is no option '{value}'. If it is a file, name it as ./{value}.";
            // Of a shell's variable that was never set, say: nothing is called so, and nothing is meant by it.
            if (!string.IsNullOrWhiteSpace(value)) continue;
            return index > 0 && parsed.Tokens[index - 1] is { Type: TokenType.Option, Value: var option }
                ? $"Expected a value for {option}, found '{value}'."
                : $"Expected a name, found '{value}'.";
        }
        return null;
    }

    /// <summary>Not a number, and not the <c>-</c> that stands for standard input.</summary>
    private static bool IsLikeAnOption(string value) => value is ['-', var second, ..] && (second == '-' || char.IsLetter(second)) && !double.TryParse(value, CultureInfo.InvariantCulture, out _);

    private static string Sentence(ParseError error)
    {
        var option = (error.SymbolResult as OptionResult ?? error.SymbolResult?.Parent as OptionResult)?.Option;
        var found = error.SymbolResult?.Tokens.Select(token => token.Value).LastOrDefault();
        if (option is null || found is null) return error.Message;
        if (error.Message.Split("\n\t") is [_, .. { Length: > 0 } choices])
            return $"Expected {option.Name} {Choice(choices.Select(choice => choice.Trim().Trim('\'')))}, found '{found}'.";
        return Expected(option) is { } expected ? $"Expected {option.Name} {expected}, found '{found}'." : error.Message;
    }

    /// <summary>What a value of the option is; null where that is not known.</summary>
    private static string? Expected(Option option)
    {
        var type = option.ValueType.IsArray ? option.ValueType.GetElementType()! : option.ValueType;
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type.IsEnum) return Choice(Enum.GetNames(type).Select(name => name.ToLowerInvariant()));
        return type == typeof(int) ? "with a whole number" : type == typeof(double) ? "with a number such as 0.5"
            : type == typeof(bool) ? "true or false" : null;
    }

    private static string Choice(IEnumerable<string> names) => names.ToList() switch
    {
        [.. var first, var last] when first.Count > 0 => $"{string.Join(", ", first)} or {last}",
        var only => string.Join(", ", only),
    };
}
