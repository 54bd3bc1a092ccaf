namespace Graft;

/// <summary>
/// Lets an object be disposed of while other threads use it: those that are using it finish, the last of them releases it, and nobody
/// begins to use it any more.
/// </summary>
internal sealed class UseGuard(object owner, Action release)
{
    private const long Closed = 1L << 62;

    private readonly string _name = owner.GetType().Name;
    private Action? _release = release;
    private long _uses;

    /// <summary>To be held while the object is used.</summary>
    /// <exception cref="ObjectDisposedException">It is disposed of.</exception>
    public Use Enter()
    {
        if ((Interlocked.Increment(ref _uses) & Closed) == 0) return new(this);
        Leave();
        throw new ObjectDisposedException(_name);
    }

    /// <summary>Releases the object once nobody uses it: at once, or when the last use ends.</summary>
    public void Close()
    {
        // The closing itself counts as a use, so that it is the last where there is no other.
        if ((Interlocked.Or(ref _uses, Closed) & Closed) != 0) return;
        Interlocked.Increment(ref _uses);
        Leave();
    }

    private void Leave()
    {
        // Whoever was refused may come by here after the release.
        if (Interlocked.Decrement(ref _uses) == Closed) Interlocked.Exchange(ref _release, null)?.Invoke();
    }

    public readonly struct Use(UseGuard guard) : IDisposable
    {
        public void Dispose() => guard.Leave();
    }
}
