using System.Net;
using System.Text.Json;
using Graft.Testing;
using static Graft.EndToEndTests.StudioPage;

namespace Graft.EndToEndTests;

/// <summary>What the studio refuses, and what goes wrong with disks, rights and files: a clear sentence each, and no label lost.</summary>
public sealed class StudioProblemTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly StudioPhotos _photos;

    public StudioProblemTests() => _photos = new(_folder);

    private GraftCommand Graft => new(_folder.FullName);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task What_goes_wrong_is_said_in_a_sentence_and_costs_nothing()
    {
        Directory.CreateDirectory(_folder.File("photos/unlabeled"));
        File.Copy(_photos.Drawn(), _folder.File("photos/unlabeled/1.jpg"));
        using var studio = await StudioProcess.Start(Graft, _folder.File("photos"));
        await studio.Until(state => state.TryGetProperty("photos", out var photos) && photos.GetInt32() == 1);
        var id = (await studio.Get("/api/photos?view=all")).GetProperty("photos")[0].GetProperty("id").GetString()!;

        // A second studio on a folder in which labels are kept.
        Assert.Equal(HttpStatusCode.OK, (await studio.Post("/api/class", new { @class = "a" })).Status);
        using (var second = await StudioProcess.Start(Graft, _folder.File("photos")))
            Assert.Contains("Another Graft Studio", (await second.Until(state => state.GetProperty("problem").ValueKind == JsonValueKind.String)).GetProperty("problem").GetString(), StringComparison.Ordinal);

        // A picture of 300 megapixels, by its header.
        var (status, answer) = await studio.Post("/api/drop?name=huge.png", HugePng());
        Assert.Equal(HttpStatusCode.UnprocessableEntity, status);
        Assert.Contains("too large: 20000 × 15000 pixels", answer.GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await studio.Post("/api/drop?name=no.jpg", "no picture"u8.ToArray())).Status);
        Assert.Single(Directory.GetFiles(_folder.File("photos/unlabeled")));

        // A photo that is changed, then deleted, while the page is open.
        async Task<(HttpStatusCode, string?)> Thumb()
        {
            using var thumb = await studio.Client.GetAsync(new Uri($"/photos/{id}/thumb", UriKind.Relative), Cancellation);
            return (thumb.StatusCode, thumb.IsSuccessStatusCode ? thumb.Headers.ETag!.Tag : await thumb.Content.ReadAsStringAsync(Cancellation));
        }
        var (_, before) = await Thumb();
        File.WriteAllBytes(_folder.File("photos/unlabeled/1.jpg"), File.ReadAllBytes(_photos.Drawn(other: true)));
        var (changed, after) = await Thumb();
        Assert.Equal(HttpStatusCode.OK, changed);
        Assert.NotEqual(before, after);
        File.Delete(_folder.File("photos/unlabeled/1.jpg"));
        var (gone, reason) = await Thumb();
        Assert.Equal(HttpStatusCode.Gone, gone);
        Assert.Contains("1.jpg is no longer there", reason, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await studio.Post("/api/label", new { ids = new[] { id }, @class = "a" })).Status);
    }

    [Fact]
    public async Task Nothing_is_done_to_what_is_not_there_and_nothing_out_of_range_is_taken()
    {
        File.Copy(_photos.Drawn(), _folder.File("photos/Daisy/1.jpg"));
        File.Copy(_photos.Drawn(other: true), _folder.File("photos/tulips/1.jpg"));
        using var studio = await StudioProcess.Start(Graft, _folder.File("photos"));
        await studio.Until(state => state.TryGetProperty("photos", out var photos) && photos.GetInt32() == 2);
        var id = (await studio.Get("/api/photos?view=all")).GetProperty("photos")[0].GetProperty("id").GetString()!;
        async Task Refuses(HttpStatusCode status, string sentence, string path, object body)
        {
            var (given, answer) = await studio.Post(path, body);
            Assert.True(status == given && answer.TryGetProperty("error", out var error) && error.GetString()!.Contains(sentence, StringComparison.Ordinal), $"{path}: {given} {answer}");
        }
        string[] unknown = [new string('0', 16)], some = [id, .. unknown];
        foreach (var path in (string[])["/api/label", "/api/keep", "/api/skip"])
        {
            await Refuses(HttpStatusCode.NotFound, "This photo is no longer part of the project", path, new { ids = unknown, @class = "tulips" });
            await Refuses(HttpStatusCode.NotFound, "1 of these photos", path, new { ids = some, @class = "tulips" });
            await Refuses(HttpStatusCode.BadRequest, "Select photos first", path, new { ids = Array.Empty<string>(), @class = "tulips" });
        }
        await Refuses(HttpStatusCode.Conflict, "There is no class 'lilies'", "/api/label", new { ids = new[] { id }, @class = "lilies" });
        await Refuses(HttpStatusCode.Conflict, "No training is under way", "/api/train/cancel", new { });
        await Refuses(HttpStatusCode.Conflict, "no interrupted training", "/api/train/resume", new { });
        await Refuses(HttpStatusCode.BadRequest, "Expected epochs at least 1, found -5", "/api/train", new { backbone = "tiny", strategy = "finetune", epochs = -5 });
        await Refuses(HttpStatusCode.BadRequest, "Expected epochs", "/api/train", new { backbone = "tiny", strategy = "full", epochs = 0 });
        await Refuses(HttpStatusCode.BadRequest, "epochs is of another kind", "/api/train", new { backbone = "tiny", strategy = "full", epochs = 2.5 });
        await Refuses(HttpStatusCode.BadRequest, "strategy is of another kind", "/api/train", new { backbone = "tiny", strategy = "magic" });
        await Refuses(HttpStatusCode.BadRequest, "There is no backbone 'tini'", "/api/train", new { backbone = "tini" });
        await Refuses(HttpStatusCode.BadRequest, "There is no such export", "/api/export", new { target = "moon" });
        foreach (var path in (string[])["/api/photos?view=class:lilies", "/api/photos?view=cell:0:-1", "/api/photos?view=all&offset=-1", "/api/photos?view=all&count=x"])
            Assert.True((await studio.Get(path)).TryGetProperty("error", out _), path);

        // A class that differs in case alone is the one that is there: Windows and macOS would have one folder for both.
        Assert.Equal("Daisy", (await studio.Post("/api/class", new { @class = "daisy" })).Answer.GetProperty("class").GetString());
        Assert.Equal(HttpStatusCode.OK, (await studio.Post("/api/label", new { ids = new[] { id }, @class = "TULIPS" })).Status);
        var state = await studio.Get("/api/state");
        Assert.Equal(["Daisy", "tulips"], state.GetProperty("classes").EnumerateArray().Select(one => one.GetProperty("name").GetString()));
        Assert.False(Directory.Exists(Path.Combine(_folder.File("photos/x")[..^2], ".graft-studio", "runs")));
    }

    [Fact]
    public async Task Opening_writes_nothing_and_the_first_label_is_kept()
    {
        File.Copy(_photos.Drawn(), _folder.File("photos/a/1.jpg"));
        File.Copy(_photos.Drawn(other: true), _folder.File("photos/unlabeled/2.jpg"));
        string own = Path.Combine(_folder.File("photos"), ".graft-studio");
        using var studio = await StudioProcess.Start(Graft, _folder.File("photos"));
        using var other = await StudioProcess.Start(Graft, _folder.File("photos"));
        foreach (var each in (StudioProcess[])[studio, other]) await each.Until(state => state.TryGetProperty("photos", out var photos) && photos.GetInt32() == 2);
        string[] ids = [(await studio.Get("/api/photos?view=unlabeled")).GetProperty("photos")[0].GetProperty("id").GetString()!];
        Assert.Equal(HttpStatusCode.OK, (await studio.Post("/api/check", new { })).Status);
        Assert.False(Directory.Exists(own));

        Assert.Equal(HttpStatusCode.OK, (await studio.Post("/api/label", new { ids, @class = "a" })).Status);

        Assert.True(File.Exists(Path.Combine(own, "labels.jsonl")));
        // Another studio, which had it open to look at, cannot write beside the first one, and says so.
        var (status, answer) = await other.Post("/api/label", new { ids, @class = "a" });
        Assert.Equal(HttpStatusCode.Conflict, status);
        Assert.Contains("Another Graft Studio", answer.GetProperty("error").GetString(), StringComparison.Ordinal);
        studio.Kill();
        Assert.Equal(HttpStatusCode.OK, (await other.Post("/api/keep", new { ids })).Status);
        Assert.Equal(0, (await other.Get("/api/state")).GetProperty("unlabeled").GetInt32());
    }

    [Fact]
    public async Task A_folder_that_cannot_be_written_is_opened_to_look_at_and_says_what_cannot_be_kept()
    {
        using var disk = SmallDisk.Mount(_folder.File("small"), kilobytes: 256);
        Directory.CreateDirectory(_folder.File("small/a"));
        File.Copy(_photos.Drawn(), _folder.File("small/a/1.jpg"));
        disk.MakeReadOnly();
        using var studio = await StudioProcess.Start(Graft, _folder.File("small"));
        var state = await studio.Until(state => state.TryGetProperty("photos", out var photos) && photos.GetInt32() == 1);
        var note = state.GetProperty("project").GetProperty("notes")[0].GetString();
        Assert.Contains("nothing can be saved in", note, StringComparison.Ordinal);
        string[] ids = [(await studio.Get("/api/photos?view=all")).GetProperty("photos")[0].GetProperty("id").GetString()!];
        using (var thumb = await studio.Client.GetAsync(new Uri($"/photos/{ids[0]}/thumb", UriKind.Relative), Cancellation)) Assert.Equal(HttpStatusCode.OK, thumb.StatusCode);
        foreach (var (path, body) in ((string, object)[])[("/api/label", new { ids, @class = (string?)null }), ("/api/class", new { @class = "b" }), ("/api/train", new { backbone = "tiny" }), ("/api/drop?name=2.jpg", File.ReadAllBytes(_photos.Drawn(other: true)))])
        {
            var (status, answer) = await studio.Post(path, body);
            Assert.True(status == HttpStatusCode.InsufficientStorage && answer.GetProperty("error").GetString() == note, $"{path}: {status} {answer}");
        }
        // Labels can be taken home all the same.
        Assert.Equal(HttpStatusCode.OK, (await studio.Post("/api/export", new { target = "csv", path = _folder.File("labels.csv") })).Status);
    }

    [Fact]
    public async Task A_full_disk_refuses_a_label_and_loses_none()
    {
        using var disk = SmallDisk.Mount(_folder.File("small"), kilobytes: 256);
        Directory.CreateDirectory(_folder.File("small/unlabeled"));
        File.Copy(_photos.Drawn(), _folder.File("small/unlabeled/1.jpg"));
        using var studio = await StudioProcess.Start(Graft, _folder.File("small"));
        await studio.Until(state => state.TryGetProperty("photos", out var photos) && photos.GetInt32() == 1);
        string[] ids = [(await studio.Get("/api/photos?view=all")).GetProperty("photos")[0].GetProperty("id").GetString()!];
        string[] classes = ["first", "second"];
        foreach (var @class in classes) Assert.Equal(HttpStatusCode.OK, (await studio.Post("/api/class", new { @class })).Status);
        Assert.Equal(HttpStatusCode.OK, (await studio.Post("/api/label", new { ids, @class = "first" })).Status);
        var journal = new FileInfo(_folder.File("small/.graft-studio/labels.jsonl"));
        Fill("small/filling");
        (HttpStatusCode Status, JsonElement Answer) refused = default;
        var labeled = "first";
        for (var count = 0; count < 200 && refused.Status != HttpStatusCode.InsufficientStorage; count++)
        {
            refused = await studio.Post("/api/label", new { ids, @class = classes[count % 2] });
            if (refused.Status == HttpStatusCode.OK) labeled = classes[count % 2];
        }
        Assert.Equal(HttpStatusCode.InsufficientStorage, refused.Status);
        Assert.Contains($"The disk of {_folder.File("small")} is full. Nothing has changed, and no label is lost.", refused.Answer.GetProperty("error").GetString(), StringComparison.Ordinal);
        studio.Kill();
        File.Delete(_folder.File("small/filling"));
        using var again = await StudioProcess.Start(Graft, _folder.File("small"));
        await again.Until(state => state.TryGetProperty("photos", out var photos) && photos.GetInt32() == 1);
        Assert.Equal(labeled, (await again.Get($"/api/photo/{ids[0]}")).GetProperty("label").GetString());
        again.Kill();
        Assert.True(journal.Exists);
    }

    [Fact]
    public async Task A_full_disk_is_said_on_the_page_for_labels_thumbnails_and_trainings()
    {
        Assert.SkipUnless(Browser.Program is not null, NoBrowser);
        using var disk = SmallDisk.Mount(_folder.File("small"), kilobytes: 512);
        using var thumbnails = SmallDisk.Mount(_folder.File("thumbnails"), kilobytes: 16);
        foreach (var name in (string[])["a", "b"])
        {
            Directory.CreateDirectory(_folder.File($"small/{name}"));
            for (var copy = 0; copy < 4; copy++) File.Copy(_photos.Drawn(other: name == "b"), _folder.File($"small/{name}/{copy}.jpg"));
        }
        using var studio = await StudioProcess.Start(Graft, _folder.File("small"));
        await studio.Until(state => state.TryGetProperty("photos", out var photos) && photos.GetInt32() == 8);
        Assert.Equal(HttpStatusCode.OK, (await studio.Post("/api/class", new { @class = "c" })).Status);
        Fill("small/filling");
        Fill("thumbnails/filling");
        await using var browser = await Browser.Start(1200, 900, Cancellation);
        await browser.Open(studio.Address, Cancellation);
        await browser.Until("document.body.innerText.includes('Small pictures of the photos cannot be kept. The disk of')", Cancellation);
        await browser.Until("[...document.querySelectorAll('.cell img')].every(image => image.complete && image.naturalWidth > 0)", Cancellation);
        await browser.Click("document.querySelector('.cell')", Cancellation);
        // The journal has room to the end of its page on the disk.
        for (var press = 0; press < 100 && !(bool)(await browser.Evaluate("!document.getElementById('problem').hidden", Cancellation))!; press++)
        {
            await browser.Press(press % 2 == 0 ? "3" : "1", Cancellation);
            await Task.Delay(50, Cancellation);
        }
        await browser.Until("document.getElementById('problem').textContent.includes('is full. Nothing has changed, and no label is lost.')", Cancellation);
        await browser.Click(Link("Train"), Cancellation);
        await browser.Until("document.querySelector('summary')", Cancellation);
        await browser.Click("document.querySelector('summary')", Cancellation);
        await browser.Evaluate("document.getElementById('backbone').value = 'tiny'", Cancellation);
        await browser.Click(Button("Start training"), Cancellation);
        await browser.Until("document.getElementById('problem').textContent.includes('is full.') && document.getElementById('problem').textContent.includes('o label is lost')", Cancellation);

        // Room for the beginning of a training alone.
        File.Delete(_folder.File("small/filling"));
        Fill("small/filling", leave: 16_384);
        await browser.Click(Button("Start training"), Cancellation);
        var failed = await studio.Until(state => state.GetProperty("job").GetProperty("problem").ValueKind == JsonValueKind.String, 120);
        Assert.Contains("No label is lost.", failed.GetProperty("job").GetProperty("problem").GetString(), StringComparison.Ordinal);
        await browser.Until("document.querySelector('main').innerText.includes('No label is lost.')", Cancellation);
        TestContext.Current.SendDiagnosticMessage(failed.GetProperty("job").GetProperty("problem").GetString()!);
    }

    /// <summary>Up to the last byte of a disk, or all but so many.</summary>
    private void Fill(string name, int leave = 0)
    {
        using var filling = new FileStream(_folder.File(name), FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        try
        {
            while (true)
            {
                filling.Write(new byte[1024]);
                filling.Flush(flushToDisk: true);
            }
        }
        catch (IOException)
        {
            // Full.
        }
        if (leave > 0) filling.SetLength(Math.Max(0, filling.Length - leave));
    }

    /// <summary>The header of a PNG of 20,000 × 15,000 pixels; there is no need for more to refuse it.</summary>
    private static byte[] HugePng()
    {
        byte[] header = [.. "IHDR"u8, 0, 0, 0x4E, 0x20, 0, 0, 0x3A, 0x98, 8, 2, 0, 0, 0];
        var crc = System.IO.Hashing.Crc32.HashToUInt32(header);
        return [0x89, .. "PNG\r\n"u8, 0x1A, 0x0A, 0, 0, 0, 13, .. header, (byte)(crc >> 24), (byte)(crc >> 16), (byte)(crc >> 8), (byte)crc, 0, 0, 0, 0, .. "IDAT"u8, 0x35, 0xAF, 0x06, 0x1E];
    }
}
