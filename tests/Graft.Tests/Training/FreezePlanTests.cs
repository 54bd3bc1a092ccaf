using Graft.Networks;
using Graft.Training;
using static TorchSharp.torch;

namespace Graft.Tests.Training;

[Collection(nameof(AloneWithTorch))]
public class FreezePlanTests
{
    /// <summary>Two residual blocks and a head; layers 0 to 14.</summary>
    private static Network Residual()
    {
        var builder = new NetworkBuilder("residual");
        var x = builder.Input("image", 3, 8).Convolution("stem.0", 4, 3).BatchNorm("stem.1", 1e-3);
        foreach (var block in (string[])["block.1", "block.2"])
            x = x.Convolution($"{block}.conv", 4, 3, padding: Padding.Same).BatchNorm($"{block}.norm", 1e-3).Relu($"{block}.relu").Add($"{block}.add", x);
        return builder.Build(new Head { Dropout = 0.5 }.Build(x.GlobalPool("pool"), 2));
    }

    private static string[] Trained(FreezePlan plan) => [.. plan.Layers.Where(layer => layer.IsTrained).Select(layer => layer.Name)];

    [Theory]
    [InlineData("block.2", "block.2.conv block.2.norm block.2.relu block.2.add")]
    [InlineData("block.2.conv", "block.2.conv")]
    [InlineData("block.?.conv", "block.1.conv block.2.conv")]
    [InlineData("*.conv", "block.1.conv block.2.conv")]
    [InlineData("stem*", "stem.0 stem.1")]
    [InlineData("stem.0,  head.classes", "stem.0 head.classes")]
    [InlineData("1..3", "stem.0 stem.1")]
    [InlineData("..2", "image stem.0")]
    [InlineData("12..", "head.norm head.dropout head.classes")]
    [InlineData("2", "stem.1")]
    public void Layers_are_named_by_name_block_glob_number_and_range(string pattern, string expected)
    {
        var network = Residual();
        var names = network.Layers.Select(layer => layer.Name).ToArray();

        Assert.Equal(expected.Split(' '), Trained(FreezePlan.All(network).Unfreeze(pattern)));
        Assert.Equal(names.Except(expected.Split(' ')), Trained(FreezePlan.None(network).Freeze(pattern)));
    }

    [Fact]
    public void Unfreezing_from_a_layer_takes_all_behind_it() => Assert.Equal(
        Residual().Layers.Skip(7).Select(layer => layer.Name), Trained(FreezePlan.All(Residual()).UnfreezeFrom("block.2")));

