using System.Net;
using Polly;
using Polly.Retry;

namespace Graft.Data.Remote;

/// <summary>What is known of an object without its content.</summary>
/// <param name="Bytes">Null where the server does not say.</param>
/// <param name="Tag">Changes with the content; null where the server vouches for none.</param>
internal readonly record struct ObjectFacts(long? Bytes, string? Tag);

/// <summary>How long to wait for servers.</summary>
internal sealed record Patience
{
    /// <summary>Attempts of each request.</summary>
    public int Attempts { get; init; } = 5;

    /// <summary>Before the second attempt; it doubles from one to the next.</summary>
    public TimeSpan Delay { get; init; } = TimeSpan.FromSeconds(0.5);

    /// <summary>In which nothing at all comes.</summary>
    public TimeSpan Stall { get; init; } = TimeSpan.FromSeconds(30);
}

/// <summary>
/// Reads objects, whole or a range of them, from S3 and from web servers. Faults that pass (a connection cut, a body that ends early, an overloaded or
/// silent server) are tried again with growing delays; what remains is an error that names the object and says what to do.
/// </summary>
internal abstract class ObjectStore
{
    private static readonly Lazy<ObjectStore> Web = new(() => new WebStore());
    private static Lazy<ObjectStore> _s3 = new(() => new S3Store(S3Store.Connect()));

    public static Patience Patience { get; set; } = new();

    /// <summary>For tests: the environment has changed.</summary>
    public static void ConnectAgain() => _s3 = new(() => new S3Store(S3Store.Connect()));

    /// <exception cref="RemoteException">The settings of the environment are unusable.</exception>
    public static ObjectStore Of(string place) => (RemotePlace.IsS3(place) ? _s3 : Web).Value;

    /// <summary>An object, whole.</summary>
    /// <param name="expected">What a listing said; null if nothing is known.</param>
    /// <exception cref="FileNotFoundException">There is no such object.</exception>
    /// <exception cref="IOException">It is larger than photos are.</exception>
    /// <exception cref="RemoteException">It cannot be read.</exception>
    public (byte[] Content, ObjectFacts Facts) Read(string place, long? expected, long most) => Try(place, async stall =>
    {
        using var answer = await GetAsync(place, range: null, tag: null, stall.Token).ConfigureAwait(false);
        if (answer.Length > most) throw new IOException($"'{place}' is too large: {answer.Length:N0} bytes, more than {most:N0}.");
        if (expected is not null && answer.Length is not null && answer.Length != expected)
            throw new RemoteFault($"has {answer.Length:N0} bytes, and the listing says {expected:N0}: it has changed meanwhile. Run the command again", isTransient: true);
        return (await ReadAsync(answer, answer.Length ?? expected, most, stall).ConfigureAwait(false), new ObjectFacts(answer.Length, answer.Tag));
    });

    /// <summary>A range of an object.</summary>
    /// <param name="tag">Of the object when it was opened: a range of another one is refused.</param>
    /// <exception cref="FileNotFoundException">There is no such object.</exception>
    /// <exception cref="RemoteException">It cannot be read, or not in ranges.</exception>
    public byte[] Read(string place, long from, int count, string? tag) => count == 0 ? [] : Try(place, async stall =>
    {
        using var answer = await GetAsync(place, (from, count), tag, stall.Token).ConfigureAwait(false);
        if (answer.From is null) throw new RemoteFault(NoRanges);
        if (answer.From != from) throw new RemoteFault($"came from byte {answer.From:N0} on, and {from:N0} was asked for", isTransient: true);
        if (tag is not null && answer.Tag is not null && answer.Tag != tag) throw new RemoteFault(Changed);
        return await ReadAsync(answer, count, count, stall).ConfigureAwait(false);
    });

    /// <summary>Length and tag of an object that is to be read in ranges.</summary>
    /// <exception cref="FileNotFoundException">There is no such object.</exception>
    /// <exception cref="RemoteException">It cannot be read, or not in ranges.</exception>
    public ObjectFacts FactsForRanges(string place)
    {
        var (facts, hasRanges) = Look(place);
        return hasRanges && facts.Bytes is not null ? facts : throw new RemoteException($"'{place}': {NoRanges}.");
    }

    /// <summary>Length and tag of an object. Its first byte is asked for: addresses that are signed for reading allow nothing else.</summary>
    /// <exception cref="FileNotFoundException">There is no such object.</exception>
    /// <exception cref="RemoteException">It cannot be read.</exception>
    public ObjectFacts Facts(string place) => Look(place).Facts;

    /// <summary>All objects below a place, by their names seen from there.</summary>
    /// <exception cref="RemoteException">They cannot be listed.</exception>
    public IReadOnlyList<(string Name, ObjectFacts Facts)> List(string place)
    {
        var all = new List<(string, ObjectFacts)>();
        string? next = null;
        do
        {
            var (page, following) = Try(place, async stall =>
            {
                stall.CancelAfter(Patience.Stall);
                return await ListAsync(place, next, stall.Token).ConfigureAwait(false);
            });
            all.AddRange(page);
            next = following;
        }
        while (next is not null);
        return all;
    }

