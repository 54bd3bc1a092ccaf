using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Graft.Tests.Store;

/// <summary>A request as it came over the wire.</summary>
internal sealed record WebRequest(string Path, IReadOnlyDictionary<string, string> Headers)
{
    public string? Header(string name) => Headers.GetValueOrDefault(name);

    /// <summary>The first byte asked for by a Range header, or null.</summary>
    public int? From => Header("Range") is { } range
        ? int.Parse(range["bytes=".Length..].TrimEnd('-'), CultureInfo.InvariantCulture)
        : null;
}

/// <summary>What goes over the wire in answer, true or not.</summary>
internal sealed record WebAnswer(string Status)
{
    public byte[] Body { get; init; } = [];

    public List<string> Headers { get; init; } = [];

    /// <summary>The Content-Length claimed; null for the true one, -1 for none at all.</summary>
    public int? ClaimedLength { get; init; }

    /// <summary>Bytes of body after which the connection is closed without a word.</summary>
    public int? CutAfter { get; init; }

    /// <summary>Bytes of body after which nothing more comes and the connection stays open.</summary>
    public int? StallAfter { get; init; }

    /// <summary>A pause after each 16 KB of body.</summary>
    public TimeSpan Pause { get; init; }
}

/// <summary>
/// A web server on loopback that serves one file with ranges, ETag and Last-Modified as it should, unless the next of
/// its scripted faults says otherwise. It speaks HTTP on raw sockets, so that it can lie.
/// </summary>
internal sealed class HostileServer : IDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource stopped = new();
    private readonly ConcurrentQueue<Func<WebRequest, WebAnswer>> script = new();
    private readonly ConcurrentQueue<WebRequest> requests = new();
    private readonly X509Certificate2? certificate;
    private readonly int port;
    private long bodyBytes;
    private bool isDisposed;

    public HostileServer(byte[] file, bool tls = false)
    {
        File = file;
        certificate = tls ? SelfSigned() : null;
        listener.Start();
        port = ((IPEndPoint)listener.LocalEndpoint).Port;
        _ = AcceptAsync();
    }

    public byte[] File { get; set; }

    public string? ETag { get; set; } = "\"v1\"";

    public DateTimeOffset? LastModified { get; set; }

    public bool KnowsRanges { get; set; } = true;

    public string? Thumbprint => certificate?.GetCertHashString();

    public IReadOnlyList<WebRequest> Requests => [.. requests];

    /// <summary>Bytes of file content sent so far.</summary>
    public long BodyBytes => Interlocked.Read(ref bodyBytes);

    public Uri Address(string path = "") =>
        new($"{(certificate is null ? "http" : "https")}://127.0.0.1:{port}/{path}");

    /// <summary>Answers the next request so.</summary>
    public HostileServer Then(Func<WebRequest, WebAnswer> answer)
    {
        script.Enqueue(answer);
        return this;
    }

    public HostileServer ThenStatus(string status, params string[] headers) =>
        Then(_ => new(status) { Headers = [.. headers] });

    public HostileServer ThenCut(int afterBytes) => Then(request => Honest(request) with { CutAfter = afterBytes });

    public WebAnswer Honest(WebRequest request)
    {
        List<string> headers = [];
        if (ETag is not null) headers.Add($"ETag: {ETag}");
        if (LastModified is not null) headers.Add($"Last-Modified: {LastModified:R}");
        if (!KnowsRanges || request.From is not { } from) return new("200 OK") { Body = File, Headers = headers };
        if (request.Header("If-Range") is { } known && known != ETag && known != LastModified?.ToString("R"))
            return new("200 OK") { Body = File, Headers = headers };
        return from >= File.Length
            ? new("416 Range Not Satisfiable") { Headers = [.. headers, $"Content-Range: bytes */{File.Length}"] }
            : new("206 Partial Content")
            {
                Body = File[from..],
                Headers = [.. headers, $"Content-Range: bytes {from}-{File.Length - 1}/{File.Length}"],
            };
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref isDisposed, true)) return;
        stopped.Cancel();
        listener.Dispose();
        certificate?.Dispose();
        stopped.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true) _ = ServeAsync(await listener.AcceptTcpClientAsync(stopped.Token));
        }
        catch (Exception end) when (end is OperationCanceledException or SocketException or ObjectDisposedException)
        {
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        try
        {
            using var _ = client;
            await using var plain = client.GetStream();
            await using var stream = certificate is null ? (Stream)plain : await SecureAsync(plain);
            var request = await ReadAsync(stream);
            requests.Enqueue(request);
            var answer = script.TryDequeue(out var scripted) ? scripted(request) : Honest(request);
            await SendAsync(stream, answer);
            if (stream is SslStream secure) await secure.ShutdownAsync();
            client.Client.Shutdown(SocketShutdown.Send);
        }
        catch (Exception end)
            when (end is IOException or OperationCanceledException or SocketException or ObjectDisposedException)
        {
        }
    }

    private async Task<Stream> SecureAsync(NetworkStream plain)
    {
        var secure = new SslStream(plain);
        await secure.AuthenticateAsServerAsync(certificate!);
        return secure;
    }

    private async Task<WebRequest> ReadAsync(Stream stream)
    {
        using var reader = new StreamReader(stream, Encoding.ASCII, leaveOpen: true);
        var first = await reader.ReadLineAsync(stopped.Token) ?? throw new IOException("closed");
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        while (await reader.ReadLineAsync(stopped.Token) is { Length: > 0 } line)
            headers[line[..line.IndexOf(':')]] = line[(line.IndexOf(':') + 1)..].Trim();
        return new(first.Split(' ')[1], headers);
    }

    private async Task SendAsync(Stream stream, WebAnswer answer)
    {
        var head = new StringBuilder($"HTTP/1.1 {answer.Status}\r\nConnection: close\r\n");
        foreach (var header in answer.Headers) head.Append(CultureInfo.InvariantCulture, $"{header}\r\n");
        var length = answer.ClaimedLength ?? answer.Body.Length;
        if (length >= 0) head.Append(CultureInfo.InvariantCulture, $"Content-Length: {length}\r\n");
        await stream.WriteAsync(Encoding.ASCII.GetBytes(head.Append("\r\n").ToString()), stopped.Token);
        var end = Math.Min(answer.Body.Length, answer.CutAfter ?? answer.StallAfter ?? int.MaxValue);
        for (var sent = 0; sent < end;)
        {
            var count = Math.Min(16 << 10, end - sent);
            await stream.WriteAsync(answer.Body.AsMemory(sent, count), stopped.Token);
            Interlocked.Add(ref bodyBytes, count);
            sent += count;
            if (answer.Pause > TimeSpan.Zero) await Task.Delay(answer.Pause, stopped.Token);
        }
        if (answer.StallAfter is not null) await Task.Delay(Timeout.Infinite, stopped.Token);
    }

    private static X509Certificate2 SelfSigned()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var now = DateTimeOffset.UtcNow;
        using var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        return X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pkcs12), null);
    }
}
