using System.CommandLine;
using System.Globalization;
using Graft.Backbones;
using Graft.Data;
using Graft.Export;
using Graft.Features;
using Graft.Imaging;
using Graft.Inference;
using Graft.Runs;

namespace Graft.Benchmarks;

/// <summary>Every kind of classifier, trained, exported, and the exported file compared with the trained model on all validation photos.</summary>
internal static class ExportParityBenchmark
{
    private const int ResizedOutside = 50;

    public static Command Create()
    {
        var folder = new Argument<string>("DIR") { Description = "Photos with train/ and val/ folders" };
        var network = new Option<string>("--network")
        {
            Description = "A network of the catalog, with its weights as NAME=FILE where they are not in the store",
            HelpName = "NAME[=FILE]",
            DefaultValueFactory = _ => EmbeddedBackbone.Name,
        };
        var precision = new Option<ExportPrecision>("--precision")
        {
            Description = "float32, float16 or int8",
            HelpName = "TYPE",
            DefaultValueFactory = _ => ExportPrecision.Float32,
        };
        var command = new Command("export-parity", "Largest difference between exported and trained models of every kind, from the photo's file on") { folder, network, precision };
        command.SetAction((parsed, cancellation) => Task.Run(
            () => Run(parsed.GetRequiredValue(folder), parsed.GetRequiredValue(network), parsed.GetValue(precision), cancellation), cancellation));
        return command;
    }

    private static string Accuracy(PrecisionReport? report) => report is { Accuracy: { } accuracy, AccuracyOfFloat32: { } before, McNemar: { } test }
        ? string.Create(CultureInfo.InvariantCulture, $"{100 * before:0.0} → {100 * accuracy:0.0}, p = {test.PValue:0.##}")
        : "";

    private static void Run(string folder, string network, ExportPrecision precision, CancellationToken cancellation)
    {
        var photos = LabeledImages.Load(folder);
        var held = photos.Test.Count > 0 ? photos.Test : photos.Validation;
        string[] validation = [.. held.Select(photo => photo.Path)];
        using var cache = FeatureCache.Open();
        var parts = network.Split('=', 2);
        using var backbone = Backbone.Load(parts[0], parts.ElementAtOrDefault(1)).Features();
        Console.WriteLine($"# {Machine.Describe()}; {backbone.Name}, {validation.Length} photos");
        Console.WriteLine("| classifier | classes that differ | largest margin of these | largest difference | mean difference | the same with pixels resized outside | accuracy |");
        Console.WriteLine("|---|---|---|---|---|---|---|");
        foreach (var (name, classifier) in AccuracyBenchmark.Classifiers)
        {
            using var run = TrainingRun.Execute(photos, new FeatureBlocks(backbone), TrainingPlan.OnFeatures(classifier: classifier), new() { Cache = cache }, cancellation);
            var temporary = Directory.CreateTempSubdirectory("graft-bench-");
            try
            {
                var result = run.Model.Export(Path.Combine(temporary.FullName, "model.onnx"), new()
                {
                    Precision = precision,
                    CheckPhotos = validation,
                    CheckLabels = [.. held.Select(photo => photo.Class)],
                    CalibrationPhotos = precision == ExportPrecision.Int8 ? [.. photos.Train.Select(photo => photo.Path)] : null,
                    // To be seen, not refused.
                    Bound = 0.999,
                }, cancellation: cancellation);
                using var exported = Classifier.Open(result.Files[0]);
                // What is of this size already is not resized any more, only cropped.
                var preprocessing = run.Model.Preprocessing;
                var (width, height) = preprocessing.ResizeRule is ResizeRule.ShorterSideThenCrop(var side)
                    ? (side, side)
                    : (preprocessing.InputWidth, preprocessing.InputHeight);
                var resizedOutside = validation.Take(ResizedOutside).Max(path =>
                {
                    var photo = Resampler.Resize(ImageDecoder.Decode(path), width, height, Interpolation.Bilinear);
                    return run.Model.Predict(photo).Probabilities.Zip(exported.Predict(photo).Probabilities, (one, other) => Math.Abs(one - other)).Max();
                });
                var parity = result.Parity;
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"| {name} | {parity.DifferentClasses.Count} | {parity.DifferentClasses.Select(photo => photo.Margin).DefaultIfEmpty().Max():0.0000} | {parity.LargestDifference:0.00000} | {parity.MeanDifference:0.00000} | {resizedOutside:0.0e+0} | {Accuracy(result.Precision)} |"));
            }
            finally
            {
                temporary.Delete(recursive: true);
            }
        }
    }
}
