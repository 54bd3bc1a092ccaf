using System.Globalization;
using Graft.Cli.Demo;
using Graft.Imaging;
using Graft.Inference;
using Graft.Testing;

namespace Graft.EndToEndTests;

/// <summary><c>graft export --for web</c>: the page gives the command's numbers, in a real browser.</summary>
public sealed class WebExportTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Page_gives_the_commands_probabilities_and_loads_nothing_from_elsewhere()
    {
        var graft = Export();
        var photos = Photos();
        var answers = graft.Run(["predict", _folder.File("run"), .. photos, "--top", "6", "--json"]).Json.GetProperty("predictions").EnumerateArray().ToList();
        Assert.Equal(photos.Count, answers.Count);

        await using var server = await StaticServer.Start(_folder.File("site"), Cancellation);
        await using var browser = await Open(server, "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream");

        // From the file on: the browser decodes.
        foreach (var (photo, answer) in photos.Zip(answers))
        {
            var found = await Dropped(browser, Path.GetFileName(photo));
            var expected = answer.GetProperty("classes").EnumerateArray()
                .ToDictionary(entry => entry.GetProperty("class").GetString()!, entry => entry.GetProperty("probability").GetDouble());
            Assert.Equal(expected.Keys.Order(), found.Keys.Order());
            Assert.All(expected, entry => Assert.Equal(entry.Value, found[entry.Key], 0.005));
            var ranking = expected.OrderByDescending(entry => entry.Value).ToList();
            if (ranking[0].Value - ranking[1].Value > 0.002) Assert.Equal(ranking[0].Key, found.MaxBy(entry => entry.Value).Key);
        }

        // With the same pixels only the arithmetic differs.
        using var classifier = Classifier.Open(_folder.File("site/model.onnx"));
        foreach (var photo in photos)
        {
            var image = ImageDecoder.Decode(photo);
            var found = await OfPixels(browser, image);
            Assert.All(classifier.Predict(image).Probabilities.Zip(found), pair => Assert.Equal(pair.First, pair.Second, 1e-5));
        }

        Assert.Matches(@"by up to 0\.00\d+\.$", await Checked(browser));

        await browser.Evaluate("document.getElementById('camera').click()", Cancellation);
        await Until(browser, "document.querySelector('#live figcaption td')");
        await browser.Evaluate("document.getElementById('camera').click()", Cancellation);
        await Until(browser, "document.getElementById('live').hidden");

        Assert.Contains("cannot decode", (string)(await browser.Evaluate(Drop("parity.json", "document.querySelector('#answers figcaption').textContent"), Cancellation))!, StringComparison.Ordinal);
        Assert.Equal(0, (int)(await browser.Evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth", Cancellation))!);
        Assert.Empty(server.Missing);
        foreach (var happened in browser.Events)
        {
            var method = (string?)happened["method"];
            Assert.False(method is "Runtime.exceptionThrown" or "Log.entryAdded", happened.ToJsonString());
            if (method == "Network.requestWillBeSent" && (string)happened["params"]!["request"]!["url"]! is var url)
                Assert.True(url.StartsWith(server.Address, StringComparison.Ordinal) || url.StartsWith($"blob:{server.Address}", StringComparison.Ordinal), url);
        }
    }

    [Fact]
    public async Task Int8_page_gives_the_exported_files_probabilities()
    {
        Export("--precision", "int8");
        var photos = Photos();

        await using var server = await StaticServer.Start(_folder.File("site"), Cancellation);
        await using var browser = await Open(server);

        await browser.Evaluate("import('./classifier.js').then(async ({ Classifier }) => { globalThis.classifier = await Classifier.open(); return true; })", Cancellation);
        using var classifier = Classifier.Open(_folder.File("site/model.onnx"));
        foreach (var photo in photos)
        {
            var image = ImageDecoder.Decode(photo);
            var found = await OfPixels(browser, image);
            Assert.All(classifier.Predict(image).Probabilities.Zip(found), pair => Assert.Equal(pair.First, pair.Second, 1e-5));
        }
        Assert.Matches(@"by up to 0\.0\d+\.$", await Checked(browser));
    }

    /// <summary>Trains on drawn photos and exports the page to the folder site.</summary>
    private GraftCommand Export(params string[] options)
    {
        Assert.SkipUnless(Browser.Program is not null, "there is no chromium, google-chrome or chrome on the PATH");
        var graft = new GraftCommand(_folder.FullName);
        DemoPhotos.Draw(_folder.File("photos"), trainPerClass: 8, validationPerClass: 0, testPerClass: 1, seed: 11, sizePixels: 300, cancellation: Cancellation);
        var training = graft.Run("train", _folder.File("photos"), "--backbone", "tiny", "--classifier", "logistic", "--out", _folder.File("run"));
        Assert.True(training.ExitCode == 0, training.ToString());
        var export = graft.Run(["export", _folder.File("run"), "--for", "web", "--out", _folder.File("site"), .. options]);
        Assert.True(export.ExitCode == 0, export.ToString());
        return graft;
    }

    private static async Task<Browser> Open(StaticServer server, params string[] options)
    {
        var browser = await Browser.Start(800, 900, Cancellation, options);
        await browser.Open(server.Address, Cancellation);
        await Until(browser, "document.getElementById('state').textContent.includes('6 classes')");
        return browser;
    }

    /// <summary>What the page says of its own three photos.</summary>
    private static async Task<string> Checked(Browser browser)
    {
        await browser.Evaluate("document.getElementById('check').click()", Cancellation);
        await Until(browser, "document.getElementById('checked').textContent.startsWith('On 3 photos')");
        return (string)(await browser.Evaluate("document.getElementById('checked').textContent", Cancellation))!;
    }

    /// <summary>Drawn ones, one of them as a camera that is held upright saves it, and of a folder of real ones where there is one; in the page's folder.</summary>
    private List<string> Photos()
    {
        var drawn = Directory.EnumerateFiles(_folder.File("photos/test"), "*.jpg", SearchOption.AllDirectories).Order(StringComparer.Ordinal).ToList();
        var photos = new List<string>();
        foreach (var photo in drawn.Take(3)) Add(File.ReadAllBytes(photo));
        Add(Turned(File.ReadAllBytes(drawn[0])));
        if (SharedFolder.Has("data/flowers5/val"))
        {
            foreach (var kind in Directory.GetDirectories(SharedFolder.Path("data/flowers5/val")).Order(StringComparer.Ordinal))
                Add(File.ReadAllBytes(Directory.GetFiles(kind).Order(StringComparer.Ordinal).First()));
        }
        return photos;

        void Add(byte[] content)
        {
            photos.Add(_folder.File($"site/dropped{photos.Count + 1}.jpg"));
            File.WriteAllBytes(photos[^1], content);
        }
    }

    /// <summary>With an EXIF orientation of 6: turned by 90 degrees.</summary>
    private static byte[] Turned(byte[] jpeg)
    {
        byte[] exif = [0xFF, 0xE1, 0, 34, .. "Exif\0\0MM\0*"u8, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0];
        return [.. jpeg[..2], .. exif, .. jpeg[2..]];
    }

    private static string Drop(string name, string result) => $$"""
        (async () => {
          const [answers, target] = ['answers', 'target'].map(id => document.getElementById(id)), data = new DataTransfer();
          data.items.add(new File([await (await fetch('{{name}}')).blob()], '{{name}}', { type: 'image/jpeg' }));
          const before = answers.children.length;
          target.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
          while (answers.children.length === before || answers.querySelector('figcaption').textContent === '…') await new Promise(wait => setTimeout(wait, 20));
          return {{result}};
        })()
        """;

    /// <summary>Drops a photo on the page, and reads the probabilities that its classifier gives: those shown, with all their digits.</summary>
    private static async Task<Dictionary<string, double>> Dropped(Browser browser, string name)
    {
        var shown = await browser.Evaluate(
            Drop(name, "[...answers.querySelector('table').rows].map(row => [row.cells[0].textContent, row.cells[1].firstChild.value, row.cells[2].textContent])"), Cancellation);
        var exact = await browser.Evaluate(
            $$"""
            import('./classifier.js').then(async ({ Classifier }) => {
              globalThis.classifier ??= await Classifier.open();
              const { probabilities } = await classifier.predict(await (await fetch('{{name}}')).blob());
              return Object.fromEntries(probabilities.map((value, index) => [classifier.classes[index], value]));
            })
            """,
            Cancellation);
        var found = exact!.AsObject().ToDictionary(entry => entry.Key, entry => (double)entry.Value!);
        foreach (var row in shown!.AsArray())
        {
            Assert.Equal(found[(string)row![0]!], (double)row[1]!, 1e-6);
            Assert.Equal(string.Create(CultureInfo.InvariantCulture, $"{100 * found[(string)row[0]!]:0.0} %"), (string)row[2]!);
        }
        return found;
    }

    private static async Task<List<float>> OfPixels(Browser browser, RgbImage image)
    {
        var rgba = new byte[4 * image.Width * image.Height];
        for (int from = 0, to = 0; from < image.Pixels.Length; from += 3, to += 4)
        {
            image.Pixels.AsSpan(from, 3).CopyTo(rgba.AsSpan(to));
            rgba[to + 3] = 255;
        }
        var found = await browser.Evaluate(
            $"classifier.predict(new ImageData(Uint8ClampedArray.from(atob('{Convert.ToBase64String(rgba)}'), letter => letter.charCodeAt(0)), {image.Width}, {image.Height})).then(answer => answer.probabilities)",
            Cancellation);
        return [.. found!.AsArray().Select(value => (float)value!)];
    }

    private static async Task Until(Browser browser, string condition) => await browser.Evaluate(
        $"(async () => {{ for (let tries = 0; !({condition}); tries++) {{ if (tries > 1500) throw new Error(document.body.innerText); await new Promise(wait => setTimeout(wait, 20)); }} }})()",
        Cancellation);
}
