using System.Text.RegularExpressions;
using Graft.Data;
using Graft.Imaging;
using Graft.Runs.Reports;
using Graft.Tests.Data;

namespace Graft.Tests.Runs;

public sealed partial class DataCheckPageTests : IDisposable
{
    private readonly Pictures _pictures = new();

    public void Dispose() => _pictures.Dispose();

    private DataCheckReport Check() => DataCheck.Run(
        LabeledImages.Load(_pictures.FullName, new() { ValidationShare = 0 }), cancellation: TestContext.Current.CancellationToken);

    [Fact]
    public void Page_shows_what_was_found_and_needs_no_other_file()
    {
        for (var seed = 0; seed < 6; seed++) _pictures.Put($"{(seed < 3 ? "cat" : "<img>&\"dog")}/{seed}.jpg", seed);
        _pictures.Put("cat/copy.jpg", 0);
        _pictures.Put("<img>&\"dog/<script>.jpg", "no picture"u8.ToArray());
        var path = _pictures.Outside("page.html");

        DataCheckPage.Write(Check(), path);

        var html = File.ReadAllText(path);
        Assert.Equal(2, Regex.Count(html, "<img alt="));
        Assert.Equal(2, Regex.Count(html, "<img"));
        Assert.Contains("&lt;img&gt;&amp;&quot;dog", html, StringComparison.Ordinal);
        Assert.DoesNotContain("<script", html, StringComparison.Ordinal);
        Assert.DoesNotContain("://", html, StringComparison.Ordinal);
        Assert.All(Link().Matches(html), link => Assert.Matches("^(data:|#)", link.Groups[1].Value));
        Assert.Contains("More than once in a class: 1", html, StringComparison.Ordinal);
        Assert.Contains("Cannot be read: 1", html, StringComparison.Ordinal);
        Assert.DoesNotContain("Leaks", html, StringComparison.Ordinal);
        foreach (var part in html.Split("base64,").Skip(1))
            Assert.Equal(160, ImageDecoder.Decode(Convert.FromBase64String(part[..part.IndexOf('"')])).Width);
        var taken = Assert.Throws<GraftException>(() => DataCheckPage.Write(Check(), path));
        Assert.Contains("page.html", taken.Message, StringComparison.Ordinal);
        Assert.Equal("html-not-written", taken.Code);
    }

    [Fact]
    public void Leaks_come_first_and_suspects_say_what_they_rather_are()
    {
        for (var seed = 0; seed < 8; seed++) _pictures.Put($"{(seed < 6 ? "train" : "test")}/{(seed % 2 == 0 ? "cat" : "dog")}/{seed}.jpg", seed);
        _pictures.Put("test/cat/leak.jpg", 0);
        _pictures.Put("train/dog/other.jpg", 2);
        var report = Check();
        report = report with { Labels = new("tiny", 0.875, [new(report.Images[0], 0.031, "dog & co", 0.9)]) };

        var html = DataCheckPage.ToHtml(report);

        string[] titles = ["Leaks: 1", "One photo in several classes: 1", "Likely label errors: 1"];
        int[] places = [.. titles.Select(title => html.IndexOf($">{title}</h2>", StringComparison.Ordinal))];
        Assert.DoesNotContain(-1, places);
        Assert.Equal(places.Order(), places);
        Assert.Contains("agree with 87.5 % of the labels", html, StringComparison.Ordinal);
        Assert.Matches(@"cat <span class=""keep"">3\.1 %</span>, rather <b>dog &amp; co</b> <span class=""keep"">90\.0 %</span>", html);
        Assert.Contains("<b>cat, test</b>", html, StringComparison.Ordinal);
        Assert.Contains("<small>train/cat/0.jpg</small>", html, StringComparison.Ordinal);
        Assert.Equal("holiday_<wbr>2019/<wbr>IMG_<wbr>0001&lt;.<wbr>jpg", Html.FileName("holiday_2019/IMG_0001<.jpg").Text);
    }

    [Fact]
    public void Page_shows_a_part_of_what_is_too_much_and_counts_the_rest()
    {
        for (var seed = 0; seed < 4; seed++) _pictures.Put($"{(seed < 2 ? "cat" : "dog")}/{seed}.jpg", seed);
        var report = Check();
        var image = report.Images[0];
        report = report with
        {
            Flawed = [.. Enumerable.Range(0, 130).Select(_ => new FlawedImage(image, ImageFlaw.Dark, "brightness 3"))],
            Duplicates = [new([.. Enumerable.Repeat(image, 11)], IsExact: true), .. Enumerable.Repeat(new DuplicateGroup([image, image], true), 90)],
        };

        var html = DataCheckPage.ToHtml(report);

        // 8 of the first group, 76 groups of two, and 100 dark photos.
        Assert.Equal(8 + 2 * 76 + 100, Regex.Count(html, "<img "));
        Assert.Contains("and 3 more</p>", html, StringComparison.Ordinal);
        Assert.Contains("… and 14 more;", html, StringComparison.Ordinal);
        Assert.Contains("Dark: 130", html, StringComparison.Ordinal);
        Assert.Contains("… and 30 more;", html, StringComparison.Ordinal);
    }

    [GeneratedRegex("(?:src|href)=\"([^\"]*)\"")]
    private static partial Regex Link();
}
