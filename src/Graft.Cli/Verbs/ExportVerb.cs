using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Graft.Data.Collections;
using Graft.Evaluation;
using Graft.Export;
using Graft.Runs;

namespace Graft.Cli.Verbs;

internal static class ExportVerb
{
    private static readonly Dictionary<string, ExportTarget> Targets = new(StringComparer.Ordinal)
    {
        ["web"] = ExportTarget.Web,
        ["triton"] = ExportTarget.Triton,
        ["transformers-js"] = ExportTarget.TransformersJs,
    };

    public static Command Create()
    {
        var model = BackboneOptions.Model();
        var output = new Option<string>("--out")
        {
            Description = "The .onnx file to write, in a folder of its own; with --for, the folder to write",
            HelpName = "FILE",
            Required = true,
        };
        var target = new Option<string?>("--for")
        {
            Description = "Write what a place expects: web (a page that predicts in the browser, for any web server), triton (a model of NVIDIA Triton's repository) or transformers-js",
            HelpName = "PLACE",
        };
        target.AcceptOnlyFromAmong([.. Targets.Keys]);
        var check = new Option<string[]>("--check")
        {
            Description = "Photos, or folders of them, to compare the exported model with the trained one on (default: the run's validation photos)",
            HelpName = "PHOTOS",
            AllowMultipleArgumentsPerToken = true,
        };
        var input = new Option<string>("--input")
        {
            Description = "What the model takes: photo (pixels of any size) or tensor (resized and normalized outside, for accelerators)",
            HelpName = "KIND",
            DefaultValueFactory = _ => "photo",
        };
        input.AcceptOnlyFromAmong("photo", "tensor");
        var precision = new Option<ExportPrecision>("--precision")
        {
            Description = "float32; float16 (weights of half the size); or int8 (a quarter of the size, and faster on processors with VNNI), with what it costs in accuracy",
            HelpName = "TYPE",
            DefaultValueFactory = _ => ExportPrecision.Float32,
        };
        var calibrate = new Option<string[]>("--calibrate")
        {
            Description = "With int8: photos, or folders of them, to measure the ranges of activations on (default: the run's training photos)",
            HelpName = "PHOTOS",
            AllowMultipleArgumentsPerToken = true,
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
            "graft export runs/flowers-mobilenet_v2 --precision int8 --out flowers-int8/flowers.onnx",
            "graft export runs/flowers-mobilenet_v2 --for web --out site",
            "graft export mobilenet_v2 --out mobilenet/model.onnx --check photos") { model, output, target, check, input, precision, calibrate, features, json };
        pretrained.AddTo(command);
        command.SetHandler((parsed, cancellation) =>
        {
            var name = parsed.GetRequiredValue(model);
            using var classifier = pretrained.Open(name, parsed, cancellation);
            var run = RunOf(name);
            var type = parsed.GetValue(precision);
            var (calibration, isInt8) = (parsed.GetValue(calibrate) ?? [], type == ExportPrecision.Int8);
            if (calibration.Length > 0 && !isInt8) throw new UsageException($"{calibrate.Name} is for {precision.Name} int8. Leave it out.");
            var (photos, labels) = CheckPhotos(parsed.GetValue(check) ?? [], run, classifier.Classes);
            var options = new ExportOptions
            {
                For = parsed.GetValue(target) is { } place ? Targets[place] : ExportTarget.File,
                Input = parsed.GetValue(input) == "tensor" ? ExportInput.Tensor : ExportInput.Photo,
                Precision = type,
                Features = parsed.GetValue(features),
                CheckPhotos = photos,
                CheckLabels = labels,
                CalibrationPhotos = isInt8 ? CalibrationPhotos(calibration, run) : null,
                Facts = Facts(run),
            };
            if (options.CheckPhotos is null)
                Terminal.Note("There are no validation photos at hand, so the export is checked on generated pictures. Name photos with --check.");
            var path = parsed.GetRequiredValue(output);
            var result = Terminal.WithProgress(progress => classifier.Export(path, options, progress, cancellation));
            if (parsed.GetValue(json))
            {
                Console.Out.WriteLine(JsonSerializer.Serialize(
                    new { Model = result.Files[0], result.Bytes, result.Files, result.Parity, result.Precision }, RunFolder.Json));
            }
            else
            {
                var parity = result.Parity;
                Console.Out.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{result.Files[0]}: {result.Bytes / 1e6:0.0} MB. On {parity.Photos:N0} photos, probabilities differ from the trained model's by up to {parity.LargestDifference:0.#####}, and {parity.DifferentClasses.Count:N0} classes differ."));
                if (result.Precision is { } report) Console.Out.WriteLine(Compared(report));
                if (Next(options.For, path) is { } next) Console.Out.WriteLine(next);
            }
            return Terminal.Done;
        });
        return command;
    }

