using System.CommandLine;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;
using Graft.Checkpoints;
using Graft.Data.Remote;
using Graft.Imaging;
using Graft.Ranks;
using Graft.Runs;
using Spectre.Console;

namespace Graft.Cli;

/// <summary>
/// How the command speaks: results on standard output, messages and progress on standard error, and an exit code.
/// </summary>
internal static class Terminal
{
    public const int Done = 0, Failed = 1, Misused = 2;

    private static TextWriter s_drawing = Console.Error;

    /// <summary>What a user does after an interruption to continue: "Repeat the command to continue." Null where nothing is kept.</summary>
    public static string? AdviceAfterInterruption { get; set; }

    /// <summary>From here on nothing that is written to standard output or error can be mistaken by a terminal for a command.</summary>
    public static void Open()
    {
        // mpirun reads what a rank prints from a terminal of its own, on which .NET would set its keys up, in the middle of a JSON document.
        if (OpenMpi.StartedAs is not null) Environment.SetEnvironmentVariable("TERM", "dumb");
        s_drawing = VisibleWriter.Raw(Console.Error, ignoresFailure: true);
        Console.SetOut(new VisibleWriter(Console.Out, ignoresFailure: false));
        Console.SetError(new VisibleWriter(Console.Error, ignoresFailure: true));
    }

    /// <summary>A user never sees a stack trace without asking for one.</summary>
    public static Option<bool> Verbose { get; } =
        new("--verbose") { Description = "Show details and stack traces of errors", Recursive = true };

    public static Option<bool> Json() => new("--json") { Description = "Print one JSON document on standard output" };

    /// <summary>
    /// Gives a command its work, and turns what goes wrong into one line and an exit code. The work is done on the process's first thread: to
    /// any other, glibc gives memory for tensors in pieces of 64 MB that it takes back from step to step, and a training is a fifth slower.
    /// </summary>
    public static void SetHandler(this Command command, Func<ParseResult, CancellationToken, int> work) =>
        command.SetAction((parsed, cancellation) =>
        {
            try
            {
                var code = work(parsed, cancellation);
                RanksOfCommand.Leave();
                return Task.FromResult(code);
            }
            catch (Exception problem)
            {
                var code = Report(problem, parsed, cancellation);
                RanksOfCommand.EndAll(problem.Message, code);
                return Task.FromResult(code);
            }
        });

    public static void Say(string message) => Console.Error.WriteLine(message);

    public static void Note(string message) => Say($"note: {message}");

    public static void Warn(string message) => Say($"warning: {message}");

    public static int Misuse(string message, Command verb)
    {
        var names = new List<string>();
        for (var current = verb; current is not RootCommand; current = current.Parents.OfType<Command>().First()) names.Insert(0, current.Name);
        Say($"graft: {message}");
        Say($"See: {string.Join(' ', ["graft", .. names, "--help"])}");
        return Misused;
    }

    /// <summary>
    /// A name, which may hold anything, as a part of one line: line breaks and tabs are shown too, see <see cref="VisibleText"/>.
    /// </summary>
    public static string OnOneLine(string name) => VisibleText.Of(name);

    /// <summary>A text table with aligned columns: names to the left, numbers to the right.</summary>
    public static string Table(IReadOnlyList<string> titles, IReadOnlyList<bool> isNumber, IEnumerable<string[]> rows)
    {
        var lines = new List<string[]> { titles.ToArray() };
        lines.AddRange(rows.Select(row => row.Select(OnOneLine).ToArray()));
        var widths = titles.Select((_, column) => lines.Max(line => line[column].Length)).ToArray();
        return string.Join('\n', lines.Select(line => string.Join("  ", line.Select((cell, column) =>
            isNumber[column] ? cell.PadLeft(widths[column]) : cell.PadRight(widths[column]))).TrimEnd()));
    }

