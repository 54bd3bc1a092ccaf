using Graft.Testing;

namespace Graft.EndToEndTests;

/// <summary>Measured choice from photos to a model, as a person types it.</summary>
public sealed class SelectionTests(DrawnPhotos photos) : IClassFixture<DrawnPhotos>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Networks_are_tried_and_a_second_start_says_the_same()
    {
        var graft = new GraftCommand(_folder.FullName);
        string[] command = ["try", photos.Folder, "--backbones", "tiny,mobilenet_v2=nowhere.pth", "--curve", "--repeats", "1", "--out", _folder.File("try")];

        var tried = graft.Run([.. command, "--json"]);
        var again = graft.Run(command);

        Assert.True(tried.ExitCode == 0, tried.ToString());
        var trial = Assert.Single(tried.Json.GetProperty("trials").EnumerateArray());
        Assert.InRange(trial.GetProperty("accuracy").GetDouble(), 0.3, 1);
        Assert.Contains("nowhere.pth", tried.Json.GetProperty("failures")[0].GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.True(File.Exists(_folder.File("try/report.html")));
        Assert.True(again.ExitCode == 0, again.ToString());
        Assert.Contains("Not tried: mobilenet_v2", again.Output, StringComparison.Ordinal);
        Assert.Contains("graft train", again.Messages, StringComparison.Ordinal);
    }

    [Fact]
    public void Photos_and_minutes_become_a_model_that_predicts()
    {
        var graft = new GraftCommand(_folder.FullName);

        var run = graft.Run("auto", photos.Folder, "--backbones", "tiny", "--minutes", "5", "--out", _folder.File("auto"), "--json");

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Equal(["check", "network", "probe", "training", "keep"], run.Json.GetProperty("decisions").EnumerateArray().Select(decision => decision.GetProperty("step").GetString()));
        var prediction = graft.Run("predict", _folder.File("auto"), Directory.GetFiles(Path.Combine(photos.Folder, "train/fish"))[0], "--json");
        Assert.True(prediction.ExitCode == 0, prediction.ToString());
        Assert.Equal(0, graft.Run("auto", "--resume", _folder.File("auto")).ExitCode);
    }

    [Theory]
    [InlineData("--way and --shot belong to --episodes", "try", "--way", "3")]
    [InlineData("no backbone 'nonsense'", "try", "--backbones", "nonsense")]
    [InlineData("Expected --minutes above 0", "auto", "--minutes", "0")]
    [InlineData("Advice is for one network", "advise", "--backbone", "tiny+resnet18.cntk")]
    public void What_cannot_be_meant_ends_with_2(string message, string verb, params string[] options)
    {
        var result = new GraftCommand(_folder.FullName).Run([verb, photos.Folder, .. options]);

        Assert.True(result.ExitCode == 2, result.ToString());
        Assert.Contains(message, result.Messages, StringComparison.Ordinal);
    }
}
