namespace Graft.Imaging;

/// <summary>
/// The memory that decoding may take at a time in a process, shared by its threads. Who asks for more than is left waits, first come, first
/// served; who asks for more than all of it, until nobody else holds any.
/// </summary>
internal sealed class DecodingBudget(long bytes)
{
    private readonly object _gate = new();
    private long _used, _dropped, _nextTurn, _turn;
    private int _collections;

    /// <summary>Budgets of which this thread holds a part: one that decodes while it holds a picture must not wait for itself.</summary>
    [ThreadStatic]
    private static int _held;

    /// <summary>800 MB: the largest picture that is decoded unless told otherwise, or twenty photos of 12 megapixels.</summary>
    public static DecodingBudget Process { get; } = new(DecodingOptions.Default.MaxMemoryBytes);

    public long UsedBytes => Volatile.Read(ref _used);

    public void Take(long wanted)
    {
        lock (_gate)
        {
            if (_held++ == 0)
            {
                for (var turn = _nextTurn++; turn != _turn || (_used > 0 && _used + wanted > bytes);) Monitor.Wait(_gate);
                _turn++;
            }
            CollectDropped(wanted);
            _used += wanted;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>On the thread that took it.</summary>
    /// <param name="taken">As much as was taken.</param>
    /// <param name="dropped">Of it, what is free only after a collection.</param>
    public void Return(long taken, long dropped = 0)
    {
        lock (_gate)
        {
            _held--;
            _used -= taken;
            ForgetCollected();
            _dropped += dropped;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>The collector lets large arrays lie for long, and does not know the budget.</summary>
    private void CollectDropped(long wanted)
    {
        ForgetCollected();
        if (_dropped == 0 || _used + _dropped + wanted <= bytes) return;
        // Aggressive: the memory goes back to the system, because the codecs take theirs from there.
        GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        ForgetCollected();
    }

    private void ForgetCollected()
    {
        if (GC.CollectionCount(2) is var now && now != _collections) (_collections, _dropped) = (now, 0);
    }
}
