using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Graft.Runs;

/// <summary>Requests as JSON: snake_case, only what was set, and nothing unknown.</summary>
internal static class RequestJson
{
    public static JsonSerializerOptions Options { get; } = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        Converters = { new JsonStringEnumConverter(LowerCase.Policy, allowIntegerValues: false) },
        WriteIndented = true,
    };

    public static string Write(TrainingRequest request) => JsonSerializer.Serialize(request, Options);

    public static TrainingRequest Read(string json, string source)
    {
        try
        {
            var request = JsonSerializer.Deserialize<TrainingRequest>(json, Options) ?? throw new JsonException("it is empty.");
            return request.Version is >= 1 and <= TrainingRequest.CurrentVersion
                ? request
                : throw new GraftException($"{source} is of version {request.Version}, and this Graft reads up to {TrainingRequest.CurrentVersion}. Update Graft.");
        }
        catch (JsonException problem)
        {
            throw new GraftException($"{source} is not a training request: {problem.Message}", problem);
        }
    }

    public static TrainingRequest Merge(TrainingRequest under, TrainingRequest over)
    {
        var (merged, said) = (ToObject(under), ToObject(over));
        foreach (var (name, value) in said) merged[name] = value?.DeepClone();
        return merged.Deserialize<TrainingRequest>(Options)!;
    }

    public static JsonObject ToObject(TrainingRequest request) => JsonSerializer.SerializeToNode(request, Options)!.AsObject();
}

/// <summary>C as a number or <c>"auto"</c>, which is infinity in C#: <see cref="TrainingRequest.AutomaticC"/>.</summary>
internal sealed class RegularizationConverter : JsonConverter<double?>
{
    public override double? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.TokenType switch
    {
        JsonTokenType.Null => null,
        JsonTokenType.Number => reader.GetDouble(),
        JsonTokenType.String when reader.GetString() == "auto" => TrainingRequest.AutomaticC,
        _ => throw new JsonException("Expected c as a number above 0, or \"auto\"."),
    };

    public override void Write(Utf8JsonWriter writer, double? value, JsonSerializerOptions options)
    {
        if (value is { } number && double.IsPositiveInfinity(number)) writer.WriteStringValue("auto");
        else if (value is { } finite && double.IsFinite(finite)) writer.WriteNumberValue(finite);
        else writer.WriteNullValue();
    }
}
