using System.CommandLine;
using System.Text;
using System.Text.Json.Nodes;
using Graft.Classifiers;
using Graft.Data;
using Graft.Data.Remote;
using Graft.Evaluation;
using Graft.Runs;

namespace Graft.Cli.Verbs;

internal static class EvaluateVerb
{
    public static Command Create()
    {
        var model = BackboneOptions.Model(orExported: true);
        var (data, tables) = (LabeledPhotos.Argument(), new LabeledPhotos());
        var others = new Option<string?>("--others") { Description = "Photos of none of the classes, beside those of a folder _other: how many are told so", HelpName = "DIR" };
        var output = new Option<string?>("--out") { Description = "A new folder for report.txt, predictions.csv and charts", HelpName = "FOLDER" };
        var placing = new DeviceOption();
        var pretrained = new BackboneOptions();
        var json = Terminal.Json();
        var command = new Verb(
            "evaluate",
            "Measure a model on labeled photos: on their test/ folder if they have one, else on all of them.",
            "graft evaluate runs/flowers-mobilenet_v2 new-flowers",
            "graft evaluate runs/flowers-mobilenet_v2 new-flowers --others holiday") { model, data, others, output, json };
        placing.AddTo(command);
        pretrained.AddTo(command);
        tables.AddTo(command);
        command.SetHandler((parsed, cancellation) =>
        {
            using var classifier = AnsweringModel.Open(parsed.GetRequiredValue(model), pretrained, placing.Value(parsed), parsed, cancellation);
            if (classifier.Trained is null) Terminal.Note("An exported file does not know which photos it was trained on. Its run does, and would warn of them.");
            var source = LabeledPhotos.Existing(parsed.GetRequiredValue(data));
            var photos = tables.Load(source, LabeledImagesOptions.ForEvaluation(classifier.Classes), parsed);
            foreach (var note in photos.Notes) Terminal.Note(note);
            var images = photos.Test.Count > 0 ? photos.Test : [.. photos.All];
            // Better to learn now than after the work that nothing can be written there.
            if (parsed.GetValue(output) is { } wanted) RunFolder.Create(wanted, "").DeleteIfEmpty();
            using var cache = CacheOptions.OpenShared();
            var predictions = Terminal.WithProgress(progress => classifier.Predict(
                [.. images.Select(image => image.Path)], classifier.HasFeatures ? cache : null, progress, cancellation));
            string[] none = [.. photos.Others.Select(image => image.Path), .. OthersIn(parsed.GetValue(others))];
            if (none.Length > 0 && !classifier.KnowsUnlike) Terminal.Note($"The model does not know how unlike its training photos a photo is: the {none.Length:N0} photos of none of its classes are left out.");
            var strange = none.Length == 0 || !classifier.KnowsUnlike ? null
                : Terminal.WithProgress(progress => classifier.Predict(none, classifier.HasFeatures ? cache : null, progress, cancellation));
            SkippedFiles.Say([.. photos.Skipped, .. predictions.Broken, .. strange?.Broken ?? []]);
            if (predictions.Read.Count == 0) throw new GraftException($"None of the images in {source} can be read.");

            var labels = images.ToLookup(image => image.Path, image => image.Class);
            var truth = predictions.Read.Select(prediction => labels[prediction.Path].First()).ToList();
            if (Absent(classifier.Classes, truth) is { } absent) Terminal.Note(absent);
            var result = ResultOf([.. Enumerable.Range(0, truth.Count)]);
            var trained = RunPhotos.TrainedOn(parsed.GetRequiredValue(model), predictions.Read.Select(prediction => prediction.Path), cancellation);
            int[] unseen = [.. Enumerable.Range(0, truth.Count).Where(image => !trained.Contains(predictions.Read[image].Path))];
            var unseenResult = trained.Count > 0 && unseen.Length > 0 ? ResultOf(unseen) : null;
            if (trained.Count > 0)
            {
                Terminal.Warn($"LEAK: the model was trained on {truth.Count - unseen.Length:N0} of these {truth.Count:N0} photos. Scores on all of them are optimistic"
                    + (unseenResult is null ? "; measure it on others." : "; those on the others follow."));
            }
            var unseenScores = unseenResult is null ? null : RunText.Scores(unseenResult);
            unseenScores?.Insert(0, "images", unseen.Length);
            var title = photos.Test.Count > 0 ? $"{source}, test" : source;
            var text = new StringBuilder();
            RunText.Append(text, title, result);
            var novelty = NoveltyOf(classifier, predictions.Read, strange?.Read ?? []);
            if (novelty is not null) text.AppendLine().AppendLine(RunText.Sentence(novelty));
            if (unseenResult is not null) RunText.Append(text, $"{title}, not trained on", unseenResult);
            if (parsed.GetValue(json))
            {
                JsonObject[] parts =
                [
                    RunFolder.ToJson(new
                    {
                        Model = parsed.GetRequiredValue(model),
                        Data = source,
                        Images = predictions.Read.Count,
                        Skipped = photos.Skipped.Count + predictions.Broken.Count,
                    }),
                    RunText.Scores(result),
                    RunFolder.ToJson(new { Novelty = novelty }),
                    new() { ["trained_on"] = truth.Count - unseen.Length, ["not_trained_on"] = unseenScores },
                    RunFolder.ToJson(new
                    {
                        PerClass = result.Report.Classes,
                        Confusion = result.Confusion.ToRows(),
                        Cache = new { Hits = predictions.CacheHits, Misses = predictions.CacheMisses },
                    }),
                ];
                Console.Out.WriteLine(new JsonObject(parts.SelectMany(part => part)
                    .Select(entry => KeyValuePair.Create(entry.Key, entry.Value?.DeepClone()))).ToJsonString(RunFolder.Json));
            }
            else
            {
                Console.Out.Write(text.ToString().TrimStart('\n'));
            }
            if (parsed.GetValue(output) is { } path)
            {
                var folder = RunFolder.Create(path, "");
                folder.SaveEvaluation(
                    text.ToString().TrimStart('\n'), result,
                    new(classifier.Classes, [.. predictions.Read.Zip(truth, (prediction, label) => new EvaluatedImage(
                        RemotePlace.Full(prediction.Path), PredictionTable.Test, label, prediction.Probabilities))]));
                Terminal.Say($"Written to {folder.FullName}.");
            }
            return Terminal.Done;

            EvaluationResult ResultOf(IReadOnlyList<int> chosen) => EvaluationResult
                .Of(classifier.Classes, [.. chosen.Select(image => truth[image])], [.. chosen.Select(image => predictions.Read[image].Probabilities)])
                .WithTemperature(classifier.Temperature);
        });
        return command;
    }

