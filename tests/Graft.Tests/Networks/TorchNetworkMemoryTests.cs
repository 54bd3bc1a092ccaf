using System.Runtime;
using Graft.Networks;
using Graft.Training;
using static TorchSharp.torch;

namespace Graft.Tests.Networks;

[Collection(nameof(AloneWithTorch))]
public class TorchNetworkMemoryTests
{
    /// <summary>Every operation of convolutional networks, with shortcuts and uneven padding.</summary>
    private static Network Everything()
    {
        var builder = new NetworkBuilder("everything");
        var x = builder.Input("image", 3, 16).Convolution("conv", 4, 3, stride: 2, Padding.Same).BatchNorm("norm", 1e-3).Relu6("relu6");
        var shortcut = x.SeparableConvolution("separable", 4, 3).LayerNorm("layernorm", 1e-6).LayerScale("scale");
        x = builder.Add("sum", new Add(), x, shortcut, x.Relu("relu"));
        x = x.Multiply("gated", x.AdaptiveAveragePool("squeeze", 1).Activation("gate", ActivationFunction.Sigmoid));
        x = x.MaxPool("max", 3, 2, Padding.Same).Concatenate("cat", x.AveragePool("average", 2, 2, Padding.Same));
        x = x.Dropout("drop", 0.5).PointwiseDense("everywhere", 5).ZeroPadding("zeros", 1).Flatten("flat", AxisOrder.ChannelsLast);
        return builder.Build(x.Dense("hidden", 6, activation: ActivationFunction.Relu).Dropout("head.drop", 0.5).Dense("classes", 3));
    }

    /// <summary>Tokens have operations of their own.</summary>
    private static Network Transformer()
    {
        var builder = new NetworkBuilder("transformer");
        var patches = builder.Input("image", 3, 16).Convolution("patches", 12, 4, stride: 4);
        var tokens = patches.ClassToken("token").PositionEmbedding("positions", patches, grid: 2);
        tokens = tokens.Add("sum", tokens.PointwiseDense("qkv", 36).SelfAttention("attention", 2));
        return builder.Build(tokens.FirstToken("first").Dense("classes", 3));
    }

    public static TheoryData<string> Networks => ["everything", "transformer"];

    private static Network Find(string name) => name == "everything" ? Everything() : Transformer();

    private static float[] RunOnce(TorchNetwork module)
    {
        using var scope = NewDisposeScope();
        using var inference = inference_mode();
        return module.call(ones(2, 3, 16, 16)).data<float>().ToArray();
    }

    [Theory]
    [MemberData(nameof(Networks))]
    public void Inference_frees_all_but_its_input_and_output(string name)
    {
        using var module = new TorchNetwork(Find(name), new RandomWeights(1));
        using var inference = inference_mode();
        using var input = ones(2, 3, 16, 16);
        module.call(input).Dispose();
        var before = Tensor.TotalCount;

        // No dispose scope: what is not freed here stays.
        for (var i = 0; i < 5; i++) module.call(input).Dispose();

        Assert.Equal(before, Tensor.TotalCount);
    }

    [Fact]
    public void Inference_holds_few_activations_at_a_time()
    {
        var builder = new NetworkBuilder("deep");
        var x = builder.Input("image", 3, 4);
        for (var depth = 0; depth < 50; depth++) x = x.Relu($"relu{depth}");
        using var module = new TorchNetwork(builder.Build(x), new RandomWeights(1));
        using var inference = inference_mode();
        using var input = ones(1, 3, 4, 4);
        // The peak is that of the whole process: so many tensors that the next one is a new peak.
        var peak = Tensor.PeakCount;
        var filling = new List<Tensor>();
        while (Tensor.TotalCount < peak) filling.Add(zeros(1));

        module.call(input).Dispose();

        filling.ForEach(tensor => tensor.Dispose());
        Assert.InRange(Tensor.PeakCount - peak, 1, 4);
    }

