using System.Security.Cryptography;
using Graft.Data.Collections;
using Graft.Imaging;

namespace Graft.Data.Remote;

/// <summary>Photos on other machines: objects of their own, and members of collections there.</summary>
internal static class RemotePhotos
{
    /// <summary>Requests at once: a server answers many as fast as one.</summary>
    public const int AtOnce = 16;

    /// <summary>Contents that were read last, so that what was hashed is at hand to be computed.</summary>
    private const long RecentBytes = 256_000_000;

    /// <summary>Of photos that are read, hashed and computed before the next are; while they are computed, the next come.</summary>
    private const long PortionBytes = 80_000_000;

    /// <summary>Of a photo whose length nobody says.</summary>
    private const long UsualBytes = 200_000;

    private static readonly Lock Gate = new();
    private static readonly Dictionary<string, LinkedListNode<(string Path, byte[] Content)>> Recent = new(StringComparer.Ordinal);
    private static readonly LinkedList<(string Path, byte[] Content)> Order = new();
    private static Lazy<KnownObjects> _known = new(() => new(GraftHome.Subfolder("objects")));
    private static long _recentBytes;

    /// <summary>A photo, whole.</summary>
    /// <exception cref="IOException">It is not there, damaged or too large.</exception>
    /// <exception cref="RemoteException">It cannot be read.</exception>
    public static byte[] Read(string path)
    {
        lock (Gate)
            if (Recent.TryGetValue(path, out var known)) return known.Value.Content;
        return ReadAnew(path).Content;
    }

    /// <summary>SHA-256 of a photo; it is fetched only if it is new, or its server does not say that it is the same as before.</summary>
    /// <exception cref="IOException">It is not there, damaged or too large.</exception>
    /// <exception cref="RemoteException">It cannot be read.</exception>
    public static byte[] Hash(string path)
    {
        path = RemotePlace.Of(path);
        if (_known.Value.Find(path) is { } known && known.Tag == TagOf(path)) return known.Hash;
        var (content, tag) = ReadAnew(path);
        var hash = SHA256.HashData(content);
        if (tag is not null) _known.Value.Add(path, tag, hash);
        return hash;
    }

    /// <summary>The first bytes of a file.</summary>
    /// <exception cref="IOException">It is not there.</exception>
    /// <exception cref="RemoteException">It cannot be read.</exception>
    public static byte[] Start(string path, int count)
    {
        path = RemotePlace.Of(path);
        if (PhotoFile.Through(path) is { Collection: not RemoteFolder } member) return member.Collection.Read(member.Name)[..count];
        var length = ObjectStore.Of(path).Facts(path).Bytes ?? count;
        return ObjectStore.Of(path).Read(path, 0, (int)Math.Min(count, length), tag: null);
    }

    /// <summary>Runs of photos that fit in memory together, in order; one of all where none is on another machine.</summary>
    public static IReadOnlyList<Range> Portions(IReadOnlyList<LabeledImage> images)
    {
        if (!images.Any(IsRemote)) return [Range.All];
        var (portions, start, bytes) = (new List<Range>(), 0, 0L);
        for (var index = 0; index < images.Count; index++)
        {
            bytes += IsRemote(images[index]) ? LengthOf(images[index].Path) : 0;
            if (bytes < PortionBytes && index < images.Count - 1) continue;
            portions.Add(start..(index + 1));
            (start, bytes) = (index + 1, 0);
        }
        return portions;
    }

    /// <summary>Reads photos ahead, many at once; what cannot be read is found out again by whoever uses it.</summary>
    /// <exception cref="RemoteException">One cannot be read for reasons that are not its own.</exception>
    public static void Fetch(IEnumerable<ImageSource> images, CancellationToken cancellation) =>
        OneProblem(() => Parallel.ForEach(images.Where(IsRemote), new ParallelOptions { CancellationToken = cancellation, MaxDegreeOfParallelism = AtOnce }, image =>
        {
            try
            {
                Read(RemotePlace.Of(image.Path));
            }
            catch (IOException)
            {
                // Said where it is needed.
            }
        }));

    /// <summary>Of several threads that find the network cut, one says so.</summary>
    public static void OneProblem(Action parallel)
    {
        try
        {
            parallel();
        }
        catch (AggregateException several) when (several.Flatten().InnerExceptions.OfType<RemoteException>().FirstOrDefault() is { } first)
        {
            throw new RemoteException(first.Message, several);
        }
    }

    public static bool IsRemote(ImageSource image) => image.HasPath && RemotePlace.Is(image.Path);

    /// <summary>For tests: as a process that has just begun.</summary>
    /// <param name="folder">For the hashes of known objects.</param>
    internal static void Forget(string folder)
    {
        lock (Gate)
        {
            Recent.Clear();
            Order.Clear();
            _recentBytes = 0;
        }
        if (_known.IsValueCreated) _known.Value.Dispose();
        _known = new(() => new(folder));
        PhotoCollection.ForgetRemote("");
    }

    private static (byte[] Content, string? Tag) ReadAnew(string path)
    {
        byte[] content;
        string? tag;
        if (PhotoFile.Through(path) is { } member)
        {
            content = member.Collection.Read(member.Name);
            tag = TagIn(member.Collection, member.Name);
        }
        else
        {
            (content, var facts) = ObjectStore.Of(path).Read(path, expected: null, DecodingOptions.Default.MaxFileBytes);
            tag = facts.Tag;
        }
        Keep(path, content);
        return (content, tag);
    }

    /// <summary>What its server says of its content now; null if it says nothing.</summary>
    private static string? TagOf(string path) => PhotoFile.Through(path) is { } member ? TagIn(member.Collection, member.Name) : ObjectStore.Of(path).Facts(path).Tag;

    private static string? TagIn(PhotoCollection collection, string name) => collection is RemoteFolder folder
        ? folder.FactsOf(name).Tag ?? ObjectStore.Of(folder.Path).Facts($"{folder.Path}/{name}").Tag
        : collection.Facts.Tag;

    private static long LengthOf(string path) => PhotoFile.Through(path) is { } member ? member.Collection.BytesOf(member.Name) ?? UsualBytes : UsualBytes;

    private static void Keep(string path, byte[] content)
    {
        lock (Gate)
        {
            if (Recent.ContainsKey(path) || content.Length > RecentBytes) return;
            Recent.Add(path, Order.AddLast((path, content)));
            _recentBytes += content.Length;
            while (_recentBytes > RecentBytes)
            {
                var (oldest, bytes) = Order.First!.Value;
                Order.RemoveFirst();
                Recent.Remove(oldest);
                _recentBytes -= bytes.Length;
            }
        }
    }
}
