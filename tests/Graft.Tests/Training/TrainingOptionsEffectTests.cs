using Graft.Data;
using Graft.Networks;
using Graft.Testing;
using Graft.Training;

namespace Graft.Tests.Training;

/// <summary>What each option of training does, on a small head.</summary>
[Collection(nameof(AloneWithTorch))]
public class TrainingOptionsEffectTests
{
    private static Network Head(int classes = 2, Head? head = null)
    {
        var builder = new NetworkBuilder("head", [new("features", new Input(2, 0, 0), [])]);
        return builder.Build((head ?? Graft.Networks.Head.Dense(6, dropout: 0.3)).Build(builder.Node("features"), classes));
    }

    /// <summary>Two overlapping clouds; the first class has as many times more points as asked.</summary>
    private static ExamplesInMemory Clouds(int count = 40, int timesMore = 1, int seed = 1)
    {
        var random = new Random(seed);
        var labels = Enumerable.Range(0, count).Select(i => i % (timesMore + 1) == timesMore ? 1 : 0).ToArray();
        return new([.. labels.Select(label => (float[])[(float)(label + 2 * random.NextDouble()), (float)random.NextDouble()])], labels);
    }

    private static Dictionary<string, float[]> ValuesOf(TorchNetwork network) => network.Network.Parameters.ToDictionary(
        parameter => parameter.Key,
        parameter =>
        {
            var values = new float[parameter.ElementCount];
            network.Read(parameter, values);
            return values;
        });

    private static (Dictionary<string, float[]> Weights, TrainingHistory History) Train(
        TrainingOptions options, IReadOnlyList<ITrainingCallback>? callbacks = null, Network? network = null, IExamples? training = null,
        TrainingCheckpoint? checkpoint = null)
    {
        using var module = new TorchNetwork(network ?? Head(), new RandomWeights(1));
        var history = Trainer.Fit(
            module, training ?? Clouds(), Clouds(seed: 2), options, callbacks ?? [], checkpoint, cancellation: TestContext.Current.CancellationToken);
        return (ValuesOf(module), history);
    }

    private sealed class Recorder : ITrainingCallback
    {
        public List<StepResult> Steps { get; } = [];

        public List<string> Order { get; } = [];

        public int StopAfter { get; init; } = int.MaxValue;

        public void OnStart(TrainingProgress training) => Order.Add("start");

        public void OnStep(TrainingProgress training, StepResult result) => Steps.Add(result);

        public void OnBest(TrainingProgress training, EpochResult epoch) => Order.Add($"best {epoch.Epoch}");

        public void OnEpoch(TrainingProgress training, EpochResult epoch)
        {
            Order.Add($"epoch {epoch.Epoch}");
            if (epoch.Epoch >= StopAfter) training.Stop();
        }

        public void OnEnd(TrainingProgress training, TrainingHistory history) => Order.Add("end");
    }

    [Fact]
    public void Callbacks_are_told_in_order_and_can_stop()
    {
        var recorder = new Recorder { StopAfter = 2 };

        Train(new() { Epochs = 9, BatchSize = 16 }, [recorder]);

        Assert.Equal("start", recorder.Order[0]);
        Assert.Equal("best 1", recorder.Order[1]);
        Assert.Equal(["epoch 1", "epoch 2"], recorder.Order.Where(entry => entry.StartsWith("epoch", StringComparison.Ordinal)));
        Assert.Equal("end", recorder.Order[^1]);
        Assert.Equal([(1, 1, 16), (1, 2, 16), (1, 3, 8), (2, 1, 16), (2, 2, 16), (2, 3, 8)], recorder.Steps.Select(step => (step.Epoch, step.Step, step.Images)));
    }

    [Fact]
    public void Learning_rate_warms_up_and_follows_its_schedule()
    {
        var recorder = new Recorder();

        Train(
            new() { Epochs = 4, BatchSize = 8, Patience = 0, LearningRate = 0.5, WarmUpEpochs = 1, Schedule = new LearningRateSchedule.Stepwise(2, 0.1) },
            [recorder]);

        Assert.Equal([0.1, 0.2, 0.3, 0.4, 0.5], recorder.Steps.Take(5).Select(step => Math.Round(step.LearningRate, 12)));
        Assert.Equal([0.5, 0.05, 0.05], recorder.Steps.Where(step => step.Step == 1).Skip(1).Select(step => Math.Round(step.LearningRate, 12)));
    }

