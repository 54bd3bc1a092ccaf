using Graft.Backbones;
using Graft.Data;
using Graft.Imaging;
using Graft.Networks;
using Graft.Testing;
using Graft.Training;
using static TorchSharp.torch;

namespace Graft.Tests.Training;

[Collection(nameof(AloneWithTorch))]
public class FineTuningTests
{
    /// <summary>Bright and dark pictures of 8×8 pixels, six of each to train on and two to validate.</summary>
    private static LabeledImages Photos(TemporaryFolder folder, bool withBroken = false)
    {
        foreach (var (part, count) in new[] { ("train", 6), ("val", 2) })
            foreach (var (name, level) in new[] { ("bright", 160), ("dark", 40) })
                for (var i = 0; i < count; i++)
                {
                    var pixels = new byte[3 * 64];
                    new Random(level + 10 * i + part.Length).NextBytes(pixels);
                    for (var p = 0; p < pixels.Length; p++) pixels[p] = (byte)(level + pixels[p] / 4);
                    File.WriteAllBytes(folder.File($"{part}/{name}/{i}.png"), ContactSheet.ToPng(new(8, 8, pixels)));
                }
        if (withBroken) File.WriteAllText(folder.File("train/dark/broken.png"), "no picture");
        return LabeledImages.Load(folder.FullName);
    }

    private static Backbone Small()
    {
        var builder = new NetworkBuilder("small");
        var x = builder.Input("image", 3, 8).Convolution("one.conv", 6, 3, padding: Padding.Same, bias: false).BatchNorm("one.norm", 1e-3).Relu("one.relu");
        x = x.Convolution("two.conv", 6, 3, padding: Padding.Same, bias: false).BatchNorm("two.norm", 1e-3).Relu("two.relu").Add("two.add", x);
        return Backbone.Of("small", builder.Build(x.Convolution("three", 8, 3)), new RandomWeights(3), Preprocessing.UnitRange(8));
    }

    private static FineTuningOptions Short(Strategy strategy) => FineTuningOptions.For(strategy) is var options
        ? options with
        {
            HeadStage = options.HeadStage is { } head ? head with { Training = head.Training with { Epochs = 3, BatchSize = 4 } } : null,
            UnfrozenStage = options.UnfrozenStage is { } unfrozen ? unfrozen with { Training = unfrozen.Training with { Epochs = 3, BatchSize = 4 } } : null,
            Device = ComputeDevice.Cpu,
        }
        : null!;

    private static float[] Values(IWeights weights, Parameter parameter)
    {
        var values = new float[parameter.ElementCount];
        weights.Read(parameter, values);
        return values;
    }

    private static FineTunedNetwork Train(TemporaryFolder folder, FineTuningOptions options, FineTuningContext? context = null, Backbone? backbone = null)
    {
        using var small = backbone ?? Small();
        return FineTuning.Train(small.Graft(options.Head, ["bright", "dark"]), Photos(folder), options, context, TestContext.Current.CancellationToken);
    }

    [Theory]
    [InlineData(Strategy.Head, null, "features", "one.conv one.norm two.conv two.norm three")]
    [InlineData(Strategy.Partial, "two", "one.relu", "one.conv one.norm")]
    [InlineData(Strategy.FineTune, "three", "two.add", "one.conv one.norm two.conv two.norm")]
    [InlineData(Strategy.Full, null, "image", "")]
    public void Frozen_weights_and_statistics_come_out_bit_for_bit(Strategy strategy, string? from, string boundary, string frozen)
    {
        using var folder = new TemporaryFolder();

        var trained = Train(folder, Short(strategy) with { UnfreezeFrom = from });

        Assert.Equal(boundary, trained.Boundary);
        foreach (var parameter in Small().Network.Parameters)
        {
            var (before, after) = (Values(new RandomWeights(3), parameter), Values(trained.Weights, parameter));
            // Unfrozen batch norms run in inference mode: statistics stay everywhere but in the head.
            if (frozen.Split(' ').Contains(parameter.Layer) || parameter.IsStatistic) Assert.Equal(before, after);
            else Assert.NotEqual(before, after);
        }
    }

