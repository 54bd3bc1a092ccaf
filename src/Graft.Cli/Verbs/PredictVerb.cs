using System.CommandLine;
using System.Text.Json;
using Graft.Classifiers;
using Graft.Imaging;
using Graft.Runs;

namespace Graft.Cli.Verbs;

internal static class PredictVerb
{
    public static Command Create()
    {
        var model = new Argument<string>("MODEL") { Description = "A trained model, a run folder, or a network of the catalogue" };
        var paths = new Argument<string[]>("PATH") { Description = "Photos, or folders of photos", Arity = ArgumentArity.OneOrMore };
        var top = new Option<int>("--top") { Description = "How many classes to name for each photo", DefaultValueFactory = _ => 1 };
        var pretrained = new BackboneOptions();
        var json = Terminal.Json();
        var command = new Verb(
            "predict",
            "Name what is on photos.",
            "graft predict runs/flowers-mobilenet_v2 garden.jpg --top 3",
            "graft predict mobilenet_v1 garden.jpg") { model, paths, top, json };
        pretrained.AddTo(command);
        command.SetWork((parsed, cancellation) =>
        {
            if (parsed.GetValue(top) < 1) throw new UsageException("Expected --top of at least 1.");
            var photos = parsed.GetRequiredValue(paths).SelectMany(Photos).ToList();
            using var classifier = pretrained.Open(parsed.GetRequiredValue(model), parsed, cancellation);
            var predictions = photos.Count > 16
                ? Terminal.WithProgress(progress => classifier.Predict(photos, progress: progress, cancellation: cancellation))
                : classifier.Predict(photos, cancellation: cancellation);
            foreach (var broken in predictions.Broken) Terminal.Say($"{broken.Path}: {broken.Reason}");

            var count = Math.Min(parsed.GetValue(top), classifier.Classes.Count);
            if (parsed.GetValue(json))
            {
                Console.Out.WriteLine(JsonSerializer.Serialize(
                    new
                    {
                        Predictions = predictions.Read.Select(prediction => new { prediction.Path, Classes = prediction.Ranking.Take(count) }),
                        Skipped = predictions.Broken,
                    },
                    RunFolder.Json));
            }
            else if (predictions.Read.Count > 0)
            {
                Console.Out.WriteLine(Lines(predictions.Read, count));
            }
            return predictions.Broken.Count == 0 ? Terminal.Done : Terminal.Failed;
        });
        return command;
    }

    private static string Lines(IReadOnlyList<Prediction> predictions, int count)
    {
        var width = predictions.Max(prediction => prediction.Path.Length);
        return string.Join('\n', predictions.Select(prediction =>
            $"{prediction.Path.PadRight(width)}  " + string.Join(", ", prediction.Ranking.Take(count).Select(entry =>
                $"{entry.Class} {100 * entry.Probability:0.0} %"))));
    }

    private static IEnumerable<string> Photos(string path)
    {
        if (!Directory.Exists(path)) return [path];
        var photos = Directory.EnumerateFiles(path)
            .Where(file => ImageDecoder.FileExtensions.Contains(Path.GetExtension(file)) && Path.GetFileName(file)[0] != '.')
            .Order(StringComparer.Ordinal).ToList();
        return photos.Count > 0 ? photos : throw new GraftException($"The folder {path} holds no photos.");
    }
}
