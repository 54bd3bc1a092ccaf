using System.Text.Json.Nodes;
using Graft.Runs;

namespace Graft.Tests.Runs;

/// <summary>The schemas in docs/ are those of the code. After a change, <c>GRAFT_WRITE_DOCS=1</c> writes them anew.</summary>
public class DocumentSchemaTests
{
    [Theory]
    [InlineData("request.schema.json")]
    [InlineData("result.schema.json")]
    public void Schema_in_the_docs_is_that_of_the_code(string name)
    {
        var file = Path.Combine(Docs(), name);
        var schema = name.StartsWith("request", StringComparison.Ordinal) ? DocumentSchema.OfRequest() : DocumentSchema.OfResult();
        if (Environment.GetEnvironmentVariable("GRAFT_WRITE_DOCS") == "1") File.WriteAllText(file, schema);

        Assert.Equal(File.ReadAllText(file), schema);
    }

    [Fact]
    public void Every_setting_has_a_description_and_its_range()
    {
        var properties = JsonNode.Parse(DocumentSchema.OfRequest())!["properties"]!;

        Assert.All(Setting.All, setting => Assert.Equal(setting.Declared.Description, (string?)properties[setting.JsonName]!["description"]));
        Assert.Equal(0, (double)properties["learning_rate"]!["exclusiveMinimum"]!);
        Assert.Equal(2, (double)properties["batch_size"]!["minimum"]!);
        Assert.Equal(180, (double)properties["rotation"]!["maximum"]!);
        Assert.Equal(1, (double)properties["hidden"]!["items"]!["minimum"]!);
        Assert.Contains("finetune", properties["strategy"]!["enum"]!.AsArray().Select(choice => (string?)choice));
    }

    private static string Docs()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "Graft.slnx"))) return Path.Combine(folder.FullName, "docs");
        Assert.Skip("The sources are not here.");
        return "";
    }
}
