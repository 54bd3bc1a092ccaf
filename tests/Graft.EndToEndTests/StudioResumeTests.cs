using System.Text.Json;
using Graft.Testing;
using static Graft.EndToEndTests.StudioPage;

namespace Graft.EndToEndTests;

/// <summary>A training of the network outlives the studio.</summary>
public sealed class StudioResumeTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_training_that_was_killed_is_resumed_by_a_click_after_a_restart()
    {
        Assert.SkipUnless(Browser.Program is not null, NoBrowser);
        const int Epochs = 40;
        GraftCommand graft = new(_folder.FullName);
        Cli.Demo.DemoPhotos.Draw(_folder.File("drawn"), trainPerClass: 6, validationPerClass: 0, testPerClass: 1, seed: 3, sizePixels: 64, cancellation: Cancellation);
        foreach (var kind in Directory.GetDirectories(_folder.File("drawn/train")).Order(StringComparer.Ordinal).Take(2)) Directory.Move(kind, _folder.File($"photos/{Path.GetFileName(kind)}"));
        await using var browser = await Browser.Start(1200, 900, Cancellation);
        using (var studio = await StudioProcess.Start(graft, _folder.File("photos")))
        {
            await ToTrain(studio);
            await browser.Click("document.querySelector('summary')", Cancellation);
            await browser.Evaluate("document.getElementById('backbone').select()", Cancellation);
            await browser.Type("tiny", Cancellation);
            await browser.Evaluate($"document.getElementById('strategy').value = 'full'; document.getElementById('epochs').value = '{Epochs}'", Cancellation);
            await browser.Click(Button("Start training"), Cancellation);
            await browser.Until("document.querySelector('.curve')", Cancellation, 120);
            studio.Kill();
        }
        var run = _folder.File("photos/.graft-studio/runs/training-1/x")[..^2];
        Assert.False(File.Exists(Path.Combine(run, "result.json")));

        using var again = await StudioProcess.Start(graft, _folder.File("photos"));
        await ToTrain(again);
        await browser.Until("document.body.innerText.includes('training-1 was interrupted.')", Cancellation);
        await browser.Click(Button("Resume it"), Cancellation);
        await browser.Until("document.body.innerText.includes('The last finished training can be exported.')", Cancellation, 240);
        Assert.Matches(@"\d+ of 100 of the \d+ photos held out are named correctly", (string)(await browser.Evaluate("document.querySelector('main').innerText", Cancellation))!);
        var state = await again.Get("/api/state");
        Assert.Equal(JsonValueKind.Null, state.GetProperty("job").GetProperty("interrupted").ValueKind);
        Assert.True(File.Exists(Path.Combine(run, "result.json")));
        // The curve shows what was trained before too.
        Assert.Equal(File.ReadAllLines(Path.Combine(run, "history.csv")).Length - 1, state.GetProperty("job").GetProperty("curve").GetArrayLength());
        // The browser logs that the first studio went away.
        CheckQuiet(browser, again, refused: 1);

        async Task ToTrain(StudioProcess studio)
        {
            await studio.Until(state => state.TryGetProperty("photos", out var photos) && photos.GetInt32() == 12);
            await browser.Open(studio.Address, Cancellation);
            await browser.Until(Link("Train"), Cancellation);
            await browser.Click(Link("Train"), Cancellation);
            await browser.Until("document.querySelector('summary')", Cancellation);
        }
    }
}
