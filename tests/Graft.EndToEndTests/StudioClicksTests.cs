using Graft.Data;
using Graft.Inference;
using static Graft.EndToEndTests.StudioPage;

namespace Graft.EndToEndTests;

/// <summary>What a person does in the studio besides the main path, by clicks, drags and keys in one browser.</summary>
public sealed class StudioClicksTests(StudioWindow window) : IClassFixture<StudioWindow>
{
    private const string Shown = "document.querySelector('[role=listbox]').getAttribute('aria-label')";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private Browser Browser => window.Browser;

    private Task Click(string element) => Browser.Click(element, Cancellation);

    private Task Until(string expression, double seconds = 60) => Browser.Until(expression, Cancellation, seconds);

    private async Task<string> Text(string expression) => (string?)await Browser.Evaluate(expression, Cancellation) ?? "";

    [Fact]
    public async Task A_typed_folder_is_opened_and_one_that_is_not_there_is_said()
    {
        await window.Show("open");
        window.Photos.Copy("daisy", 3, "second/unlabeled");
        await Until("document.getElementById('folder')");
        await Click("document.getElementById('folder')");
        await Browser.Type("/nowhere/at all", Cancellation);
        await Click(Button("Open"));
        await Until("document.getElementById('problem').textContent === 'There is no folder or table /nowhere/at all. Check the spelling, or name another one.'");
        await Browser.Evaluate("document.getElementById('folder').select()", Cancellation);
        await Browser.Type(window.Path("second/x")[..^2], Cancellation);
        await Click(Button("Open"));
        await Until($"document.title === 'Photos – second' && {Shown} === '3 photos' && [...document.querySelectorAll('.cell img')].every(image => image.naturalWidth > 0)");
        CheckQuiet(Browser, window.Studio, refused: 1);

        // And back by the list of recent projects.
        await Click(Link("Open"));
        await Until(StartsWith("/flowers"));
        await Click(StartsWith("/flowers"));
        await Until("document.title === 'Photos – flowers'");
    }

    [Fact]
    public async Task Problems_are_found_and_said_under_each_photo()
    {
        await window.Show("photos");
        await Click("[...document.querySelectorAll('.classes button')].find(button => button.textContent.includes('Problems'))");
        const string Words = "[...document.querySelectorAll('.cell')].map(cell => cell.title).join('\\n')";
        await Until($"{Words}.includes('Cannot be read')");
        var found = await Text(Words);
        Assert.Contains("Blank: hardly anything is on it.", found, StringComparison.Ordinal);
        Assert.Contains("The same photo is in roses and in tulips.", found, StringComparison.Ordinal);
        Assert.Matches(@"A copy of .+\.jpg\.", found);
        // A photo that cannot be read is said so in its place and when it is opened.
        await Until("[...document.querySelectorAll('.cell')].some(cell => cell.textContent.includes('Cannot be read'))");
    }

    [Fact]
    public async Task Photos_and_folders_are_dropped_where_they_are_to_go()
    {
        await window.Show("photos");
        string[] outside = [.. window.Photos.Flowers("sunflowers", 6)];
        foreach (var photo in outside[2..5]) File.Copy(photo, window.Path($"outside/sunflowers/{Path.GetFileName(photo)}"));
        File.WriteAllText(window.Path("outside/sunflowers/notes.txt"), "no photo");
        var before = (await window.Studio.Get("/api/state")).GetProperty("unlabeled").GetInt32();
        await Until("document.querySelector('.drop')");

        await Browser.Drag("document.querySelector('.drop')", outside[..2], Cancellation);
        await Until("document.querySelector('.drop [role=status]').textContent === '2 photos added.'");
        await window.Studio.Until(state => state.GetProperty("unlabeled").GetInt32() == before + 2);

        await Browser.Drag("document.querySelector('.drop')", [window.Path("outside/sunflowers/x")[..^2]], Cancellation);
        await Until("[...document.querySelectorAll('.classes button')].some(button => button.textContent.includes('sunflowers') && button.textContent.includes('3'))");
        // What is no photo is left out, and said.
        await Until("document.getElementById('problem').textContent.includes('notes.txt')");

        // On a class: it becomes one of it.
        await Browser.Drag("[...document.querySelectorAll('.classes button')].find(button => button.textContent.includes('sunflowers'))", outside[5..], Cancellation);
        await window.Studio.Until(state => state.GetProperty("classes").EnumerateArray().Any(one => one.GetProperty("name").GetString() == "sunflowers" && one.GetProperty("photos").GetInt32() == 4));
        Assert.All(outside, photo => Assert.True(File.Exists(window.Path($"flowers/unlabeled/{Path.GetFileName(photo)}"))));
    }

