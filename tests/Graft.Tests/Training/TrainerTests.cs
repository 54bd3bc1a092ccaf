using Graft.Networks;
using Graft.Training;

namespace Graft.Tests.Training;

[Collection(nameof(AloneWithTorch))]
public class TrainerTests
{
    /// <summary>Points in the plane around three corners, far enough apart for a line between them.</summary>
    private static ExamplesInMemory Corners(int count, int seed)
    {
        (double X, double Y)[] corners = [(-2, -2), (2, -2), (0, 2)];
        var random = new Random(seed);
        var labels = Enumerable.Range(0, count).Select(i => i % 3).ToArray();
        return new([.. labels.Select(label => (float[])
            [(float)(corners[label].X + random.NextDouble()), (float)(corners[label].Y + random.NextDouble())])], labels);
    }

    private static Network Head(Head? head = null, int classes = 3)
    {
        var builder = new NetworkBuilder("head", [new("features", new Input(2, 0, 0), [])]);
        return builder.Build((head ?? Graft.Networks.Head.Dense(8, dropout: 0.2)).Build(builder.Node("features"), classes));
    }

    private static TrainingHistory Fit(
        TorchNetwork network, TrainingOptions? options = null, IExamples? training = null, IExamples? validation = null,
        Action<EpochResult>? onEpoch = null, CancellationTokenSource? cancellation = null) =>
        Trainer.Fit(
            network, training ?? Corners(45, seed: 1), validation ?? Corners(15, seed: 2),
            options ?? new() { LearningRate = 0.01, WeightDecay = 1e-4, Epochs = 30 }, onEpoch,
            cancellation?.Token ?? TestContext.Current.CancellationToken);

    private static Dictionary<string, float[]> ValuesOf(TorchNetwork network) => network.Network.Parameters.ToDictionary(
        parameter => parameter.Key,
        parameter =>
        {
            var values = new float[parameter.ElementCount];
            network.Read(parameter, values);
            return values;
        });

    private static double LossOf(TorchNetwork network, ExamplesInMemory examples)
    {
        var outputs = Trainer.Outputs(network, examples, batchSize: 7, TestContext.Current.CancellationToken);
        return outputs.Select((row, i) =>
            Math.Log(row.Sum(logit => Math.Exp(logit - row.Max()))) + row.Max() - row[examples.LabelOf(i)]).Average();
    }

    [Fact]
    public void Separable_classes_are_learned()
    {
        using var network = new TorchNetwork(Head(), new RandomWeights(1));

        var history = Fit(network);

        Assert.Equal(1, history.Epochs[history.BestEpoch - 1].ValidationAccuracy);
        Assert.InRange(history.Epochs[^1].Loss, 0, 0.5 * history.Epochs[0].Loss);
    }

    [Fact]
    public void Same_seed_gives_the_same_weights_bit_for_bit_and_another_seed_others()
    {
        Dictionary<string, float[]> Train(int seed)
        {
            using var network = new TorchNetwork(Head(), new RandomWeights(1));
            Fit(network, new() { Seed = seed, Epochs = 4 });
            return ValuesOf(network);
        }
        var (first, second, other) = (Train(1), Train(1), Train(2));

        Assert.All(first, pair => Assert.Equal(pair.Value, second[pair.Key]));
        Assert.NotEqual(first["head.classes.weight"], other["head.classes.weight"]);
    }

    [Fact]
    public void Network_ends_with_the_weights_of_the_epoch_of_lowest_validation_loss()
    {
        using var network = new TorchNetwork(Head(), new RandomWeights(1));
        var validation = Corners(15, seed: 2);

        // So large a step that the loss goes up and down.
        var history = Fit(network, new() { LearningRate = 0.5, Epochs = 12, Patience = 0, WeightDecay = 0 }, validation: validation);

        var best = history.Epochs.MinBy(epoch => epoch.ValidationLoss)!;
        Assert.Equal(best.Epoch, history.BestEpoch);
        Assert.NotEqual(12, history.BestEpoch);
        Assert.Equal(best.ValidationLoss, LossOf(network, validation), 1e-5 * (1 + best.ValidationLoss));
        Assert.False(network.training);
    }

