using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Graft.Runs;
using Graft.Runs.Reports;

namespace Graft.Cli.Verbs;

internal static class CompareVerb
{
    public static Command Create()
    {
        var folders = new Argument<string[]>("RUN") { Description = "Run folders that graft train wrote, two or more", Arity = ArgumentArity.OneOrMore };
        var output = new Option<string?>("--out") { Description = "A new HTML page of the comparison", HelpName = "FILE" };
        var json = Terminal.Json();
        var command = new Verb(
            "compare",
            "Show runs side by side: how good each is, whether a difference is more than luck, and what was done differently.",
            "graft compare runs/flowers-mobilenet_v2 runs/flowers-resnet50 --out compare.html") { folders, output, json };
        command.SetHandler((parsed, _) =>
        {
            var paths = parsed.GetRequiredValue(folders);
            if (paths.Length < 2) throw new UsageException("Name at least two runs: graft compare RUN RUN");
            var page = parsed.GetValue(output);
            if (page is not null) NewFile.Check(page, output.Name);
            var comparison = RunComparison.Of([.. paths.Select(path => SavedRun.Open(path))]);
            if (page is not null) ComparisonReport.Write(comparison, page);
            Console.Out.WriteLine(parsed.GetValue(json) ? Json(comparison) : Text(comparison));
            if (page is not null) Terminal.Say($"Written to {page}.");
            return Terminal.Done;
        });
        return command;
    }

    private static string Text(RunComparison comparison)
    {
        var parts = new List<string>
        {
            comparison.Split == PredictionTable.Test ? "On the test images:" : "On the validation images:",
            Terminal.Table(
                ["run", "images", "accuracy", "95 % CI", "macro F1", "95 % CI", "log loss", "seconds"],
                [false, true, true, true, true, true, true, true],
                comparison.Results.Select((result, index) => new[]
                {
                    comparison.Names[index], Number($"{result.Count:N0}"), Number($"{100 * result.Accuracy:0.0} %"),
                    Number($"{100 * result.AccuracyInterval.Low:0.0}–{100 * result.AccuracyInterval.High:0.0}"), Number($"{result.MacroF1:0.000}"),
                    Number($"{result.MacroF1Interval.Low:0.000}–{result.MacroF1Interval.High:0.000}"), Number($"{result.Loss:0.000}"),
                    Number($"{comparison.Runs[index].Result.Seconds.Total:0.0}"),
                })),
            string.Join('\n', comparison.Pairs.Select(pair => pair.Verdict)),
        };
        if (comparison.Options.Count > 0)
        {
            parts.Add(Terminal.Table(
                ["option", .. comparison.Names], [false, .. comparison.Names.Select(_ => false)],
                comparison.Options.Select(option => (string[])[option.Name, .. option.Values.Select(value => value ?? "(default)")])));
        }
        return string.Join("\n\n", parts);
    }

    private static string Json(RunComparison comparison) => JsonSerializer.Serialize(
        new
        {
            Split = comparison.Split == PredictionTable.Test ? "test" : "validation",
            Runs = comparison.Runs.Select((run, index) => new
            {
                Run = run.Folder,
                Name = comparison.Names[index],
                run.Result.Backbone,
                run.Result.Strategy,
                run.Result.Classifier,
                Images = comparison.Results[index].Count,
                Scores = RunText.Scores(comparison.Results[index]),
                Seconds = run.Result.Seconds.Total,
                Command = run.Description?.Command(),
            }),
            Pairs = comparison.Pairs.Select(pair => new
            {
                First = comparison.Names[pair.First],
                Second = comparison.Names[pair.Second],
                pair.SharedImages,
                SameImages = pair.Test is not null,
                pair.Test?.OnlyFirst,
                pair.Test?.OnlySecond,
                pair.Test?.PValue,
                pair.Verdict,
            }),
            Options = comparison.Options.Select(option => new { option.Name, option.Values }),
        },
        RunFolder.Json);

    private static string Number(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
