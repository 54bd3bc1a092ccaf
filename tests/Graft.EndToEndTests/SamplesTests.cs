using Graft.Samples;
using Graft.Testing;

namespace Graft.EndToEndTests;

public class SamplesTests(DrawnPhotos photos) : IClassFixture<DrawnPhotos>
{
    [Fact]
    public void Surgery_lists_cuts_grafts_and_freezes()
    {
        using var output = new StringWriter();

        Surgery.Run(output);

        var text = output.ToString();
        Assert.Contains("features.17.conv.0.0", text, StringComparison.Ordinal);
        Assert.Contains("head.classes", text, StringComparison.Ordinal);
        Assert.Matches(@"frozen [\d,]+ · trainable [\d,]+", text);
    }

    [Fact]
    public void Fine_tuning_reports_through_a_callback_of_ones_own()
    {
        using var output = new StringWriter();

        Assert.InRange(FineTune.Run(photos.Folder, output), 0, 1);

        Assert.Contains("epoch 1: ", output.ToString(), StringComparison.Ordinal);
        Assert.Contains("Stage 2, unfrozen", output.ToString(), StringComparison.Ordinal);
    }

    /// <summary>The README has the sample's lines, with names of its own for the folders.</summary>
    [Fact]
    public async Task Readme_shows_what_the_sample_does_and_it_works()
    {
        using var folder = new TemporaryFolder();
        var photo = Directory.GetFiles(Path.Combine(photos.Folder, "test"), "*", SearchOption.AllDirectories)[0];
        var lines = File.ReadAllLines(Path.Combine(SourceRoot(), "samples/Graft.Samples/Train.cs")).Select(line => line.Trim())
            .Where(line => line.StartsWith("using var run", StringComparison.Ordinal) || line.Contains("Console.", StringComparison.Ordinal))
            .Select(line => line.Replace("= photos", "= \"flowers\"", StringComparison.Ordinal)
                .Replace("runFolder", "\"runs/flowers\"", StringComparison.Ordinal).Replace("(photo)", "(\"garden.jpg\")", StringComparison.Ordinal)).ToList();

        Assert.Equal(3, lines.Count);
        var readme = File.ReadAllText(Path.Combine(SourceRoot(), "README.md"));
        Assert.All(lines, line => Assert.Contains(line, readme, StringComparison.Ordinal));
        await Train.RunAsync(photos.Folder, folder.File("run"), photo);
        Assert.True(File.Exists(folder.File("run/result.json")));
    }

    private static string SourceRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "Graft.slnx"))) folder = folder.Parent;
        return folder.FullName;
    }

    /// <summary>What the sample is to show is how little it takes.</summary>
    [Fact]
    public void Surgery_takes_under_20_lines() => HasLines("Surgery.cs", 19);

    [Fact]
    public void Fine_tuning_takes_under_30_lines() => HasLines("FineTune.cs", 29);

    private static void HasLines(string sample, int most)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var file = Path.Combine(folder.FullName, "samples", "Graft.Samples", sample);
            if (!File.Exists(file)) continue;
            Assert.InRange(File.ReadLines(file).Count(line => line.Trim().Length > 1), 1, most);
            return;
        }
        Assert.Skip("The sources are not here.");
    }
}
