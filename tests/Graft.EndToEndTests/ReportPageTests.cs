using System.Text.Json.Nodes;
using Graft.Testing;

namespace Graft.EndToEndTests;

/// <summary>The pages that Graft writes, in a real browser.</summary>
public sealed class ReportPageTests(DrawnPhotos photos) : IClassFixture<DrawnPhotos>, IDisposable
{
    private const string NoBrowser = "there is no chromium, google-chrome or chrome on the PATH";

    /// <summary>Of each picture of the page that is not drawn, what it shows; and how many pictures there are.</summary>
    private const string Pictures = """
        Promise.all([...document.images].map(image => image.decode().catch(() => null))).then(() => ({
          all: document.images.length,
          missing: [...document.images].filter(image => !image.complete || image.naturalWidth === 0).map(image => image.alt) }))
        """;

    /// <summary>Words of charts that reach out of them, cells and captions that hide a part of their words, and how much wider the page is than the window.</summary>
    private const string Cut = """
        (() => {
          document.querySelectorAll('details').forEach(details => details.open = true);
          const words = [...document.querySelectorAll('svg text')].filter(text => {
            const [word, chart] = [text.getBoundingClientRect(), text.closest('svg').getBoundingClientRect()];
            return word.left < chart.left - 1 || word.right > chart.right + 1 || word.top < chart.top - 1 || word.bottom > chart.bottom + 1;
          }).map(text => text.textContent);
          const cells = [...document.querySelectorAll('th, td, figcaption, li, p, span, code')]
            .filter(cell => cell.clientWidth > 0 && (cell.scrollWidth > cell.clientWidth + 1 || cell.scrollHeight > cell.clientHeight + 3)).map(cell => cell.textContent);
          return { words, cells, beyond: document.documentElement.scrollWidth - document.documentElement.clientWidth };
        })()
        """;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private GraftCommand Graft => new(_folder.FullName);

    [Theory]
    [InlineData(1200, 900)]
    [InlineData(390, 844)]
    public async Task Report_opens_without_errors_and_requests_with_every_picture_and_word_in_its_place(int width, int height)
    {
        Assert.SkipUnless(Browser.Program is not null, NoBrowser);
        var trained = Graft.Run("train", photos.Folder, "--backbone", "tiny", "--size", "96", "--out", _folder.File("run"));
        Assert.True(trained.ExitCode == 0, trained.ToString());
        Assert.True(File.Exists(_folder.File("run/report.html")));
        var report = Graft.Run("report", _folder.File("run"), "--out", _folder.File("whole.html"));
        Assert.True(report.ExitCode == 0, report.ToString());

        await using var browser = await Browser.Start(width, height, TestContext.Current.CancellationToken);
        foreach (var page in (string[])["run/report.html", "whole.html"]) await Check(browser, _folder.File(page), fewestPictures: 12);
    }

