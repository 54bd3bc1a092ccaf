using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Graft.Inference;
using Graft.Testing;
using static Graft.EndToEndTests.StudioPage;

namespace Graft.EndToEndTests;

/// <summary>The studio in a real browser, by its buttons and keys.</summary>
public sealed partial class StudioTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly StudioPhotos _photos;

    public StudioTests() => _photos = new(_folder);

    private GraftCommand Graft => new(_folder.FullName);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task From_an_empty_project_to_a_verified_model_by_clicks_within_90_seconds()
    {
        Assert.SkipUnless(Browser.Program is not null, NoBrowser);
        Assert.SkipUnless(SharedFolder.Has("data/flowers5/train"), NoPhotos);
        using var studio = await StudioProcess.Start(Graft);
        await using var browser = await Browser.Start(1200, 900, Cancellation);
        await browser.Open(studio.Address, Cancellation);
        await browser.Until("document.getElementById('project')", Cancellation);
        var clock = Stopwatch.StartNew();
        await browser.Click("document.getElementById('project')", Cancellation);
        await browser.Type("my flowers", Cancellation);
        await browser.Click(Button("Start"), Cancellation);
        foreach (var name in (string[])["roses", "tulips"])
        {
            await browser.Until("document.getElementById('class')", Cancellation);
            await browser.Click("document.getElementById('class')", Cancellation);
            await browser.Type(name, Cancellation);
            await browser.Click(Button("Add"), Cancellation);
            await browser.Until($"document.body.innerText.includes('they become {name}')", Cancellation);
            await browser.Choose("document.querySelector('input[type=file]')", _photos.Flowers(name, 20), Cancellation);
            await browser.Until("document.body.innerText.includes('20 photos added.')", Cancellation);
        }
        await browser.Until(Learned, Cancellation);
        await browser.Click(Link("Export"), Cancellation);
        await browser.Until("document.getElementById('to-onnx')?.value", Cancellation);
        await browser.Click("document.querySelector('[data-target=onnx] button')", Cancellation);
        await browser.Until("document.querySelector('[data-target=onnx] .verified')", Cancellation);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(90), $"{clock.Elapsed}");
        TestContext.Current.SendDiagnosticMessage($"From an empty project to a verified model: {clock.Elapsed.TotalSeconds:0.0} s");

        var file = Assert.Single(Directory.GetFiles(_folder.FullName, "my flowers.onnx", SearchOption.AllDirectories));
        using var classifier = Classifier.Open(file);
        Assert.Equal(["roses", "tulips"], classifier.Classes);
        Assert.True(classifier.Verify()!.IsPassed);
        CheckQuiet(browser, studio);
    }

    [Fact]
    public async Task Every_screen_works_by_its_own_path_with_nothing_that_axe_or_the_console_minds()
    {
        Assert.SkipUnless(Browser.Program is not null, NoBrowser);
        Assert.SkipUnless(SharedFolder.Has("data/flowers5/train"), NoPhotos);
        _photos.Copy("roses", 24, $"flowers/{StudioPhotos.Named("roses")}");
        _photos.Copy("tulips", 24, $"flowers/{StudioPhotos.Named("tulips")}");
        _photos.Copy("daisy", 6, $"flowers/{StudioPhotos.Named("roses")}");
        _photos.Copy("tulips", 44, "flowers/unlabeled", skip: 24);
        using var studio = await StudioProcess.Start(Graft, _folder.File("flowers"));
        await using var browser = await Browser.Start(1280, 860, Cancellation, "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream");
        await browser.Open(studio.Address, Cancellation);
        await browser.Until(Learned, Cancellation);
        await studio.Until(state => state.GetProperty("learned").GetProperty("has_insights").GetBoolean());

        // Photos: keys label, undo takes back, a photo opens large.
        await browser.Until("document.querySelectorAll('.cell img').length > 20 && [...document.querySelectorAll('.cell img')].every(image => image.complete && image.naturalWidth > 0)", Cancellation);
        await browser.Click(StartsWith("Unlabeled"), Cancellation);
        await browser.Until("document.querySelector('[role=listbox]').getAttribute('aria-label').startsWith('20 ')", Cancellation);
        await Look(browser, "photos");
        await browser.Click("document.querySelectorAll('.cell')[0]", Cancellation);
        await browser.Press("ArrowRight", Cancellation, isShift: true);
        await browser.Press("2", Cancellation);
        await studio.Until(state => state.GetProperty("unlabeled").GetInt32() == 18);
        // The page hears of it a moment later.
        await browser.Until("!document.getElementById('undo').disabled", Cancellation);
        await browser.Press("z", Cancellation, isControl: true);
        await studio.Until(state => state.GetProperty("unlabeled").GetInt32() == 20);
        await browser.Until("document.querySelector('[role=listbox]').getAttribute('aria-label').startsWith('20 ')", Cancellation);
        await browser.Evaluate("document.querySelector('.grid').focus()", Cancellation);
        await browser.Press("ArrowRight", Cancellation);
        await browser.Press("Enter", Cancellation);
        await browser.Until("document.querySelectorAll('dialog[open] img').length === 3 && [...document.querySelectorAll('dialog img')].every(image => image.complete && image.naturalWidth > 0)", Cancellation);
        await Look(browser, "photo");
        await browser.Press("Escape", Cancellation);

        // Train: one sentence; a training of the network is started, canceled and resumed.
        await browser.Click(Link("Train"), Cancellation);
        await browser.Until("document.querySelector('summary')", Cancellation);
        await browser.Click("document.querySelector('summary')", Cancellation);
        await browser.Evaluate("document.getElementById('backbone').select()", Cancellation);
        await browser.Type("tiny", Cancellation);
        await browser.Evaluate("document.getElementById('strategy').value = 'full'; document.getElementById('epochs').value = '400'", Cancellation);
        await browser.Click(Button("Start training"), Cancellation);
        await browser.Until("document.querySelector('.curve')", Cancellation, 120);
        await Look(browser, "train");
        await browser.Click(Button("Cancel"), Cancellation);
        await browser.Until("document.body.innerText.includes('was interrupted')", Cancellation);

        // Look: a confusion shows its photos; a label is mended. A photo that the next model guesses otherwise would leave the view.
        await studio.Until(state => state.GetProperty("learned").GetProperty("is_current").GetBoolean() && !state.GetProperty("learner").GetProperty("is_busy").GetBoolean(), 120);
        await browser.Click(Link("Look"), Cancellation);
        await browser.Until("document.querySelectorAll('.map circle').length > 40 && document.querySelector('td button')", Cancellation);
        await browser.Click("document.querySelector('td.right button')", Cancellation);
        await browser.Until("document.querySelector('.cell img')?.naturalWidth > 0", Cancellation);
        await browser.Click("document.querySelector('.cell')", Cancellation);
        await browser.Until("document.querySelector('aside img:not([hidden])')?.naturalWidth > 0", Cancellation);
        await Look(browser, "look");
        var before = (await studio.Get("/api/state")).GetProperty("version").GetInt32();
        await browser.Click(StartsWith("Keep as hard"), Cancellation);
        await studio.Until(state => state.GetProperty("version").GetInt32() > before);

        // Label next: Enter accepts, Backspace undoes.
        await browser.Click(Link("Label next"), Cancellation);
        await browser.Until("document.querySelector('.next img')?.naturalWidth > 0", Cancellation);
        await Look(browser, "next");
        await browser.Press("Enter", Cancellation);
        await studio.Until(state => state.GetProperty("unlabeled").GetInt32() == 19);
        await browser.Press("Backspace", Cancellation);
        await studio.Until(state => state.GetProperty("unlabeled").GetInt32() == 20);
        await browser.Click(StartsWith("Photos that look alike"), Cancellation);
        await browser.Until("document.querySelectorAll('.choice button').length === 12", Cancellation);
        await browser.Click("document.querySelectorAll('.choice button')[1]", Cancellation);
        var labeled = await browser.Evaluate(StartsWith("except 1 photo") + ".textContent", Cancellation);
        Assert.StartsWith("All ", (string)labeled!, StringComparison.Ordinal);
        await browser.Click(StartsWith("except 1 photo"), Cancellation);
        await studio.Until(state => state.GetProperty("unlabeled").GetInt32() == 9);

        // Use: a photo that is not part of the project, then the camera.
        await browser.Click(Link("Use"), Cancellation);
        await browser.Until("document.querySelector('input[type=file]')", Cancellation);
        await browser.Choose("document.querySelector('input[type=file]')", [_photos.Flowers("roses", 30)[29]], Cancellation);
        await browser.Until("document.querySelectorAll('section.card img').length === 2", Cancellation);
        await Look(browser, "use");
        await browser.Click(StartsWith("Use the camera"), Cancellation);
        await browser.Until("document.querySelector('.drop .probabilities')", Cancellation);
        await browser.Click(StartsWith("Close the camera"), Cancellation);

        // Export: labels as a table.
        await browser.Click(Link("Export"), Cancellation);
        await browser.Until("document.getElementById('to-csv')?.value", Cancellation);
        await browser.Click("document.querySelector('[data-target=csv] button')", Cancellation);
        await browser.Until("document.querySelector('[data-target=csv] .verified')?.textContent.includes('65 photos of 2 classes')", Cancellation);
        await Look(browser, "export");

        await browser.Click(Link("Open"), Cancellation);
        await browser.Until("document.getElementById('folder')", Cancellation);
        await Look(browser, "open");
        CheckQuiet(browser, studio);
    }

    [Fact]
    public async Task The_camera_records_while_the_button_is_held()
    {
        Assert.SkipUnless(Browser.Program is not null, NoBrowser);
        Directory.CreateDirectory(_folder.File("empty"));
        using var studio = await StudioProcess.Start(Graft, _folder.File("empty"));
        await using var browser = await Browser.Start(1200, 900, Cancellation, "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream");
        await browser.Open(studio.Address, Cancellation);
        await browser.Until("document.getElementById('class')", Cancellation);
        await browser.Click("document.getElementById('class')", Cancellation);
        await browser.Type("beep", Cancellation);
        await browser.Press("Enter", Cancellation);
        await browser.Until("document.body.innerText.includes('they become beep')", Cancellation);
        await browser.Click(StartsWith("Use the camera"), Cancellation);
        await browser.Until("document.querySelector('video').videoWidth > 0", Cancellation);
        var place = (await browser.Evaluate($"(() => {{ const box = {Button("Hold to record")}; box.scrollIntoView(); const {{ x, y }} = box.getBoundingClientRect(); return [x + 20, y + 10]; }})()", Cancellation))!;
        await browser.Pointer("mousePressed", (double)place[0]!, (double)place[1]!, Cancellation);
        await studio.Until(state => state.GetProperty("photos").GetInt32() >= 3);
        await browser.Pointer("mouseReleased", (double)place[0]!, (double)place[1]!, Cancellation);

        var state = await studio.Get("/api/state");
        Assert.True(state.GetProperty("classes")[0].GetProperty("photos").GetInt32() >= 3, state.ToString());
        CheckQuiet(browser, studio);
    }

    [Fact]
    public async Task A_hundred_thousand_photos_open_and_scroll_without_waiting_in_little_memory()
    {
        Assert.SkipUnless(Browser.Program is not null, NoBrowser);
        Assert.SkipUnless(OperatingSystem.IsLinux(), "hard links and memory are read as Linux has them");
        LinkMany(100_000);
        using var studio = await StudioProcess.Start(Graft, _folder.File("many"));
        await studio.Until(state => state.TryGetProperty("photos", out var photos) && photos.GetInt32() == 100_000);
        await using var browser = await Browser.Start(1280, 860, Cancellation);
        var clock = Stopwatch.StartNew();
        await browser.Open(studio.Address, Cancellation);
        await browser.Until("document.querySelectorAll('.cell').length > 20", Cancellation);
        var opened = clock.Elapsed;

        // To ten places, the first time to make their thumbnails: how long until all that is seen is drawn.
        const string Scroll = """
            (async () => {
              const grid = document.querySelector('.grid'), waits = [];
              for (let turn = 0; turn < 20; turn++) {
                const start = performance.now();
                grid.scrollTop = (turn % 10) / 10 * grid.scrollHeight;
                const box = grid.getBoundingClientRect();
                const isDrawn = () => [...grid.querySelectorAll('.cell')].every(cell => {
                  const place = cell.getBoundingClientRect();
                  return place.bottom < box.top || place.top > box.bottom || (cell.querySelector('img').complete && cell.querySelector('img').naturalWidth > 0);
                });
                await new Promise(done => requestAnimationFrame(done));
                while (!isDrawn()) await new Promise(done => setTimeout(done, 5));
                if (turn >= 10) waits.push(performance.now() - start);
              }
              return { worst: Math.max(...waits), cells: grid.querySelectorAll('.cell').length };
            })()
            """;
        var scrolled = (await browser.Evaluate(Scroll, Cancellation))!;
        var (server, tab) = (MemoryOf(studio.Id), browser.RendererBytes());
        TestContext.Current.SendDiagnosticMessage(
            $"100,000 photos: opened in {opened.TotalSeconds:0.00} s; scrolling waited {(double)scrolled["worst"]!:0} ms at most; server {server >> 20} MB, browser tab {tab >> 20} MB; {scrolled["cells"]} cells");

        Assert.True(opened < TimeSpan.FromSeconds(2), $"{opened}");
        Assert.True((double)scrolled["worst"]! < 200, scrolled.ToJsonString());
        Assert.True((int)scrolled["cells"]! < 200, scrolled.ToJsonString());
        Assert.True(server < 500_000_000, $"{server}");
        Assert.True(tab < 400_000_000, $"{tab}");
    }

    [Fact]
    public async Task Two_windows_show_one_truth_and_a_killed_studio_loses_nothing()
    {
        Assert.SkipUnless(SharedFolder.Has("data/flowers5/train"), NoPhotos);
        _photos.Copy("roses", 3, "flowers/unlabeled");
        string id;
        using (var studio = await StudioProcess.Start(Graft, _folder.File("flowers")))
        {
            await studio.Until(state => state.TryGetProperty("photos", out var photos) && photos.GetInt32() == 3);
            id = (await studio.Get("/api/photos?view=all")).GetProperty("photos")[0].GetProperty("id").GetString()!;
            using var window = await studio.Client.GetStreamAsync(new Uri("/api/events", UriKind.Relative), Cancellation);
            using var events = new StreamReader(window);
            Assert.Contains("\"unlabeled\":3", await events.ReadLineAsync(Cancellation), StringComparison.Ordinal);
            Assert.Equal(HttpStatusCode.OK, (await studio.Post("/api/class", new { @class = "roses" })).Status);
            Assert.Equal(HttpStatusCode.OK, (await studio.Post("/api/label", new { ids = new[] { id }, @class = "roses" })).Status);
            string? told;
            do told = await events.ReadLineAsync(Cancellation); while (told?.Contains("\"unlabeled\":2", StringComparison.Ordinal) == false);
            Assert.NotNull(told);
            studio.Kill();
        }
        using var again = await StudioProcess.Start(Graft, _folder.File("flowers"));
        await again.Until(state => state.TryGetProperty("unlabeled", out var left) && left.GetInt32() == 2);
        Assert.Equal("roses", (await again.Get($"/api/photo/{id}")).GetProperty("label").GetString());

        // Folders change when it is said, and back.
        Assert.Equal(1, (await again.Post("/api/apply", new { })).Answer.GetProperty("moved").GetInt32());
        Assert.Single(Directory.GetFiles(_folder.File($"flowers/{StudioPhotos.Named("roses")}")));
        Assert.Equal(1, (await again.Post("/api/apply/undo", new { })).Answer.GetProperty("moved").GetInt32());
        Assert.Equal(3, Directory.GetFiles(_folder.File("flowers/unlabeled")).Length);
    }

    [Fact]
    public async Task Nobody_from_elsewhere_is_let_in_and_no_path_is_an_id()
    {
        Directory.CreateDirectory(_folder.File("empty"));
        using var studio = await StudioProcess.Start(Graft, _folder.File("empty"));
        await studio.Until(state => state.GetProperty("project").ValueKind == JsonValueKind.Object);
        async Task<HttpStatusCode> Ask(string path, HttpMethod method, bool withCookie = true, params (string Name, string Value)[] headers)
        {
            using var plain = new HttpClient(new HttpClientHandler { UseCookies = false, AllowAutoRedirect = false });
            using var request = new HttpRequestMessage(method, studio.Base + path) { Content = method == HttpMethod.Post ? new StringContent("{}") : null };
            if (withCookie) request.Headers.Add("Cookie", $"graft-studio-{new Uri(studio.Base).Port}={studio.Address[(studio.Address.IndexOf("token=", StringComparison.Ordinal) + 6)..]}");
            foreach (var (name, value) in headers) request.Headers.TryAddWithoutValidation(name, value);
            using var answer = await plain.SendAsync(request, Cancellation);
            return answer.StatusCode;
        }

        Assert.Equal(HttpStatusCode.OK, await Ask("/api/state", HttpMethod.Get));
        Assert.Equal(HttpStatusCode.OK, await Ask("/api/undo", HttpMethod.Post, true, ("Origin", studio.Base)));
        Assert.Equal(HttpStatusCode.Forbidden, await Ask("/api/state", HttpMethod.Get, withCookie: false));
        Assert.Equal(HttpStatusCode.Forbidden, await Ask("/", HttpMethod.Get, withCookie: false));
        Assert.Equal(HttpStatusCode.Forbidden, await Ask($"/?token={new string('0', 32)}", HttpMethod.Get, withCookie: false));
        Assert.Equal(HttpStatusCode.Forbidden, await Ask("/api/state", HttpMethod.Get, true, ("Host", "evil.example")));
        Assert.Equal(HttpStatusCode.Forbidden, await Ask("/api/undo", HttpMethod.Post));
        Assert.Equal(HttpStatusCode.Forbidden, await Ask("/api/undo", HttpMethod.Post, true, ("Origin", "http://evil.example")));
        Assert.Equal(HttpStatusCode.Forbidden, await Ask("/api/undo", HttpMethod.Post, true, ("Origin", "null")));
        Assert.Equal(HttpStatusCode.Forbidden, await Ask("/api/state", HttpMethod.Get, true, ("Sec-Fetch-Site", "same-site")));
        foreach (var id in (string[])["%2Fetc%2Fpasswd", "..%2F..%2Fsecret.jpg", "C:%5Csecret.jpg", new string('0', 16)])
            Assert.Equal(HttpStatusCode.NotFound, await Ask($"/photos/{id}/large", HttpMethod.Get));
        using var first = await studio.Client.GetAsync(new Uri("/", UriKind.Relative), Cancellation);
        Assert.Contains("default-src 'none'", first.Headers.GetValues("Content-Security-Policy").Single(), StringComparison.Ordinal);
        // A dropped photo's name leads nowhere either.
        var (status, answer) = await studio.Post("/api/drop?name=..%2F..%2Fout.jpg", File.ReadAllBytes(_photos.Drawn()));
        Assert.True(status == HttpStatusCode.OK, answer.ToString());
        Assert.Equal([_folder.File("empty/unlabeled/out.jpg")], Directory.GetFiles(_folder.FullName, "out*", SearchOption.AllDirectories));
        Assert.Equal(HttpStatusCode.Conflict, (await studio.Post("/api/class", new { @class = "../outside" })).Status);
    }

    /// <summary>Of few files, under many names.</summary>
    private void LinkMany(int count)
    {
        var drawn = _folder.File("few");
        Cli.Demo.DemoPhotos.Draw(drawn, trainPerClass: 2, validationPerClass: 0, testPerClass: 1, seed: 5, sizePixels: 160);
        var files = Directory.GetFiles(drawn, "*.jpg", SearchOption.AllDirectories).Order(StringComparer.Ordinal).Take(10).ToArray();
        for (var kind = 0; kind < 10; kind++) Directory.CreateDirectory(_folder.File($"many/class {kind}"));
        for (var photo = 0; photo < count; photo++)
            Assert.Equal(0, HardLink(files[photo % files.Length], _folder.File($"many/class {photo % 10}/{photo:000000}.jpg")));
    }

    [System.Runtime.InteropServices.LibraryImport("libc", EntryPoint = "link", StringMarshalling = System.Runtime.InteropServices.StringMarshalling.Utf8)]
    private static partial int HardLink(string existing, string path);

    private static long MemoryOf(int process) => Directory.GetDirectories("/proc").Where(folder => int.TryParse(Path.GetFileName(folder), out _))
        .Select(folder => ProcessMemory.Of(folder)).Where(found => found.Id == process || found.Parent == process).Select(found => found.Bytes).DefaultIfEmpty(0).Max();
}
