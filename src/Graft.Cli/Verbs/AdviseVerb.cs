using System.CommandLine;
using System.Text.Json;
using Graft.Data;
using Graft.Data.Remote;
using Graft.Runs;
using Graft.Selection;

namespace Graft.Cli.Verbs;

internal static class AdviseVerb
{
    public static Command Create()
    {
        var data = LabeledPhotos.Argument();
        var networks = new BackboneOptions("The network to measure with and to train (default: the one graft train takes)");
        var seed = new Option<int?>("--seed") { Description = "Decides samples and folds (default: 1)", HelpName = "NUMBER" };
        var page = new Option<string?>("--html") { Description = "Write the advice to a new page", HelpName = "FILE" };
        var json = Terminal.Json();
        var command = new Verb(
            "advise",
            "Say how to train on your photos, with the measurements that say so: how alike ImageNet's they are, how long it takes here, what accuracy to expect.",
            "graft advise flowers",
            "graft advise flowers --backbone mobilenet_v2 --html advice.html") { data, seed, page, json };
        networks.AddAllTo(command);
        command.SetHandler((parsed, cancellation) =>
        {
            var source = LabeledPhotos.Existing(parsed.GetRequiredValue(data));
            if (parsed.GetValue(page) is { } wanted) NewFile.Check(wanted, page.Name);
            var backbones = networks.Requests(parsed) ?? [new BackboneRequest()];
            if (backbones.Count > 1) throw new UsageException("Advice is for one network: name one with --backbone.");
            if (new TrainingRequest { Photos = source, Backbones = backbones }.Problems() is { Count: > 0 } problems) throw new RequestException(problems);
            using var cache = CacheOptions.OpenShared();
            var advice = Terminal.WithProgress(progress => Advice.Of(PhotoMeasurements.Of(
                source, backbones[0], DataCheck.Run(LabeledImages.Load(source, LabeledImagesOptions.ForChecking), progress: progress, cancellation: cancellation),
                new() { Cache = cache, Fetch = BackboneOptions.Fetch(cancellation), Progress = progress, Warn = Terminal.Warn }, parsed.GetValue(seed) ?? 1, cancellation)));
            if (parsed.GetValue(page) is { } file)
            {
                TrialPage.Write(advice, file);
                Terminal.Say($"The page is {file}.");
            }
            Console.Out.WriteLine(parsed.GetValue(json) ? Json(advice) : Text(advice));
            return Terminal.Done;
        });
        return command;
    }

    private static string Text(Advice advice) => $"""
        {Path.GetFileName(Path.TrimEndingDirectorySeparator(RemotePlace.Full(advice.Measured.Photos)))}: {advice.Quadrant}

        {advice.Recommendation}
          {advice.Command}

        {string.Join('\n', advice.Reasons.Select(reason => $"- {reason}"))}

        {advice.Expectation}

        {Terminal.Table(
            ["way", "time here", "accuracy to expect"], [false, true, true],
            advice.Considered.Select(way => (string[])[
                LowerCase.Policy.ConvertName(way.Strategy.ToString()), FormattableString.Invariant($"{way.Seconds:0} s"),
                FormattableString.Invariant($"{100 * way.Accuracy.Low:0}–{100 * way.Accuracy.High:0} %")]))}

        What would change this advice:
        {string.Join('\n', advice.Changes.Select(change => $"- {change}"))}
        """;

    private static string Json(Advice advice) => JsonSerializer.Serialize(
        new
        {
            advice.Measured.Photos,
            advice.Quadrant,
            Strategy = LowerCase.Policy.ConvertName(advice.Strategy.ToString()),
            advice.Recommendation,
            advice.Command,
            advice.Reasons,
            PredictedSeconds = Math.Round(advice.Forecast.Seconds, 1),
            ExpectedAccuracy = advice.Forecast.Accuracy,
            Considered = advice.Considered.Select(way => new { Strategy = LowerCase.Policy.ConvertName(way.Strategy.ToString()), PredictedSeconds = Math.Round(way.Seconds, 1), ExpectedAccuracy = way.Accuracy }),
            advice.Changes,
            Measured = new
            {
                Backbone = advice.Measured.Backbone.Name,
                advice.Measured.Classes,
                MedianSize = new { advice.Measured.MedianSize.Width, advice.Measured.MedianSize.Height },
                advice.Measured.Copies,
                advice.Measured.Unreadable,
                advice.Measured.NearestNeighbor,
                advice.Measured.NearestNeighborBefore,
                advice.Measured.LayerBefore,
                ImagenetConfidence = advice.Measured.ImageNetConfidence,
                advice.Measured.LogME,
                FeaturesClassifier = advice.Measured.Features.Classifier,
                FeaturesAccuracy = advice.Measured.Features.Accuracy,
                FeaturesAccuracyInterval = advice.Measured.Features.Interval,
                FeaturesBeforeAccuracy = advice.Measured.FeaturesBefore?.Accuracy,
                advice.Measured.FeaturesPerSecond,
                TrainingPerSecond = advice.Measured.Training.ToDictionary(speed => LowerCase.Policy.ConvertName(speed.Strategy.ToString()), speed => speed.ImagesPerSecond),
                NotMeasured = advice.Measured.Missing,
            },
        },
        RunFolder.Json);
}