    [Fact]
    public void Learning_rate_of_0_share_moves_nothing()
    {
        // A cosine ends at 0: the last step's rate is that, and what it would change stays.
        var recorder = new Recorder();
        Train(new() { Epochs = 3, BatchSize = 40, Patience = 0, Schedule = new LearningRateSchedule.Cosine() }, [recorder]);

        Assert.Equal(0, recorder.Steps[^1].LearningRate, 1e-12);
    }

    [Fact]
    public void Lower_layers_learn_slower_where_asked()
    {
        double Moved(double lowest, string key)
        {
            using var module = new TorchNetwork(Head(), new RandomWeights(1));
            var before = ValuesOf(module)[key];
            Trainer.Fit(
                module, Clouds(), Clouds(), new() { Optimizer = OptimizerKind.Adam, Epochs = 1, BatchSize = 40, LayerwiseLearningRateDecay = lowest, WeightDecay = 0 },
                cancellation: TestContext.Current.CancellationToken);
            return ValuesOf(module)[key].Zip(before, (a, b) => Math.Abs(a - b)).Max();
        }

        // Adam's first step is the learning rate for every weight: norm lowest, dense1 in the middle, classes on top.
        Assert.Equal(0.01 * Moved(1, "head.norm.bias"), Moved(0.01, "head.norm.bias"), 2e-6);
        Assert.Equal(0.1 * Moved(1, "head.dense1.weight"), Moved(0.01, "head.dense1.weight"), 2e-6);
        Assert.Equal(Moved(1, "head.classes.weight"), Moved(0.01, "head.classes.weight"), 2e-6);
    }

    [Fact]
    public void Decay_of_AdamW_is_the_rate_times_it_off_the_kernel()
    {
        // Inputs of 0 and a last layer that equal classes keep at 0 leave nothing but decay.
        var builder = new NetworkBuilder("decay", [new("features", new Input(2, 0, 0), [])]);
        var network = builder.Build(builder.Node("features").Dense("hidden", 3).Dense("classes", 2, bias: false));
        using var module = new TorchNetwork(network, new ZeroAt(new RandomWeights(1), "classes.weight"));
        var before = ValuesOf(module);
        var zeros = new ExamplesInMemory([new float[2], new float[2]], [0, 1]);

        Trainer.Fit(
            module, zeros, zeros, new() { Optimizer = OptimizerKind.AdamW, WeightDecay = 0.5, LearningRate = 0.1, Epochs = 1, BatchSize = 2 },
            cancellation: TestContext.Current.CancellationToken);

        foreach (var (was, now) in before["hidden.weight"].Zip(ValuesOf(module)["hidden.weight"])) Assert.Equal(was * 0.95, now, 1e-6);
    }

    [Theory]
    [InlineData(OptimizerKind.Sgd)]
    [InlineData(OptimizerKind.AdamW)]
    public void L2_SP_pulls_weights_back_to_where_training_started(OptimizerKind optimizer)
    {
        Dictionary<string, float[]> After(int epochs, double pull)
        {
            using var module = new TorchNetwork(Head(), new RandomWeights(1));
            Dictionary<string, float[]> last = [];
            Trainer.Fit(
                module, Clouds(), Clouds(),
                new() { Optimizer = optimizer, Momentum = 0, LearningRate = 0.01, L2Sp = pull, WeightDecay = 0, Epochs = epochs, BatchSize = 40, Patience = 0 },
                _ => last = ValuesOf(module), TestContext.Current.CancellationToken);
            return last;
        }
        using var start = new TorchNetwork(Head(), new RandomWeights(1));
        var (before, once, free, pulled) = (ValuesOf(start), After(1, 0.5), After(2, 0), After(2, 0.5));

        // The first step begins where the weights are; the second goes the rate times the pull of the way back, norms and biases too.
        foreach (var key in (string[])["head.norm.weight", "head.dense1.weight", "head.classes.bias"])
        {
            for (var i = 0; i < once[key].Length; i++) Assert.Equal(free[key][i] - 0.01 * 0.5 * (once[key][i] - before[key][i]), pulled[key][i], 1e-6);
            Assert.Contains(Enumerable.Range(0, once[key].Length), i => Math.Abs(0.01 * 0.5 * (once[key][i] - before[key][i])) > 5e-6);
        }
    }

