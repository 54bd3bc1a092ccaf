using System.CommandLine;
using Graft.Backbones;
using Graft.Networks;
using static TorchSharp.torch;

namespace Graft.Benchmarks;

/// <summary>Images a second through whole networks, in inference; beside it bench/peers/forward.py.</summary>
internal static class ForwardBenchmark
{
    private static readonly string[] Networks =
        ["resnet50.torchvision", "mobilenet_v2.torchvision", "vgg16.torchvision", "inception_v3.torchvision"];

    public static Command Create()
    {
        var networks = new Option<string[]>("--network")
        {
            Description = "Networks of the catalog",
            HelpName = "NAME",
            AllowMultipleArgumentsPerToken = true,
            DefaultValueFactory = _ => Networks,
        };
        var batches = new Option<int[]>("--batch")
        {
            Description = "Images at once",
            HelpName = "IMAGES",
            AllowMultipleArgumentsPerToken = true,
            DefaultValueFactory = _ => [8, 1],
        };
        var threads = new Option<int>("--threads") { Description = "Threads of libtorch", HelpName = "COUNT", DefaultValueFactory = _ => 2 };
        var seconds = new Option<double>("--seconds") { Description = "Time for each figure", HelpName = "SECONDS", DefaultValueFactory = _ => 10 };
        var command = new Command("forward", "Images a second through whole networks, random weights, their usual input size")
            { networks, batches, threads, seconds };
        command.SetAction(parsed =>
        {
            Console.WriteLine($"# {Machine.Describe()}; {parsed.GetValue(threads)} threads");
            Console.WriteLine($"{"network",-26}{"batch",6}  {"lane",-16}{"images/s",9}");
            foreach (var name in parsed.GetRequiredValue(networks))
            {
                using var backbone = Backbone.Untrained(name, seed: 1);
                using var network = new TorchNetwork(backbone.Network, backbone.Weights);
                // Not before: Graft's settings of libtorch's threads must be made before libtorch is loaded.
                set_num_threads(parsed.GetValue(threads));
                foreach (var batch in parsed.GetRequiredValue(batches)) Print(backbone.Name, batch, "libtorch", Torch(network, batch));
                Print(backbone.Name, 1, "onnx", Onnx(backbone));
            }
            return 0;

            double Torch(TorchNetwork network, int batch)
            {
                using var mode = inference_mode();
                var shape = network.Network.InputShape;
                using var images = randn(batch, shape.Channels, shape.Height, shape.Width);
                return Throughput.Measure(() => network.forward(images).Dispose(), batch, parsed.GetValue(seconds));
            }

            // As many images at once as there are threads, each on a thread of its own: how Graft extracts features.
            double Onnx(Backbone backbone)
            {
                using var network = FrozenNetwork.Load(backbone.Network, backbone.Weights);
                var image = new float[backbone.Network.InputShape.ElementCount];
                image.AsSpan().Fill(0.5f);
                var count = parsed.GetValue(threads);
                return Throughput.Measure(
                    () => Parallel.For(0, count, new ParallelOptions { MaxDegreeOfParallelism = count }, _ => network.Run(image)),
                    count, parsed.GetValue(seconds));
            }
        });
        return command;
    }

    private static void Print(string network, int batch, string lane, double imagesPerSecond) =>
        Console.WriteLine($"{network,-26}{batch,6}  {lane,-16}{imagesPerSecond,9:N1}");
}
