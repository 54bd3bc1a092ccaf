using System.Runtime.InteropServices;

namespace Graft.Cli;

/// <summary>
/// Ctrl-C or a request to terminate: the work is asked to end at its next step, and leaves the same in both cases. What does not end in time,
/// or is interrupted again, is ended at once.
/// </summary>
internal sealed class Interruption : IDisposable
{
    /// <summary>What a shell calls a process ended by Ctrl-C (128 + 2) and by a request to terminate (128 + 15).</summary>
    private const int Interrupted = 130, Terminated = 143;

    /// <summary>
    /// How long a step may still take. Default 20 s: one of a large network takes seconds. Shorter for a command that keeps nothing.
    /// </summary>
    public static TimeSpan Patience { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>The exit code of an interrupted command.</summary>
    public static int ExitCode { get; private set; } = Interrupted;

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
        if (!_source.IsCancellationRequested) ExitCode = context.Signal == PosixSignal.SIGTERM ? Terminated : Interrupted;
        if (_source.IsCancellationRequested) Leave();
        _deadline.Change(Patience, Timeout.InfiniteTimeSpan);
        _source.Cancel();
    }

    private static void Leave()
    {
        Terminal.Say("Interrupted.");
        Environment.Exit(ProcessExit.With(ExitCode));
    }
}