    protected const string NoRanges = "the server sends whole files only, and an archive is read in parts (Range requests). Take another server, or download the file";
    protected const string Changed = "has changed while it was read. Run the command again";

    /// <summary>An answer whose body is still to be read.</summary>
    /// <param name="Length">Of the body; null where it is not said.</param>
    /// <param name="From">Where the body begins; null of a whole object.</param>
    /// <param name="Total">Length of the whole object.</param>
    protected sealed record Answer(Stream Body, long? Length, long? From, long? Total, string? Tag, IDisposable Owner) : IDisposable
    {
        public void Dispose() => Owner.Dispose();
    }

    /// <summary>A request has failed: in passing, or for good.</summary>
    protected sealed class RemoteFault(string message, bool isTransient = false, Exception? innerException = null) : Exception(message, innerException)
    {
        public bool IsTransient => isTransient;

        public bool IsMissing { get; init; }
    }

    /// <summary>One attempt to ask for an object.</summary>
    protected abstract Task<Answer> GetAsync(string place, (long From, int Count)? range, string? tag, CancellationToken cancellation);

    /// <summary>One attempt at a page of names.</summary>
    protected abstract Task<(IReadOnlyList<(string Name, ObjectFacts Facts)> Page, string? Next)> ListAsync(string place, string? next, CancellationToken cancellation);

    /// <summary>What an exception of one attempt means; null if it is unknown.</summary>
    protected abstract RemoteFault? FaultOf(string place, Exception problem);

    protected static bool IsTransient(HttpStatusCode status) => status is HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests || (int)status >= 500;

    private (ObjectFacts Facts, bool HasRanges) Look(string place) => Try(place, async stall =>
    {
        try
        {
            using var answer = await GetAsync(place, (0, 1), tag: null, stall.Token).ConfigureAwait(false);
            return (new ObjectFacts(answer.From is null ? answer.Length : answer.Total, answer.Tag), answer.From is not null);
        }
        catch (RemoteFault fault) when (fault.Message == Empty)
        {
            return (new ObjectFacts(0, null), true);
        }
    });

    /// <summary>That a range of an object without content was asked for.</summary>
    protected const string Empty = "is empty";

    private static async Task<byte[]> ReadAsync(Answer answer, long? length, long most, CancellationTokenSource stall)
    {
        var content = new MemoryStream((int)Math.Min(length ?? 1 << 16, most));
        var chunk = new byte[1 << 16];
        while (true)
        {
            stall.CancelAfter(Patience.Stall);
            var count = await answer.Body.ReadAsync(chunk, stall.Token).ConfigureAwait(false);
            if (count == 0) break;
            if (content.Length + count > most) throw new RemoteFault($"sends more than the {most:N0} bytes expected", isTransient: true);
            content.Write(chunk, 0, count);
        }
        return length is null || content.Length == length
            ? content.Length == content.Capacity ? content.GetBuffer() : content.ToArray()
            : throw new RemoteFault($"ended after {content.Length:N0} of {length:N0} bytes", isTransient: true);
    }

    /// <summary>Makes attempts until one succeeds or patience ends.</summary>
    private T Try<T>(string place, Func<CancellationTokenSource, Task<T>> attempt)
    {
        var patience = Patience;
        var retries = new ResiliencePipelineBuilder();
        if (patience.Attempts > 1)
        {
            retries.AddRetry(new RetryStrategyOptions
            {
                ShouldHandle = new PredicateBuilder().Handle<RemoteFault>(fault => fault.IsTransient),
                MaxRetryAttempts = patience.Attempts - 1,
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                Delay = patience.Delay,
            });
        }
        try
        {
            // Not on the caller's context, and not one thread that waits for another of a full pool.
            return Task.Run(() => retries.Build().ExecuteAsync(async _ => await OnceAsync().ConfigureAwait(false)).AsTask()).GetAwaiter().GetResult();
        }
        catch (RemoteFault fault) when (fault.IsMissing)
        {
            throw new FileNotFoundException($"'{place}': {fault.Message}.", place);
        }
        catch (RemoteFault fault)
        {
            var tries = fault.IsTransient && patience.Attempts > 1 ? $" (tried {patience.Attempts} times)" : "";
            throw new RemoteException($"'{place}': {fault.Message}{tries}.", fault.InnerException);
        }

        async Task<T> OnceAsync()
        {
            using var stall = new CancellationTokenSource(patience.Stall);
            try
            {
                return await attempt(stall).ConfigureAwait(false);
            }
            catch (Exception) when (stall.IsCancellationRequested)
            {
                throw new RemoteFault($"nothing came for {patience.Stall.TotalSeconds:0.#} s: the server is too slow, or the network is cut. Try again later", isTransient: true);
            }
            catch (Exception problem) when (problem is not (RemoteFault or GraftException) && FaultOf(place, problem) is { } fault)
            {
                throw fault;
            }
        }
    }
}
