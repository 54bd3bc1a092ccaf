using System.ComponentModel.DataAnnotations;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using System.Text.Json.Serialization.Metadata;

namespace Graft.Runs;

/// <summary>JSON schemas (draft 2020-12) of requests and results, made of what their properties declare; docs/ holds them as files.</summary>
public static class DocumentSchema
{
    /// <summary>Of <c>run.json</c>'s request and of recipes.</summary>
    public static string OfRequest() => Of(typeof(TrainingRequest), RequestJson.Options, "A training request of Graft, or a recipe");

    /// <summary>Of <c>result.json</c>.</summary>
    public static string OfResult() => Of(typeof(ResultDocument), RunFolder.Json, "The result of a training run of Graft");

    private static string Of(Type type, JsonSerializerOptions options, string title)
    {
        var readable = new JsonSerializerOptions(options) { TypeInfoResolver = new DefaultJsonTypeInfoResolver() };
        var schema = readable.GetJsonSchemaAsNode(type, new JsonSchemaExporterOptions { TreatNullObliviousAsNonNullable = true, TransformSchemaNode = Described }).AsObject();
        schema.Insert(0, "title", title);
        schema.Insert(0, "$schema", "https://json-schema.org/draft/2020-12/schema");
        return schema.ToJsonString(RunFolder.Json) + "\n";
    }

    private static JsonNode Described(JsonSchemaExporterContext context, JsonNode schema)
    {
        if (context.PropertyInfo?.AttributeProvider is not PropertyInfo property) return schema;
        var setting = Setting.All.FirstOrDefault(known => known.Property == property);
        if (schema is not JsonObject described) schema = described = [];
        if (setting?.Name == nameof(TrainingRequest.C))
            described["anyOf"] = new JsonArray(new JsonObject { ["type"] = "number" }, new JsonObject { ["const"] = "auto" }, new JsonObject { ["type"] = "null" });
        if (setting?.Choices is { } choices) described["enum"] = new JsonArray([.. choices.Select(choice => (JsonNode)choice), null]);
        if ((setting?.Range ?? property.GetCustomAttribute<RangeAttribute>()) is { } range)
        {
            var bounded = described["items"] as JsonObject ?? described;
            bounded[range.MinimumIsExclusive ? "exclusiveMinimum" : "minimum"] = JsonValue.Create(Convert.ToDouble(range.Minimum));
            if (!DeclaredRanges.IsOpenEnded(range))
                bounded[range.MaximumIsExclusive ? "exclusiveMaximum" : "maximum"] = JsonValue.Create(Convert.ToDouble(range.Maximum));
        }
        if (setting is not null) described.Insert(0, "description", setting.Declared.Description);
        return schema;
    }
}
