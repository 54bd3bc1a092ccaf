using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.Json;
using Graft.Runs;
using Graft.Selection;

namespace Graft.Cli.Verbs;

internal static class AutoVerb
{
    public static Command Create()
    {
        var data = LabeledPhotos.Argument();
        data.Arity = ArgumentArity.ZeroOrOne;
        var minutes = TryVerb.Minutes("How long it may take in all (default: 10)");
        var backbones = new Option<string>("--backbones") { Description = "Networks to choose among, as of graft try (default: all whose weights are on this machine)", HelpName = "NAME[=FILE],…|local" };
        var seed = new Option<int?>("--seed") { Description = "Decides splits, folds and training (default: 1)", HelpName = "NUMBER" };
        var output = new Option<string?>("--out") { Description = "The folder to create (default: runs/DATA-auto)", HelpName = "RUN" };
        var resume = new Option<string?>("--resume") { Description = "Resume an interrupted run with its original options", HelpName = "RUN" };
        var json = Terminal.Json();
        var command = new Verb(
            "auto",
            "From photos to a model: check, try networks, fit, fine-tune where it pays, keep the better, and say why. The first command to type.",
            "graft auto flowers",
            "graft auto flowers --minutes 60",
            "graft auto --resume runs/flowers-auto") { data, minutes, backbones, seed, output, resume, json };
        command.SetHandler((parsed, cancellation) =>
        {
            if (parsed.GetValue(resume) is { } interrupted)
            {
                if (parsed.CommandResult.Children.OfType<OptionResult>().FirstOrDefault(result =>
                        !result.Implicit && result.Option != resume && result.Option != json && result.Option != Terminal.Verbose) is { } stray)
                {
                    throw new UsageException($"--resume takes a run's original options from its folder: leave {stray.Option.Name} out.");
                }
                if (parsed.GetValue(data) is { } given) throw new UsageException($"--resume knows the photos of the run: leave {given} out.");
                using var begun = AutoFolder.Open(interrupted);
                return Run(begun, parsed.GetValue(json), cancellation);
            }
            var usual = new AutoRequest { Photos = LabeledPhotos.Existing(parsed.GetValue(data) ?? throw new UsageException("Name the photos: graft auto DIR")) };
            _ = TryVerb.LimitOf(parsed.GetValue(minutes));
            var request = usual with
            {
                Minutes = parsed.GetValue(minutes) ?? usual.Minutes,
                Backbones = TryVerb.Backbones(parsed.GetValue(backbones)),
                Seed = parsed.GetValue(seed) ?? usual.Seed,
            };
            if (request.Problems() is { Count: > 0 } problems) throw new UsageException(string.Join(" ", problems));
            using var folder = AutoFolder.Create(parsed.GetValue(output), request);
            return Run(folder, parsed.GetValue(json), cancellation);
        });
        return command;
    }

    private static int Run(AutoFolder folder, bool isJson, CancellationToken cancellation)
    {
        Terminal.AdviceAfterInterruption = $"Resume it: graft auto --resume {folder.FullName}";
        using var cache = CacheOptions.OpenShared();
        Terminal.AdviceAfterInterruption = $"Resume it: graft auto --resume {folder.FullName}";
        var run = Terminal.WithProgress(progress => AutoRun.Execute(
            folder, new() { Cache = cache, Fetch = BackboneOptions.Fetch(cancellation), Progress = progress, Warn = Terminal.Warn }, cancellation));
        var main = run.Test ?? run.Validation;
        if (isJson)
        {
            Console.Out.WriteLine(JsonSerializer.Serialize(
                new
                {
                    Run = folder.FullName,
                    run.Result.Backbone,
                    run.Result.Strategy,
                    run.Result.Classifier,
                    folder.Decisions,
                    Validation = RunText.Scores(run.Validation),
                    Test = run.Test is { } test ? RunText.Scores(test) : null,
                    Seconds = Math.Round(folder.Seconds, 2),
                },
                RunFolder.Json));
        }
        else
        {
            Console.Out.WriteLine(string.Join("\n\n", folder.Decisions.Select(decision => $"{decision.Step}: {decision.Choice}\n  {decision.Reason}")));
            Console.Out.WriteLine(FormattableString.Invariant(
                $"\n{run.Result.Backbone}, {run.Result.Strategy}, {run.Result.Classifier}: accuracy {100 * main.Accuracy:0.0} % (95 % CI {100 * main.AccuracyInterval.Low:0.0}–{100 * main.AccuracyInterval.High:0.0}) on {main.Count:N0} {(run.Test is null ? "validation" : "test")} photos"));
        }
        Terminal.Say($"\nThe run is in {folder.FullName}, its page in {Path.Combine(folder.FullName, "report.html")}. Next: graft predict {folder.FullName} PHOTO.jpg");
        return Terminal.Done;
    }
}
