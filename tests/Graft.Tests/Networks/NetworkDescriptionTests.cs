using Graft.Networks;

namespace Graft.Tests.Networks;

public class NetworkDescriptionTests
{
    [Fact]
    public void Name_used_twice_is_refused_with_the_layer()
    {
        var builder = new NetworkBuilder("net");
        var problem = Assert.Throws<GraftException>(() => builder.Build(builder.Input("image", 3, 4).Relu("same").Relu("same")));

        Assert.Contains("'same'", problem.Message, StringComparison.Ordinal);
        Assert.Contains("used twice", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Input_that_does_not_come_before_is_refused_with_both_names()
    {
        var problem = Assert.Throws<GraftException>(() => new Network("net",
        [
            new("image", new Input(3, 4, 4), []),
            new("sum", new Add(), ["image", "later"]),
            new("later", new Activation(ActivationFunction.Relu), ["image"]),
        ]));

        Assert.Contains("'sum'", problem.Message, StringComparison.Ordinal);
        Assert.Contains("'later'", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Network_begins_with_an_image() =>
        Assert.Throws<GraftException>(() => new Network("net", [new("relu", new Activation(ActivationFunction.Relu), [])]));

    [Fact]
    public void Dense_layer_on_a_map_says_what_to_do()
    {
        var builder = new NetworkBuilder("net");
        var problem = Assert.Throws<GraftException>(() => builder.Build(builder.Input("image", 3, 4).Dense("classes", 2)));

        Assert.Contains("'classes'", problem.Message, StringComparison.Ordinal);
        Assert.Contains("3×4×4; pool or flatten first", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Maps_of_two_shapes_do_not_add()
    {
        var builder = new NetworkBuilder("net");
        var image = builder.Input("image", 3, 4);
        var problem = Assert.Throws<GraftException>(() => builder.Build(image.Convolution("conv", 4, kernel: 1).Add("sum", image)));

        Assert.Contains("'sum'", problem.Message, StringComparison.Ordinal);
        Assert.Contains("4×4×4 and 3×4×4", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Json_carries_every_attribute()
    {
        var builder = new NetworkBuilder("all kinds");
        var image = builder.Input("image", 4, (9, 7));
        var left = image.Convolution("conv", 6, (3, 1), (2, 1), new Padding(1, 0, 0, 2), bias: false, ActivationFunction.Relu6)
            .BatchNorm("norm", 1e-3, momentum: 0.01, scale: false);
        var right = image.ZeroPadding("zeros", new Padding(1, 2, 1, 2)).SeparableConvolution("separable", 6, 3)
            .MaxPool("max", kernel: (3, 2), stride: (2, 1), Padding.Same, roundUp: true)
            .Convolution("fit", 6, (2, 2), (1, 1)).AdaptiveAveragePool("grid", (4, 9));
        var joined = left.AdaptiveAveragePool("grid too", (4, 9)).Concatenate("cat", right).LayerNorm("layer norm", 1e-6).LayerScale("scale");
        var gate = joined.GlobalPool("squeeze", PoolFunction.Max).Reshape("as map", 12, 1, 1).Activation("gate", ActivationFunction.HardSigmoid);
        var network = builder.Build(joined.Multiply("gated", gate).AveragePool("average", 2, 1, 1, countPadding: true)
            .PointwiseDense("everywhere", 3, bias: false).Flatten("flat", AxisOrder.ChannelsLast).Dropout("drop", 0.25)
            .Dense("classes", 2, bias: false, ActivationFunction.Softmax));

        var copy = Network.FromJson(network.ToJson());

        Assert.Equal(network.Name, copy.Name);
        Assert.Equal(network.ToJson(), copy.ToJson());
        Assert.Equal(network.Layers.Select(layer => layer.Name), copy.Layers.Select(layer => layer.Name));
        Assert.All(network.Layers.Zip(copy.Layers), pair =>
        {
            // A record with a list inside is equal only to itself.
            if (pair.First.Operation is not Reshape) Assert.Equal(pair.First.Operation, pair.Second.Operation);
            Assert.Equal(network.ShapeOf(pair.First.Name), copy.ShapeOf(pair.First.Name));
        });
        Assert.Equal(
            network.Parameters.Select(parameter => (parameter.Key, parameter.Role, string.Join(',', parameter.Shape))),
            copy.Parameters.Select(parameter => (parameter.Key, parameter.Role, string.Join(',', parameter.Shape))));
    }

    [Theory]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("{\"name\":\"net\"")]
    [InlineData("{\"name\":\"net\",\"layers\":null}")]
    [InlineData("{\"name\":\"net\",\"layers\":[]}")]
    [InlineData("{\"name\":\"net\",\"layers\":[null]}")]
    [InlineData("{\"name\":\"net\",\"layers\":[{\"name\":\"image\",\"operation\":null,\"inputs\":[]}]}")]
    [InlineData("{\"name\":\"net\",\"layers\":[{\"name\":\"image\",\"operation\":{\"channels\":3},\"inputs\":[]}]}")]
    [InlineData("{\"name\":\"net\",\"layers\":[{\"name\":\"image\",\"operation\":{\"kind\":\"magic\"},\"inputs\":[]}]}")]
    [InlineData("{\"name\":\"net\",\"layers\":[{\"name\":\"image\",\"operation\":{\"kind\":\"input\",\"channels\":3,\"height\":4,\"width\":4}}]}")]
    public void Damaged_description_is_an_error_a_user_can_mend(string json) =>
        Assert.Throws<GraftException>(() => Network.FromJson(json));

    [Fact]
    public void Description_with_an_impossible_stride_is_damaged()
    {
        var builder = new NetworkBuilder("net");
        var json = builder.Build(builder.Input("image", 3, 4).Convolution("conv", 2, kernel: 1, stride: 3)).ToJson();

        Assert.Throws<GraftException>(() => Network.FromJson(json.Replace("\"height\":3,\"width\":3", "\"height\":0,\"width\":0", StringComparison.Ordinal)));
    }

    [Fact]
    public void Keras_order_is_by_distance_from_the_output_then_by_the_walk_back()
    {
        // image ─ a ─ b ─ c ─┐
        //           └─ s ────┴ sum ─ out: s and c are one step from the sum; the walk meets the sum's first input first.
        var builder = new NetworkBuilder("branched");
        var image = builder.Input("image", 2, 4);
        var a = image.Relu("a");
        var s = a.Relu("s");
        var c = a.Relu("b").Relu("c");
        var unused = image.Relu("unused");
        var output = s.Add("sum", c).Relu("out");

        Assert.Equal(["image", "a", "b", "s", "c", "sum", "out"], builder.Build(output, LayerOrder.Keras).Layers.Select(layer => layer.Name));
        Assert.Equal(["image", "a", "s", "b", "c", "sum", "out"], builder.Build(output).Layers.Select(layer => layer.Name));
        Assert.Equal("unused", unused.Layer);
    }

    [Fact]
    public void Keras_order_follows_the_longest_path()
    {
        var builder = new NetworkBuilder("branched");
        var image = builder.Input("image", 2, 4);
        var early = image.Relu("early");
        var deep = image.Relu("deep1").Relu("deep2").Relu("deep3");

        var network = builder.Build(deep.Add("sum", early), LayerOrder.Keras);

        Assert.Equal(["image", "deep1", "deep2", "deep3", "early", "sum"], network.Layers.Select(layer => layer.Name));
    }

    [Fact]
    public void Keras_numbers_layers_of_a_kind()
    {
        var builder = new NetworkBuilder("net");

        Assert.Equal(["conv2d", "conv2d_1", "add", "conv2d_2"], new[] { "conv2d", "conv2d", "add", "conv2d" }.Select(builder.Numbered));
    }

    [Fact]
    public void Layer_table_counts_parameters_statistics_and_multiply_adds()
    {
        var builder = new NetworkBuilder("net");
        var table = LayerTable.Of(builder.Build(builder.Input("image", 3, 8)
            .Convolution("conv", 4, kernel: 3, padding: 1).BatchNorm("norm", 1e-5).DepthwiseConvolution("depth", 4, 3, stride: 2, padding: 1)
            .GlobalPool("pool").Dense("classes", 5)));

        Assert.Equal((3 * 4 * 9 + 4) + 8 + (4 * 9 + 4) + 25, table.Parameters);
        Assert.Equal(8, table.Statistics);
        Assert.Equal(8 * 8 * 4 * 27 + 4 * 4 * 4 * 9 + 20, table.MultiplyAdds);
        Assert.Equal(["Input", "Conv", "BatchNorm", "DepthwiseConv", "GlobalAveragePool", "Dense"], table.Rows.Select(row => row.Kind));
    }
}
