using System.Text.Json.Nodes;

namespace Graft.Cli.Serve;

/// <summary>The description of the server's API as OpenAPI 3.1.</summary>
internal static class OpenApi
{
    public static string Document(string model) => new JsonObject
    {
        ["openapi"] = "3.1.0",
        ["info"] = new JsonObject { ["title"] = $"Graft: {model}", ["version"] = "1" },
        ["paths"] = new JsonObject
        {
            ["/predict"] = new JsonObject
            {
                ["post"] = new JsonObject
                {
                    ["operationId"] = "predict",
                    ["summary"] = "Name what is on a photo, or on several",
                    ["parameters"] = new JsonArray(new JsonObject
                    {
                        ["name"] = "top",
                        ["in"] = "query",
                        ["description"] = "How many classes to name for each photo",
                        ["schema"] = new JsonObject { ["type"] = "integer", ["minimum"] = 1, ["default"] = 1 },
                    }),
                    ["requestBody"] = new JsonObject
                    {
                        ["required"] = true,
                        ["content"] = new JsonObject
                        {
                            ["image/*"] = Binary(),
                            ["application/octet-stream"] = Binary(),
                            ["multipart/form-data"] = Schema(new JsonObject
                            {
                                ["type"] = "object",
                                ["properties"] = new JsonObject
                                {
                                    ["photo"] = new JsonObject
                                    {
                                        ["type"] = "array",
                                        ["items"] = new JsonObject { ["type"] = "string", ["format"] = "binary" },
                                    },
                                },
                            }),
                        },
                    },
                    ["responses"] = Responses(
                        ("200", "The answer for one photo, or those for a form's photos in \"predictions\"", Reference("Answer")),
                        ("400", "Not a request of this kind", Reference("Problem")),
                        ("413", "The body or the photo is too large", Reference("Problem")),
                        ("415", "Not a format that is decoded", Reference("Problem")),
                        ("422", "A damaged photo", Reference("Problem")),
                        ("429", "Too many photos are waiting", Reference("Problem"))),
                },
            },
            ["/metrics"] = Get("metrics", "Counters for Prometheus"),
            ["/v2/health/live"] = Get("live", "Open Inference Protocol: whether the server runs"),
            ["/v2/health/ready"] = Get("ready", "Open Inference Protocol: whether it answers"),
            [$"/v2/models/{model}"] = Get("model", "Open Inference Protocol: inputs, outputs and classes"),
            [$"/v2/models/{model}/infer"] = new JsonObject
            {
                ["post"] = new JsonObject
                {
                    ["operationId"] = "infer",
                    ["summary"] = "Open Inference Protocol: pixels UINT8 [1, height, width, 3] to probabilities FP32 [1, classes]",
                    ["requestBody"] = new JsonObject { ["required"] = true, ["content"] = new JsonObject { ["application/json"] = new JsonObject() } },
                    ["responses"] = Responses(("200", "The probabilities", null), ("400", "Not such a request", Reference("Problem"))),
                },
            },
        },
        ["components"] = new JsonObject
        {
            ["schemas"] = new JsonObject
            {
                ["Class"] = Properties(("class", "string"), ("probability", "number")),
                ["Answer"] = Properties(("class", "string"), ("probability", "number"), ("unlike", "boolean"), ("top", "array")),
                ["Problem"] = Properties(("error", "string")),
            },
        },
    }.ToJsonString(new() { WriteIndented = true });

    private static JsonObject Get(string id, string summary) => new()
    {
        ["get"] = new JsonObject { ["operationId"] = id, ["summary"] = summary, ["responses"] = Responses(("200", "OK", null)) },
    };

    private static JsonObject Binary() => Schema(new() { ["type"] = "string", ["format"] = "binary" });

    private static JsonObject Schema(JsonObject schema) => new() { ["schema"] = schema };

    private static JsonObject Reference(string name) => new() { ["$ref"] = $"#/components/schemas/{name}" };

    private static JsonObject Responses(params (string Status, string Description, JsonObject? Schema)[] responses)
    {
        var all = new JsonObject();
        foreach (var (status, description, schema) in responses)
        {
            var response = new JsonObject { ["description"] = description };
            if (schema is not null) response["content"] = new JsonObject { ["application/json"] = Schema(schema) };
            all[status] = response;
        }
        return all;
    }

    private static JsonObject Properties(params (string Name, string Type)[] properties)
    {
        var all = new JsonObject();
        foreach (var (name, type) in properties)
        {
            all[name] = type == "array"
                ? new JsonObject { ["type"] = type, ["items"] = Reference("Class") }
                : new JsonObject { ["type"] = type };
        }
        return new() { ["type"] = "object", ["properties"] = all };
    }
}
