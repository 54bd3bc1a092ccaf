using System.Net;
using System.Net.Sockets;
using System.Reflection;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Graft.Backbones;
using Graft.Imaging;
using Graft.Runs;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Graft.Studio;

/// <summary>Serves the studio's page to this computer.</summary>
internal sealed class StudioServer : IAsyncDisposable
{
    /// <summary>The largest photo that is dropped.</summary>
    private const long MostBytes = 64_000_000;

    private static readonly TimeSpan BetweenEvents = TimeSpan.FromMilliseconds(80), Heartbeat = TimeSpan.FromSeconds(15);

    private static readonly Dictionary<string, string> ContentTypes = new(StringComparer.Ordinal)
    {
        [".html"] = "text/html; charset=utf-8",
        [".css"] = "text/css; charset=utf-8",
        [".js"] = "text/javascript; charset=utf-8",
        [".svg"] = "image/svg+xml",
    };

    private readonly Workbench _workbench;
    private readonly WebApplication _app;
    private readonly Guard _guard;
    private readonly int _port;
    private readonly Action<string> _warn;

    /// <param name="home">The folder in which new projects are made.</param>
    /// <param name="port">0 for any free one.</param>
    /// <param name="warn">Told of internal errors.</param>
    /// <exception cref="GraftException">The port is taken.</exception>
    public StudioServer(string home, int port, BackboneRequest backbone, Action<string> warn)
    {
        (_workbench, _warn) = (new(home, backbone), warn);
        _port = port == 0 ? FreePort() : port;
        _guard = new(_port);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddRoutingCore();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(3));
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, _port);
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = MostBytes;
            kestrel.Limits.MaxConcurrentConnections = 200;
        });
        _app = builder.Build();
        _app.Use(AnswerProblems);
        foreach (var (path, content, type) in StaticFiles())
            _app.MapGet(path, () => Results.Bytes(content, type));
        _app.MapGet("/api/events", EventsAsync);
        new StudioApi(_workbench).Map(_app);
    }

    /// <summary>How the API writes and reads JSON.</summary>
    public static JsonSerializerOptions Json { get; } = new(JsonSerializerDefaults.Web)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.Never,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    /// <summary>Where the page is, with the token; a person opens it.</summary>
    public string Address => $"http://127.0.0.1:{_port}/?token={_guard.Token}";

    /// <param name="source">A folder or table to open; null for none.</param>
    /// <exception cref="GraftException">The port is taken.</exception>
    public async Task StartAsync(string? source, CancellationToken cancellation)
    {
        try
        {
            await _app.StartAsync(cancellation);
        }
        catch (IOException problem)
        {
            throw new GraftException($"The studio cannot listen on port {_port}: {problem.Message}", problem) { Code = "port-taken" };
        }
        // The page is there at once, however long the folder takes to list.
        if (source is not null) _ = Task.Run(() => _workbench.OpenOrExplain(source), CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
        _workbench.Dispose();
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static IEnumerable<(string Path, byte[] Content, string Type)> StaticFiles()
    {
        var assembly = Assembly.GetExecutingAssembly();
        foreach (var name in assembly.GetManifestResourceNames().Where(name => name.StartsWith("www/", StringComparison.Ordinal)))
        {
            using var stream = assembly.GetManifestResourceStream(name)!;
            using var content = new MemoryStream();
            stream.CopyTo(content);
            var path = name["www".Length..].Replace('\\', '/');
            yield return (path == "/index.html" ? "/" : path, content.ToArray(), ContentTypes[Path.GetExtension(path)]);
        }
    }

    /// <summary>The one stream of events: the state, whenever it has changed.</summary>
    private async Task EventsAsync(HttpContext context)
    {
        var lifetime = context.RequestServices.GetRequiredService<IHostApplicationLifetime>();
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, lifetime.ApplicationStopping);
        context.Response.ContentType = "text/event-stream";
        var window = _workbench.Listen();
        try
        {
            while (!end.IsCancellationRequested)
            {
                using var wait = CancellationTokenSource.CreateLinkedTokenSource(end.Token);
                wait.CancelAfter(Heartbeat);
                try
                {
                    await window.Reader.ReadAsync(wait.Token);
                }
                catch (OperationCanceledException) when (!end.IsCancellationRequested)
                {
                    await context.Response.WriteAsync(":\n\n", end.Token);
                    continue;
                }
                await context.Response.WriteAsync($"data: {JsonSerializer.Serialize(StudioState.Of(_workbench), Json)}\n\n", end.Token);
                await context.Response.Body.FlushAsync(end.Token);
                await Task.Delay(BetweenEvents, end.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // The window was closed, or the studio.
        }
        finally
        {
            _workbench.Leave(window);
        }
    }

    private async Task AnswerProblems(HttpContext context, RequestDelegate next)
    {
        try
        {
            if (_guard.Check(context)) return;
            await next(context);
            if (context.Response is { StatusCode: 404 or 405, HasStarted: false }) await Refuse(context, context.Response.StatusCode, "There is nothing at this address.");
        }
        catch (Refusal refusal)
        {
            await Refuse(context, refusal.Status, refusal.Message);
        }
        catch (BadHttpRequestException problem)
        {
            await Refuse(context, problem.StatusCode, problem.StatusCode == 413 ? $"The photo is larger than {MostBytes / 1_000_000} MB. Save it smaller." : problem.Message);
        }
        catch (UnreadableImageException problem)
        {
            await Refuse(context, 422, $"The photo cannot be read: {problem.Reason}");
        }
        catch (FileNotFoundException problem)
        {
            await Refuse(context, 410, $"{Path.GetFileName(problem.FileName)} is no longer there. It was moved or deleted outside of the studio; its label is kept.");
        }
        catch (RequestException problem)
        {
            await Refuse(context, 400, problem.Message);
        }
        catch (UnknownBackboneException problem)
        {
            await Refuse(context, 400, problem.Problem);
        }
        catch (GraftException problem)
        {
            await Refuse(context, problem.Code == "not-saved" ? 507 : 409, problem.Message);
        }
        catch (JsonException problem)
        {
            await Refuse(context, 400, $"The request is not what the page sends{(problem.Path is { Length: > 2 } place ? $": {place[2..]} is of another kind" : "")}.");
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            context.Response.StatusCode = 499;
        }
        catch (ObjectDisposedException)
        {
            await Refuse(context, 409, "The project was closed meanwhile. Try again.");
        }
        catch (Exception problem)
        {
            _warn($"{context.Request.Path}: {problem}");
            await Refuse(context, 500, "Internal error. The terminal says more.");
        }
    }

    private static async Task Refuse(HttpContext context, int status, string reason)
    {
        if (context.Response.HasStarted) return;
        context.Response.StatusCode = status;
        if (context.Request.Path == "/") await context.Response.WriteAsync(reason, Encoding.UTF8);
        else await context.Response.WriteAsJsonAsync(new { Error = reason }, Json);
    }
}
