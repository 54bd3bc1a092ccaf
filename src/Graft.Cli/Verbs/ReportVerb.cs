using System.CommandLine;
using Graft.Runs;
using Graft.Runs.Reports;

namespace Graft.Cli.Verbs;

internal static class ReportVerb
{
    public static Command Create()
    {
        var folder = new Argument<string>("RUN") { Description = "A run folder that graft train wrote" };
        var output = new Option<string?>("--out") { Description = "A new file (default: report.html in the run folder)", HelpName = "FILE" };
        var photos = new Option<string?>("--photos")
        {
            Description = "Where the photos lie now, if they were moved since training: found by their paths within it, or by their names",
            HelpName = "DIR",
        };
        var defaults = new RunReportOptions();
        var wrong = new Option<int>("--misclassified")
        {
            Description = "How many photos to show that were misclassified, the surest errors first",
            HelpName = "COUNT",
            DefaultValueFactory = _ => defaults.Misclassified,
        };
        var unsure = new Option<int>("--least-certain")
        {
            Description = "How many photos to show that the model was least sure of",
            HelpName = "COUNT",
            DefaultValueFactory = _ => defaults.LeastCertain,
        };
        var heatMaps = new Option<int>("--heat-maps")
        {
            Description = "How many photos get a heat map of the regions that support the predicted class (Grad-CAM)",
            HelpName = "COUNT",
            DefaultValueFactory = _ => defaults.HeatMaps,
        };
        var command = new Verb(
            "report",
            "Show a run on one page: what was done and how to repeat it, how good the result is, and the photos that it fails on.",
            "graft report runs/flowers-mobilenet_v2",
            "graft report runs/flowers-mobilenet_v2 --misclassified 200 --out flowers.html",
            "graft report runs/flowers-mobilenet_v2 --photos /mnt/photos/flowers") { folder, output, photos, wrong, unsure, heatMaps };
        command.SetHandler((parsed, _) =>
        {
            var options = defaults with { Misclassified = parsed.GetValue(wrong), LeastCertain = parsed.GetValue(unsure), HeatMaps = parsed.GetValue(heatMaps) };
            if (options.Problems() is { Count: > 0 } problems) throw new UsageException(string.Join(" ", problems));
            var run = SavedRun.Open(parsed.GetRequiredValue(folder));
            if (parsed.GetValue(photos) is { } current) run = run.WithPhotosIn(current);
            var path = RunReport.Write(run, parsed.GetValue(output), options);
            if (run.MissingPhotos is > 0 and var missing)
            {
                Terminal.Warn(
                    $"{missing:N0} of {run.Predictions.Images.Count:N0} photos are no longer in {run.Result.Data}, and the page does without them. "
                    + "Say with --photos DIR where they lie now.");
            }
            Console.Out.WriteLine(path);
            return Terminal.Done;
        });
        return command;
    }
}
