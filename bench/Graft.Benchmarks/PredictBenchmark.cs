using System.CommandLine;
using System.Diagnostics;
using Graft.Backbones;
using Graft.Classifiers;
using Graft.Export;
using Graft.Imaging;
using Graft.Inference;
using Graft.Networks;

namespace Graft.Benchmarks;

/// <summary>One photo to its answer: in the library and with the exported model, beside decoding, resizing and the network by themselves.</summary>
internal static class PredictBenchmark
{
    public static Command Create()
    {
        var photo = new Argument<string>("PHOTO") { Description = "A JPEG file" };
        var network = new Option<string>("--network")
        {
            Description = "A network of the catalog, with random weights",
            HelpName = "NAME",
            DefaultValueFactory = _ => "mobilenet_v2.torchvision",
        };
        var rounds = new Option<int>("--rounds") { Description = "Photos for each figure", HelpName = "COUNT", DefaultValueFactory = _ => 100 };
        var command = new Command("predict", "Milliseconds from one photo's bytes to its answer") { photo, network, rounds };
        command.SetAction(parsed =>
        {
            var bytes = File.ReadAllBytes(parsed.GetRequiredValue(photo));
            using var backbone = Backbone.Untrained(parsed.GetRequiredValue(network), seed: 1);
            using var classifier = ImageClassifier.Of(
                backbone.Name, backbone.Network, backbone.Weights, backbone.Preprocessing,
                [.. Enumerable.Range(0, backbone.Network.OutputShape.ElementCount).Select(index => $"{index}")]);
            using var frozen = FrozenNetwork.Load(backbone.Network, backbone.Weights);
            var decoded = ImageDecoder.Decode(bytes);
            var pixels = new float[backbone.Preprocessing.InputLength];
            var folder = Directory.CreateTempSubdirectory("graft-bench-");
            try
            {
                var file = classifier.Export(Path.Combine(folder.FullName, "model.onnx")).Files[0];
                using var one = Classifier.Open(file, new() { Threads = 1 });
                using var all = Classifier.Open(file);
                Console.WriteLine($"# {Machine.Describe()}; {decoded.Width}×{decoded.Height}, {bytes.Length:N0} bytes; {parsed.GetValue(rounds)} rounds, interleaved");
                (string Name, Action Work)[] lanes =
                [
                    ("decode", () => ImageDecoder.Decode(bytes)),
                    ("resize and normalize", () => backbone.Preprocessing.Apply(backbone.Preprocessing.Resize(decoded), pixels)),
                    ("network, 1 thread", () => frozen.Run(pixels)),
                    ("ImageClassifier.Predict", () => classifier.Predict(bytes)),
                    ("Graft.Inference, 1 thread", () => one.Predict(bytes)),
                    ("Graft.Inference, all cores", () => all.Predict(bytes)),
                ];
                var times = lanes.Select(_ => new List<double>()).ToList();
                for (var round = -5; round < parsed.GetValue(rounds); round++)
                {
                    for (var lane = 0; lane < lanes.Length; lane++)
                    {
                        var watch = Stopwatch.StartNew();
                        lanes[lane].Work();
                        if (round >= 0) times[lane].Add(watch.Elapsed.TotalMilliseconds);
                    }
                }
                Print("median", list => list.Order().ElementAt(list.Count / 2));
                // On a machine that does other work too, the fastest round says more.
                Print("fastest", list => list.Min());

                void Print(string name, Func<List<double>, double> figure)
                {
                    var alone = figure(times[0]) + figure(times[1]) + figure(times[2]);
                    for (var lane = 0; lane < lanes.Length; lane++)
                        Console.WriteLine($"{name,-8} {lanes[lane].Name,-28}{figure(times[lane]),9:0.00} ms{(lane < 3 ? "" : $"   {figure(times[lane]) / alone:0.00} × the first three")}");
                }
            }
            finally
            {
                folder.Delete(recursive: true);
            }
            return 0;
        });
        return command;
    }
}