    private static string? Next(ExportTarget target, string folder) => target switch
    {
        ExportTarget.Web => $"Copy {folder} to any web server and open its address.",
        ExportTarget.Triton => $"Next: tritonserver --model-repository {Path.GetDirectoryName(Path.GetFullPath(folder))}",
        ExportTarget.TransformersJs => $"{Path.Combine(folder, "MODEL_CARD.md")} says how to load it.",
        _ => null,
    };

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

    private static string Compared(PrecisionReport report)
    {
        var name = $"{report.Precision}".ToLowerInvariant();
        var text = string.Create(
            CultureInfo.InvariantCulture,
            $"{name} beside float32: {report.Bytes / 1e6:0.0} MB, {report.BytesOfFloat32 / 1e6:0.0} MB; {report.ImagesPerSecond:0.0} images/s, {report.ImagesPerSecondOfFloat32:0.0} images/s");
        if (report is { Accuracy: { } accuracy, AccuracyOfFloat32: { } before, McNemar: { } test })
        {
            text += string.Create(
                CultureInfo.InvariantCulture,
                $"; accuracy {100 * accuracy:0.0} %, {100 * before:0.0} % (McNemar's test: {test.OnlyFirst:N0} photos correct with float32 alone, {test.OnlySecond:N0} with {name} alone, p = {test.PValue:0.###})");
        }
        if (report.Quantization is not { } int8) return text + ".";
        var layers = int8.FloatLayers.Count == 0 ? "" : $"; in float32: {string.Join(", ", int8.FloatLayers)}";
        return $"{text}. Ranges by {int8.Ranges}, from {int8.Photos:N0} photos{layers}.";
    }

    /// <summary>The photos to check on, and their classes where those are known; null where there are none.</summary>
    private static (IReadOnlyList<string>? Photos, IReadOnlyList<int>? Labels) CheckPhotos(string[] named, SavedRun? run, IReadOnlyList<string> classes)
    {
        if (named.Length > 0)
        {
            var photos = Find(named);
            // In a folder for each class.
            int[] labels = [.. photos.Select(photo => classes.ToList().IndexOf(Path.GetFileName(Path.GetDirectoryName(Path.GetFullPath(photo))!)))];
            return (photos, labels.All(label => label >= 0) ? labels : null);
        }
        EvaluatedImage[] validation = [.. (run?.Predictions.Of(PredictionTable.Validation) ?? []).Where(image => PhotoFile.Exists(image.Path))];
        return validation.Length > 0 ? ([.. validation.Select(image => image.Path)], [.. validation.Select(image => image.Label)]) : (null, null);
    }

    private static string[] CalibrationPhotos(string[] named, SavedRun? run)
    {
        if (named.Length > 0) return Find(named);
        string[] photos = [.. (run?.TrainingPhotos() ?? []).Where(PhotoFile.Exists)];
        return photos.Length > 0
            ? photos
            : throw new GraftException("There are no training photos at hand, on which int8 measures the ranges of activations.") { Code = "no-calibration-photos", Remedy = "Name some hundred photos with --calibrate." };
    }

    private static string[] Find(string[] named)
    {
        string[] photos = [.. named.SelectMany(path => Data.PhotoPaths.Find(path).Photos)];
        return photos.Length > 0 ? photos : throw new GraftException($"There are no photos in {string.Join(", ", named)}.");
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

        static string Number(double value) => value.ToString("0.####", CultureInfo.InvariantCulture);

        void Add(string part, EvaluationResult? measured)
        {
            if (measured is null) return;
            facts[$"{part} photos"] = measured.Count.ToString(CultureInfo.InvariantCulture);
            facts[$"{part} accuracy"] = Number(measured.Accuracy);
            facts[$"{part} accuracy, 95 % confidence interval"] = $"{Number(measured.AccuracyInterval.Low)}–{Number(measured.AccuracyInterval.High)}";
            facts[$"{part} macro F1"] = Number(measured.MacroF1);
            facts[$"{part} expected calibration error"] = Number(measured.Calibration.ExpectedCalibrationError);
        }
    }
}
