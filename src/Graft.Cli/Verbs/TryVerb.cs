using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Graft.Classifiers;
using Graft.Runs;
using Graft.Selection;

namespace Graft.Cli.Verbs;

internal static class TryVerb
{
    public static Command Create()
    {
        var data = LabeledPhotos.Argument();
        var backbones = new Option<string>("--backbones")
        {
            Description = "Networks to try, with commas between them, a combination as a+b, a file of weights as NAME=FILE; or local: all whose weights are on this machine (the default)",
            HelpName = "NAME[=FILE],…|local",
        };
        var classifiers = new Option<string>("--classifiers")
        {
            Description = $"Classifiers on their features, with commas between them, or all: {string.Join(", ", ClassifierCatalog.Names)} (default: logistic)",
            HelpName = "NAME,…|all",
        };
        var combine = new Option<bool>("--combine") { Description = "Also try the two best networks with their features joined" };
        var curve = new Option<bool>("--curve") { Description = "Also measure the best with fewer photos, and say what more would bring" };
        var episodes = new Option<int?>("--episodes") { Description = "Also measure few-shot episodes: so many (600 in the field's tables)", HelpName = "COUNT" };
        var way = new Option<int?>("--way") { Description = "Classes of an episode (default: 5)", HelpName = "CLASSES" };
        var shot = new Option<int?>("--shot") { Description = "Photos of a class to learn from in an episode (default: 1)", HelpName = "PHOTOS" };
        var repeats = new Option<int?>("--repeats") { Description = "Repetitions of 5-fold cross-validation (default: 2)", HelpName = "COUNT" };
        var seed = new Option<int?>("--seed") { Description = "Decides folds, draws and episodes (default: 1)", HelpName = "NUMBER" };
        var minutes = Minutes("Stop trying after so long, and say what was left out; the same command goes on from there");
        var output = new Option<string?>("--out")
        {
            Description = "A folder for trials and page, new or that of the same trials, which then go on (default: runs/DATA-try)",
            HelpName = "FOLDER",
        };
        var json = Terminal.Json();
        var command = new Verb(
            "try",
            "Measure which pretrained network suits your photos: accuracy by cross-validation, speed and size of each.",
            "graft try flowers",
            "graft try flowers --backbones resnet18.cntk,mobilenet_v2,tiny --combine --curve",
            "graft try flowers --way 5 --shot 1 --episodes 600") { data, backbones, classifiers, combine, curve, way, shot, episodes, repeats, seed, minutes, output, json };
        command.SetHandler((parsed, cancellation) =>
        {
            var ranks = RanksOfCommand.Join();
            if (parsed.GetValue(episodes) is null && (parsed.GetValue(way) ?? parsed.GetValue(shot)) is not null)
                throw new UsageException("--way and --shot belong to --episodes: say how many.");
            var usual = new TrialRequest { Photos = LabeledPhotos.Existing(parsed.GetRequiredValue(data)) };
            var request = usual with
            {
                Backbones = Backbones(parsed.GetValue(backbones)),
                Classifiers = parsed.GetValue(classifiers) is not { } named ? usual.Classifiers : named == "all" ? ClassifierCatalog.Names : Names(named),
                Combine = parsed.GetValue(combine),
                Curve = parsed.GetValue(curve),
                Repeats = parsed.GetValue(repeats) ?? usual.Repeats,
                Seed = parsed.GetValue(seed) ?? usual.Seed,
                Episodes = parsed.GetValue(episodes) is { } count ? new() { Episodes = count, Way = parsed.GetValue(way) ?? 5, Shot = parsed.GetValue(shot) ?? 1 } : null,
            };
            if (request.Problems() is { Count: > 0 } problems) throw new UsageException(string.Join(" ", problems));
            if (ranks is { Rank: > 0 })
            {
                using var own = CacheOptions.OpenShared();
                TrialRun.Execute(request, new() { Cache = own, Ranks = ranks, Fetch = BackboneOptions.Fetch(cancellation), Limit = LimitOf(parsed.GetValue(minutes)) }, cancellation);
                return Terminal.Done;
            }
            using var folder = TrialFolder.Open(parsed.GetValue(output), request);
            Terminal.AdviceAfterInterruption = $"What was tried is kept: repeat the command with --out {folder.FullName} to continue.";
            using var cache = CacheOptions.OpenShared();
            var run = Terminal.WithProgress(progress => TrialRun.Execute(
                request,
                new() { Cache = cache, Folder = folder, Ranks = ranks, Fetch = BackboneOptions.Fetch(cancellation), Progress = progress, Warn = Terminal.Warn, Limit = LimitOf(parsed.GetValue(minutes)) },
                cancellation));
            var page = Path.Combine(folder.FullName, TrialPage.FileName);
            TrialPage.Write(run, page);
            foreach (var note in run.Notes) Terminal.Note(note);
            Console.Out.WriteLine(parsed.GetValue(json) ? Json(run) : Text(run));
            Terminal.Say($"\nThe page is {page}. Next: {RequestCommand.Of(run.ToTraining())}");
            return Terminal.Done;
        });
        return command;
    }