    [Fact]
    public void Scratch_begins_with_random_weights_and_moves_statistics()
    {
        using var folder = new TemporaryFolder();

        var trained = Train(folder, Short(Strategy.Scratch));

        foreach (var parameter in Small().Network.Parameters)
            Assert.NotEqual(Values(new RandomWeights(3), parameter), Values(trained.Weights, parameter));
    }

    /// <summary>Live, every photo goes through the frozen layers each time; cached, once; both see the same numbers.</summary>
    [Fact]
    public void Cached_and_live_activations_train_the_same_network()
    {
        using var folder = new TemporaryFolder();
        var options = Short(Strategy.Partial) with { UnfreezeFrom = "two" };

        var (cached, live) = (Train(folder, options), Train(folder, options with { KeptBytes = 0 }));

        foreach (var parameter in cached.Network.Parameters)
            Assert.All(Values(cached.Weights, parameter).Zip(Values(live.Weights, parameter)), pair => Assert.Equal(pair.First, pair.Second, 1e-4f));
    }

    [Fact]
    public void Views_are_the_same_from_a_bank_and_live()
    {
        using var folder = new TemporaryFolder();
        var options = Short(Strategy.Head) with { HeadStage = Short(Strategy.Head).HeadStage! with { Augmentation = Augmentation.Medium, Views = 3 } };

        // Three epochs take three views in turn, as three epochs of new ones do.
        var (bank, live) = (Train(folder, options), Train(folder, options with { HeadStage = options.HeadStage! with { Views = 0 } }));

        foreach (var parameter in bank.Network.Parameters)
            Assert.All(Values(bank.Weights, parameter).Zip(Values(live.Weights, parameter)), pair => Assert.Equal(pair.First, pair.Second, 2e-3f));
    }

    [Fact]
    public void One_logit_comes_out_as_two()
    {
        using var folder = new TemporaryFolder();
        var trained = Train(folder, Short(Strategy.Head) with { Head = Head.Softmax with { OneLogit = true } });

        Assert.Equal(2, trained.Network.OutputShape.ElementCount);
        var bias = Values(trained.Weights, trained.Network.Parameters.Single(parameter => parameter.Key == "head.classes.bias"));
        Assert.Equal(0, bias[0]);
        Assert.NotEqual(0, bias[1]);
    }

    [Fact]
    public void Partial_unfreezes_the_upper_third_where_the_network_can_be_cut()
    {
        var stage = Assert.Single(FineTuning.Stages(Small().Graft(Head.Softmax, ["a", "b"]), FineTuningOptions.For(Strategy.Partial)));

        Assert.Equal("three", stage.Plan.Layers.First(layer => layer.IsTrained).Name);
        Assert.Equal("two.add", stage.Plan.Boundary());
    }

    [Fact]
    public void Device_that_is_not_here_is_told()
    {
        if (cuda.is_available()) Assert.Skip("There is a CUDA device.");
        using var folder = new TemporaryFolder();

        var problem = Assert.Throws<GraftException>(() => Train(folder, Short(Strategy.Head) with { Device = ComputeDevice.Cuda }));

        Assert.Contains("no device 'cuda'", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Live_tensors_stay_as_many_over_50_epochs()
    {
        using var folder = new TemporaryFolder();
        var counts = new List<long>();
        var options = Short(Strategy.Full);
        options = options with { UnfrozenStage = options.UnfrozenStage! with { Training = options.UnfrozenStage!.Training with { Epochs = 50, EmaDecay = 0.9 } } };

        Train(folder, options, new() { Checkpoints = Directory.CreateDirectory(folder.File("checkpoints")).FullName, OnStage = _ => [new Counter(counts)] });

        Assert.Equal(50, counts.Count);
        Assert.InRange(counts[^1] - counts[4], long.MinValue, 0);
    }

    private sealed class Counter(List<long> counts) : ITrainingCallback
    {
        public void OnEpoch(TrainingProgress training, EpochResult epoch)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            counts.Add(Tensor.TotalCount);
        }
    }
}
