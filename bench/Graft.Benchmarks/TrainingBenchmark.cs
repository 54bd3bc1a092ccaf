using System.CommandLine;
using Graft.Backbones;
using Graft.Networks;
using Graft.Training;
using static TorchSharp.torch;

namespace Graft.Benchmarks;

/// <summary>Images a second of training steps, all layers: forward, backward, optimizer; beside it bench/peers/training.py.</summary>
internal static class TrainingBenchmark
{
    private static readonly string[] Networks = ["mobilenet_v2.torchvision", "resnet50.torchvision"];

    public static Command Create()
    {
        var networks = new Option<string[]>("--network")
        {
            Description = "Networks of the catalog",
            HelpName = "NAME",
            AllowMultipleArgumentsPerToken = true,
            DefaultValueFactory = _ => Networks,
        };
        var batch = new Option<int>("--batch") { Description = "Images a step", HelpName = "IMAGES", DefaultValueFactory = _ => 16 };
        var threads = new Option<int>("--threads") { Description = "Threads of libtorch", HelpName = "COUNT", DefaultValueFactory = _ => 2 };
        var steps = new Option<int>("--steps") { Description = "Steps measured, after two to warm up", HelpName = "COUNT", DefaultValueFactory = _ => 10 };
        var inference = new Option<bool>("--batch-norm-inference") { Description = "Batch norms by their moving statistics, as when pretrained layers are unfrozen" };
        var command = new Command("training", "Images a second of training steps (SGD with momentum), all layers, random weights and images, 224×224")
            { networks, batch, threads, steps, inference };
        command.SetAction(parsed =>
        {
            Console.WriteLine($"# {Machine.Describe()}; {parsed.GetValue(threads)} threads");
            Console.WriteLine($"{"network",-26}{"batch",6}{"images/s",10}{"peak MiB",10}");
            foreach (var name in parsed.GetRequiredValue(networks))
            {
                var figure = Measure(name, parsed.GetValue(threads), parsed.GetValue(batch), parsed.GetValue(steps), parsed.GetValue(inference));
                Console.WriteLine($"{name,-26}{parsed.GetValue(batch),6}{figure,10:N2}{PeakMebibytes(),10:N0}");
            }
            return 0;
        });
        return command;
    }

    private static double Measure(string name, int threads, int batch, int steps, bool inference)
    {
        using var backbone = Backbone.Untrained(name, seed: 1);
        using var network = new TorchNetwork(backbone.Network, inference ? new SmallScales(backbone.Weights) : backbone.Weights);
        // Not before: Graft's settings of libtorch's threads must be made before libtorch is loaded.
        set_num_threads(threads);
        FreezePlan.None(backbone.Network, inference ? BatchNormMode.Inference : BatchNormMode.Training).ApplyTo(network);
        var random = new Random(1);
        float[] image = [.. Enumerable.Range(0, network.Network.InputShape.ElementCount).Select(_ => random.NextSingle() - 0.5f)];
        var examples = new ExamplesInMemory([.. Enumerable.Repeat(image, batch * (steps + 2))], [.. Enumerable.Range(0, batch * (steps + 2)).Select(i => i % 10)]);
        var timer = new StepTimer(batch);
        Trainer.Fit(
            network, examples, new ExamplesInMemory([image], [0]),
            new() { Optimizer = OptimizerKind.Sgd, LearningRate = 1e-4, WeightDecay = 0, BatchSize = batch, Epochs = 1 }, [timer]);
        return timer.ImagesPerSecond;
    }

    /// <summary>Of this process so far, so that one network a process gives each one's own.</summary>
    private static double PeakMebibytes() => System.Diagnostics.Process.GetCurrentProcess().PeakWorkingSet64 / (1024.0 * 1024);

    /// <summary>Random weights whose batch norms do not normalize by the batch would else explode: here every scale is ½.</summary>
    private sealed class SmallScales(IWeights weights) : IWeights
    {
        public void Read(Parameter parameter, Span<float> destination)
        {
            weights.Read(parameter, destination);
            if (parameter.Role == ParameterRole.Gamma) destination.Fill(0.5f);
        }
    }

    private sealed class StepTimer(int batch) : ITrainingCallback
    {
        private readonly System.Diagnostics.Stopwatch _clock = System.Diagnostics.Stopwatch.StartNew();
        private readonly List<double> _durations = [];

        public double ImagesPerSecond => batch / _durations.Skip(2).Order().ElementAt((_durations.Count - 2) / 2);

        public void OnStep(TrainingProgress training, StepResult result)
        {
            _durations.Add(_clock.Elapsed.TotalSeconds);
            _clock.Restart();
        }
    }
}
