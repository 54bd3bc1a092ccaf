using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace Graft.Tests.Data.Remote;

/// <summary>What a server does wrong with one request.</summary>
/// <param name="Status">Instead of 200.</param>
/// <param name="Code">S3's name for it.</param>
internal sealed record Misdeed(int Status = 200, string? Code = null, bool IsHalf = false, bool IsSilent = false, bool IgnoresRanges = false, string? Message = null);

/// <summary>
/// A server on this machine that speaks as much of S3 as reading takes (objects, ranges, lists of three names a page) and serves the same files as a
/// web server. It can be slow, refuse, and stop half-way.
/// </summary>
internal sealed class ObjectServer : IDisposable
{
    private const int NamesAPage = 3;

    private readonly HttpListener _listener = new();

    public ObjectServer()
    {
        // A free port.
        using (var probe = new TcpListener(IPAddress.Loopback, 0))
        {
            probe.Start();
            Address = $"http://127.0.0.1:{((IPEndPoint)probe.LocalEndpoint).Port}";
        }
        _listener.Prefixes.Add($"{Address}/");
        _listener.Start();
        _ = Task.Run(AcceptAsync);
    }

    public string Address { get; }

    /// <summary>By path, the bucket first.</summary>
    public ConcurrentDictionary<string, byte[]> Files { get; } = new(StringComparer.Ordinal);

    /// <summary>Path and range of each request, in order.</summary>
    public ConcurrentQueue<(string Path, string? Range, string Query)> Requests { get; } = [];

    /// <summary>Told the path and how often it was asked for before; null to serve as it should.</summary>
    public Func<string, int, Misdeed?> Misbehave { get; set; } = (_, _) => null;

    public int Fetched(string end) => Requests.Count(request => request.Path.EndsWith(end, StringComparison.Ordinal));

    public void Dispose() => _listener.Close();

    /// <summary>As S3 gives to what was sent in parts; any other is taken for the content's MD5.</summary>
    private static string TagOf(byte[] content) => $"\"{Convert.ToHexStringLower(SHA256.HashData(content))}-1\"";

    private async Task AcceptAsync()
    {
        while (_listener.IsListening)
        {
            try
            {
                var context = await _listener.GetContextAsync();
                _ = Task.Run(() => AnswerAsync(context));
            }
            catch (Exception problem) when (problem is HttpListenerException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private async Task AnswerAsync(HttpListenerContext context)
    {
        var (request, response) = (context.Request, context.Response);
        try
        {
            var path = Uri.UnescapeDataString(request.Url!.AbsolutePath).Trim('/');
            var before = Requests.Count(known => known.Path == path);
            Requests.Enqueue((path, request.Headers["Range"], request.Url.Query));
            var misdeed = Misbehave(path, before) ?? new();
            if (misdeed.IsSilent)
            {
                await Task.Delay(TimeSpan.FromSeconds(20));
                response.Abort();
                return;
            }
            if (misdeed.Status != 200) await RefuseAsync(response, misdeed.Status, misdeed.Code ?? "", misdeed.Message ?? "");
            else if (request.QueryString["list-type"] == "2") await ListAsync(request, response, path);
            else if (Files.TryGetValue(path, out var content)) await SendAsync(request, response, content, misdeed);
            else await RefuseAsync(response, 404, Files.Keys.Any(key => key.StartsWith($"{path.Split('/')[0]}/", StringComparison.Ordinal)) ? "NoSuchKey" : "NoSuchBucket", "");
        }
        catch (Exception problem) when (problem is HttpListenerException or ObjectDisposedException or IOException)
        {
            // The client has gone.
        }
    }

    private static async Task SendAsync(HttpListenerRequest request, HttpListenerResponse response, byte[] content, Misdeed misdeed)
    {
        response.AddHeader("ETag", TagOf(content));
        var body = content;
        if (request.Headers["If-Match"] is { } wanted && wanted != response.Headers["ETag"])
        {
            await RefuseAsync(response, 412, "PreconditionFailed", "");
            return;
        }
        if (request.Headers["Range"] is { } range && !misdeed.IgnoresRanges)
        {
            var ends = range["bytes=".Length..].Split('-').Select(end => int.Parse(end, CultureInfo.InvariantCulture)).ToArray();
            var last = Math.Min(ends[1], content.Length - 1);
            body = content[ends[0]..(last + 1)];
            response.StatusCode = 206;
            response.AddHeader("Content-Range", $"bytes {ends[0]}-{last}/{content.Length}");
        }
        response.ContentLength64 = body.Length;
        if (misdeed.IsHalf)
        {
            await response.OutputStream.WriteAsync(body.AsMemory(0, body.Length / 2));
            await response.OutputStream.FlushAsync();
            response.Abort();
            return;
        }
        await response.OutputStream.WriteAsync(body);
        response.Close();
    }

    private async Task ListAsync(HttpListenerRequest request, HttpListenerResponse response, string bucket)
    {
        var prefix = $"{bucket}/{request.QueryString["prefix"]}";
        if (!Files.Keys.Any(key => key.StartsWith($"{bucket}/", StringComparison.Ordinal)))
        {
            await RefuseAsync(response, 404, "NoSuchBucket", "");
            return;
        }
        var after = request.QueryString["continuation-token"] ?? "";
        var keys = Files.Keys.Where(key => key.StartsWith(prefix, StringComparison.Ordinal) && string.CompareOrdinal(key, after) > 0).Order(StringComparer.Ordinal).ToList();
        var page = keys.Take(NamesAPage).ToList();
        var xml = new StringBuilder("<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
        xml.Append(CultureInfo.InvariantCulture, $"<Name>{bucket}</Name><KeyCount>{page.Count}</KeyCount><IsTruncated>{(keys.Count > page.Count ? "true" : "false")}</IsTruncated>");
        if (keys.Count > page.Count) xml.Append(CultureInfo.InvariantCulture, $"<NextContinuationToken>{page[^1]}</NextContinuationToken>");
        foreach (var key in page)
        {
            xml.Append(CultureInfo.InvariantCulture, $"<Contents><Key>{key[(bucket.Length + 1)..]}</Key><Size>{Files[key].Length}</Size>");
            xml.Append(CultureInfo.InvariantCulture, $"<ETag>{TagOf(Files[key])}</ETag><LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>");
        }
        await WriteAsync(response, xml.Append("</ListBucketResult>").ToString());
    }

    private static Task RefuseAsync(HttpListenerResponse response, int status, string code, string message)
    {
        response.StatusCode = status;
        return WriteAsync(response, $"<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>");
    }

    private static async Task WriteAsync(HttpListenerResponse response, string xml)
    {
        response.ContentType = "application/xml";
        var body = Encoding.UTF8.GetBytes(xml);
        response.ContentLength64 = body.Length;
        await response.OutputStream.WriteAsync(body);
        response.Close();
    }
}