    [Fact]
    public void Gradients_are_clipped_to_the_norm()
    {
        double Moved(double clip)
        {
            using var module = new TorchNetwork(Head(), new RandomWeights(1));
            var before = ValuesOf(module);
            Trainer.Fit(
                module, Clouds(), Clouds(),
                new() { Optimizer = OptimizerKind.Sgd, Momentum = 0, LearningRate = 1, GradientClip = clip, Epochs = 1, BatchSize = 40, WeightDecay = 0 },
                cancellation: TestContext.Current.CancellationToken);
            return Math.Sqrt(ValuesOf(module).Where(pair => !pair.Key.Contains("running", StringComparison.Ordinal))
                .Sum(pair => pair.Value.Zip(before[pair.Key], (a, b) => (double)(a - b) * (a - b)).Sum()));
        }

        Assert.InRange(Moved(0), 0.02, 100);
        Assert.Equal(0.01, Moved(0.01), 1e-4);
    }

    [Fact]
    public void Average_of_weights_is_what_is_validated_and_kept()
    {
        var last = new Dictionary<string, float[]>();
        var best = new Dictionary<string, float[]>();
        var copies = new Copier(best, last);

        var (kept, _) = Train(
            new() { Epochs = 3, Patience = 0, EmaDecay = 0.9, LearningRate = 0.05, Optimizer = OptimizerKind.Sgd, WeightDecay = 0 }, [copies]);

        Assert.Equal(best["head.classes.weight"], kept["head.classes.weight"]);
        Assert.NotEqual(last["head.classes.weight"], kept["head.classes.weight"]);
    }

    private sealed class Copier(Dictionary<string, float[]> best, Dictionary<string, float[]> last) : ITrainingCallback
    {
        public void OnBest(TrainingProgress training, EpochResult epoch) => Copy(training, best);

        public void OnEpoch(TrainingProgress training, EpochResult epoch) => Copy(training, last);

        private static void Copy(TrainingProgress training, Dictionary<string, float[]> target)
        {
            foreach (var (key, values) in ValuesOf(training.Network)) target[key] = values;
        }
    }

    [Fact]
    public void Balanced_sampling_shows_as_many_of_each_class_and_weights_weigh_as_much()
    {
        var plain = new Counted(Clouds(count: 40, timesMore: 3));
        var balanced = new Counted(Clouds(count: 40, timesMore: 3));
        double Share(Dictionary<string, float[]> weights) => weights["head.classes.bias"][1] - weights["head.classes.bias"][0];
        var softmax = Head(head: Graft.Networks.Head.Softmax);
        TrainingOptions options = new() { Epochs = 60, Patience = 0, LearningRate = 0.05, WeightDecay = 0 };

        var unbalanced = Train(options, network: softmax, training: plain).Weights;
        var sampled = Train(options with { ClassWeights = ClassWeighting.Sampling }, network: softmax, training: balanced).Weights;
        var weighted = Train(options with { ClassWeights = ClassWeighting.Balanced }, network: softmax, training: Clouds(count: 40, timesMore: 3)).Weights;

        Assert.Equal(30 * 60, plain.Seen[0]);
        Assert.Equal((20 * 60, 20 * 60), (balanced.Seen[0], balanced.Seen[1]));
        Assert.True(Share(sampled) > Share(unbalanced));
        Assert.True(Share(weighted) > Share(unbalanced));
    }

    [Fact]
    public void Distributions_that_say_what_the_labels_say_train_the_same_network()
    {
        TrainingOptions options = new() { Epochs = 5, Patience = 0, LearningRate = 0.05 };
        var softmax = Head(head: Graft.Networks.Head.Softmax);

        var byLabel = Train(options, network: softmax).Weights;
        var byDistribution = Train(options, network: softmax, training: new Annotated(Clouds(), label => [1 - label, label], _ => 1)).Weights;
        var reversed = Train(options, network: softmax, training: new Annotated(Clouds(), label => [label, 1 - label], _ => 1)).Weights;

        Assert.All(byLabel, pair => Assert.All(pair.Value.Zip(byDistribution[pair.Key]), values => Assert.Equal(values.First, values.Second, 1e-4)));
        Assert.True(byLabel["head.classes.bias"][1] - byLabel["head.classes.bias"][0] != reversed["head.classes.bias"][1] - reversed["head.classes.bias"][0]);
    }