    [Fact]
    public void Training_stops_when_validation_does_not_get_better()
    {
        // What is right in training is wrong in validation, and at the start nothing is either: no epoch beats the first.
        using var network = new TorchNetwork(Head(Graft.Networks.Head.Softmax), new ZeroAt(new RandomWeights(1), "head.classes.weight"));
        var training = Corners(45, seed: 1);
        var validation = new ExamplesInMemory(
            [.. Enumerable.Range(0, 45).Select(i => { var x = new float[2]; training.Read(i, 0, x); return x; })],
            [.. Enumerable.Range(0, 45).Select(i => (training.LabelOf(i) + 1) % 3)]);

        var history = Fit(network, new() { Epochs = 50, Patience = 3, LearningRate = 0.01, WeightDecay = 0 }, training, validation);

        Assert.Equal((1, 4), (history.BestEpoch, history.Epochs.Count));
    }

    [Fact]
    public void Patience_of_0_never_stops_early()
    {
        using var network = new TorchNetwork(Head(), new RandomWeights(1));

        Assert.Equal(20, Fit(network, new() { Epochs = 20, Patience = 0, LearningRate = 0.3 }).Epochs.Count);
    }

    [Fact]
    public void Time_limit_ends_training_after_the_epoch()
    {
        using var network = new TorchNetwork(Head(), new RandomWeights(1));

        Assert.Single(Fit(network, new() { TimeLimit = TimeSpan.Zero }).Epochs);
    }

