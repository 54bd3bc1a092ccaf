using System.Diagnostics;
using System.Net.WebSockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using Graft.Testing;

namespace Graft.EndToEndTests;

/// <summary>
/// A headless Chromium or Chrome of the machine, spoken to by its DevTools protocol. (Playwright for .NET would do this too, and brings 786 MB.)
/// </summary>
internal sealed class Browser : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly TemporaryFolder _profile = new();
    private readonly ClientWebSocket _socket = new();
    private readonly List<JsonNode> _events = [];
    private readonly Process _process;
    private int _last;
    private bool _isPressed;

    private Browser(Process process, TemporaryFolder profile) => (_process, _profile) = (process, profile);

    /// <summary>The program's path; null where there is none, and a test is skipped.</summary>
    public static string? Program { get; } = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .SelectMany(folder => new[] { "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "chrome.exe" }.Select(name => Path.Combine(folder, name)))
        .FirstOrDefault(File.Exists);

    /// <summary>What the browser told of since it began to: requests, console messages, errors.</summary>
    public IReadOnlyList<JsonNode> Events => _events;

    /// <summary>Starts the browser with an empty page of this size.</summary>
    public static async Task<Browser> Start(int width, int height, CancellationToken cancellation, params string[] flags)
    {
        var profile = new TemporaryFolder();
        var process = Process.Start(new ProcessStartInfo(Program!,
        [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--remote-debugging-port=0", $"--user-data-dir={profile.FullName}", $"--window-size={width},{height}", .. flags, "about:blank",
        ])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        // Read, or a full pipe would stop the browser.
        _ = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        _ = process.StandardError.ReadToEndAsync(CancellationToken.None);
        var browser = new Browser(process, profile);
        try
        {
            var port = await browser.Port(cancellation);
            using var http = new HttpClient();
            var pages = JsonNode.Parse(await http.GetStringAsync(new Uri($"http://127.0.0.1:{port}/json/list"), cancellation))!.AsArray();
            var page = pages.First(page => page!["type"]!.GetValue<string>() == "page")!;
            await browser._socket.ConnectAsync(new(page["webSocketDebuggerUrl"]!.GetValue<string>()), cancellation);
            foreach (var domain in (string[])["Page", "Network", "Log", "Runtime"]) await browser.Send($"{domain}.enable", new(), cancellation);
            await browser.Resize(width, height, cancellation);
            return browser;
        }
        catch
        {
            await browser.DisposeAsync();
            throw;
        }
    }

    /// <summary>Opens a file or an address, and waits until it and all that is in it are there.</summary>
    public async Task Open(string file, CancellationToken cancellation)
    {
        _events.Clear();
        await Send("Page.navigate", new() { ["url"] = new Uri(file).AbsoluteUri }, cancellation);
        while (_events.All(happened => happened["method"]?.GetValue<string>() != "Page.loadEventFired")) _events.Add(await Receive(cancellation));
    }

    /// <summary>The value of an expression, or of the promise that it is, as JSON.</summary>
    public async Task<JsonNode?> Evaluate(string expression, CancellationToken cancellation)
    {
        var answer = await Send(
            "Runtime.evaluate", new() { ["expression"] = expression, ["returnByValue"] = true, ["awaitPromise"] = true }, cancellation);
        Assert.Null(answer["exceptionDetails"]?.ToJsonString());
        return answer["result"]!["value"];
    }

    /// <summary>A real click with the pointer on the middle of the element that an expression gives, which is scrolled to first.</summary>
    public async Task Click(string element, CancellationToken cancellation)
    {
        var place = await Evaluate(
            $"(() => {{ const found = {element}; if (!found) return null; found.scrollIntoView({{ block: 'nearest' }}); const box = found.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()",
            cancellation) ?? throw new InvalidOperationException($"There is nothing to click on: {element}");
        foreach (var type in (string[])["mouseMoved", "mousePressed", "mouseReleased"]) await Pointer(type, (double)place[0]!, (double)place[1]!, cancellation);
    }

    /// <summary>Moves, presses or releases the pointer, in CSS pixels of the window.</summary>
    public Task Pointer(string type, double x, double y, CancellationToken cancellation)
    {
        _isPressed = type == "mousePressed" || type == "mouseMoved" && _isPressed;
        return Send(
            "Input.dispatchMouseEvent",
            new()
            {
                ["type"] = type,
                ["x"] = x,
                ["y"] = y,
                ["button"] = type == "mouseMoved" && !_isPressed ? "none" : "left",
                ["buttons"] = _isPressed ? 1 : 0,
                ["clickCount"] = type == "mouseMoved" ? 0 : 1,
            },
            cancellation);
    }

    /// <summary>Drags files and folders of this machine onto the element that an expression gives, and drops them there.</summary>
    public async Task Drag(string element, IEnumerable<string> paths, CancellationToken cancellation)
    {
        var place = await Evaluate($"(() => {{ const found = {element}; found.scrollIntoView({{ block: 'nearest' }}); const box = found.getBoundingClientRect(); return [box.x + box.width / 2, box.y + Math.min(box.height / 2, 20)]; }})()", cancellation);
        foreach (var type in (string[])["dragEnter", "dragOver", "drop"])
        {
            await Send(
                "Input.dispatchDragEvent",
                new()
                {
                    ["type"] = type,
                    ["x"] = (double)place![0]!,
                    ["y"] = (double)place[1]!,
                    ["data"] = new JsonObject { ["items"] = new JsonArray(), ["files"] = new JsonArray([.. paths.Select(path => (JsonNode?)path)]), ["dragOperationsMask"] = 1 },
                },
                cancellation);
        }
    }

    /// <summary>Gives the window this size.</summary>
    public Task Resize(int width, int height, CancellationToken cancellation) => Send(
        "Emulation.setDeviceMetricsOverride", new() { ["width"] = width, ["height"] = height, ["deviceScaleFactor"] = 1, ["mobile"] = false }, cancellation);

    /// <summary>Types text where the focus is.</summary>
    public Task Type(string text, CancellationToken cancellation) => Send("Input.insertText", new() { ["text"] = text }, cancellation);

    /// <summary>Presses a key: <c>Enter</c>, <c>1</c>, <c>ArrowRight</c>.</summary>
    public async Task Press(string key, CancellationToken cancellation, bool isControl = false, bool isShift = false)
    {
        var code = key switch
        {
            "Enter" => 13,
            "Backspace" => 8,
            "Tab" => 9,
            "Escape" => 27,
            " " => 32,
            "ArrowLeft" => 37,
            "ArrowUp" => 38,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            "Home" => 36,
            "End" => 35,
            _ => char.ToUpperInvariant(key[0]),
        };
        var modifiers = (isControl ? 2 : 0) + (isShift ? 8 : 0);
        var text = key == "Enter" ? "\r" : key.Length == 1 && !isControl ? key : null;
        JsonObject down = new() { ["type"] = text is null ? "rawKeyDown" : "keyDown", ["key"] = key, ["windowsVirtualKeyCode"] = code, ["modifiers"] = modifiers };
        if (text is not null) down["text"] = text;
        await Send("Input.dispatchKeyEvent", down, cancellation);
        await Send("Input.dispatchKeyEvent", new() { ["type"] = "keyUp", ["key"] = key, ["windowsVirtualKeyCode"] = code, ["modifiers"] = modifiers }, cancellation);
    }

    /// <summary>Chooses files in the field that an expression gives, as its dialog would.</summary>
    public async Task Choose(string field, IEnumerable<string> files, CancellationToken cancellation)
    {
        var found = await Send("Runtime.evaluate", new() { ["expression"] = field }, cancellation);
        await Send(
            "DOM.setFileInputFiles", new() { ["objectId"] = (string?)found["result"]!["objectId"], ["files"] = new JsonArray([.. files.Select(file => (JsonNode?)file)]) }, cancellation);
    }

    /// <summary>What the window of this size shows, as PNG, at six tenths of the size.</summary>
    public async Task<byte[]> Screenshot(int width, int height, CancellationToken cancellation) => Convert.FromBase64String((string)(await Send(
        "Page.captureScreenshot",
        new() { ["format"] = "png", ["clip"] = new JsonObject { ["x"] = 0, ["y"] = 0, ["width"] = width, ["height"] = height, ["scale"] = 0.6 } }, cancellation))["data"]!);

    /// <summary>Light or dark, as the system would say.</summary>
    public Task Prefer(string scheme, CancellationToken cancellation) => Send(
        "Emulation.setEmulatedMedia", new() { ["features"] = new JsonArray(new JsonObject { ["name"] = "prefers-color-scheme", ["value"] = scheme }) }, cancellation);

    /// <summary>Memory in use by the largest of the processes that show pages.</summary>
    public long RendererBytes() => Directory.GetDirectories("/proc").Where(folder => int.TryParse(Path.GetFileName(folder), out _))
        .Select(folder => ProcessMemory.Of(folder)).Where(found => found.Command.Contains("--type=renderer", StringComparison.Ordinal) && found.Command.Contains(_profile.FullName, StringComparison.Ordinal))
        .Select(found => found.Bytes).DefaultIfEmpty(0).Max();

    /// <summary>Waits until an expression is true.</summary>
    public async Task Until(string expression, CancellationToken cancellation, double seconds = 60)
    {
        for (var clock = Stopwatch.StartNew(); clock.Elapsed.TotalSeconds < seconds; await Task.Delay(50, cancellation))
            if ((bool?)await Evaluate($"Boolean({expression})", cancellation) == true) return;
        throw new TimeoutException($"Not so within {seconds} s: {expression}. The page says: {await Evaluate("document.body.innerText", cancellation)}");
    }

    public async ValueTask DisposeAsync()
    {
        _socket.Dispose();
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
        try
        {
            _profile.Dispose();
        }
        catch (IOException)
        {
            // A helper of the browser's is still writing.
        }
    }

    /// <summary>The browser chooses one, and writes it down.</summary>
    private async Task<string> Port(CancellationToken cancellation)
    {
        var file = Path.Combine(_profile.FullName, "DevToolsActivePort");
        for (var clock = Stopwatch.StartNew(); clock.Elapsed < Patience; await Task.Delay(50, cancellation))
        {
            if (_process.HasExited) throw new InvalidOperationException($"{Program} ended with exit code {_process.ExitCode}.");
            if (File.Exists(file) && (await File.ReadAllLinesAsync(file, cancellation)) is [var port, _, ..]) return port;
        }
        throw new TimeoutException($"{Program} did not say within {Patience} where it listens.");
    }

    private async Task<JsonNode> Send(string method, JsonObject parameters, CancellationToken cancellation)
    {
        var id = ++_last;
        var message = new JsonObject { ["id"] = id, ["method"] = method, ["params"] = parameters };
        await _socket.SendAsync(JsonSerializer.SerializeToUtf8Bytes(message), WebSocketMessageType.Text, endOfMessage: true, cancellation);
        while (true)
        {
            var answer = await Receive(cancellation);
            if (answer["id"]?.GetValue<int>() != id) _events.Add(answer);
            else return answer["result"] ?? throw new InvalidOperationException($"{method}: {answer.ToJsonString()}");
        }
    }

    private async Task<JsonNode> Receive(CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(Patience);
        using var message = new MemoryStream();
        var buffer = new byte[1 << 16];
        WebSocketReceiveResult part;
        do
        {
            part = await _socket.ReceiveAsync(buffer, limit.Token);
            message.Write(buffer.AsSpan(0, part.Count));
        }
        while (!part.EndOfMessage);
        return JsonNode.Parse(message.ToArray())!;
    }
}