    [Fact]
    public void Weights_of_examples_count_as_class_weights_do()
    {
        TrainingOptions options = new() { Epochs = 5, Patience = 0, LearningRate = 0.05 };
        var softmax = Head(head: Graft.Networks.Head.Softmax);

        var byClass = Train(options with { ClassWeights = ClassWeighting.Balanced }, network: softmax, training: Clouds(count: 40, timesMore: 3)).Weights;
        // 40 / (2 · 30) and 40 / (2 · 10).
        var byExample = Train(options, network: softmax, training: new Annotated(Clouds(count: 40, timesMore: 3), null, label => label == 0 ? 2 / 3f : 2)).Weights;

        Assert.All(byClass, pair => Assert.All(pair.Value.Zip(byExample[pair.Key]), values => Assert.Equal(values.First, values.Second, 1e-4)));
    }

    [Fact]
    public void Gradients_can_be_changed_before_each_step()
    {
        TrainingOptions options = new() { Epochs = 2, Patience = 0, Optimizer = OptimizerKind.Sgd, LearningRate = 0.5, WeightDecay = 0 };
        var before = ValuesOf(new(Head(), new RandomWeights(1)));

        var after = Train(options, [new NoGradients()]).Weights;

        Assert.All(before.Where(pair => pair.Key.Contains("dense", StringComparison.Ordinal)), pair => Assert.Equal(pair.Value, after[pair.Key]));
        Assert.NotEqual(before["head.dense1.weight"], Train(options).Weights["head.dense1.weight"]);
    }

    [Fact]
    public void Objective_of_ones_own_is_what_is_made_small()
    {
        using var module = new TorchNetwork(Head(), new RandomWeights(1));

        var history = Trainer.Fit(
            module, Clouds(), Clouds(seed: 2), new() { Epochs = 60, Patience = 0, LearningRate = 0.05 }, [], objective: new Flat(),
            cancellation: TestContext.Current.CancellationToken);

        // The squares of the logits go to 0 whatever the labels; with cross-entropy they would grow.
        Assert.InRange(history.Epochs[^1].Loss, 0, history.Epochs[0].Loss / 10);
        Assert.InRange(history.Epochs[^1].ValidationLoss, Math.Log(2) - 0.05, Math.Log(2) + 0.05);
    }

    private sealed class Flat : IObjective
    {
        public TorchSharp.torch.Tensor Loss(TorchSharp.torch.Tensor logits, Batch batch) => logits.square().mean();
    }

    private sealed class NoGradients : ITrainingCallback
    {
        public void OnGradients(TrainingProgress training)
        {
            foreach (var parameter in training.Network.parameters()) parameter.grad?.zero_();
        }
    }

    private sealed class Annotated(IExamples examples, Func<int, float[]>? target, Func<int, float> weight) : IExamples
    {
        public int Count => examples.Count;

        public int LabelOf(int index) => examples.LabelOf(index);

        public IReadOnlyList<float[]> TargetsOf(int index, int epoch) => target is null ? [] : [target(LabelOf(index))];

        public float WeightOf(int index) => weight(LabelOf(index));

        public void Read(int index, int epoch, Span<float> input) => examples.Read(index, epoch, input);
    }

    [Fact]
    public void Smoothed_labels_keep_the_loss_from_0()
    {
        var options = new TrainingOptions { Epochs = 40, Patience = 0, Optimizer = OptimizerKind.Sgd, LearningRate = 0.1, WeightDecay = 0 };
        var corners = new ExamplesInMemory([.. Enumerable.Range(0, 20).Select(i => (float[])[i % 2 * 10, 0])], [.. Enumerable.Range(0, 20).Select(i => i % 2)]);
        var network = Head(head: Graft.Networks.Head.Softmax);

        Assert.InRange(Train(options, network: network, training: corners).History.Epochs[^1].Loss, 0, 0.02);
        // The entropy of (0.9, 0.1) is 0.325.
        Assert.InRange(Train(options with { LabelSmoothing = 0.2 }, network: network, training: corners).History.Epochs[^1].Loss, 0.324, 0.4);
    }

