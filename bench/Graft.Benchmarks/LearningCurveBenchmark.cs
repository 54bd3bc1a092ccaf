using System.CommandLine;
using System.Globalization;
using Graft.Backbones;
using Graft.Classifiers;
using Graft.Data;
using Graft.Features;
using Graft.Networks;
using Graft.Selection;
using Graft.Training;

namespace Graft.Benchmarks;

/// <summary>
/// How often a learning curve measured on half of the training photos forecasts the accuracy of all of them on the validation photos within its own
/// interval. A line for each draw of a half; those in the file of results are not measured again.
/// </summary>
internal static class LearningCurveBenchmark
{
    public static Command Create()
    {
        var folder = new Argument<string>("DIR") { Description = "Photos with train/ and val/ folders" };
        var network = new Option<string>("--network") { HelpName = "NAME[=FILE]", Required = true };
        var draws = new Option<int>("--draws") { DefaultValueFactory = _ => 20 };
        var c = new Option<double>("--C") { DefaultValueFactory = _ => 0.01 };
        var output = new Option<string>("--out") { Description = "The file of results, CSV; what is in it is not measured again", Required = true };
        var command = new Command("learning-curve", "How often a learning curve's forecast holds the measured accuracy") { folder, network, draws, c, output };
        command.SetAction((parsed, cancellation) => Task.Run(
            () => Run(parsed.GetRequiredValue(folder), parsed.GetRequiredValue(network), parsed.GetValue(draws), parsed.GetValue(c), parsed.GetRequiredValue(output), cancellation),
            cancellation));
        return command;
    }

    private static void Run(string folder, string network, int draws, double c, string output, CancellationToken cancellation)
    {
        var photos = LabeledImages.Load(folder);
        using var cache = FeatureCache.Open();
        var parts = network.Split('=', 2);
        using var backbone = Backbone.Load(parts[0], parts.ElementAtOrDefault(1));
        using var blocks = new FeatureBlocks(backbone.Features());
        var (train, test) = (blocks.Extract(photos.Train, cache, cancellation: cancellation), blocks.Extract(photos.Validation, cache, cancellation: cancellation));
        int[] labels = [.. train.Images.Select(image => image.Class)];
        var classifier = new LogisticRegression { C = c, Calibrate = false };
        using var head = classifier.Fit(train.Rows, labels, photos.Classes.Count, cancellation: cancellation)
            .ToModule(new("features", [new("features", new Input(train.Rows[0].Length, 0, 0), [])]));
        var truth = Trainer.Outputs(head, new ExamplesInMemory(test.Rows, new int[test.Rows.Count]), 256, cancellation).Zip(test.Images)
            .Average(pair => Array.IndexOf(pair.First, pair.First.Max()) == pair.Second.Class ? 1.0 : 0);
        var done = File.Exists(output) ? File.ReadAllLines(output).Length : 0;
        using (var file = new StreamWriter(output, append: true) { AutoFlush = true })
        {
            for (var draw = done; draw < draws; draw++)
            {
                var (kept, _) = StratifiedSplit.Of(labels, 0.5, seed: 100 + draw);
                var curve = LearningCurve.Of(
                    network, classifier, [.. kept.Select(image => train.Rows[image])], [.. kept.Select(image => labels[image])], photos.Classes, seed: 100 + draw,
                    cancellation: cancellation);
                var forecast = curve.Forecast((double)labels.Length / photos.Classes.Count);
                file.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{draw},{truth:R},{forecast.Accuracy:R},{forecast.Interval.Low:R},{forecast.Interval.High:R}"));
            }
        }
        var rows = File.ReadAllLines(output).Select(line => line.Split(',').Select(cell => double.Parse(cell, CultureInfo.InvariantCulture)).ToArray()).ToList();
        Console.WriteLine($"# {Machine.Describe()}");
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{folder}, {parts[0]}: measured with all {labels.Length:N0}: {100 * truth:0.0} %; forecasts from half: mean {100 * rows.Average(row => row[2]):0.0} %, intervals {100 * rows.Average(row => row[4] - row[3]):0.0} points wide; {rows.Count(row => row[1] >= row[3] && row[1] <= row[4])} of {rows.Count} hold it."));
    }
}
