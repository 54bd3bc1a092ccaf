using Graft.Backbones;
using Graft.Imaging;
using Graft.Networks;
using static TorchSharp.torch;

namespace Graft.Tests.Backbones;

public class PoolingTests
{
    private static Backbone Map(string name = "tiny")
    {
        var builder = new NetworkBuilder("tiny");
        return Backbone.Of(
            name, builder.Build(builder.Input("image", 3, 8).Convolution("conv", 4, kernel: 3, stride: 3)), new RandomWeights(1), Preprocessing.UnitRange(8));
    }

    private static float[] Run(Backbone backbone)
    {
        using var module = new TorchNetwork(backbone.Network, backbone.Weights);
        using var input = arange(3 * 8 * 8, ScalarType.Float32).reshape(1, 3, 8, 8).sin();
        using var output = module.call(input).contiguous();
        return output.data<float>().ToArray();
    }

    [Fact]
    public void Maps_become_averages_maxima_all_numbers_or_stay()
    {
        var map = Run(Map()).Chunk(4).ToArray();

        Assert.Equal(map.Select(channel => channel.Max()), Run(Map().Features(Pooling.Max)));
        Assert.All(map.Zip(Run(Map().Features())), pair => Assert.Equal(pair.First.Average(), pair.Second, 1e-6));
        Assert.Equal(map.SelectMany(channel => channel), Run(Map().Features(Pooling.Flatten)));
        Assert.Equal(TensorShape.Vector(16), Map().Features(Pooling.Flatten).Network.OutputShape);
        Assert.Equal(TensorShape.Map(4, 2, 2), Map().Features(Pooling.None).Network.OutputShape);
    }

    [Fact]
    public void Map_of_a_Keras_network_is_flattened_as_Keras_does()
    {
        var map = Run(Map()).Chunk(4).ToArray();

        Assert.Equal(
            Enumerable.Range(0, 4).SelectMany(place => map.Select(channel => channel[place])), Run(Map("tiny.keras").Features(Pooling.Flatten)));
    }

    [Fact]
    public void Vector_stays_whatever_the_pooling()
    {
        var vector = Map().Features();

        Assert.All(Enum.GetValues<Pooling>(), pooling => Assert.Same(vector, vector.Features(pooling)));
    }

    [Fact]
    public void Maximum_of_tokens_is_refused_with_what_there_is_instead()
    {
        using var tokens = Backbone.Untrained("vit_small_patch14_dinov2", seed: 1);
        var cut = tokens.CutAfter("norm");
        Assert.True(cut.Network.OutputShape.IsTokens);

        var problem = Assert.Throws<GraftException>(() => cut.Pooled(Pooling.Max));

        Assert.Contains("class token", problem.Message, StringComparison.Ordinal);
        Assert.True(cut.Pooled(Pooling.Flatten).Network.OutputShape.IsVector);
    }
}
