using System.Text.Json;
using Graft.Testing;

namespace Graft.EndToEndTests;

/// <summary>Training on a bank of augmented views of cached features.</summary>
public sealed class ViewsTests(DrawnPhotos photos) : IClassFixture<DrawnPhotos>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private CommandResult Train(string run, params string[] more) => new GraftCommand(_folder.File("home")) { WorkingFolder = _folder.FullName }
        .Run(["train", photos.Folder, "--backbone", "tiny", "--size", "96", "--out", run, "--json", .. more]);

    [Fact]
    public void Views_are_computed_once_for_every_classifier_and_the_report_says_what_they_gained()
    {
        var first = Train("first", "--views", "2", "--augment", "medium");
        var second = Train("second", "--views", "2", "--augment", "medium", "--classifier", "logistic");

        Assert.True(first.ExitCode == 0, first.ToString());
        Assert.True(second.ExitCode == 0, second.ToString());
        var images = first.Json.GetProperty("images");
        var (train, others) = (images.GetProperty("train").GetInt32(), images.GetProperty("validation").GetInt32() + images.GetProperty("test").GetInt32());
        Assert.Equal(3 * train + others, first.Json.GetProperty("cache").GetProperty("misses").GetInt32());
        Assert.Equal(0, second.Json.GetProperty("cache").GetProperty("misses").GetInt32());
        foreach (var result in (JsonElement[])[first.Json, second.Json])
            Assert.InRange(result.GetProperty("validation_without_views").GetProperty("accuracy").GetDouble(), 0, 1);
        Assert.Contains("Augmented views: accuracy", File.ReadAllText(_folder.File("first/report.txt")), StringComparison.Ordinal);
    }

    [Fact]
    public void Same_seed_gives_the_same_views_and_model()
    {
        string[] options = ["--views", "2", "--no-cache"];
        Assert.Equal(0, Train("a", options).ExitCode);
        Assert.Equal(0, Train("b", options).ExitCode);

        Assert.Equal(File.ReadAllBytes(_folder.File("a/model.safetensors")), File.ReadAllBytes(_folder.File("b/model.safetensors")));
    }

    [Theory]
    [InlineData("--views", "--augment", "medium")]
    [InlineData("0", "--views", "0")]
    [InlineData("none", "--views", "2", "--augment", "none")]
    public void Options_that_cannot_be_meant_are_refused(string message, params string[] options)
    {
        var result = Train("run", options);

        Assert.Equal(2, result.ExitCode);
        Assert.Contains(message, result.Messages);
    }
}
