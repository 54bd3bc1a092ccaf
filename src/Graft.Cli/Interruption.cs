using System.Runtime.InteropServices;

namespace Graft.Cli;

/// <summary>
/// Ctrl-C or a request to terminate: the work is asked to end at its next step. What does not end in time, or is interrupted again, is ended
/// at once.
/// </summary>
internal sealed class Interruption : IDisposable
{
    /// <summary>A step of a large network takes seconds.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration[] _signals;
    private readonly Timer _deadline = new(_ => Leave());

    public Interruption() => _signals =
        [PosixSignalRegistration.Create(PosixSignal.SIGINT, Interrupt), PosixSignalRegistration.Create(PosixSignal.SIGTERM, Interrupt)];

    public CancellationToken Token => _source.Token;

    public void Dispose()
    {
        foreach (var signal in _signals) signal.Dispose();
        _deadline.Dispose();
        _source.Dispose();
    }

    private void Interrupt(PosixSignalContext context)
    {
        context.Cancel = true;
        if (_source.IsCancellationRequested) Leave();
        _deadline.Change(Patience, Timeout.InfiniteTimeSpan);
        _source.Cancel();
    }

    private static void Leave() => Environment.Exit(ProcessExit.With(Terminal.Interrupted));
}
