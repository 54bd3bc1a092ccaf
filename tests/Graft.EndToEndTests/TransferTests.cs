using Graft.Testing;

namespace Graft.EndToEndTests;

/// <summary><c>graft train --source</c>: what each kind of method makes is a model like any other.</summary>
public sealed class TransferTests(DrawnPhotos photos) : IClassFixture<DrawnPhotos>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>The training photos again, a byte longer each.</summary>
    private string Source()
    {
        var train = Path.Combine(photos.Folder, "train");
        foreach (var photo in Directory.EnumerateFiles(train, "*", SearchOption.AllDirectories))
            File.WriteAllBytes(_folder.File(Path.Combine("source", Path.GetRelativePath(train, photo))), [.. File.ReadAllBytes(photo), 0]);
        return _folder.File("source/x")[..^2];
    }

    [Theory]
    [InlineData("tradaboost")]
    [InlineData("monge")]
    [InlineData("adabn")]
    [InlineData("jda")]
    public void A_model_of_two_sources_is_saved_measured_and_exported(string method)
    {
        var graft = new GraftCommand(_folder.FullName);

        var run = graft.Run("train", photos.Folder, "--source", Source(), "--method", method, "--backbone", "tiny", "--out", _folder.File("run"), "--json");

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Equal(method, run.Json.GetProperty("fit").GetProperty("method").GetString());
        Assert.Equal(method == "adabn", run.Messages.Contains("some 200 are needed", StringComparison.Ordinal));
        var evaluated = graft.Run("evaluate", _folder.File("run"), photos.Folder, "--json");
        Assert.True(evaluated.ExitCode == 0, evaluated.ToString());
        Assert.Equal(run.Json.GetProperty("test").GetProperty("accuracy").GetDouble(), evaluated.Json.GetProperty("accuracy").GetDouble());
        var exported = graft.Run("export", _folder.File("run"), "--out", _folder.File("run.onnx"));
        Assert.True(exported.ExitCode == 0, exported.ToString());
    }

    [Fact]
    public void A_network_is_trained_on_two_sources()
    {
        var graft = new GraftCommand(_folder.FullName);

        var run = graft.Run(
            "train", photos.Folder, "--source", Source(), "--strategy", "full", "--coral-weight", "10", "--backbone", "tiny", "--size", "64", "--epochs", "2", "--batch-size", "8", "--out", _folder.File("run"),
            "--json");

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Contains("both sources made to look alike by Deep CORAL, weight 10", File.ReadAllText(_folder.File("run/report.txt")), StringComparison.Ordinal);
        Assert.Contains("\"more\",\"true\"", File.ReadAllText(_folder.File("run/photos.csv")), StringComparison.Ordinal);
        Assert.Equal(0, graft.Run("evaluate", _folder.File("run"), photos.Folder).ExitCode);
    }

    [Fact]
    public void Photos_without_any_label_are_aligned_with()
    {
        var graft = new GraftCommand(_folder.FullName);
        foreach (var (number, photo) in Directory.EnumerateFiles(Path.Combine(photos.Folder, "test"), "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).Index())
            File.Copy(photo, _folder.File($"heap/{number}{Path.GetExtension(photo)}"));

        var run = graft.Run("train", _folder.File("heap/x")[..^2], "--source", Source(), "--method", "adabn", "--backbone", "tiny", "--out", _folder.File("run"), "--json");

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Contains("cannot be known without labels", run.Messages, StringComparison.Ordinal);
        Assert.Equal(0, graft.Run("evaluate", _folder.File("run"), photos.Folder).ExitCode);
    }
}