    [Fact]
    public void One_logit_is_the_second_class_against_0()
    {
        var one = Head(head: Graft.Networks.Head.Softmax with { OneLogit = true });

        var (weights, history) = Train(new() { Epochs = 40, LearningRate = 0.05, WeightDecay = 0, Patience = 0 }, network: one);

        Assert.Single(weights["head.classes.bias"]);
        Assert.InRange(history.Epochs[history.BestEpoch - 1].ValidationAccuracy, 0.6, 1);
        Assert.InRange(history.Epochs[^1].Loss, 0, 0.95 * Math.Log(2));
    }

    [Theory]
    [InlineData(BatchMixing.Mixup)]
    [InlineData(BatchMixing.CutMix)]
    public void Blended_batches_train_and_repeat(BatchMixing mixing)
    {
        var builder = new NetworkBuilder("map");
        var network = builder.Build(builder.Input("image", 1, 4).Flatten("flat").Dense("classes", 2));
        var random = new Random(1);
        var examples = new ExamplesInMemory(
            [.. Enumerable.Range(0, 16).Select(i => (float[])[.. Enumerable.Range(0, 16).Select(_ => i % 2 + random.NextSingle())])],
            [.. Enumerable.Range(0, 16).Select(i => i % 2)]);
        (Dictionary<string, float[]>, TrainingHistory) Fit(BatchMixing how)
        {
            using var module = new TorchNetwork(network, new RandomWeights(1));
            var history = Trainer.Fit(
                module, examples, examples, new() { Mixing = how, MixingAlpha = 1, Epochs = 30, BatchSize = 8, LearningRate = 0.05, WeightDecay = 0, Patience = 0 },
                cancellation: TestContext.Current.CancellationToken);
            return (ValuesOf(module), history);
        }
        var ((first, history), (second, _), (_, plain)) = (Fit(mixing), Fit(mixing), Fit(BatchMixing.None));

        Assert.Equal(first["classes.weight"], second["classes.weight"]);
        Assert.Equal(1, history.Epochs[history.BestEpoch - 1].ValidationAccuracy);
        Assert.True(history.Epochs[^1].Loss > 2 * plain.Epochs[^1].Loss); // never as sure of a blend
    }

    [Fact]
    public void CutMix_of_vectors_is_refused() => Assert.Contains(
        "mixup", Assert.Throws<GraftException>(() => Train(new() { Mixing = BatchMixing.CutMix })).Message, StringComparison.Ordinal);

    [Fact]
    public void Examples_that_take_time_are_read_ahead_and_give_the_same()
    {
        var slow = new Counted(Clouds()) { TakesTime = true };

        var (weights, _) = Train(new() { Epochs = 3, BatchSize = 7 }, training: slow);

        Assert.Equal(Train(new() { Epochs = 3, BatchSize = 7 }).Weights["head.dense1.weight"], weights["head.dense1.weight"]);
        Assert.Equal(3 * 40, slow.Seen.Values.Sum());
    }

    [Fact]
    public void What_goes_wrong_in_reading_ahead_is_told()
    {
        var problem = Assert.Throws<InvalidOperationException>(() => Train(new() { Epochs = 2 }, training: new Counted(Clouds()) { TakesTime = true, FailsAt = 35 }));

        Assert.Equal("35", problem.Message);
    }

    private sealed class Counted(IExamples examples) : IExamples
    {
        public Dictionary<int, int> Seen { get; } = [];

        public bool TakesTime { get; init; }

        public int FailsAt { get; init; } = int.MaxValue;

        public int Count => examples.Count;

        public int LabelOf(int index) => examples.LabelOf(index);

