using Graft.Samples;

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
