using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;

namespace Graft.Data.Remote;

/// <summary>Files of web servers. What there is, is said by a list; see <see cref="RemoteFolder"/>.</summary>
internal sealed class WebStore : ObjectStore
{
    private static readonly HttpClient Http = Client();

    protected override async Task<Answer> GetAsync(string place, (long From, int Count)? range, string? tag, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, RemotePlace.Address(place));
        if (range is { } part) request.Headers.Range = new(part.From, part.From + part.Count - 1);
        if (tag is not null) request.Headers.IfMatch.Add(new EntityTagHeaderValue(tag));
        var response = await Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation).ConfigureAwait(false);
        try
        {
            if (!response.IsSuccessStatusCode) throw Refusal(place, response);
            var content = response.Content.Headers;
            if (content.ContentEncoding.FirstOrDefault(encoding => encoding != "identity") is { } encoding)
                throw new RemoteFault($"the server sends it compressed ({encoding}) though asked not to. Take another server, or download the file");
            var span = response.StatusCode == HttpStatusCode.PartialContent ? content.ContentRange : null;
            var known = response.Headers.ETag is { IsWeak: false, Tag: var strong } ? strong : null;
            return new(await response.Content.ReadAsStreamAsync(cancellation).ConfigureAwait(false), content.ContentLength, span?.From, span?.Length, known, response);
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    protected override Task<(IReadOnlyList<(string Name, ObjectFacts Facts)> Page, string? Next)> ListAsync(string place, string? next, CancellationToken cancellation) =>
        throw new RemoteFault("a web address names no folder, for web servers do not say what is in one. Name a list of the photos (.txt, .csv), or a tar, zip or Parquet file");

    protected override RemoteFault? FaultOf(string place, Exception problem) => problem switch
    {
        HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError } => new($"there is no host {RemotePlace.Address(place).Host}, or no network. Check the address", isTransient: true, problem),
        HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError } => new($"no secure connection: {Innermost(problem)}", isTransient: false, problem),
        HttpIOException or IOException => new($"the connection was cut: {Innermost(problem)}", isTransient: true, problem),
        HttpRequestException or SocketException => new($"{RemotePlace.Address(place).Authority} cannot be reached: {Innermost(problem)}", isTransient: true, problem),
        _ => null,
    };

    internal static string Innermost(Exception problem)
    {
        while (problem.InnerException is { } inner) problem = inner;
        return problem.Message.TrimEnd('.');
    }

    private static RemoteFault Refusal(string place, HttpResponseMessage response)
    {
        var said = $"{(int)response.StatusCode} {response.ReasonPhrase}".TrimEnd();
        return response.StatusCode switch
        {
            HttpStatusCode.NotFound or HttpStatusCode.Gone => new($"there is no such file ({said})") { IsMissing = true },
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => new(
                $"the server refuses it ({said}). {(RemotePlace.IsSigned(place) ? "Its signature has expired or is another file's: name a new one" : "If it needs a signature, name the address with it, anew for each command; of a bucket, s3:// takes the credentials of the environment")}"),
            HttpStatusCode.PreconditionFailed => new(Changed),
            HttpStatusCode.RequestedRangeNotSatisfiable => response.Content.Headers.ContentRange is { Length: 0 } ? new(Empty) : new($"{Changed} ({said})"),
            var status when (int)status is >= 300 and < 400 => new($"it leads elsewhere ({said}{(response.Headers.Location is { } other ? $", {RemotePlace.Of(other.ToString())}" : "")}). Name that address"),
            var status => new($"the server answers {said}", IsTransient(status)),
        };
    }

    private static HttpClient Client()
    {
        var client = new HttpClient(new SocketsHttpHandler { MaxAutomaticRedirections = 10, PooledConnectionLifetime = TimeSpan.FromMinutes(10) }) { Timeout = Timeout.InfiniteTimeSpan };
        client.DefaultRequestHeaders.UserAgent.Add(new("Graft", typeof(WebStore).Assembly.GetName().Version?.ToString(3)));
        client.DefaultRequestHeaders.AcceptEncoding.Add(new("identity"));
        return client;
    }
}
