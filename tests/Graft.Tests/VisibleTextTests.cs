using System.Text.Json;
using CsvHelper;
using Graft.Runs.Reports;

namespace Graft.Tests;

public class VisibleTextTests
{
    [Theory]
    [InlineData("plain, Größe, 猫, 🐈", "plain, Größe, 猫, 🐈")]
    [InlineData("\u001b[31mred", "␛[31mred")]
    [InlineData("a\nb\tc", "a␊b␉c")]
    [InlineData("gpj.\u202Ejpg", "gpj.\\u202Ejpg")]
    [InlineData("a\u2066b\u2069\u200B\uFEFF", "a\\u2066b\\u2069\\u200B\\uFEFF")]
    [InlineData("\u0085\u009b31m\u007f", "\\u0085\\u009B31m\\u007F")]
    [InlineData("a\U000E0041b", "a\\uDB40\\uDC41b")]
    [InlineData("می\u200Cخواهم 👩\u200D🔬", "می\u200Cخواهم 👩\u200D🔬")]
    [InlineData("cat\u200Dx", "cat\\u200Dx")]
    public void Hidden_characters_are_shown(string text, string shown) => Assert.Equal(shown, VisibleText.Of(text));

    [Fact]
    public void A_document_stays_the_same_JSON()
    {
        var document = JsonSerializer.Serialize(new[] { "a\u202Eb\u001b\n\u200B\U000E0041" }, Graft.Runs.RunFolder.Json);

        var shown = VisibleText.Of(document, isOneLine: false);

        Assert.DoesNotContain('\u202E', shown);
        Assert.Equal("a\u202Eb\u001b\n\u200B\U000E0041", JsonSerializer.Deserialize<string[]>(shown)![0]);
    }

    [Fact]
    public void Pages_show_them_too() =>
        Assert.Equal("<b>\\u202E&lt;i&gt;␛</b>", Html.Of($"<b>{"\u202E<i>\u001b"}</b>").ToString());

    [Theory]
    [InlineData("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0")]
    [InlineData("+1", "'+1")]
    [InlineData("-1", "'-1")]
    [InlineData("@SUM(A1)", "'@SUM(A1)")]
    [InlineData("\t=1", "'\t=1")]
    [InlineData("\r=1", @"\u{D}=1")]
    [InlineData("a\nb", @"a\u{A}b")]
    [InlineData(" a ", @"\u{20}a\u{20}")]
    [InlineData(" ", @"\u{20}")]
    [InlineData("a\t", @"a\u{9}")]
    [InlineData("＝1", "'＝1")]
    [InlineData("'=1", "''=1")]
    [InlineData("'", "''")]
    [InlineData("it's", "it's")]
    [InlineData("a=b", "a=b")]
    [InlineData("", "")]
    [InlineData("a\u001b[1m\u202E", @"a\u{1B}[1m\u{202E}")]
    [InlineData(@"C:\u{202E}", @"C:\u{5C}u{202E}")]
    [InlineData(@"C:\u{x}", @"C:\u{x}")]
    public void Cells_are_no_formulas_and_read_back_as_they_were(string text, string cell)
    {
        Assert.Equal(cell, CsvFile.Protect(text));
        Assert.Equal(text, CsvFile.Restore(cell));

        using var stream = new MemoryStream();
        using (var table = CsvFile.ForFile(stream, ["text", "number"])) table.Add(text, -1.5f);
        using var csv = CsvReader.Create(stream.ToArray(), new CsvReaderOptions { AllowLineBreaksInQuotes = true });
        Assert.True(csv.Read());
        Assert.Equal(text, CsvFile.Restore(csv.GetString(0)));
        Assert.Equal("-1.5", csv.GetString(1));
        Assert.EndsWith(CsvFile.Line(text)[..^1] + ",-1.5\n", System.Text.Encoding.UTF8.GetString(stream.ToArray()), StringComparison.Ordinal);
    }

    /// <summary>A report that a terminal shows, a chart and a page.</summary>
    [Fact]
    public void Class_names_act_nowhere()
    {
        const string name = "a\u001b[31m\u202Eb";

        string[] texts =
        [
            Graft.Evaluation.ClassificationReport.Of(Graft.Evaluation.ConfusionMatrix.Of([0, 1], [0, 1], [name, "c"])).ToText(),
            Graft.Evaluation.Charts.ResultCharts.Confusion(Graft.Evaluation.ConfusionMatrix.Of([0, 1], [0, 1], [name, "c"])).ToSvg(""),
            Graft.Runs.Reports.Html.FileName($"{name}/photo of a rose.jpg").Text,
        ];

        Assert.All(texts, text => Assert.DoesNotContain(text, letter => letter is '\u001b' or '\u202E'));
        Assert.All(texts, text => Assert.Contains("a\u241b[31m", text, StringComparison.Ordinal));
    }
}
