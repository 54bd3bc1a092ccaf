namespace Graft;

/// <summary>Something that several owners use: it is released with the last of them.</summary>
internal sealed class SharedResource(Action release)
{
    private int _owners;

    /// <summary>Makes the caller an owner until it disposes of what it gets, which it may do twice.</summary>
    /// <exception cref="ObjectDisposedException">The last owner has gone.</exception>
    public IDisposable Share()
    {
        for (var owners = Volatile.Read(ref _owners); ;)
        {
            ObjectDisposedException.ThrowIf(owners < 0, this);
            var found = Interlocked.CompareExchange(ref _owners, owners + 1, owners);
            if (found == owners) return new Ownership(this);
            owners = found;
        }
    }

    /// <summary>Two shares as one; null for none.</summary>
    public static IDisposable? Both(IDisposable? first, IDisposable? second) =>
        first is null ? second : second is null ? first : new Pair(first, second);

    private void Return()
    {
        if (Interlocked.Decrement(ref _owners) == 0 && Interlocked.CompareExchange(ref _owners, -1, 0) == 0) release();
    }

    private sealed class Ownership(SharedResource resource) : IDisposable
    {
        private SharedResource? _resource = resource;

        public void Dispose() => Interlocked.Exchange(ref _resource, null)?.Return();
    }

    private sealed class Pair(IDisposable first, IDisposable second) : IDisposable
    {
        public void Dispose()
        {
            first.Dispose();
            second.Dispose();
        }
    }
}
