using System.Globalization;
using System.Text.RegularExpressions;
using Graft.Testing;

namespace Graft.EndToEndTests;

public sealed partial class DemoTests
{
    [Fact]
    public void Demo_shows_that_transfer_beats_training_from_scratch()
    {
        using var folder = new TemporaryFolder();

        var result = new GraftCommand(folder.FullName).Run("demo", "--out", folder.File("demo"));

        Assert.True(result.ExitCode == 0, result.ToString());
        var accuracies = Percentages().Matches(result.Output)
            .Select(match => double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture)).ToList();
        Assert.True(accuracies is [> 80, _] && accuracies[0] > accuracies[1] + 15, result.ToString());
        Assert.Contains("nothing was downloaded", result.Messages, StringComparison.Ordinal);
        Assert.True(File.Exists(folder.File("demo/run/model.safetensors")));
    }

    [GeneratedRegex(@"(\d+\.\d) %")]
    private static partial Regex Percentages();
}