    [Fact]
    public async Task Report_of_a_fine_tuned_run_with_long_names_opens_as_well()
    {
        Assert.SkipUnless(Browser.Program is not null, NoBrowser);
        var named = _folder.File("photos/x");
        foreach (var kind in Directory.GetDirectories(Path.Combine(photos.Folder, "train")).Order(StringComparer.Ordinal).Take(2))
        {
            var name = $"{Path.GetFileName(kind)} <with> a name that is long & goes on, as Latin names do, Taraxacum sect. Ruderalia_{new string('x', 60)}";
            var folder = Directory.CreateDirectory(Path.Combine(Path.GetDirectoryName(named)!, name));
            foreach (var file in Directory.GetFiles(kind)) File.Copy(file, Path.Combine(folder.FullName, Path.GetFileName(file)));
        }
        var run = Graft.Run(
            "train", Path.GetDirectoryName(named)!, "--backbone", "tiny", "--strategy", "finetune", "--epochs", "3", "--stage2-epochs", "2", "--unfreeze-from", "features.17",
            "--size", "64", "--batch-size", "8", "--out", _folder.File("run"));
        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Equal(0, Graft.Run("report", _folder.File("run")).ExitCode);

        await using var browser = await Browser.Start(390, 844, TestContext.Current.CancellationToken);
        await Check(browser, _folder.File("run/report.html"), fewestPictures: 6);
        var words = (await browser.Evaluate("document.body.innerText", TestContext.Current.CancellationToken))!.GetValue<string>();
        Assert.Contains("<with> a name that is long & goes on", words, StringComparison.Ordinal);
        Assert.Contains("unfrozen", words, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Comparison_says_which_run_is_better_and_opens_in_a_browser()
    {
        var first = Graft.Run("train", photos.Folder, "--backbone", "tiny", "--size", "96", "--out", _folder.File("first"), "--no-report");
        Assert.False(File.Exists(_folder.File("first/report.html")), first.ToString());
        Assert.Equal(0, Graft.Run("train", photos.Folder, "--backbone", "tiny", "--size", "96", "--out", _folder.File("second"), "--classifier", "mean").ExitCode);

        var compared = Graft.Run("compare", _folder.File("first"), _folder.File("second"), "--json", "--out", _folder.File("compare.html"));

        Assert.True(compared.ExitCode == 0, compared.ToString());
        Assert.Equal("test", compared.Json.GetProperty("split").GetString());
        Assert.True(compared.Json.GetProperty("pairs")[0].GetProperty("same_images").GetBoolean());
        Assert.Equal("--classifier", compared.Json.GetProperty("options")[0].GetProperty("name").GetString());
        var table = Graft.Run("compare", _folder.File("first"), _folder.File("second"));
        Assert.Matches(@"first +24 +[\d.]+ %", table.Output);
        Assert.Equal(1, Graft.Run("compare", _folder.File("first"), _folder.File("second"), "--out", _folder.File("compare.html")).ExitCode);
        Assert.SkipUnless(Browser.Program is not null, NoBrowser);
        await using var browser = await Browser.Start(1200, 900, TestContext.Current.CancellationToken);
        await Check(browser, _folder.File("compare.html"), fewestPictures: 0);
    }

    [Theory]
    [InlineData(1200, 900)]
    [InlineData(390, 844)]
    public async Task Data_check_page_opens_without_errors_and_requests_with_every_picture_and_word_in_its_place(int width, int height)
    {
        Assert.SkipUnless(Browser.Program is not null, NoBrowser);
        var pictures = _folder.File($"pictures <of> \"things\" & {new string('x', 60)}");
        foreach (var file in Directory.GetFiles(photos.Folder, "*", SearchOption.AllDirectories))
            File.Copy(file, Put(Path.GetRelativePath(photos.Folder, file)));
        var fish = Directory.GetFiles(Path.Combine(pictures, "train/fish")).Order(StringComparer.Ordinal).ToArray();
        File.Copy(fish[0], Put("test/fish/leaked.jpg"));
        File.Copy(fish[1], Put("train/cup/wrong.jpg"));
        for (var copy = 0; copy < 9; copy++) File.Copy(fish[2], Put($"train/fish/copy {copy}, of a name that is long {new string('y', 80)}.jpg"));
        File.WriteAllText(Put("train/cup/broken <i>.jpg"), "no picture");
        File.WriteAllText(Put("train/cup/notes.txt"), "no picture");

        var check = Graft.Run("data", "check", pictures, "--backbone", "graft_mobilenet_v2_050", "--html", _folder.File("check.html"));

        Assert.True(check.ExitCode == 0, check.ToString());
        await using var browser = await Browser.Start(width, height, TestContext.Current.CancellationToken);
        await Check(browser, _folder.File("check.html"), fewestPictures: 13);
        var words = (await browser.Evaluate("document.body.innerText", TestContext.Current.CancellationToken))!.GetValue<string>();
        foreach (var title in (string[])["Leaks: 1", "One photo in several classes: 1", "Likely label errors: ", "Cannot be read: 1", "broken <i>.jpg", "and 2 more"])
            Assert.Contains(title, words, StringComparison.Ordinal);

        string Put(string name)
        {
            var path = Path.Combine(pictures, name);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            return path;
        }
    }

    private static async Task Check(Browser browser, string page, int fewestPictures)
    {
        var cancellation = TestContext.Current.CancellationToken;
        await browser.Open(page, cancellation);
        var pictures = (await browser.Evaluate(Pictures, cancellation))!;
        var cut = (await browser.Evaluate(Cut, cancellation))!;

        Assert.Empty(pictures["missing"]!.AsArray().Select(name => name!.GetValue<string>()));
        Assert.True(pictures["all"]!.GetValue<int>() >= fewestPictures, $"{pictures["all"]} pictures");
        Assert.Empty(cut["words"]!.AsArray().Select(word => word!.GetValue<string>()));
        Assert.Empty(cut["cells"]!.AsArray().Select(word => word!.GetValue<string>()));
        Assert.True(cut["beyond"]!.GetValue<int>() <= 0, $"the page is {cut["beyond"]} pixels wider than the window");
        string[] requests = [.. Of("Network.requestWillBeSent").Select(sent => sent["request"]!["url"]!.GetValue<string>())];
        Assert.Equal([new Uri(page).AbsoluteUri], requests.Where(url => !url.StartsWith("data:", StringComparison.Ordinal)));
        Assert.Empty(Of("Log.entryAdded").Select(entry => entry.ToJsonString()));
        Assert.Empty(Of("Runtime.consoleAPICalled").Select(entry => entry.ToJsonString()));
        Assert.Empty(Of("Runtime.exceptionThrown").Select(entry => entry.ToJsonString()));

        IEnumerable<JsonNode> Of(string method) =>
            browser.Events.Where(happened => happened["method"]?.GetValue<string>() == method).Select(happened => happened["params"]!);
    }
}