    [Theory]
    [InlineData("block.3", "no layer or block 'block.3'")]
    [InlineData("10..99", "0..15")]
    [InlineData("5..5", "0..15")]
    [InlineData("99", "0..15")]
    public void What_names_no_layer_is_refused_with_what_there_is(string pattern, string hint)
    {
        var problem = Assert.Throws<GraftException>(() => FreezePlan.All(Residual()).Unfreeze(pattern));

        Assert.Contains(hint, problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Counts_are_those_of_Keras_with_moving_statistics_never_trainable()
    {
        var plan = FreezePlan.None(Residual());
        var kernels = 3 * 4 * 9 + 4 + 2 * (4 * 4 * 9 + 4) + 4 * 2 + 2;

        Assert.Equal(kernels + 4 * 8, plan.TrainableParameters);
        Assert.Equal(4 * 8, plan.FrozenParameters);
        Assert.Equal("frozen 32 · trainable 450", plan.Summary());
        Assert.Equal("frozen 482 · trainable 0", FreezePlan.All(Residual()).Summary());
    }

    [Fact]
    public void Batch_norm_stays_in_inference_mode_when_unfrozen_unless_told_otherwise()
    {
        var plan = FreezePlan.None(Residual());

        Assert.All(plan.Layers.Where(layer => layer.Kind == "BatchNorm"), layer => Assert.Equal(BatchNormMode.Inference, layer.BatchNorm));
        var other = plan.WithBatchNorm(BatchNormMode.Training, "block*").Freeze("block.1");
        Assert.Equal(
            [("stem.1", BatchNormMode.Inference), ("block.1.norm", BatchNormMode.Inference), ("block.2.norm", BatchNormMode.Training), ("head.norm", BatchNormMode.Inference)],
            other.Layers.Where(layer => layer.BatchNorm is not null).Select(layer => (layer.Name, layer.BatchNorm!.Value)));
    }

    [Theory]
    [InlineData("block.2", "block.1.add")]
    [InlineData("block.2.norm", "block.1.add")] // the shortcut leads around the convolution
    [InlineData("head", "pool")]
    [InlineData("head.classes", "head.dropout")]
    [InlineData("head.dropout", "head.norm")] // dropout is another one each time
    [InlineData("stem.0", "image")]
    [InlineData("stem.1", "stem.0")]
    public void Boundary_is_the_last_layer_that_training_never_changes(string from, string boundary)
    {
        var plan = FreezePlan.All(Residual()).UnfreezeFrom(from);

        Assert.Equal(boundary, plan.Boundary());
        Residual().StartAfter(boundary);
    }

    [Fact]
    public void Table_tells_each_layer_and_its_batch_norm()
    {
        var plan = FreezePlan.All(Residual()).UnfreezeFrom("block.2").WithBatchNorm(BatchNormMode.Training, "head.norm");

        Assert.Equal(
            """
            layers                               batch norm                   parameters
             1..6   stem.0 … block.1.add       frozen   2 × inference                292
             7..14  block.2.conv … head.classes  trained  1 × inference, 1 × training   190
            """.Split('\n').Select(line => string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries))),
            plan.ToText().ReplaceLineEndings("\n").Split('\n').SkipLast(1).Select(line => string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries))));
        Assert.EndsWith(plan.Summary(), plan.ToText(everyLayer: true), StringComparison.Ordinal);
        Assert.Contains("block.1.norm", plan.ToText(everyLayer: true), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(TunedWeights.Norms, "weight,bias", "bias")]
    [InlineData(TunedWeights.Biases, "bias", "bias")]
    public void Norms_or_biases_alone_can_be_tuned(TunedWeights tuned, string ofNorms, string ofOthers)
    {
        var network = Residual();
        var plan = FreezePlan.None(network).WithTuned(tuned, "stem*,block*");

        var (before, after) = (Initial(network), Train(plan));

        foreach (var parameter in network.Parameters)
        {
            var layer = network[parameter.Layer];
            var isTuned = parameter.Layer.StartsWith("head", StringComparison.Ordinal)
                || layer.Operation is BatchNorm && ofNorms.Split(',').Any(end => parameter.Key.EndsWith(end, StringComparison.Ordinal))
                || layer.Operation is not BatchNorm && tuned == TunedWeights.Biases && parameter.Key.EndsWith(ofOthers, StringComparison.Ordinal);
            if (isTuned && !parameter.IsStatistic) Assert.NotEqual(before[parameter.Key], after[parameter.Key]);
            else Assert.Equal(before[parameter.Key], after[parameter.Key]);
        }
        Assert.Equal(
            network.Parameters.Where(parameter => !parameter.IsStatistic && !before[parameter.Key].SequenceEqual(after[parameter.Key])).Sum(parameter => parameter.ElementCount),
            plan.TrainableParameters);
        Assert.Contains($"{tuned.ToString().ToLowerInvariant()} trained", plan.ToText(), StringComparison.Ordinal);
    }

    private static Dictionary<string, float[]> Train(FreezePlan plan, int epochs = 2)
    {
        using var module = new TorchNetwork(plan.Network, new RandomWeights(1));
        plan.ApplyTo(module);
        var random = new Random(1);
        var examples = new ExamplesInMemory(
            [.. Enumerable.Range(0, 8).Select(_ => (float[])[.. Enumerable.Range(0, 192).Select(_ => random.NextSingle())])],
            [.. Enumerable.Range(0, 8).Select(i => i % 2)]);
        // The last epoch is kept only if it is the best, so one that is: training images validate.
        Trainer.Fit(
            module, examples, examples, new() { Epochs = epochs, BatchSize = 4, LearningRate = 1e-3, WeightDecay = 0.01 },
            cancellation: TestContext.Current.CancellationToken);
        Assert.All(
            plan.Network.Parameters.Where(parameter => !parameter.IsStatistic && plan.Layers.First(layer => layer.Name == parameter.Layer) is var layer
                && layer.TrainedParameters == (layer.IsTrained ? layer.Parameters : 0)),
            parameter => Assert.Equal(
                plan.Layers.First(layer => layer.Name == parameter.Layer).IsTrained,
                module.get_parameter(parameter.Key)!.requires_grad));
        return plan.Network.Parameters.ToDictionary(parameter => parameter.Key, parameter =>
        {
            var values = new float[parameter.ElementCount];
            module.Read(parameter, values);
            return values;
        });
    }

    private static Dictionary<string, float[]> Initial(Network network) => network.Parameters.ToDictionary(parameter => parameter.Key, parameter =>
    {
        var values = new float[parameter.ElementCount];
        new RandomWeights(1).Read(parameter, values);
        return values;
    });

    [Fact]
    public void Frozen_weights_and_statistics_stay_bit_for_bit_and_trained_weights_move()
    {
        var plan = FreezePlan.All(Residual()).UnfreezeFrom("block.2").WithBatchNorm(BatchNormMode.Training, "head");

        var (before, after) = (Initial(plan.Network), Train(plan));

        foreach (var parameter in plan.Network.Parameters)
        {
            var layer = plan.Layers.First(layer => layer.Name == parameter.Layer);
            var moves = layer.IsTrained && (!parameter.IsStatistic || layer.BatchNorm == BatchNormMode.Training);
            if (moves) Assert.NotEqual(before[parameter.Key], after[parameter.Key]);
            else Assert.Equal(before[parameter.Key], after[parameter.Key]);
        }
    }

    [Fact]
    public void Frozen_layers_run_as_in_inference_while_the_network_trains()
    {
        var plan = FreezePlan.All(Residual());
        using var module = new TorchNetwork(plan.Network, new RandomWeights(1));
        using var scope = NewDisposeScope();
        var images = rand(4, 3, 8, 8);
        module.eval();
        var expected = module.call(images).detach().data<float>().ToArray();

        plan.ApplyTo(module);
        module.train();

        Assert.Equal(expected, module.call(images).detach().data<float>().ToArray());
        plan.Unfreeze("head.dropout").ApplyTo(module);
        Assert.NotEqual(expected, module.call(images).detach().data<float>().ToArray());
    }

    [Fact]
    public void Nothing_runs_backward_below_the_first_trained_layer()
    {
        using var module = new TorchNetwork(Residual(), new RandomWeights(1));
        FreezePlan.All(Residual()).UnfreezeFrom("block.2").ApplyTo(module);
        module.train();
        using var scope = NewDisposeScope();

        var activations = module.Activations(rand(4, 3, 8, 8), ["block.1.add", "block.2.conv"]);

        Assert.Equal([false, true], activations.Select(activation => activation.requires_grad));
    }

    [Fact]
    public void Training_behind_the_boundary_is_training_the_whole()
    {
        var plan = FreezePlan.All(Residual()).UnfreezeFrom("block.2");
        var part = plan.For(Residual().StartAfter(plan.Boundary()));

        Assert.Equal(plan.TrainableParameters, part.TrainableParameters);
        Assert.Equal(Trained(plan), Trained(part));
    }
}
