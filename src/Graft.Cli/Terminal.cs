using System.CommandLine;
using Graft.Checkpoints;
using Graft.Imaging;
using Spectre.Console;

namespace Graft.Cli;

/// <summary>
/// How the command speaks: results on standard output, messages and progress on standard error, and an exit code.
/// </summary>
internal static class Terminal
{
    public const int Done = 0, Failed = 1, Misused = 2, Interrupted = 130;

    /// <summary>A user never sees a stack trace without asking for one.</summary>
    public static Option<bool> Verbose { get; } =
        new("--verbose") { Description = "Show details and stack traces of errors", Recursive = true };

    public static Option<bool> Json() => new("--json") { Description = "Print one JSON document on standard output" };

    /// <summary>
    /// Gives a command its work, and turns what goes wrong into one line and an exit code. The work is done on the process's first thread: to
    /// any other, glibc gives memory for tensors in pieces of 64 MB that it takes back from step to step, and a training is a fifth slower.
    /// </summary>
    public static void SetWork(this Command command, Func<ParseResult, CancellationToken, int> work) =>
        command.SetAction((parsed, cancellation) =>
        {
            try
            {
                return Task.FromResult(work(parsed, cancellation));
            }
            catch (Exception problem)
            {
                return Task.FromResult(Report(problem, parsed, cancellation));
            }
        });

    public static void Say(string message) => Console.Error.WriteLine(Visible(message));

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
    /// A name, which may hold anything, as a part of one line: a line break in it, and what a terminal would obey rather than show, become
    /// the pictures that Unicode has of them.
    /// </summary>
    public static string OnOneLine(string name) => Visible(name, isOneLine: true);

    private static string Visible(string text, bool isOneLine = false)
    {
        return text.Any(IsHidden) ? string.Concat(text.Select(letter => IsHidden(letter) ? Picture(letter) : letter)) : text;

        bool IsHidden(char letter) => char.IsControl(letter) && (isOneLine || letter is not ('\n' or '\r' or '\t'));
        static char Picture(char letter) => letter < ' ' ? (char)('\u2400' + letter) : '\uFFFD';
    }

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
        AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) })
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
            Say("Interrupted. What was computed so far is kept; the same command goes on from there.");
            return Interrupted;
        }
        var verbose = parsed.GetValue(Verbose);
        if (problem is GraftException or UnreadableImageException or IOException or UnauthorizedAccessException)
        {
            Say($"graft: {(problem is GraftException known ? Remedies.Phrase(known) : problem.Message)}");
            if (verbose && problem is CheckpointMismatchException mismatch)
                foreach (var line in mismatch.Problems) Console.Error.WriteLine($"  {line}");
        }
        else
        {
            Console.Error.WriteLine($"graft: something went wrong that should not have: {problem.Message}");
            if (!verbose) Console.Error.WriteLine("Run the command again with --verbose and report what it prints.");
        }
        if (verbose) Console.Error.WriteLine(problem);
        return problem is UsageException or Backbones.UnknownBackboneException ? Misused : Failed;
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
