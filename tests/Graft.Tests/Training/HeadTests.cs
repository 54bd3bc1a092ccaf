using Graft.Networks;

namespace Graft.Tests.Training;

public class HeadTests
{
    private static string[] Layers(Head head)
    {
        var builder = new NetworkBuilder("head", [new("features", new Input(4, 0, 0), [])]);
        return [.. builder.Build(head.Build(builder.Node("features"), classes: 3)).Layers.Skip(1).Select(layer => layer.Name)];
    }

    [Fact]
    public void Softmax_head_is_batch_norm_and_a_dense_layer() => Assert.Equal(["head.norm", "head.classes"], Layers(Head.Softmax));

    [Fact]
    public void Dropout_goes_before_each_dense_layer_but_the_first() => Assert.Equal(
        ["head.norm", "head.dense1", "head.relu1", "head.dropout1", "head.dense2", "head.relu2", "head.dropout", "head.classes"],
        Layers(new() { HiddenUnits = [8, 4], Dropout = 0.5 }));

    [Fact]
    public void Batch_norm_can_be_left_out() =>
        Assert.Equal(["head.classes"], Layers(Head.Softmax with { BatchNorm = false }));

    [Fact]
    public void Problems_are_named_together()
    {
        var problem = Assert.Throws<GraftException>(() => Layers(new() { HiddenUnits = [8, 0], Dropout = 1 }));

        Assert.Contains("at least 1 unit, found 8, 0", problem.Message, StringComparison.Ordinal);
        Assert.Contains("dropout from 0 up to 1, found 1", problem.Message, StringComparison.Ordinal);
    }
}
