using System.Diagnostics;
using System.Net;
using System.Text;
using System.Text.Json;

namespace Graft.EndToEndTests;

/// <summary><c>graft studio</c> as a process, and a client that knows its token.</summary>
internal sealed class StudioProcess : IDisposable
{
    private readonly Process _process;

    private StudioProcess(Process process, string address)
    {
        (_process, Address) = (process, address);
        Base = address[..address.IndexOf("/?", StringComparison.Ordinal)];
        Client = new(new HttpClientHandler { CookieContainer = new CookieContainer(), AllowAutoRedirect = false }) { BaseAddress = new(Base) };
        Client.DefaultRequestHeaders.Add("Origin", Base);
    }

    /// <summary>With the token.</summary>
    public string Address { get; }

    public string Base { get; }

    public HttpClient Client { get; }

    public int Id => _process.Id;

    public static async Task<StudioProcess> Start(GraftCommand graft, params string[] arguments)
    {
        var process = graft.Start(["studio", .. arguments]);
        _ = process.StandardError.ReadToEndAsync(CancellationToken.None);
        var line = await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken) ?? throw new InvalidOperationException("graft studio ended without a word.");
        StudioProcess studio = new(process, line[line.IndexOf("http", StringComparison.Ordinal)..].Trim());
        using var entered = await studio.Client.GetAsync(new Uri(studio.Address), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.Redirect, entered.StatusCode);
        return studio;
    }

    public async Task<JsonElement> Get(string path)
    {
        var answer = await Client.GetAsync(new Uri(path, UriKind.Relative), TestContext.Current.CancellationToken);
        return JsonDocument.Parse(await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).RootElement;
    }

    public async Task<(HttpStatusCode Status, JsonElement Answer)> Post(string path, object body)
    {
        using HttpContent content = body is byte[] bytes ? new ByteArrayContent(bytes) : new StringContent(JsonSerializer.Serialize(body), Encoding.UTF8, "application/json");
        using var answer = await Client.PostAsync(new Uri(path, UriKind.Relative), content, TestContext.Current.CancellationToken);
        return (answer.StatusCode, JsonDocument.Parse(await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).RootElement);
    }

    /// <summary>Waits until the state is as wanted.</summary>
    public async Task<JsonElement> Until(Func<JsonElement, bool> isSo, double seconds = 60)
    {
        JsonElement state = default;
        for (var clock = Stopwatch.StartNew(); clock.Elapsed.TotalSeconds < seconds; await Task.Delay(50, TestContext.Current.CancellationToken))
            if (isSo(state = await Get("/api/state"))) return state;
        throw new TimeoutException($"Not so within {seconds} s: {state}");
    }

    /// <summary>As a power failure ends it.</summary>
    public void Kill()
    {
        _process.Kill(entireProcessTree: true);
        _process.WaitForExit();
    }

    public void Dispose()
    {
        if (!_process.HasExited) Kill();
        _process.Dispose();
        Client.Dispose();
    }
}