    /// <summary>Runs a long piece of work with progress on standard error: bars on a terminal, else a line for each finished step.</summary>
    public static T WithProgress<T>(Func<IProgress<StepProgress>, T> work)
    {
        if (Console.IsErrorRedirected) return work(new ProgressLines());
        var result = default(T)!;
        AnsiConsole.Create(new AnsiConsoleSettings { Out = new ErrorTerminal() })
            .Progress().AutoClear(false).HideCompleted(false)
            .Columns(
                new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .Start(context => result = work(new ProgressBars(context)));
        return result;
    }

    private static int Report(Exception problem, ParseResult parsed, CancellationToken cancellation)
    {
        if (problem is AggregateException { InnerExceptions: [var only] }) problem = only;
        if (problem is OperationCanceledException && cancellation.IsCancellationRequested)
        {
            Say($"Interrupted.{(AdviceAfterInterruption is { } advice ? $" {advice}" : "")}");
            return Interruption.ExitCode;
        }
        var verbose = parsed.GetValue(Verbose);
        if (problem is RequestException request)
        {
            Say($"graft: {string.Join(" ", request.Problems.Select(wrong => wrong.Text(SettingNames.OnTheCommandLine)).Distinct())}");
        }
        else if (problem is GraftException or UnreadableImageException or IOException or UnauthorizedAccessException)
        {
            Say($"graft: {(problem is GraftException known ? Remedies.Phrase(known) : problem.Message)}");
            if (verbose && problem is CheckpointMismatchException mismatch)
                foreach (var line in mismatch.Problems) Console.Error.WriteLine($"  {line}");
        }
        else
        {
            Say($"""
                graft: internal error: {problem.GetType().Name}: {problem.Message}
                This is a bug in Graft. Please report it with these lines{(verbose ? " and what follows" : " and with what the same command prints with --verbose")}:
                  graft {Version}, {RuntimeInformation.FrameworkDescription}, {RuntimeInformation.OSDescription}, {RuntimeInformation.ProcessArchitecture}
                  graft {string.Join(' ', Environment.GetCommandLineArgs().Skip(1).Select(RemotePlace.Shown).Select(argument => argument.Contains(' ') ? $"\"{argument}\"" : argument))}
                """);
        }
        if (verbose) Console.Error.WriteLine(problem);
        return problem is UsageException or RequestException or Backbones.UnknownBackboneException ? Misused : Failed;
    }

    private static string Version =>
        typeof(Terminal).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "of unknown version";

    /// <summary>Standard error, where it is a terminal, for drawing on.</summary>
    private sealed class ErrorTerminal : IAnsiConsoleOutput
    {
        private readonly AnsiConsoleOutput _size = new(Console.Error);

        public TextWriter Writer => s_drawing;

        public bool IsTerminal => !Console.IsErrorRedirected;

        public int Width => _size.Width;

        public int Height => _size.Height;

        public void SetEncoding(Encoding encoding)
        {
            // As the system has it.
        }
    }

    private sealed class ProgressLines : IProgress<StepProgress>
    {
        private static readonly TimeSpan Interval = TimeSpan.FromSeconds(15);
        private DateTime _last = DateTime.UtcNow;
        private (string Step, int Done) _said;

        public void Report(StepProgress step)
        {
            if ((step.Done < step.Total && DateTime.UtcNow - _last < Interval) || _said == (step.Step, step.Done)) return;
            (_last, _said) = (DateTime.UtcNow, (step.Step, step.Done));
            Say($"{step.Step}: {step.Done:N0} of {step.Total:N0} {step.Unit}{(step.Note.Length > 0 ? $" ({step.Note})" : "")}");
        }
    }

    private sealed class ProgressBars(ProgressContext context) : IProgress<StepProgress>
    {
        private readonly Dictionary<string, ProgressTask> _tasks = new(StringComparer.Ordinal);

        public void Report(StepProgress step)
        {
            if (!_tasks.TryGetValue(step.Step, out var task))
                _tasks.Add(step.Step, task = context.AddTask(step.Step));
            task.MaxValue = step.Total;
            task.Value = step.Done;
            var note = step.Note.Length > 0 ? step.Note : $"{step.Done:N0}/{step.Total:N0} {step.Unit}";
            task.Description = Markup.Escape($"{step.Step,-9} {note}");
        }
    }
}

/// <summary>A command line that cannot be meant: exit code 2.</summary>
internal sealed class UsageException(string message) : GraftException(message);