    private static IEnumerable<string> OthersIn(string? folder)
    {
        if (folder is null) return [];
        var found = PhotoPaths.Find(folder);
        return found.Photos.Count > 0 ? found.Photos : throw new UsageException($"--others {folder}: {found.Skipped[0].Reason}.");
    }

    /// <summary>Null where the model cannot say.</summary>
    private static NoveltyResult? NoveltyOf(AnsweringModel model, IReadOnlyList<Prediction> known, IReadOnlyList<Prediction> others)
    {
        if (!model.KnowsUnlike) return null;
        static (double, double)[] Of(IReadOnlyList<Prediction> photos) => [.. photos.Select(photo => (photo.Unlikeness!.Value, photo.Probability))];
        return NoveltyResult.Of(Of(known), Of(others));
    }

    /// <summary>That the macro averages say nothing of some classes; null where there are photos of all, or of one alone.</summary>
    private static string? Absent(IReadOnlyList<string> classes, IReadOnlyList<int> truth)
    {
        const int named = 10;
        var present = truth.ToHashSet();
        string[] absent = [.. classes.Where((_, index) => !present.Contains(index))];
        return absent.Length == 0 || present.Count == 1 ? null
            : $"There are no photos of {string.Join(", ", absent.Take(named))}{(absent.Length > named ? $" and {absent.Length - named:N0} more classes" : "")}: "
                + "they count as 0 in the macro averages.";
    }
}
