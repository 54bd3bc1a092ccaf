using Graft.Backbones;
using Graft.Imaging;
using Graft.Networks;
using Graft.Training;

namespace Graft.Tests.Training;

public class GraftedNetworkTests
{
    private static Backbone Maps()
    {
        var builder = new NetworkBuilder("maps");
        return Backbone.Of(
            "maps", builder.Build(builder.Input("image", 3, 6).Convolution("conv", 5, 3).BatchNorm("norm", 1e-3)), new RandomWeights(3),
            Preprocessing.UnitRange(6));
    }

    private static float[] Values(IWeights weights, Parameter parameter)
    {
        var values = new float[parameter.ElementCount];
        weights.Read(parameter, values);
        return values;
    }

    [Theory]
    [InlineData(Pooling.Average, 5)]
    [InlineData(Pooling.Max, 5)]
    [InlineData(Pooling.Flatten, 5 * 4 * 4)]
    public void Head_pools_a_map_as_asked(Pooling pooling, int features)
    {
        var model = Maps().Graft(new() { Pooling = pooling }, ["a", "b", "c"]);

        Assert.Equal(features, model.Network.ShapeOf("features").ElementCount);
        Assert.Equal(3, model.Network.OutputShape.ElementCount);
    }

    [Fact]
    public void Pretrained_layers_keep_their_weights_and_the_head_gets_its_own_by_seed()
    {
        using var backbone = Maps();
        var (one, two) = (backbone.Graft(Head.Softmax, ["a", "b"], seed: 1), backbone.Graft(Head.Softmax, ["a", "b"], seed: 2));

        foreach (var parameter in one.Network.Parameters)
        {
            if (parameter.Layer is "conv" or "norm") Assert.Equal(Values(backbone.Weights, parameter), Values(one.Weights, parameter));
            else if (parameter.IsKernel) Assert.NotEqual(Values(one.Weights, parameter), Values(two.Weights, parameter));
        }
    }

    [Fact]
    public void Plan_begins_with_the_head_trained_and_the_rest_frozen()
    {
        var plan = Maps().Graft(Head.Softmax, ["a", "b"]).Freeze();

        Assert.Equal(["features", "head.norm", "head.classes"], plan.Layers.Where(layer => layer.IsTrained).Select(layer => layer.Name));
        Assert.Equal(
            [BatchNormMode.Inference, BatchNormMode.Training], plan.Layers.Where(layer => layer.BatchNorm is not null).Select(layer => layer.BatchNorm!.Value));
        Assert.Equal("features", plan.Boundary());
    }

    [Fact]
    public void Pretrained_block_of_the_name_of_the_pooling_stays_frozen()
    {
        var builder = new NetworkBuilder("maps");
        using var backbone = Backbone.Of(
            "maps", builder.Build(builder.Input("image", 3, 6).Convolution("features.0", 5, 3)), new RandomWeights(3), Preprocessing.UnitRange(6));

        var plan = backbone.Graft(Head.Softmax, ["a", "b"]).Freeze();

        Assert.False(plan.Layers.Single(layer => layer.Name == "features.0").IsTrained);
        Assert.Equal("features", plan.Boundary());
    }

    [Fact]
    public void Binary_head_may_have_one_logit()
    {
        Assert.Equal(1, Maps().Graft(Head.Softmax with { OneLogit = true }, ["a", "b"]).Network.OutputShape.ElementCount);
        Assert.Contains(
            "2 classes", Assert.Throws<GraftException>(() => Maps().Graft(Head.Softmax with { OneLogit = true }, ["a", "b", "c"])).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Fully_connected_head_is_the_classic_one() => Assert.Equal(
        ["features", "head.dense1", "head.relu1", "head.dropout", "head.classes"],
        Maps().Graft(Head.FullyConnected, ["a", "b"]).NewLayers);
}
