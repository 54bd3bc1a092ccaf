using Graft.Networks;
using static TorchSharp.torch;

namespace Graft.Tests.Networks;

/// <summary>Operations against sums written out by hand.</summary>
public class OperationTests
{
    [Theory]
    [InlineData(8, 0, 1)]
    [InlineData(7, 1, 1)]
    public void Same_padding_depends_on_the_parity_of_the_size(int size, int before, int after)
    {
        var map = TensorShape.Map(1, size, size);

        Assert.Equal(new Padding(before, after, before, after), new SamePadding(3, 2).Resolve(map).Padding);
        Assert.Equal(size + before + after, new SamePadding(3, 2).OutputShape([map]).Width);
    }

    [Fact]
    public void Activation_of_a_convolution_is_part_of_its_output()
    {
        var builder = new NetworkBuilder("fused");
        var network = builder.Build(builder.Input("input", channels: 1, size: 1)
            .Convolution("conv", 1, kernel: 1, bias: false, activation: ActivationFunction.Relu));

        Assert.Equal([0f], Run(network, new Constant(-1), 2f));
        Assert.Equal([2f], Run(network, new Constant(1), 2f));
    }

    [Fact]
    public void Layer_norm_of_a_map_is_over_its_channels()
    {
        var builder = new NetworkBuilder("norm");
        var network = builder.Build(builder.Input("input", channels: 2, (1, 2)).LayerNorm("norm", epsilon: 0));

        // The pixels are (1, 5) and (2, 8).
        Assert.Equal([0f, 0f, 2f, 2f], Run(network, new Constant(1), 1f, 2f, 5f, 8f));
    }

    [Fact]
    public void Separable_convolution_counts_both_kernels()
    {
        var shape = TensorShape.Map(4, 5, 5);
        var operation = new SeparableConvolution(8, 3);

        Assert.Equal(["sep.weight", "sep.pointwise.weight"], operation.Parameters("sep", [shape]).Select(parameter => parameter.Key));
        Assert.Equal([36, 32], operation.Parameters("sep", [shape]).Select(parameter => parameter.ElementCount));
        Assert.Equal(25 * 36 + 25 * 32, operation.MultiplyAdds([shape], operation.OutputShape([shape])));
    }

    [Fact]
    public void Tokens_attend_to_all_tokens()
    {
        var builder = new NetworkBuilder("attention");
        var network = builder.Build(builder.Input("input", channels: 1, (1, 2))
            .ClassToken("cls_token").PointwiseDense("qkv", 3, bias: false).SelfAttention("attention", heads: 1));

        // The class token is 0, the others 0 and 1; with ones as weights queries, keys and values are the tokens themselves.
        var output = Run(network, new Constant(parameter => parameter.Role == ParameterRole.Embedding ? 0 : 1), 0f, 1f);

        Assert.Equal(1 / 3f, output[0], 1e-6);
        Assert.Equal(1 / 3f, output[1], 1e-6);
        Assert.Equal(Math.E / (2 + Math.E), output[2], 1e-6);
    }

    [Fact]
    public void Position_embedding_belongs_to_the_grid_it_was_learned_on()
    {
        var builder = new NetworkBuilder("positions");
        var map = builder.Input("input", channels: 1, (2, 2));
        var network = builder.Build(map.ClassToken("cls_token").PositionEmbedding("pos_embed", map, grid: 3));

        Assert.Equal([1, 10, 1], network.Parameters.Single(parameter => parameter.Key == "pos_embed").Shape);
        // A constant stays one when it is resampled.
        Assert.All(Run(network, new Constant(2), 0f, 0f, 0f, 0f).Skip(1), value => Assert.Equal(2, value, 1e-5));
    }

    [Fact]
    public void Factors_must_be_one_per_channel() => Assert.Contains(
        "cannot multiply 4×5×5 by 3×1×1",
        Assert.Throws<GraftException>(() => new Multiply().OutputShape([TensorShape.Map(4, 5, 5), TensorShape.Map(3, 1, 1)])).Message,
        StringComparison.Ordinal);

    [Fact]
    public void One_pass_gives_the_activations_of_several_layers()
    {
        var builder = new NetworkBuilder("several");
        var network = builder.Build(builder.Input("input", channels: 1, size: 1)
            .Convolution("block.conv", 1, kernel: 1, bias: false).Relu("block.relu").Dropout("dropout", 0.5).GlobalPool("pool"));
        using var scope = NewDisposeScope();
        using var inference = inference_mode();
        using var module = new TorchNetwork(network, new Constant(-3));

        var outputs = module.Activations(ones(1, 1, 1, 1), ["pool", "block", "block.conv", "dropout"]);

        Assert.Equal([0f, 0f, -3f, 0f], outputs.Select(output => output.item<float>()));
    }

    private static float[] Run(Network network, IWeights weights, params float[] input)
    {
        using var scope = NewDisposeScope();
        using var inference = inference_mode();
        using var module = new TorchNetwork(network, weights);
        return [.. module.call(tensor(input).reshape([1, .. network.InputShape.Sizes.Select(size => (long)size)])).contiguous().data<float>()];
    }

    /// <summary>Each parameter one value throughout; normalizations shift by as much as they scale.</summary>
    private sealed class Constant(Func<Parameter, float> value) : IWeights
    {
        public Constant(float value) : this(_ => value)
        {
        }

        public void Read(Parameter parameter, Span<float> destination) => destination.Fill(value(parameter));
    }
}
