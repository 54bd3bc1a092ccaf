using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Graft.Cli.Demo;
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

    [Theory]
    [InlineData("INT", 130)]
    [InlineData("TERM", 143)]
    public void Demo_ends_soon_after_a_signal(string signal, int exitCode)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "signals are sent with kill");
        using var folder = new TemporaryFolder();
        using var demo = new GraftCommand(folder.FullName).Start("demo", "--out", folder.File("demo"));
        while (demo.StandardError.ReadLine() is { } line && !line.Contains("from random weights", StringComparison.Ordinal))
        {
            // Until it trains from scratch.
        }

        var clock = Stopwatch.StartNew();
        Process.Start("kill", [$"-{signal}", $"{demo.Id}"]).WaitForExit();
        Assert.True(demo.WaitForExit(TimeSpan.FromSeconds(30)));

        Assert.Equal(exitCode, demo.ExitCode);
        // Half a second to end in order, then at once; and a busy machine.
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 2);
        Assert.Contains("Interrupted.", demo.StandardError.ReadToEnd(), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(folder.FullName, "*.draft", SearchOption.AllDirectories));
    }

    [Fact]
    public void Messages_that_cannot_be_written_end_no_command()
    {
        Assert.SkipUnless(File.Exists("/dev/full"), "there is no device that is always full");
        using var folder = new TemporaryFolder();
        DemoPhotos.Draw(
            folder.File("photos/x")[..^2], trainPerClass: 4, validationPerClass: 0, testPerClass: 2, seed: 1, sizePixels: 64,
            TestContext.Current.CancellationToken);

        using var train = Process.Start(
            "sh", ["-c", $"cd '{folder.FullName}' && GRAFT_HOME=home GRAFT_OFFLINE=1 exec dotnet '{AppContext.BaseDirectory}/Graft.Cli.dll' train photos --out run >out.txt 2>/dev/full"]);
        Assert.True(train.WaitForExit(TimeSpan.FromMinutes(3)));

        Assert.Equal(0, train.ExitCode);
        Assert.Contains("accuracy", File.ReadAllText(folder.File("out.txt")), StringComparison.Ordinal);
        Assert.True(File.Exists(folder.File("run/result.json")));
    }

    [GeneratedRegex(@"(\d+\.\d) %")]
    private static partial Regex Percentages();
}