        public void Read(int index, int epoch, Span<float> input)
        {
            if (index == FailsAt) throw new InvalidOperationException($"{index}");
            Seen[LabelOf(index)] = Seen.GetValueOrDefault(LabelOf(index)) + 1;
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

    /// <summary>Everything that a checkpoint has to carry: momentum or averages, dropout's generator, a schedule with memory, an average.</summary>
    public static TheoryData<OptimizerKind, double> Trainings => new() { { OptimizerKind.Sgd, 0 }, { OptimizerKind.RmsProp, 0 }, { OptimizerKind.Adam, 0.9 }, { OptimizerKind.AdamW, 0 } };

    [Theory]
    [MemberData(nameof(Trainings))]
    public void Interrupted_training_goes_on_to_the_very_same_end(OptimizerKind optimizer, double averageDecay)
    {
        using var folder = new TemporaryFolder();
        var checkpoint = new TrainingCheckpoint(folder.File("last.safetensors"));
        var options = new TrainingOptions
        {
            Optimizer = optimizer,
            Epochs = 8,
            BatchSize = 8,
            LearningRate = 0.02,
            Patience = 0,
            EmaDecay = averageDecay,
            ClassWeights = ClassWeighting.Sampling,
            Schedule = new LearningRateSchedule.ReduceOnPlateau(Patience: 1, MinDelta: 0.05, Factor: 0.5),
        };
        var whole = Train(options);

        // Broken off in the middle of epochs 3 and 6.
        foreach (var epoch in (int[])[3, 6])
            Assert.Throws<InvalidOperationException>(() => Train(options, [new Break(epoch)], checkpoint: checkpoint));
        var resumed = Train(options, checkpoint: checkpoint);

        Assert.All(whole.Weights, pair => Assert.Equal(pair.Value, resumed.Weights[pair.Key]));
        Assert.Equal(whole.History.BestEpoch, resumed.History.BestEpoch);
        Assert.Equal(whole.History.Epochs.Select(epoch => epoch with { Seconds = 0 }), resumed.History.Epochs.Select(epoch => epoch with { Seconds = 0 }));
        // And once more from its end: nothing is left to do.
        Assert.All(whole.Weights, pair => Assert.Equal(pair.Value, Train(options, checkpoint: checkpoint).Weights[pair.Key]));
    }

    private sealed class Break(int epoch) : ITrainingCallback
    {
        public void OnStep(TrainingProgress training, StepResult result)
        {
            if ((result.Epoch, result.Step) == (epoch, 3)) throw new InvalidOperationException("broken off");
        }
    }

    [Fact]
    public void Checkpoint_of_another_training_is_refused()
    {
        using var folder = new TemporaryFolder();
        var checkpoint = new TrainingCheckpoint(folder.File("last.safetensors"), "one.jpg");
        Train(new() { Epochs = 1 }, checkpoint: checkpoint);

        Assert.Contains(
            "another training", Assert.Throws<GraftException>(() => Train(new() { Epochs = 2 }, checkpoint: checkpoint)).Message, StringComparison.Ordinal);
        Assert.Throws<GraftException>(() => Train(new() { Epochs = 1 }, checkpoint: checkpoint with { Images = "two.jpg" }));
        Assert.Throws<GraftException>(() => Train(new() { Epochs = 1 }, training: Clouds(timesMore: 2), checkpoint: checkpoint));
    }

    [Fact]
    public void Diverging_training_keeps_the_best_weights_and_its_checkpoint()
    {
        using var folder = new TemporaryFolder();
        var checkpoint = new TrainingCheckpoint(folder.File("last.safetensors"));
        using var module = new TorchNetwork(Head(head: Graft.Networks.Head.Softmax with { BatchNorm = false }), new RandomWeights(1));
        var examples = new Poisoned(Clouds());

        var problem = Assert.Throws<TrainingDivergedException>(() => Trainer.Fit(
            module, examples, Clouds(seed: 2), new() { Epochs = 9, LearningRate = 0.01 }, [], checkpoint, cancellation: TestContext.Current.CancellationToken));

        Assert.Contains("diverged in epoch 3", problem.Message, StringComparison.Ordinal);
        Assert.Contains("the best until then, are kept", problem.Message, StringComparison.Ordinal);
        Assert.True(checkpoint.Exists);
        Assert.All(ValuesOf(module).Values.SelectMany(values => values), value => Assert.True(float.IsFinite(value)));
    }

    /// <summary>From the third epoch on, no numbers.</summary>
    private sealed class Poisoned(IExamples examples) : IExamples
    {
        public int Count => examples.Count;

        public int LabelOf(int index) => examples.LabelOf(index);

        public void Read(int index, int epoch, Span<float> input)
        {
            examples.Read(index, epoch, input);
            if (epoch == 3) input[0] = float.NaN;
        }
    }
}
