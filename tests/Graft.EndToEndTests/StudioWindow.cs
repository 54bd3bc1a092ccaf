using Graft.Imaging;
using Graft.Testing;
using static Graft.EndToEndTests.StudioPage;

namespace Graft.EndToEndTests;

/// <summary>A studio and a browser that the tests of a class share, with a project that has something of everything.</summary>
public sealed class StudioWindow : IAsyncLifetime
{
    /// <summary>Photos of each of the two classes, and those without a class.</summary>
    public const int OfEachClass = 20, WithoutClass = 10;

    private readonly TemporaryFolder _folder = new();
    private StudioProcess? _studio;
    private Browser? _browser;

    internal StudioPhotos Photos => new(_folder);

    internal GraftCommand Graft => new(_folder.FullName);

    internal StudioProcess Studio => _studio!;

    internal Browser Browser => _browser!;

    public string Path(string name) => _folder.File(name);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        if (Browser.Program is null || !SharedFolder.Has("data/flowers5/train")) return;
        Photos.Copy("roses", OfEachClass, "flowers/roses");
        Photos.Copy("tulips", OfEachClass, "flowers/tulips");
        Photos.Copy("tulips", OfEachClass + 6, "flowers/unlabeled", skip: OfEachClass);
        // A photo in both classes, a copy of another, a blank one, and a file that is no picture.
        File.Copy(Photos.Flowers("roses", 1)[0], Path("flowers/tulips/also-a-rose.jpg"));
        File.Copy(Photos.Flowers("roses", 2)[1], Path("flowers/unlabeled/again.jpg"));
        File.WriteAllBytes(Path("flowers/unlabeled/gray.jpg"), Gray());
        File.Copy(Photos.Drawn(), Path("flowers/unlabeled/drawing.jpg"));
        File.WriteAllText(Path("flowers/unlabeled/broken.jpg"), "no photo");
        _studio = await StudioProcess.Start(Graft, Path("flowers"));
        _browser = await Browser.Start(1280, 860, Cancellation);
        await _browser.Open(_studio.Address, Cancellation);
    }

    /// <summary>Shows a screen of the project, as whoever comes from elsewhere.</summary>
    internal async Task<Browser> Show(string screen, bool learned = true)
    {
        Assert.SkipUnless(Browser.Program is not null, NoBrowser);
        Assert.SkipUnless(SharedFolder.Has("data/flowers5/train"), NoPhotos);
        await Open("flowers");
        await Browser.Resize(1280, 860, Cancellation);
        if (learned) await Studio.Until(state => state.GetProperty("learned") is { ValueKind: System.Text.Json.JsonValueKind.Object } now && now.GetProperty("has_insights").GetBoolean() && now.GetProperty("is_current").GetBoolean(), 180);
        // From another page: a change of the fragment alone would load nothing.
        await Browser.Open("about:blank", Cancellation);
        await Browser.Open($"{Studio.Base}/#{screen}", Cancellation);
        await Browser.Until($"document.querySelector('nav a[aria-current]')?.getAttribute('href') === '#{screen}'", Cancellation);
        return Browser;
    }

    internal async Task Open(string project)
    {
        Assert.Equal(System.Net.HttpStatusCode.OK, (await Studio.Post("/api/open", new { folder = Path($"{project}/x")[..^2] })).Status);
        await Studio.Until(state => state.GetProperty("project") is { ValueKind: System.Text.Json.JsonValueKind.Object } open && open.GetProperty("name").GetString() == project);
    }

    private static byte[] Gray()
    {
        var pixels = new byte[3 * 200 * 150];
        Array.Fill(pixels, (byte)128);
        return JpegEncoder.Encode(new RgbImage(200, 150, pixels), quality: 90);
    }

    public async ValueTask DisposeAsync()
    {
        if (_browser is not null) await _browser.DisposeAsync();
        _studio?.Dispose();
        _folder.Dispose();
    }
}
