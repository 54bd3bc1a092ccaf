using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Authentication;
using Polly;
using Polly.Retry;

namespace Graft.Checkpoints.Store;

/// <summary>
/// Brings one file from the first of its sources that has it. The caller holds the slot's lock; the file takes its
/// final name only when its length and hash are right.
/// </summary>
internal sealed class Download(
    PublishedFile file, Slot slot, WeightStoreOptions options, IProgress<DownloadProgress>? progress, HttpClient http)
{
    private const int ChunkBytes = 1 << 17;
    private const long BytesThatRenewTheRetries = 1 << 20;
    private static readonly TimeSpan ReportInterval = TimeSpan.FromMilliseconds(100);

    private readonly Expectation expected = Expectation.Of(file, slot.ReadRecord());
    private long lastReport;

    /// <summary>The most bytes that the file can have.</summary>
    private long Limit => expected.Bytes ?? options.MaxUnstatedBytes;

    /// <summary>A source has failed, for now (transient) or for good.</summary>
    private sealed class SourceFault(string message, bool isTransient = false, Exception? innerException = null)
        : Exception(message, innerException)
    {
        public bool IsTransient => isTransient;

        public TimeSpan? RetryAfter { get; init; }
    }

    public static HttpClient Client(WeightStoreOptions options)
    {
        var client = options.Handler is { } handler
            ? new HttpClient(handler, disposeHandler: false)
            : new HttpClient(new SocketsHttpHandler { MaxAutomaticRedirections = 10 });
        client.Timeout = Timeout.InfiniteTimeSpan;
        client.DefaultRequestHeaders.UserAgent.Add(
            new("Graft", typeof(Download).Assembly.GetName().Version?.ToString(3)));
        client.DefaultRequestHeaders.AcceptEncoding.Add(new("identity"));
        return client;
    }

    public async Task RunAsync(CancellationToken cancellation)
    {
        var failures = new List<string>();
        foreach (var source in options.Sources(file))
            try
            {
                await PullFromAsync(source, cancellation).ConfigureAwait(false);
                return;
            }
            catch (SourceFault fault)
            {
                failures.Add($"{source}: {fault.Message}");
            }
        throw NotHere([$"{file.FileName} could not be downloaded.", .. failures.Select(failure => "  " + failure)], file, slot, options);
    }

    /// <summary>A file that is not in the store and cannot be downloaded; how to bring it by hand.</summary>
    public static WeightStoreException NotHere(IEnumerable<string> problem, PublishedFile file, Slot slot, WeightStoreOptions options) =>
        new(string.Join('\n', [.. problem, .. ByHand(file, slot, options)]))
        {
            Code = "weights-not-downloaded",
            Value = Path.GetFileName(options.Sources(file)[^1].LocalPath),
            Remedy = $"{nameof(WeightStore)}.{nameof(WeightStore.Import)} does the same.",
        };

    private static IEnumerable<string> ByHand(PublishedFile file, Slot slot, WeightStoreOptions options)
    {
        if (slot.Check(file, thoroughly: false) is { Condition: not FileCondition.Ok } wrong)
            yield return $"A file of that name is there but is not the one: {wrong}.";
        if (new FileInfo(slot.PartialPath) is { Exists: true, Length: > 0 and var bytes })
            yield return $"{bytes:N0} bytes have come already; the next pull resumes from there.";
        var origin = options.Sources(file)[^1];
        var facts = Expectation.Of(file, slot.ReadRecord()).ToString() is { Length: > 0 } known ? $" ({known})" : "";
        yield return $"To bring it by hand, fetch {origin}{facts} on another machine and put it into the folder {slot.Folder} under the name {file.FileName}.";
    }

    private async Task PullFromAsync(Uri source, CancellationToken cancellation)
    {
        for (var mayStartAfresh = true; ; mayStartAfresh = false)
        {
            bool wasPatchwork;
            FileHash? found;
            using (var partial = PartialFile.Open(slot, expected.NeedsMd5, cancellation))
            {
                await FetchAsync(partial, source, cancellation).ConfigureAwait(false);
                wasPatchwork = partial.IsPatchwork;
                var digest = partial.Finish();
                found = expected.Hash?.Of(digest);
                if (found == expected.Hash)
                {
                    partial.Settle(digest, source);
                    if (expected.Hash is null) Report(DownloadState.NotVerified, slot.ReadRecord()?.Bytes ?? 0, source, PublishedFile.NotVerified(digest), always: true);
                    return;
                }
                partial.Restart(null);
            }
            if (!wasPatchwork || !mayStartAfresh)
                throw new SourceFault(
                    $"a wrong file: its hash is {found}, expected {expected.Hash}{file.Caveat(expected.Hash)}. It was deleted. If the publisher "
                    + "has replaced the file and you trust the new one, pin its hash");
            Report(DownloadState.Retrying, 0, source, "the pieces do not fit together; starting afresh", always: true);
        }
    }

    /// <summary>Fills the partial file up, trying again after passing faults.</summary>
    private async Task FetchAsync(PartialFile partial, Uri source, CancellationToken cancellation)
    {
        if (!MayGoOn(partial, source)) partial.Restart(null);
        if (partial.Length > 0 && partial.Length == (expected.Bytes ?? partial.Record?.Total)) return;
        var retries = options.Retries == 0 ? ResiliencePipeline.Empty : Retries(partial, source);
        while (!await retries.ExecuteAsync(TryAsync, cancellation).ConfigureAwait(false))
        {
        }

        async ValueTask<bool> TryAsync(CancellationToken token)
        {
            var before = partial.Length;
            try
            {
                await AttemptAsync(partial, source, token).ConfigureAwait(false);
                return true;
            }
            catch (SourceFault fault) when (fault.IsTransient && partial.Length - before >= BytesThatRenewTheRetries)
            {
                return false;
            }
        }
    }

    private ResiliencePipeline Retries(PartialFile partial, Uri source) =>
        new ResiliencePipelineBuilder().AddRetry(new RetryStrategyOptions
        {
            ShouldHandle = new PredicateBuilder().Handle<SourceFault>(fault => fault.IsTransient),
            MaxRetryAttempts = options.Retries,
            BackoffType = DelayBackoffType.Exponential,
            UseJitter = true,
            Delay = options.RetryDelay,
            MaxDelay = options.LongestRetryDelay,
            DelayGenerator = attempt => ValueTask.FromResult(
                attempt.Outcome.Exception is SourceFault { RetryAfter: { } asked }
                    ? asked < options.LongestRetryAfter ? asked : options.LongestRetryAfter
                    : (TimeSpan?)null),
            OnRetry = attempt =>
            {
                Report(DownloadState.Retrying, partial.Length, source, always: true, note:
                    $"{attempt.Outcome.Exception!.Message}; trying again in {attempt.RetryDelay.TotalSeconds:0.#} s");
                return ValueTask.CompletedTask;
            },
        }).Build();

    /// <summary>A hash tells in the end whether the pieces fit; without one the server vouches for them.</summary>
    private bool MayGoOn(PartialFile partial, Uri source) =>
        partial.Length <= Limit
        && (expected.Hash is not null || (partial.Record is { HasValidator: true } record && record.Source == source));

    private async Task AttemptAsync(PartialFile partial, Uri source, CancellationToken cancellation)
    {
        using var stall = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        try
        {
            using var response = await RequestAsync(partial, source, stall).ConfigureAwait(false);
            if (response is null) return;
            var total = partial.Record!.Total;
            var body = await response.Content.ReadAsStreamAsync(stall.Token).ConfigureAwait(false);
            await using var _ = body.ConfigureAwait(false);
            var chunk = new byte[ChunkBytes];
            while (await ReadAsync(body, chunk).ConfigureAwait(false) is > 0 and var count)
            {
                if (partial.Length + count > Limit)
                {
                    partial.Restart(null);
                    throw new SourceFault(expected.Bytes is null
                        ? $"more than {Limit:N0} bytes, where no size is published. Fetch the file by hand if it is the right one"
                        : $"more than the {Limit:N0} bytes expected");
                }
                partial.Append(chunk.AsSpan(0, count));
                var isLast = partial.Length == total;
                Report(DownloadState.Downloading, partial.Length, source, total: total, always: isLast);
            }
            // A body of no stated length looks whole when it is cut, and some servers send a range in pieces.
            if (partial.Length < (total ?? expected.Bytes)) throw Cut(null);

            async ValueTask<int> ReadAsync(Stream body, Memory<byte> chunk)
            {
                stall.CancelAfter(options.StallTimeout);
                try
                {
                    return await body.ReadAsync(chunk, stall.Token).ConfigureAwait(false);
                }
                catch (IOException cut)
                {
                    throw Cut(cut);
                }
            }

            SourceFault Cut(Exception? cause)
            {
                var whole = total ?? expected.Bytes;
                return new(
                    $"the connection was cut after {partial.Length:N0}{(whole is null ? "" : $" of {whole:N0}")} bytes",
                    isTransient: true, cause);
            }
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new SourceFault($"nothing came for {options.StallTimeout.TotalSeconds:0.#} s", isTransient: true);
        }
        catch (HttpRequestException error)
        {
            throw Fault(error, hasBegun: partial.Length > 0);
        }
    }

    /// <summary>
    /// Asks for what is missing. The answer's body is what belongs at the partial file's end, which is its beginning if
    /// the server has another file by now or knows no ranges. Null if nothing is missing.
    /// </summary>
    private async Task<HttpResponseMessage?> RequestAsync(
        PartialFile partial, Uri source, CancellationTokenSource stall)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, source);
        var known = partial.Record?.Source == source ? partial.Record : null;
        if (partial.Length > 0)
        {
            request.Headers.Range = new(partial.Length, null);
            if (known?.ETag is { } etag) request.Headers.IfRange = new(new EntityTagHeaderValue(etag));
            else if (known?.LastModified is { } modified) request.Headers.IfRange = new(modified);
        }
        stall.CancelAfter(options.StallTimeout);
        var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stall.Token)
            .ConfigureAwait(false);
        try
        {
            var range = response.Content.Headers.ContentRange;
            switch (response.StatusCode)
            {
                case HttpStatusCode.OK:
                    var offered = RecordOf(response, source, response.Content.Headers.ContentLength);
                    RefuseAnotherFile(response, offered.Total);
                    partial.Restart(offered);
                    return response;

                case HttpStatusCode.PartialContent
                    when range?.From == partial.Length && IsSameFile(response, range.Length, known):
                    var total = range.Length ?? range.To + 1;
                    RefuseAnotherFile(response, total);
                    partial.GoOn(known is { Total: not null } ? known : RecordOf(response, source, total));
                    return response;

                case HttpStatusCode.RequestedRangeNotSatisfiable
                    when partial.Length > 0 && range?.Length == partial.Length:
                    response.Dispose();
                    return null;

                case HttpStatusCode.PartialContent or HttpStatusCode.RequestedRangeNotSatisfiable
                    when partial.Length > 0:
                    response.Dispose();
                    partial.Restart(null);
                    return await RequestAsync(partial, source, stall).ConfigureAwait(false);

                default:
                    throw Fault(response);
            }
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    /// <summary>Tells what no hash is needed to tell: a wrong length, or the login page of some network.</summary>
    private void RefuseAnotherFile(HttpResponseMessage response, long? offered)
    {
        var content = response.Content.Headers;
        if (content.ContentEncoding.FirstOrDefault(encoding => encoding != "identity") is { } encoding)
            throw new SourceFault($"sends the file compressed ({encoding}) though asked not to");
        if (expected.Hash is null && content.ContentType?.MediaType == "text/html")
            throw new SourceFault("sends a web page (text/html) in the file's place");
        if (expected.Bytes is null && offered > Limit)
            throw new SourceFault($"offers {offered:N0} bytes, more than the {Limit:N0} that are fetched where no size is published");
        if (offered is not null && expected.Bytes is not null && offered != expected.Bytes)
            throw new SourceFault($"offers {offered:N0} bytes, expected {expected.Bytes:N0}", isTransient: true);
    }

    private static bool IsSameFile(HttpResponseMessage response, long? total, PartialRecord? known) =>
        (total is null || known?.Total is null || total == known.Total)
        && (StrongTag(response) is not { } tag || known?.ETag is null || tag == known.ETag);

    private static PartialRecord RecordOf(HttpResponseMessage response, Uri source, long? total) =>
        new(source, StrongTag(response), response.Content.Headers.LastModified, total);

    private static string? StrongTag(HttpResponseMessage response) =>
        response.Headers.ETag is { IsWeak: false, Tag: var tag } ? tag : null;

    private static SourceFault Fault(HttpResponseMessage response)
    {
        var status = (int)response.StatusCode;
        if (status is >= 300 and < 400)
            return new(
                response.Headers.Location is { IsAbsoluteUri: true, Scheme: "http" } insecure
                && response.RequestMessage?.RequestUri?.Scheme == "https"
                    ? $"redirects from https to {insecure}, which is not secure"
                    : $"redirects without end (status {status})");
        return new($"status {status} {response.ReasonPhrase}".TrimEnd(), isTransient: status is 408 or 429 or >= 500)
        {
            RetryAfter = response.Headers.RetryAfter switch
            {
                { Delta: { } delta } => delta,
                { Date: { } date } when date > DateTimeOffset.UtcNow => date - DateTimeOffset.UtcNow,
                _ => null,
            },
        };
    }

    private static SourceFault Fault(HttpRequestException error, bool hasBegun)
    {
        // Without a name server a machine is most likely offline; in mid-download it may just be between two networks.
        var isLasting = error.HttpRequestError switch
        {
            HttpRequestError.NameResolutionError => !hasBegun,
            HttpRequestError.SecureConnectionError => error.InnerException is AuthenticationException,
            HttpRequestError.UserAuthenticationError or HttpRequestError.VersionNegotiationError => true,
            _ => false,
        };
        return new($"no connection ({error.InnerException?.Message ?? error.Message})", !isLasting, error);
    }

    private void Report(
        DownloadState state, long received, Uri source, string? note = null, long? total = null, bool always = false)
    {
        if (progress is null || (!always && Stopwatch.GetElapsedTime(lastReport) < ReportInterval)) return;
        lastReport = Stopwatch.GetTimestamp();
        progress.Report(new(file.FileName, state, received, total ?? expected.Bytes, source, note));
    }
}
