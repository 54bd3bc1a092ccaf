using Graft.Networks;

namespace Graft.Tests.Networks;

public class NetworkCuttingTests
{
    /// <summary>A stem, a residual block and a head: the shapes of real networks in eleven layers.</summary>
    private static Network Residual()
    {
        var builder = new NetworkBuilder("residual");
        var stem = builder.Input("image", 3, (8, 6)).Convolution("stem.conv", 4, kernel: 3, stride: 2, padding: 1).Relu("stem.relu");
        var block = stem.Convolution("block.1.conv", 4, kernel: 3, padding: 1).BatchNorm("block.1.norm", 1e-5).Add("block.1.add", stem);
        var second = block.Convolution("block.10.conv", 5, kernel: 1).Relu("block.10.relu");
        return builder.Build(second.GlobalPool("pool").Dropout("head.0", 0.5).Dense("head.1", 7));
    }

    private static string[] Names(Network network) => [.. network.Layers.Select(layer => layer.Name)];

    [Fact]
    public void Shapes_follow_from_the_description()
    {
        var network = Residual();

        Assert.Equal(TensorShape.Map(4, 4, 3), network.ShapeOf("stem.conv"));
        Assert.Equal(TensorShape.Map(5, 4, 3), network.ShapeOf("block.10.relu"));
        Assert.Equal(TensorShape.Vector(7), network.OutputShape);
    }

    [Fact]
    public void Block_means_its_last_layer() => Assert.Equal("block.1.add", Residual().Find("block.1").Name);

    [Fact]
    public void Block_is_not_another_whose_name_begins_alike()
    {
        Assert.Equal("block.10.relu", Residual().Find("block.10").Name);
        Assert.Equal("block.10.relu", Residual().Find("block").Name);
    }

    [Fact]
    public void Layer_goes_before_a_block_of_its_name()
    {
        var builder = new NetworkBuilder("named alike");
        var network = builder.Build(builder.Input("image", 3, 4).Relu("a").Relu("a.more"));

        Assert.Equal("a", network.Find("a").Name);
    }

    [Fact]
    public void Cut_after_a_block_ends_with_its_last_layer()
    {
        var cut = Residual().CutAfter("block.1");

        Assert.Equal("block.1.add", cut.Output.Name);
        Assert.Equal(TensorShape.Map(4, 4, 3), cut.OutputShape);
        Assert.Equal(["image", "stem.conv", "stem.relu", "block.1.conv", "block.1.norm", "block.1.add"], Names(cut));
    }

    [Fact]
    public void Cut_after_leaves_out_what_the_layer_does_not_need()
    {
        var cut = Residual().CutAfter("block.1.conv");

        Assert.Equal(["image", "stem.conv", "stem.relu", "block.1.conv"], Names(cut));
    }

    [Fact]
    public void Cut_before_a_block_ends_with_what_enters_it()
    {
        Assert.Equal("pool", Residual().CutBefore("head").Output.Name);
        Assert.Equal("block.1.add", Residual().CutBefore("block.10").Output.Name);
        Assert.Equal("image", Residual().CutBefore("stem").Output.Name);
    }

    [Fact]
    public void Cut_before_a_layer_with_two_inputs_names_them()
    {
        var problem = Assert.Throws<GraftException>(() => Residual().CutBefore("block.1.add"));

        Assert.Contains("block.1.norm, stem.relu", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Cut_before_the_image_is_refused() => Assert.Throws<GraftException>(() => Residual().CutBefore("image"));

    [Fact]
    public void Network_behind_a_layer_starts_with_its_output()
    {
        var rest = Residual().StartAfter("block.1");

        Assert.Equal(["block.1.add", "block.10.conv", "block.10.relu", "pool", "head.0", "head.1"], Names(rest));
        Assert.Equal(TensorShape.Map(4, 4, 3), rest.InputShape);
        Assert.Equal(["block.10.conv.weight", "block.10.conv.bias", "head.1.weight", "head.1.bias"], rest.Parameters.Select(parameter => parameter.Key));
    }

    [Fact]
    public void Network_behind_a_vector_takes_vectors() => Assert.Equal(TensorShape.Vector(5), Residual().StartAfter("pool").InputShape);

    [Fact]
    public void Network_behind_tokens_takes_tokens()
    {
        var builder = new NetworkBuilder("tokens");
        var network = builder.Build(builder.Input("image", 6, 2).ClassToken("token").SelfAttention("attention", 2).FirstToken("first"));

        var rest = network.StartAfter("token");

        Assert.Equal(TensorShape.Tokens(5, 6), rest.InputShape);
        Assert.Equal(network.OutputShape, rest.OutputShape);
        Assert.Equal(rest.ToJson(), Network.FromJson(rest.ToJson()).ToJson());
    }

    [Fact]
    public void Split_that_a_shortcut_goes_around_is_refused_by_name()
    {
        var problem = Assert.Throws<GraftException>(() => Residual().StartAfter("block.1.norm"));

        Assert.Contains("'stem.relu' is used after it too", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Front_and_rest_hold_every_parameter_once()
    {
        var network = Residual();

        Assert.Equal(
            network.Parameters.Select(parameter => parameter.Key),
            network.CutAfter("block.1").Parameters.Concat(network.StartAfter("block.1").Parameters).Select(parameter => parameter.Key));
    }

    [Fact]
    public void Appended_layers_come_last_and_the_network_stays_as_it_was()
    {
        var network = Residual();

        var longer = network.Append(output => output.Softmax("probabilities"));

        Assert.Equal([.. Names(network), "probabilities"], Names(longer));
        Assert.Equal(11, network.Layers.Count);
    }

    [Fact]
    public void Another_input_size_changes_shapes_and_no_parameters()
    {
        var larger = Residual().WithInputSize(height: 16, width: 20);

        Assert.Equal(TensorShape.Map(3, 16, 20), larger.InputShape);
        Assert.Equal(TensorShape.Map(4, 8, 10), larger.ShapeOf("stem.relu"));
        Assert.Equal(Residual().Parameters.Select(parameter => parameter.ElementCount), larger.Parameters.Select(parameter => parameter.ElementCount));
    }

    [Fact]
    public void Size_that_a_layer_cannot_take_names_the_layer()
    {
        var builder = new NetworkBuilder("small");
        var network = builder.Build(builder.Input("image", 3, 8).Convolution("wide", 2, kernel: 5));

        var problem = Assert.Throws<GraftException>(() => network.WithInputSize(4, 8));

        Assert.Contains("'wide'", problem.Message, StringComparison.Ordinal);
        Assert.Contains("a window of 5 pixels does not fit into 4", problem.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("block.1.cov", "block.1.conv")]
    [InlineData("Stem.Relu", "stem.relu")]
    [InlineData("Head", "head.1")]
    [InlineData("stem.conv.weight", "stem.conv")]
    public void Unknown_layer_suggests_near_names(string typed, string meant)
    {
        var problem = Assert.Throws<GraftException>(() => Residual().Find(typed));

        Assert.Contains($"no layer or block '{typed}'", problem.Message, StringComparison.Ordinal);
        Assert.Contains(meant, problem.Message[problem.Message.IndexOf("Did you mean", StringComparison.Ordinal)..], StringComparison.Ordinal);
    }

    [Fact]
    public void Unknown_layer_that_resembles_none_suggests_none()
    {
        var problem = Assert.Throws<GraftException>(() => Residual().Find("zzzzzzzzzz"));

        Assert.DoesNotContain("Did you mean", problem.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("  ", problem.Message, StringComparison.Ordinal);
    }
}
