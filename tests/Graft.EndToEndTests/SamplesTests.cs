using Graft.Samples;

namespace Graft.EndToEndTests;

public class SamplesTests
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

    /// <summary>What the sample is to show is how little it takes.</summary>
    [Fact]
    public void Surgery_takes_under_20_lines()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var file = Path.Combine(folder.FullName, "samples", "Graft.Samples", "Surgery.cs");
            if (!File.Exists(file)) continue;
            Assert.InRange(File.ReadLines(file).Count(line => line.Trim().Length > 1), 1, 19);
            return;
        }
        Assert.Skip("The sources are not here.");
    }
}