    [Fact]
    public async Task A_lasso_on_the_map_shows_the_photos_in_it_with_the_pointer_and_with_keys()
    {
        await window.Show("look");
        await Until("document.querySelectorAll('.map circle').length > 40");
        var places = await Browser.Evaluate(
            """
            (() => {
              document.querySelector('.map').scrollIntoView({ block: 'nearest' });
              const box = document.querySelector('.map').getBoundingClientRect(), middle = box.x + box.width / 2;
              const left = [...document.querySelectorAll('.map circle')].filter(circle => { const { x, width } = circle.getBoundingClientRect(); return x + width / 2 < middle; });
              return { x: box.x + 1, y: box.y + 1, side: box.y + box.height / 2, middle, bottom: box.bottom - 1, left: left.length };
            })()
            """, Cancellation);
        double Place(string name) => (double)places![name]!;
        Assert.True((int)places!["left"]! > 0);
        // The corners are round: it begins on a side.
        await Browser.Pointer("mousePressed", Place("x"), Place("side"), Cancellation);
        foreach (var (x, y) in ((string, string)[])[("x", "y"), ("middle", "y"), ("middle", "bottom"), ("x", "bottom")]) await Browser.Pointer("mouseMoved", Place(x), Place(y), Cancellation);
        await Browser.Pointer("mouseReleased", Place("x"), Place("bottom"), Cancellation);
        await Until($"{Shown} === '{(int)places["left"]!} {((int)places["left"]! == 1 ? "photo" : "photos")}'");

        // With keys: a circle that grows until it holds all.
        await Browser.Evaluate("document.querySelector('.map').focus()", Cancellation);
        for (var press = 0; press < 60; press++) await Browser.Press("+", Cancellation);
        await Browser.Press("Enter", Cancellation);
        await Until($"{Shown} === `${{document.querySelectorAll('.map circle').length}} photos`");
        CheckQuiet(Browser, window.Studio);
    }

    [Fact]
    public async Task A_class_with_a_long_name_fits_and_when_it_is_undone_all_photos_are_shown()
    {
        await window.Show("photos");
        await Browser.Resize(900, 700, Cancellation);
        await Until("document.querySelector('.cell img')?.naturalWidth > 0");
        await Click("document.getElementById('class')");
        await Browser.Type(new string('w', 100), Cancellation);
        await Browser.Press("Enter", Cancellation);
        await Until($"document.body.innerText.includes('they become www') && {Shown} === '0 photos'");
        Assert.Empty((await Browser.Evaluate(Geometry, Cancellation))!.AsArray().Select(one => $"{one}"));
        await Click("document.getElementById('undo')");
        await Until($"!document.body.innerText.includes('www') && document.querySelector('.classes button[aria-pressed=true]').textContent.includes('All photos') && {Shown} !== '0 photos'");
        Assert.True((bool?)await Browser.Evaluate("document.getElementById('problem').hidden", Cancellation));
    }

