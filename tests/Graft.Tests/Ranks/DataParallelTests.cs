using Graft.Backbones;
using Graft.Data;
using Graft.Networks;
using Graft.Ranks;
using Graft.Training;

namespace Graft.Tests.Ranks;

/// <summary>Ranks that each take a part of every batch, against one process that takes all of it; one thread each.</summary>
[Collection(nameof(AloneWithTorch))]
public class DataParallelTests
{
    /// <summary>float32 sums in another order, over 20 steps.</summary>
    private const double LossTolerance = 1e-5, WeightTolerance = 1e-4;

    private const int Classes = 3, Size = 32;

    private static readonly TrainingOptions TwentySteps = new()
    {
        Optimizer = OptimizerKind.Sgd,
        LearningRate = 0.01,
        WeightDecay = 1e-4,
        BatchSize = 16,
        Epochs = 5,
        Patience = 0,
        Seed = 3,
    };

    /// <summary>Noise with a tint for each class.</summary>
    private static ExamplesInMemory Pictures(int count, int seed)
    {
        var random = new Random(seed);
        int[] labels = [.. Enumerable.Range(0, count).Select(index => index % 7 % Classes)];
        return new([.. labels.Select(label => Enumerable.Range(0, 3 * Size * Size).Select(place => (float)(random.NextDouble() + (place / (Size * Size) == label ? 0.3 : 0) - 0.6)).ToArray())], labels);
    }

    private sealed record Outcome(IReadOnlyList<double> StepLosses, TrainingHistory History, IReadOnlyDictionary<string, float[]> Weights);

    private static Outcome Train(ICollective? ranks, TrainingOptions options, Head head, BatchNormMode? norms, int count = 64, TrainingCheckpoint? checkpoint = null)
    {
        using var backbone = Backbone.Load("tiny").WithInputSize(Size, Size);
        var model = backbone.CutBefore(backbone.Head!).Graft(head, ["a", "b", "c"]);
        using var network = new TorchNetwork(model.Network, model.Weights);
        var plan = FreezePlan.None(model.Network);
        (norms is { } mode ? plan.WithBatchNorm(mode, head.BatchNorm ? "head.*" : "*") : plan).ApplyTo(network);
        var steps = new Steps();
        var history = Trainer.Fit(network, Pictures(count, seed: 1), Pictures(10, seed: 2), options, [steps], checkpoint, objective: null, ranks, TestContext.Current.CancellationToken);
        return new(steps.Losses, history, model.Network.Parameters.ToDictionary(parameter => parameter.Key, parameter =>
        {
            var values = new float[parameter.ElementCount];
            network.Read(parameter, values);
            return values;
        }));
    }

    private static void AssertSame(Outcome expected, Outcome actual)
    {
        foreach (var (one, other) in expected.StepLosses.Zip(actual.StepLosses)) Assert.InRange(Math.Abs(one - other) / one, 0, LossTolerance);
        foreach (var (key, values) in expected.Weights)
            Assert.True(values.Zip(actual.Weights[key], (one, other) => Math.Abs(one - other) / Math.Max(1, Math.Abs(one))).Max() <= WeightTolerance, key);
        Assert.Equal(expected.StepLosses.Count, actual.StepLosses.Count);
        Assert.Equal(expected.History.BestEpoch, actual.History.BestEpoch);
        Assert.All(expected.History.Epochs.Zip(actual.History.Epochs), pair => Assert.Equal(pair.First.ValidationAccuracy, pair.Second.ValidationAccuracy));
    }

    [Fact]
    public void Two_ranks_of_batch_8_are_one_process_of_batch_16()
    {
        using var threads = new TorchThreads(1);
        var head = Head.Softmax with { BatchNorm = false };

        var one = Train(null, TwentySteps, head, norms: null);
        var two = ThreadRanks.Run(2, ranks => Train(ranks, TwentySteps, head, norms: null));

        Assert.Equal(20, one.StepLosses.Count);
        Assert.All(two, rank => AssertSame(one, rank));
        Assert.Equal(two[0].Weights.Values.SelectMany(values => values), two[1].Weights.Values.SelectMany(values => values));
    }

    /// <summary>The last batch leaves two images for three ranks; parts of batches differ in size and weight.</summary>
    [Theory]
    [InlineData("head norm")]
    [InlineData("all norms")]
    [InlineData("mixup")]
    [InlineData("cutmix")]
    [InlineData("balanced")]
    [InlineData("smoothed, averaged, clipped")]
    public void Three_ranks_are_one_process_with(string what)
    {
        using var threads = new TorchThreads(1);
        var options = TwentySteps with
        {
            Epochs = 2,
            // Smaller steps: normalization by few images makes much of little.
            LearningRate = what == "head norm" ? 1e-5 : 1e-3,
            Mixing = what == "mixup" ? BatchMixing.Mixup : what == "cutmix" ? BatchMixing.CutMix : BatchMixing.None,
            ClassWeights = what == "balanced" ? ClassWeighting.Balanced : ClassWeighting.None,
            LabelSmoothing = what.StartsWith("smoothed", StringComparison.Ordinal) ? 0.1 : 0,
            EmaDecay = what.StartsWith("smoothed", StringComparison.Ordinal) ? 0.9 : 0,
            GradientClip = what.StartsWith("smoothed", StringComparison.Ordinal) ? 1 : 0,
        };
        var head = Head.Softmax with { BatchNorm = what == "head norm" };
        BatchNormMode? norms = what.EndsWith("norm", StringComparison.Ordinal) || what == "all norms" ? BatchNormMode.Training : null;

        var one = Train(null, options, head, norms, count: 50);
        var three = ThreadRanks.Run(3, ranks => Train(ranks, options, head, norms, count: 50));

        Assert.All(three, rank => AssertSame(one, rank));
    }

    private sealed class Steps : ITrainingCallback
    {
        public List<double> Losses { get; } = [];

        public void OnStep(TrainingProgress training, StepResult result) => Losses.Add(result.Loss);
    }
}