    [Fact]
    public void Batches_of_training_and_evaluation_leave_no_tensor_behind()
    {
        var network = Everything();
        var random = new Random(1);
        float[][] inputs = [.. Enumerable.Range(0, 12).Select(_ => (float[])[.. Enumerable.Range(0, 768).Select(_ => random.NextSingle())])];
        var examples = new ExamplesInMemory(inputs, [.. Enumerable.Range(0, 12).Select(i => i % 3)]);
        using var module = new TorchNetwork(network, new RandomWeights(1));
        void Train(int epochs)
        {
            foreach (var optimizer in Enum.GetValues<OptimizerKind>())
                Trainer.Fit(module, examples, examples, new() { Epochs = epochs, Patience = 0, BatchSize = 4, LearningRate = 1e-5, Optimizer = optimizer });
            Trainer.Outputs(module, examples, batchSize: 4);
        }
        long Left(int epochs)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            Assert.True(GC.TryStartNoGCRegion(200_000_000));
            try
            {
                var before = Tensor.TotalCount;
                Train(epochs);
                return Tensor.TotalCount - before;
            }
            finally
            {
                if (GCSettings.LatencyMode == GCLatencyMode.NoGCRegion) GC.EndNoGCRegion();
            }
        }
        Train(epochs: 1);

        // What a training leaves to the garbage collector must not grow with its batches.
        Assert.Equal(Left(epochs: 1), Left(epochs: 10));
    }

    [Fact]
    public void Module_disposes_its_tensors()
    {
        // Not by the count of live tensors, which TorchSharp does not lower where a Parameter takes a tensor over.
        IEnumerable<Tensor> tensors;
        using (var module = new TorchNetwork(Everything(), new RandomWeights(1))) tensors = [.. module.state_dict().Values];

        Assert.All(tensors, tensor => Assert.True(tensor.IsInvalid));
    }

    [Fact]
    public void Module_outlives_the_scope_and_the_inference_mode_it_was_built_in()
    {
        TorchNetwork module;
        using (NewDisposeScope())
        using (inference_mode())
        {
            module = new(Everything(), new RandomWeights(1));
        }
        using (module)
        {
            var before = RunOnce(module);
            module.train();
            using var scope = NewDisposeScope();

            module.call(ones(2, 3, 16, 16)).sum().backward();

            Assert.All(module.parameters(), parameter => Assert.NotNull(parameter.grad));
            module.eval();
            Assert.Equal(before.Length, RunOnce(module).Length);
        }
    }

    [Fact]
    public void Activation_is_that_of_the_cut_network_and_its_input_stays_the_callers()
    {
        var network = Everything();
        using var module = new TorchNetwork(network, new RandomWeights(1));
        using var cut = new TorchNetwork(network.CutAfter("gated"), new RandomWeights(1));
        using var inference = inference_mode();
        using var scope = NewDisposeScope();
        var input = ones(2, 3, 16, 16);

        Assert.Equal(cut.call(input).data<float>().ToArray(), module.Activation(input, "gated").data<float>().ToArray());
        Assert.Equal(2 * 768, module.Activation(input, "image").numel());
        Assert.False(input.IsInvalid);
    }

    [Fact]
    public void Batch_norm_statistics_move_in_training_and_rest_in_inference()
    {
        var network = Everything();
        using var module = new TorchNetwork(network, new RandomWeights(1));
        var mean = network.Parameters.First(parameter => parameter.Role == ParameterRole.MovingMean);
        var values = new float[mean.ElementCount];

        RunOnce(module);
        module.Read(mean, values);
        Assert.All(values, value => Assert.Equal(0, value));

        module.train();
        RunOnce(module);
        module.Read(mean, values);
        Assert.Contains(values, value => value != 0);
    }

    [Fact]
    public void State_dict_has_the_keys_of_the_network()
    {
        var network = Everything();
        using var module = new TorchNetwork(network, new RandomWeights(1));

        Assert.Equal(
            network.Parameters.Select(parameter => parameter.Key).Order(StringComparer.Ordinal),
            module.state_dict().Keys.Order(StringComparer.Ordinal));
    }
}
