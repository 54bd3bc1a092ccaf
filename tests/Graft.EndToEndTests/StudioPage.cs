using Deque.AxeCore.Commons;

namespace Graft.EndToEndTests;

/// <summary>What tests of the studio look for on its page.</summary>
internal static class StudioPage
{
    public const string NoBrowser = "there is no chromium, google-chrome or chrome on the PATH", NoPhotos = "the photos of the shared folder are not here";

    public const string Learned = "document.getElementById('said').textContent.includes('of 100 photos named correctly')";

    /// <summary>The folder for pictures of the page; null where none are wanted.</summary>
    public static string? Screenshots => Environment.GetEnvironmentVariable("GRAFT_SCREENSHOTS") is { Length: > 0 } folder ? folder : null;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static string Button(string words) => $"[...document.querySelectorAll('button')].find(button => button.textContent === '{words}')";

    public static string StartsWith(string words) => $"[...document.querySelectorAll('button')].find(button => button.textContent.includes('{words}'))";

    public static string Link(string words) => $"[...document.querySelectorAll('nav a')].find(link => link.textContent === '{words}')";

    /// <summary>What axe finds serious, in light and in dark; and a picture of the screen for the documentation where it is asked for.</summary>
    /// <param name="prefix">Of the picture's file.</param>
    public static async Task Look(Browser browser, string name, string prefix = "", int width = 1280, int height = 860)
    {
        foreach (var scheme in (string[])["dark", "light"])
        {
            await browser.Prefer(scheme, Cancellation);
            await browser.Evaluate("new Promise(done => setTimeout(done, 250))", Cancellation);
            var found = await browser.Evaluate(
                $$"""(async () => { if (!globalThis.axe) { {{new BundledAxeScriptProvider().GetScript()}} } return (await axe.run({ resultTypes: ['violations'] })).violations.filter(one => ['serious', 'critical'].includes(one.impact)).map(one => `${one.id}: ${one.nodes.map(node => node.html).join(' ')}`); })()""",
                Cancellation);
            Assert.Empty(found!.AsArray().Select(one => $"{name}, {scheme}: {one}"));
        }
        if (Screenshots is { } folder)
            await File.WriteAllBytesAsync(Path.Combine(folder, $"{prefix}studio-{name}.png"), await browser.Screenshot(width, height, Cancellation), Cancellation);
    }

    /// <summary>No error on the console, and no request to anywhere else.</summary>
    /// <param name="refused">How many requests the studio was meant to refuse: the browser logs each.</param>
    public static void CheckQuiet(Browser browser, StudioProcess studio, int refused = 0)
    {
        foreach (var happened in browser.Events)
        {
            var method = (string?)happened["method"];
            if (method == "Log.entryAdded" && refused-- > 0) continue;
            Assert.False(method is "Runtime.exceptionThrown" or "Log.entryAdded" or "Runtime.consoleAPICalled", happened.ToJsonString());
            if (method == "Network.requestWillBeSent" && (string)happened["params"]!["request"]!["url"]! is var url)
                Assert.True(url.StartsWith(studio.Base, StringComparison.Ordinal) || url.StartsWith("data:", StringComparison.Ordinal) || url.StartsWith($"blob:{studio.Base}", StringComparison.Ordinal), url);
        }
    }
}
