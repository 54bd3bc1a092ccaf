using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Graft.Evaluation;
using Graft.Export;
using Graft.Runs;

namespace Graft.Cli.Verbs;

internal static class ExportVerb
{
    public static Command Create()
    {
        var model = BackboneOptions.Model();
        var output = new Option<string>("--out") { Description = "The .onnx file to write, in a folder of its own", HelpName = "FILE", Required = true };
        var check = new Option<string[]>("--check")
        {
            Description = "Photos, or folders of them, to compare the exported model with the trained one on (default: the run's validation photos)",
            HelpName = "PHOTOS",
            AllowMultipleArgumentsPerToken = true,
        };
        var input = new Option<ExportInput>("--input")
        {
            Description = "What the model takes: photo (pixels of any size) or tensor (resized and normalized outside, for accelerators)",
            HelpName = "KIND",
            DefaultValueFactory = _ => ExportInput.Photo,
        };
        var features = new Option<bool>("--features") { Description = "Output the feature vector too" };
        var pretrained = new BackboneOptions();
        var json = Terminal.Json();
        var command = new Verb(
            "export",
            """
            Write a model as one ONNX file that takes a photo and gives probabilities.

            Resizing, normalization, network, classifier and calibration are in the file. It is run over photos and compared with the trained
            model first; if it differs, nothing is written and the exit code is 1.
            """,
            "graft export runs/flowers-mobilenet_v2 --out flowers/flowers.onnx",
            "graft export mobilenet_v2 --out mobilenet/model.onnx --check photos") { model, output, check, input, features, json };
        pretrained.AddTo(command);
        command.SetHandler((parsed, cancellation) =>
        {
            var name = parsed.GetRequiredValue(model);
            using var classifier = pretrained.Open(name, parsed, cancellation);
            var run = RunOf(name);
            var options = new ExportOptions
            {
                Input = parsed.GetValue(input),
                Features = parsed.GetValue(features),
                CheckPhotos = Photos(parsed.GetValue(check) ?? [], run),
                Facts = Facts(run),
            };
            if (options.CheckPhotos is null)
                Terminal.Note("There are no validation photos at hand, so the export is checked on generated pictures. Name photos with --check.");
            var path = parsed.GetRequiredValue(output);
            var result = Terminal.WithProgress(progress => classifier.Export(path, options, progress, cancellation));
            if (parsed.GetValue(json))
            {
                Console.Out.WriteLine(JsonSerializer.Serialize(
                    new { Model = result.Files[0], result.Bytes, result.Files, result.Parity }, RunFolder.Json));
            }
            else
            {
                var parity = result.Parity;
                Console.Out.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{path}: {result.Bytes / 1e6:0.0} MB. On {parity.Photos:N0} photos, probabilities differ from the trained model's by up to {parity.LargestDifference:0.#####}, and {parity.DifferentClasses.Count:N0} classes differ."));
            }
            return Terminal.Done;
        });
        return command;
    }

    /// <summary>The run that a model comes from; null of others.</summary>
    private static SavedRun? RunOf(string model)
    {
        var folder = Directory.Exists(model) ? model : File.Exists(model) ? Path.GetDirectoryName(Path.GetFullPath(model))! : null;
        if (folder is null || !File.Exists(Path.Combine(folder, "result.json"))) return null;
        try
        {
            return SavedRun.Open(folder);
        }
        catch (GraftException problem)
        {
            Terminal.Warn($"The run's results are not part of the export: {problem.Message}");
            return null;
        }
    }

    private static string[]? Photos(string[] named, SavedRun? run)
    {
        if (named.Length > 0)
        {
            var found = named.Select(path => Data.PhotoPaths.Find(path)).ToList();
            string[] photos = [.. found.SelectMany(some => some.Photos)];
            if (photos.Length == 0) throw new GraftException($"There are no photos in {string.Join(", ", named)}.");
            return photos;
        }
        string[] validation = [.. (run?.Predictions.Of(PredictionTable.Validation) ?? []).Select(image => image.Path).Where(File.Exists)];
        return validation.Length > 0 ? validation : null;
    }

    private static Dictionary<string, string> Facts(SavedRun? run)
    {
        var facts = new Dictionary<string, string>(StringComparer.Ordinal);
        if (run is null) return facts;
        facts["strategy"] = run.Result.Strategy;
        if (run.Result.Classifier.Length > 0) facts["classifier"] = run.Result.Classifier;
        facts["training photos"] = run.Result.Images.Train.ToString(CultureInfo.InvariantCulture);
        Add("validation", run.Validation);
        Add("test", run.Test);
        return facts;

        void Add(string part, EvaluationResult? measured)
        {
            if (measured is null) return;
            facts[$"{part} photos"] = measured.Count.ToString(CultureInfo.InvariantCulture);
            facts[$"{part} accuracy"] = measured.Accuracy.ToString("0.####", CultureInfo.InvariantCulture);
            facts[$"{part} macro F1"] = measured.MacroF1.ToString("0.####", CultureInfo.InvariantCulture);
        }
    }
}