    [Fact]
    public async Task Copies_and_photos_unlike_all_others_have_their_tabs()
    {
        await window.Show("look");
        await Until(StartsWith("Copies"));
        await Click(StartsWith("Copies"));
        const string Titles = "[...document.querySelectorAll('.cell img')].map(image => image.alt).join(' ')";
        await Until($"{Titles}.includes('also-a-rose.jpg') && {Titles}.includes('again.jpg')");
        await Click(StartsWith("Unlike anything"));
        await Until($"{Titles}.includes('drawing.jpg')");
        Assert.DoesNotContain("also-a-rose.jpg", await Text(Titles), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Each_export_card_gives_what_it_says()
    {
        await window.Show("export");
        var photo = window.Photos.Flowers("tulips", 40)[39];
        async Task<(string Path, string Verified, string Next)> Export(string target)
        {
            await Until($"document.getElementById('to-{target}')?.value && !document.querySelector('[data-target={target}] button').disabled");
            await Click($"document.querySelector('[data-target={target}] button')");
            await Until($"document.querySelector('[data-target={target}] .verified, [data-target={target}] .warn')", 120);
            Assert.Equal("", await Text($"document.querySelector('[data-target={target}] .warn')?.textContent"));
            return (
                (await Text($"document.querySelector('[data-target={target}] .written').textContent"))["Written: ".Length..], await Text($"document.querySelector('[data-target={target}] .verified').textContent"),
                await Text($"document.querySelector('[data-target={target}] pre')?.textContent"));
        }
        var state = await window.Studio.Get("/api/state");
        var classes = state.GetProperty("classes").EnumerateArray().Where(one => one.GetProperty("photos").GetInt32() > 0).ToDictionary(one => one.GetProperty("name").GetString()!, one => one.GetProperty("photos").GetInt32());

        // C#: the lines that are shown, in so many words.
        var csharp = await Export("csharp");
        Assert.Contains("using var classifier = Classifier.Open(\"flowers.onnx\");", csharp.Next, StringComparison.Ordinal);
        Assert.Matches(@"^Verified on \d+ photos: probabilities differ from the trained model's by at most [\d.]+; 0 photos are named differently\. Named correctly: \d+ of \d+ photos held out", csharp.Verified);
        using var classifier = Classifier.Open(csharp.Path);
        var expected = classifier.Predict(photo);
        Assert.Equal(classes.Keys.Order(StringComparer.Ordinal), classifier.Classes.Order(StringComparer.Ordinal));

        // A server, by the command that is shown.
        var server = await Export("server");
        Assert.StartsWith("graft serve \"", server.Next, StringComparison.Ordinal);
        using (var served = window.Graft.Start("serve", server.Next["graft serve \"".Length..^1], "--port", "0"))
        {
            try
            {
                var line = (await served.StandardOutput.ReadLineAsync(Cancellation))!;
                using var client = new HttpClient { BaseAddress = new(line[line.IndexOf("http", StringComparison.Ordinal)..]) };
                using var content = new ByteArrayContent(await File.ReadAllBytesAsync(photo, Cancellation));
                content.Headers.ContentType = new("image/jpeg");
                using var response = await client.PostAsync("predict", content, Cancellation);
                Assert.Contains($"\"{expected.Class}\"", await response.Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);
            }
            finally
            {
                served.Kill(entireProcessTree: true);
            }
        }

        // The model card is the file that is shown.
        var card = await Export("card");
        var written = File.ReadAllText(Path.Combine(Path.GetDirectoryName(card.Path)!, "MODEL_CARD.md"));
        Assert.Equal(written.ReplaceLineEndings("\n"), card.Next.ReplaceLineEndings("\n"));
        Assert.Contains("named correctly", written, StringComparison.Ordinal);

        // Labels, as a table and as folders: as many photos of each class as the page says.
        var csv = await Export("csv");
        var folders = await Export("folders");
        foreach (var labels in (LabeledImages[])[LabeledImages.FromCsv(csv.Path, LabeledImagesOptions.ForChecking), LabeledImages.FromFolder(folders.Path, LabeledImagesOptions.ForChecking)])
            Assert.Equal(classes.OrderBy(one => one.Key, StringComparer.Ordinal), labels.All.CountBy(image => labels.Classes[image.Class]).OrderBy(one => one.Key, StringComparer.Ordinal));
        Assert.Equal($"Verified: read back, {classes.Values.Sum()} photos of {classes.Count} classes.", folders.Verified);

        // The web page answers in a browser as the classifier does.
        var web = await Export("web");
        CheckQuiet(Browser, window.Studio);
        File.Copy(photo, Path.Combine(web.Path, "dropped.jpg"));
        await using var site = await StaticServer.Start(web.Path, Cancellation);
        await Browser.Open(site.Address, Cancellation);
        await Until($"document.getElementById('state').textContent.includes('{classes.Count} classes')");
        var answer = await Text("""
            (async () => {
              const { Classifier } = await import('./classifier.js'), classifier = await Classifier.open();
              const { probabilities } = await classifier.predict(await (await fetch('dropped.jpg')).blob());
              return classifier.classes[probabilities.indexOf(Math.max(...probabilities))];
            })()
            """);
        Assert.Equal(expected.Class, answer);
    }

    [Fact]
    public async Task Keys_alone_lead_from_a_folder_to_an_exported_model()
    {
        await window.Show("open");
        foreach (var (number, photo) in window.Photos.Flowers("roses", 8).Concat(window.Photos.Flowers("tulips", 8)).Index()) File.Copy(photo, window.Path($"keys/{number:00}.jpg"));
        await Focus("document.activeElement.id === 'folder'");
        await Browser.Type(window.Path("keys/x")[..^2], Cancellation);
        await Browser.Press("Enter", Cancellation);
        await Until($"document.title === 'Photos – keys' && {Shown} === '16 photos'");
        foreach (var (name, first) in ((string, int)[])[("roses", 0), ("tulips", 8)])
        {
            await Focus("document.activeElement.id === 'class'");
            await Browser.Type(name, Cancellation);
            await Browser.Press("Enter", Cancellation);
            await Until($"document.body.innerText.includes('they become {name}')");
            await Focus("document.activeElement.textContent.startsWith('16All photos')");
            await Browser.Press("Enter", Cancellation);
            await Until($"{Shown} === '16 photos'");
            await Focus("document.activeElement.role === 'listbox'");
            await Browser.Press("Home", Cancellation);
            for (var step = 0; step < first; step++) await Browser.Press("ArrowRight", Cancellation);
            for (var step = 0; step < 6; step++) await Browser.Press("ArrowRight", Cancellation, isShift: true);
            await Until("document.body.innerText.includes('7 photos selected.')");
            await Browser.Press(first == 0 ? "1" : "2", Cancellation);
            await window.Studio.Until(state => state.GetProperty("unlabeled").GetInt32() == (first == 0 ? 9 : 2));
        }
        await Until(Learned);
        await Go("Train");
        await Focus("document.activeElement.matches('summary')");
        await Browser.Press("Enter", Cancellation);
        await Until("document.querySelector('details').open && document.querySelector('.big').textContent.includes('of 100 photos named correctly')");
        await Go("Look");
        await Until("document.querySelectorAll('.map circle').length === 16");
        await Focus("document.activeElement.matches('.map')");
        for (var press = 0; press < 60; press++) await Browser.Press("+", Cancellation);
        await Browser.Press("Enter", Cancellation);
        await Until($"{Shown} === '16 photos'");
        await Go("Label next");
        await Until("document.querySelector('.next img')");
        await Browser.Press("Enter", Cancellation);
        await window.Studio.Until(state => state.GetProperty("unlabeled").GetInt32() == 1);
        await Go("Export");
        await Until("document.getElementById('to-onnx')?.value");
        await Focus("document.activeElement.closest?.('[data-target=onnx]') && document.activeElement.matches('button')");
        await Browser.Press("Enter", Cancellation);
        await Until("document.querySelector('[data-target=onnx] .verified')", 120);
        Assert.Single(Directory.GetFiles(window.Path("keys-onnx/x")[..^2], "*.onnx"));
        CheckQuiet(Browser, window.Studio);

        async Task Go(string screen)
        {
            await Focus($"document.activeElement.matches('nav a') && document.activeElement.textContent === '{screen}'");
            await Browser.Press("Enter", Cancellation);
            await Until($"document.querySelector('nav a[aria-current]').textContent === '{screen}'");
        }
    }

    /// <summary>Presses Tab until the focus is where it is wanted, and sees that each place on the way shows that it has it.</summary>
    private async Task Focus(string isThere)
    {
        for (var press = 0; press < 120; press++)
        {
            if ((bool?)await Browser.Evaluate($"Boolean({isThere})", Cancellation) == true) return;
            await Browser.Press("Tab", Cancellation);
            var outline = await Text("(() => { const at = document.activeElement, shown = at.matches('input[type=file]') ? at.nextElementSibling : at; return at === document.body || at.id === 'screen' ? '' : getComputedStyle(shown).outlineStyle === 'none' ? at.outerHTML : ''; })()");
            Assert.Equal("", outline);
        }
        throw new TimeoutException($"Tab does not lead there: {isThere}");
    }

    [Fact]
    public async Task Nothing_overlaps_or_leaves_a_window_of_900_pixels_in_light_and_in_dark()
    {
        foreach (var screen in (string[])["open", "photos", "train", "look", "next", "use", "export"])
        {
            await window.Show(screen);
            await Browser.Resize(900, 700, Cancellation);
            await Until("document.querySelector('main').children.length > 0");
            if (screen is "photos" or "look") await Until("document.querySelector('.cell img')?.naturalWidth > 0");
            if (screen == "photos") await Click("document.querySelector('.cell')");
            if (screen == "train") await Click("document.querySelector('summary')");
            if (screen == "next") await Until("document.querySelector('.next img')?.naturalWidth > 0");
            if (screen == "use")
            {
                await Browser.Choose("document.querySelector('input[type=file]')", [window.Photos.Flowers("roses", 30)[29]], Cancellation);
                await Until("document.querySelectorAll('section.card img').length === 2");
            }
            await Look(Browser, screen, "narrow-", 900, 700);
            Assert.Empty((await Browser.Evaluate(Geometry, Cancellation))!.AsArray().Select(one => $"{screen}: {one}"));
        }
    }

    /// <summary>What is seen of each element: inside of the window, beside the others, and not cut off.</summary>
    private const string Geometry = """
        (() => {
          const found = [], width = document.documentElement.clientWidth;
          if (document.documentElement.scrollWidth > width) found.push(`the page is ${document.documentElement.scrollWidth} pixels wide`);
          if (document.documentElement.scrollHeight > document.documentElement.clientHeight) found.push('the page itself scrolls, beside its parts');
          for (const part of document.querySelectorAll('main, main *'))
            if (['auto', 'scroll'].includes(getComputedStyle(part).overflowX) && part.scrollWidth > part.clientWidth + 1 && part.tagName !== 'PRE') found.push(`${part.tagName} ${part.className} scrolls sideways: ${part.scrollWidth} in ${part.clientWidth}`);
          const seen = element => {
            let { left, top, right, bottom } = element.getBoundingClientRect();
            for (let around = element.parentElement; around; around = around.parentElement) {
              if (getComputedStyle(around).overflow === 'visible') continue;
              const box = around.getBoundingClientRect();
              [left, top, right, bottom] = [Math.max(left, box.left), Math.max(top, box.top), Math.min(right, box.right), Math.min(bottom, box.bottom)];
            }
            return right - left > 1 && bottom - top > 1 ? { element, left, top, right, bottom } : null;
          };
          const words = element => `${element.tagName.toLowerCase()} '${element.textContent.slice(0, 40) || element.id}'`;
          const boxes = [...document.querySelectorAll('button, a, input:not([type=file]), select, h1, h2, p, label, summary, th, td, pre, img, video, progress, svg.map, .cell, #name, .button')]
            .filter(element => element.checkVisibility() && !element.closest('#problem')).map(seen).filter(box => box);
          for (const { element, left, right } of boxes) {
            const { left: whole, right: end } = element.getBoundingClientRect();
            if (whole < -1 || end > width + 1) found.push(`${words(element)} from ${whole} to ${end}`);
            if (element.matches('button, a, label, h1, h2, p') && element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0 && getComputedStyle(element).display !== 'inline' && !['name', 'undo'].includes(element.id))
              found.push(`${words(element)} is cut: ${element.scrollWidth} in ${element.clientWidth}`);
          }
          for (const [index, one] of boxes.entries())
            for (const other of boxes.slice(index + 1)) {
              if (one.element.contains(other.element) || other.element.contains(one.element)) continue;
              const [across, down] = [Math.min(one.right, other.right) - Math.max(one.left, other.left), Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top)];
              if (one.element.matches('button, .button') && other.element.matches('button, .button') && Math.min(across, down) > -2 && Math.max(across, down) > 2) found.push(`${words(one.element)} touches ${words(other.element)}`);
              if (across > 2 && down > 2) found.push(`${words(one.element)} over ${words(other.element)}: ${across} × ${down}`);
            }
          return found.slice(0, 8);
        })()
        """;
}
