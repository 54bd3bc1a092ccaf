using System.CommandLine;
using System.Diagnostics;
using Graft.Backbones;
using Graft.Data;
using Graft.Features;
using Graft.Imaging;
using Graft.Networks;

namespace Graft.Benchmarks;

/// <summary>
/// Features of photos on disk that no cache knows, images a second, against what the machine can do at most: the network on ready tensors
/// and decoding with preprocessing, each measured alone on all cores, one after the other. Beside it bench/peers/extract.py.
/// </summary>
internal static class ExtractBenchmark
{
    private const int ReadyPhotos = 32;

    public static Command Create()
    {
        var folder = new Argument<string>("DIR") { Description = "Photos, a folder per class" };
        var networks = new Option<string[]>("--network")
        {
            Description = "Networks of the catalog",
            HelpName = "NAME",
            AllowMultipleArgumentsPerToken = true,
            DefaultValueFactory = _ => ["mobilenet_v2.torchvision", "resnet50.torchvision"],
        };
        var engine = new Option<InferenceEngine>("--engine") { Description = "What computes", DefaultValueFactory = _ => InferenceEngine.Onnx };
        var rounds = new Option<int>("--rounds") { Description = "Times over; the median counts", HelpName = "COUNT", DefaultValueFactory = _ => 3 };
        var command = new Command("extract", "Cold feature extraction, images a second, from the folder to cached features")
            { folder, networks, engine, rounds };
        command.SetAction(parsed =>
        {
            var photos = LabeledImages.Load(parsed.GetRequiredValue(folder)).All.ToList();
            Console.WriteLine($"# {Machine.Describe()}; {photos.Count} photos, engine {parsed.GetValue(engine)}");
            Console.WriteLine($"{"network",-26}{"extraction/s",13}{"network/s",11}{"pixels/s",10}{"limit/s",9}{"share",7}");
            foreach (var name in parsed.GetRequiredValue(networks))
            {
                using var whole = Backbone.Untrained(name, seed: 1);
                var features = whole.Features();
                using var network = FrozenNetwork.Load(features.Network, features.Weights, parsed.GetValue(engine));
                var figures = Enumerable.Range(0, parsed.GetValue(rounds)).Select(_ =>
                {
                    var (forward, pixels) = (Forward(network, features, photos), Pixels(features, photos));
                    return (Extraction: Extraction(features, photos, parsed.GetValue(engine)), forward, pixels, Limit: 1 / (1 / forward + 1 / pixels));
                }).OrderBy(figure => figure.Extraction / figure.Limit).ToList();
                var (extraction, forward, pixels, limit) = figures[figures.Count / 2];
                Console.WriteLine(
                    $"{whole.Name,-26}{extraction,13:N1}{forward,11:N1}{pixels,10:N1}{limit,9:N1}{extraction / limit,7:N2}");
            }
        });
        return command;
    }

    private static double Extraction(Backbone features, List<LabeledImage> photos, InferenceEngine engine)
    {
        var folder = Directory.CreateTempSubdirectory("graft-bench");
        try
        {
            using var cache = FeatureCache.Open(folder.FullName);
            using var extractor = new FeatureExtractor(features, cache, Console.Error.WriteLine, engine);
            extractor.Extract(photos.Take(4).ToList()); // loads the network
            var clock = Stopwatch.StartNew();
            var set = extractor.Extract(photos);
            return set.CacheMisses / clock.Elapsed.TotalSeconds;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static double Forward(FrozenNetwork network, Backbone features, List<LabeledImage> photos)
    {
        var ready = photos.Take(ReadyPhotos).Select(photo =>
        {
            var pixels = new float[features.Preprocessing.InputLength];
            features.Preprocessing.Apply(features.Preprocessing.Resize(ImageDecoder.Decode(photo.Path)), pixels);
            return pixels;
        }).ToList();
        return OnAllCores(photos.Count / 2, index => network.Run(ready[index % ready.Count]));
    }

    private static double Pixels(Backbone features, List<LabeledImage> photos) => OnAllCores(photos.Count, index =>
        features.Preprocessing.Apply(
            features.Preprocessing.Resize(ImageDecoder.Decode(photos[index].Path)), new float[features.Preprocessing.InputLength]));

    /// <summary>Calls a second, one thread a core.</summary>
    private static double OnAllCores(int calls, Action<int> call)
    {
        var next = -1;
        void Work()
        {
            for (var index = Interlocked.Increment(ref next); index < calls; index = Interlocked.Increment(ref next)) call(index);
        }
        call(0);
        var clock = Stopwatch.StartNew();
        var threads = Enumerable.Range(0, Environment.ProcessorCount).Select(_ => new Thread(Work)).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        return calls / clock.Elapsed.TotalSeconds;
    }
}