    internal static Option<double?> Minutes(string description) => new("--minutes") { Description = description, HelpName = "MINUTES" };

    /// <exception cref="UsageException">Not above 0.</exception>
    internal static TimeSpan? LimitOf(double? minutes) => minutes is null ? null
        : minutes is > 0 and <= 100_000 ? TimeSpan.FromMinutes(minutes.Value)
        : throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"Expected --minutes above 0, found {minutes}."));

    /// <summary>Null for those on this machine.</summary>
    internal static IReadOnlyList<string>? Backbones(string? text) => text is null or "local" ? null : Names(text);

    private static string[] Names(string text) => text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    private static string Text(TrialRun run)
    {
        var withClassifiers = run.Request.Classifiers.Count > 1;
        string[] titles =
        [
            "network", .. withClassifiers ? (string[])["classifier"] : [], "accuracy", "95 % CI", "macro F1", "photos/s", "MB", "M mult-adds", "1-NN", "LogME",
            .. run.Request.Episodes is { } asked ? (string[])[$"{asked.Way}-way {asked.Shot}-shot"] : [], "as good as the best?",
        ];
        var table = Terminal.Table(
            titles, [.. titles.Select((_, column) => column > (withClassifiers ? 1 : 0) && column < titles.Length - 1)],
            run.Ranking.Select(entry => (string[])
            [
                entry.Trial.Name, .. withClassifiers ? (string[])[entry.Score.Classifier] : [],
                Number($"{100 * entry.Score.Accuracy:0.0} %"), Number($"{100 * entry.Score.Interval.Low:0.0}–{100 * entry.Score.Interval.High:0.0}"), Number($"{entry.Score.MacroF1:0.000}"),
                Number($"{entry.Trial.ImagesPerSecond:0.0}"), Number($"{entry.Trial.Megabytes:0.0}"), Number($"{entry.Trial.MultiplyAdds / 1e6:#,0}"),
                Number($"{100 * entry.Trial.NearestNeighbor:0.0} %"), Number($"{entry.Trial.LogME:0.000}"),
                .. run.Request.Episodes is null ? (string[])[] : [TrialText.Episodes(entry.Trial)], TrialText.Comparison(entry, run),
            ]));
        List<string> parts = [Number($"{run.Images:N0} photos of {run.Classes.Count:N0} classes, {run.Request.Repeats} × 5-fold cross-validation:"), table, TrialText.Verdict(run)];
        if (run.Curve is { } curve)
        {
            parts.Add(Terminal.Table(
                ["photos a class", "accuracy", "95 % CI over the draws"], [true, true, true],
                curve.Points.Select(point => (string[])[Number($"{point.Photos:0.#}"), Number($"{100 * point.Accuracy:0.0} %"), Number($"{100 * point.Interval.Low:0.0}–{100 * point.Interval.High:0.0}")])));
            parts.Add(curve.Summary());
        }
        if (run.Trials.Where(trial => trial.Failure is not null).ToList() is { Count: > 0 } failures)
            parts.Add(string.Join('\n', failures.Select(trial => $"Not tried: {trial.Name}: {trial.Failure}")));
        return string.Join("\n\n", parts);
    }

    private static string Json(TrialRun run) => JsonSerializer.Serialize(
        new
        {
            run.Request.Photos,
            run.Images,
            run.Classes,
            Trials = run.Ranking.Select(entry => new
            {
                Network = entry.Trial.Name,
                entry.Score.Classifier,
                entry.Score.Accuracy,
                AccuracyInterval = entry.Score.Interval,
                entry.Score.MacroF1,
                entry.Trial.ImagesPerSecond,
                entry.Trial.Megabytes,
                entry.Trial.MultiplyAdds,
                entry.Trial.Features,
                entry.Trial.NearestNeighbor,
                entry.Trial.LogME,
                entry.Trial.Episodes,
                entry.PValue,
                entry.IsAsGoodAsBest,
            }),
            Failures = run.Trials.Where(trial => trial.Failure is not null).Select(trial => new { Network = trial.Name, Reason = trial.Failure }),
            Curve = run.Curve is not { } curve ? null : new
            {
                curve.Backbone,
                curve.Classifier,
                Points = curve.Points.Select(point => new { point.Photos, point.Accuracy, point.Interval }),
                curve.Law,
                WithAll = curve.Law is null ? null : curve.Forecast(curve.PhotosOfClass),
                WithTwice = curve.Law is null ? null : curve.Forecast(2 * curve.PhotosOfClass),
                Summary = curve.Summary(),
            },
            Verdict = TrialText.Verdict(run),
            run.Notes,
            Seconds = Math.Round(run.Seconds, 2),
        },
        RunFolder.Json);

    private static string Number(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