    [Fact]
    public void Diverging_loss_is_an_error_with_advice()
    {
        using var network = new TorchNetwork(Head(Graft.Networks.Head.Softmax with { BatchNorm = false }), new RandomWeights(1));

        var problem = Assert.Throws<TrainingDivergedException>(() => Fit(
            network, new() { Optimizer = OptimizerKind.Sgd, LearningRate = 1e30, Epochs = 50, Patience = 0, WeightDecay = 0.1 }));

        Assert.Contains("diverged", problem.Message, StringComparison.Ordinal);
        Assert.Contains("Lower the learning rate", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_to_validate_on_is_told_as_that()
    {
        using var network = new TorchNetwork(Head(), new RandomWeights(1));

        var problem = Assert.Throws<GraftException>(() => Fit(network, validation: Corners(0, seed: 1)));

        Assert.Contains("validation image", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_unsuitable_option_is_named_at_once()
    {
        using var network = new TorchNetwork(Head(), new RandomWeights(1));

        var problem = Assert.Throws<GraftException>(() => Fit(network, new()
        {
            LearningRate = double.NaN,
            Momentum = 1,
            WeightDecay = -1,
            BatchSize = 1,
            Epochs = 0,
            Patience = -1,
        }));

        Assert.All(
            (string[])["learning rate", "momentum", "weight decay", "batch size", "epoch", "patience"],
            word => Assert.Contains(word, problem.Message, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(9)]
    [InlineData(2)]
    public void Last_batch_of_one_does_not_upset_batch_norm(int count)
    {
        using var network = new TorchNetwork(Head(), new RandomWeights(1));

        var history = Fit(network, new() { BatchSize = 2, Epochs = 3, Patience = 0 }, training: Corners(count, seed: 1));

        Assert.Equal(3, history.Epochs.Count);
        Assert.All(ValuesOf(network).Values.SelectMany(values => values), value => Assert.True(float.IsFinite(value)));
    }

    [Theory]
    [InlineData(OptimizerKind.Sgd)]
    [InlineData(OptimizerKind.RmsProp)]
    [InlineData(OptimizerKind.Adam)]
    public void Each_optimizer_lowers_the_loss(OptimizerKind optimizer)
    {
        using var network = new TorchNetwork(Head(Graft.Networks.Head.Softmax), new RandomWeights(1));
        var before = LossOf(network, Corners(15, seed: 2));

        Fit(network, new() { Optimizer = optimizer, LearningRate = 0.01, Epochs = 20, Patience = 0, WeightDecay = 1e-4 });

        Assert.InRange(LossOf(network, Corners(15, seed: 2)), 0, 0.5 * before);
    }

    /// <summary>Zero inputs and no loss to speak of: what moves, weight decay moves.</summary>
    [Theory]
    [InlineData(OptimizerKind.Sgd)]
    [InlineData(OptimizerKind.RmsProp)]
    [InlineData(OptimizerKind.Adam)]
    public void Weight_decay_shrinks_kernels_alone(OptimizerKind optimizer)
    {
        var builder = new NetworkBuilder("decay");
        var image = builder.Input("image", 2, 2).Convolution("conv", 3, 1).BatchNorm("norm", 1e-5).LayerScale("scale");
        var network = builder.Build(image.GlobalPool("pool").Dense("zero", 4).Dense("classes", 2, bias: false));
        // The last layer's zeros let no gradient through to those below, and equal classes keep it at zero.
        var weights = new ZeroAt(new RandomWeights(1), "classes.weight");
        using var module = new TorchNetwork(network, weights);
        var before = ValuesOf(module);
        var examples = new ExamplesInMemory([.. Enumerable.Repeat(new float[8], 4)], [0, 1, 0, 1]);

        Trainer.Fit(
            module, examples, examples, new() { Optimizer = optimizer, WeightDecay = 0.5, LearningRate = 0.001, Epochs = 1, BatchSize = 4 },
            cancellation: TestContext.Current.CancellationToken);

        var after = ValuesOf(module);
        foreach (var key in (string[])["conv.weight", "zero.weight"])
            Assert.InRange(after[key].Sum(Math.Abs), 0, before[key].Sum(Math.Abs) - 1e-6);
        foreach (var key in (string[])["conv.bias", "norm.weight", "norm.bias", "scale", "zero.bias"])
            Assert.Equal(before[key], after[key]);
    }

    [Fact]
    public void Stochastic_gradient_descent_steps_with_Nesterov_momentum()
    {
        // One input of 1 and two classes: the gradient of the two weights is p - [1, 0].
        var builder = new NetworkBuilder("line", [new("x", new Input(1, 0, 0), [])]);
        using var module = new TorchNetwork(
            builder.Build(builder.Node("x").Dense("classes", 2, bias: false)), new ZeroAt(new RandomWeights(1), "classes.weight"));
        var examples = new ExamplesInMemory([[1], [1]], [0, 0]);

        Trainer.Fit(
            module, examples, examples,
            new() { Optimizer = OptimizerKind.Sgd, LearningRate = 0.1, Momentum = 0.5, WeightDecay = 0, Epochs = 2, BatchSize = 2 },
            cancellation: TestContext.Current.CancellationToken);

        var (weight, velocity) = (0.0, 0.0);
        for (var step = 0; step < 2; step++)
        {
            var gradient = 1 / (1 + Math.Exp(-2 * weight)) - 1;
            velocity = 0.5 * velocity + gradient;
            weight -= 0.1 * (gradient + 0.5 * velocity);
        }
        Assert.Equal(weight, ValuesOf(module)["classes.weight"][0], 1e-6);
    }

    [Fact]
    public void Interruption_ends_training()
    {
        using var network = new TorchNetwork(Head(), new RandomWeights(1));
        using var cancellation = new CancellationTokenSource();
        var epochs = 0;

        Assert.ThrowsAny<OperationCanceledException>(() => Fit(
            network, onEpoch: _ =>
            {
                epochs++;
                cancellation.Cancel();
            },
            cancellation: cancellation));

        Assert.Equal(1, epochs);
    }

    [Fact]
    public void Each_epoch_is_reported_as_it_ends_and_asks_for_its_own_view()
    {
        using var network = new TorchNetwork(Head(), new RandomWeights(1));
        var examples = new Views(Corners(9, seed: 1));
        var reported = new List<EpochResult>();

        var history = Fit(network, new() { Epochs = 3, Patience = 0 }, examples, onEpoch: reported.Add);

        Assert.Equal(history.Epochs, reported);
        Assert.Equal([1, 2, 3], examples.Epochs.Distinct().Order());
    }

    private sealed class Views(IExamples examples) : IExamples
    {
        public List<int> Epochs { get; } = [];

        public int Count => examples.Count;

        public int LabelOf(int index) => examples.LabelOf(index);

        public void Read(int index, int epoch, Span<float> input)
        {
            Epochs.Add(epoch);
            examples.Read(index, epoch, input);
        }
    }

    private sealed class ZeroAt(IWeights weights, string zero) : IWeights
    {
        public void Read(Parameter parameter, Span<float> destination)
        {
            weights.Read(parameter, destination);
            if (parameter.Key == zero) destination.Clear();
        }
    }
}
