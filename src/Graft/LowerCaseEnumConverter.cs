using System.Text.Json;
using System.Text.Json.Serialization;

namespace Graft;

/// <summary>An enum in JSON as the command's options have it: <c>FineTune</c> as <c>finetune</c>. Any case is read.</summary>
public sealed class LowerCaseEnumConverter<T>() : JsonStringEnumConverter<T>(LowerCase.Policy, allowIntegerValues: false)
    where T : struct, Enum;

internal sealed class LowerCase : JsonNamingPolicy
{
    public static LowerCase Policy { get; } = new();

    public override string ConvertName(string name) => name.ToLowerInvariant();
}
