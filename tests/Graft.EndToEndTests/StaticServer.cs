using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Graft.EndToEndTests;

/// <summary>A plain web server of a folder on this machine, with a strict content security policy.</summary>
internal sealed class StaticServer : IAsyncDisposable
{
    private const string Policy =
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self' blob:";

    private readonly WebApplication _app;

    private StaticServer(WebApplication app) => _app = app;

    public string Address => _app.Urls.First() + "/";

    /// <summary>Paths that were asked for and are not there.</summary>
    public ConcurrentBag<string> Missing { get; } = [];

    public static async Task<StaticServer> Start(string folder, CancellationToken cancellation)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrel(options => options.Listen(IPAddress.Loopback, 0));
        var server = new StaticServer(builder.Build());
        server._app.Run(async context =>
        {
            var name = context.Request.Path == "/" ? "index.html" : context.Request.Path.Value![1..];
            var file = Path.Combine(folder, name);
            context.Response.Headers.ContentSecurityPolicy = Policy;
            if (!File.Exists(file))
            {
                server.Missing.Add(name);
                context.Response.StatusCode = 404;
                return;
            }
            context.Response.ContentType = Path.GetExtension(name) switch
            {
                ".html" => "text/html",
                ".js" => "text/javascript",
                ".css" => "text/css",
                ".svg" => "image/svg+xml",
                ".json" => "application/json",
                ".jpg" => "image/jpeg",
                _ => "application/octet-stream",
            };
            await context.Response.SendFileAsync(file, context.RequestAborted);
        });
        await server._app.StartAsync(cancellation);
        return server;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();
}
