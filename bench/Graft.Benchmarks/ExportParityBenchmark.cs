using System.CommandLine;
using System.Globalization;
using Graft.Backbones;
using Graft.Classifiers;
using Graft.Data;
using Graft.Export;
using Graft.Features;
using Graft.Runs;

namespace Graft.Benchmarks;

/// <summary>Every kind of classifier, trained, exported, and the exported file compared with the trained model on all validation photos.</summary>
internal static class ExportParityBenchmark
{
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
        var models = new Option<string[]>("--model")
        {
            Description = "Run folders of models that were trained on these photos, in place of every kind of classifier; repeat",
            HelpName = "RUN",
            AllowMultipleArgumentsPerToken = true,
        };
        var command = new Command("export-parity", "Largest difference between exported and trained models of every kind, from the photo's file on") { folder, network, precision, models };
        command.SetAction((parsed, cancellation) => Task.Run(
            () => Run(parsed.GetRequiredValue(folder), parsed.GetRequiredValue(network), parsed.GetValue(precision), parsed.GetValue(models) ?? [], cancellation), cancellation));
        return command;
    }

    private static string Accuracy(PrecisionReport? report) => report is { Accuracy: { } accuracy, AccuracyOfFloat32: { } before, McNemar: { } test }
        ? string.Create(CultureInfo.InvariantCulture, $"{100 * before:0.0} → {100 * accuracy:0.0}, p = {test.PValue:0.##}")
        : "";

    private static void Run(string folder, string network, ExportPrecision precision, string[] models, CancellationToken cancellation)
    {
        var photos = LabeledImages.Load(folder);
        var held = photos.Test.Count > 0 ? photos.Test : photos.Validation;
        string[] validation = [.. held.Select(photo => photo.Path)];
        Console.WriteLine($"# {Machine.Describe()}; {(models.Length > 0 ? "trained models" : network)}, {validation.Length} photos");
        Console.WriteLine("| classifier | classes that differ | largest margin of these | largest difference | mean difference | accuracy |");
        Console.WriteLine("|---|---|---|---|---|---|");
        foreach (var path in models)
        {
            using var model = ImageClassifier.Open(path);
            Compare(Path.GetFileName(path), model);
        }
        if (models.Length > 0) return;
        using var cache = FeatureCache.Open();
        var parts = network.Split('=', 2);
        using var backbone = Backbone.Load(parts[0], parts.ElementAtOrDefault(1)).Features();
        foreach (var (name, classifier) in AccuracyBenchmark.Classifiers)
        {
            using var run = TrainingRun.Execute(photos, new FeatureBlocks(backbone), TrainingPlan.OnFeatures(classifier: classifier), new() { Cache = cache }, cancellation);
            Compare(name, run.Model);
        }

        void Compare(string name, ImageClassifier model)
        {
            var temporary = Directory.CreateTempSubdirectory("graft-bench-");
            try
            {
                var result = model.Export(Path.Combine(temporary.FullName, "model.onnx"), new()
                {
                    Precision = precision,
                    CheckPhotos = validation,
                    CheckLabels = [.. held.Select(photo => photo.Class)],
                    CalibrationPhotos = precision == ExportPrecision.Int8 ? [.. photos.Train.Select(photo => photo.Path)] : null,
                    // To be seen, not refused.
                    Bound = 0.999,
                }, cancellation: cancellation);
                var parity = result.Parity;
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"| {name} | {parity.DifferentClasses.Count} | {parity.DifferentClasses.Select(photo => photo.Margin).DefaultIfEmpty().Max():0.0000} | {parity.LargestDifference:0.0e+0} | {parity.MeanDifference:0.0e+0} | {Accuracy(result.Precision)} |"));
            }
            finally
            {
                temporary.Delete(recursive: true);
            }
        }
    }
}
