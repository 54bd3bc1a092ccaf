using System.Runtime.InteropServices;

namespace Graft.Cli;

/// <summary>
/// Ctrl-C or a request to terminate: the work is asked to end at its next step. What does not end in time, or is interrupted again, is ended
/// at once and without the C++ libraries' farewell, during which threads that still compute would crash; files are written whole or not at all.
/// </summary>
internal sealed partial class Interruption : IDisposable
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

    private static void Leave()
    {
        if (OperatingSystem.IsWindows()) Environment.Exit(Terminal.Interrupted);
        Exit(Terminal.Interrupted);
    }

    [LibraryImport("libc", EntryPoint = "_exit")]
    private static partial void Exit(int code);
}
