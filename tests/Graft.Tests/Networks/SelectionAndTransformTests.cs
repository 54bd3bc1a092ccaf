using System.Text.Json.Serialization;
using Graft.Networks;
using static TorchSharp.torch;

namespace Graft.Tests.Networks;

/// <summary>Torch and ONNX Runtime against plain arithmetic.</summary>
public class SelectionAndTransformTests
{
    private const float Tolerance = 1e-5f;

    public static TheoryData<InferenceEngine> Engines => [InferenceEngine.Torch, InferenceEngine.Onnx];

    [Fact]
    public void Every_operation_can_be_saved()
    {
        var saved = typeof(Operation).GetCustomAttributes(typeof(JsonDerivedTypeAttribute), inherit: false)
            .Select(attribute => ((JsonDerivedTypeAttribute)attribute).DerivedType).OrderBy(type => type.Name);

        Assert.Equal(typeof(Operation).Assembly.GetTypes().Where(type => type.IsSubclassOf(typeof(Operation)) && !type.IsAbstract).OrderBy(type => type.Name), saved);
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void Slice_takes_some_channels(InferenceEngine engine)
    {
        var builder = new NetworkBuilder("net");
        var network = builder.Build(builder.Input("image", 4, (1, 2)).ChannelSlice("slice", 1, 2));

        Assert.Equal([2, 3, 4, 5], Run(network, new ListedWeights(), [0, 1, 2, 3, 4, 5, 6, 7], engine));
        Assert.Throws<GraftException>(() => builder.Build(builder.Node("image").ChannelSlice("too far", 3, 2)));
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void Shuffle_deals_the_groups_out_in_turn(InferenceEngine engine)
    {
        var builder = new NetworkBuilder("net");
        var network = builder.Build(builder.Input("image", 6, 1).ChannelShuffle("shuffle", groups: 2));

        Assert.Equal([0, 3, 1, 4, 2, 5], Run(network, new ListedWeights(), [0, 1, 2, 3, 4, 5], engine));
        Assert.Throws<GraftException>(() => builder.Build(builder.Node("image").ChannelShuffle("uneven", groups: 4)));
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void Diagonal_transform_centers_multiplies_and_shifts_each_feature(InferenceEngine engine) => AssertClose(
        [0 * 2 + 5, 1 * 3 + 6], Transformed(AffineWeights.Diagonal([1, 1], [2, 3], [5, 6]), [1, 2], engine));

    [Theory]
    [MemberData(nameof(Engines))]
    public void Full_transform_multiplies_by_a_matrix(InferenceEngine engine) => AssertClose(
        [0 * 2 + 1 * 3 + 5, 0 * 4 + 1 * 5 + 6, 0 * 6 + 1 * 7 + 7], Transformed(AffineWeights.Full([1, 1], [2, 3, 4, 5, 6, 7], 3, [5, 6, 7]), [1, 2], engine));

    [Fact]
    public void Transform_is_saved_but_never_trained()
    {
        var weights = AffineWeights.Full([1, 1], [2, 3, 4, 5], 2);
        using var module = new TorchNetwork(Network(weights), weights);
        module.TrainOnly(module.Network.Parameters.Select(parameter => parameter.Key).ToHashSet(), new HashSet<string>());

        Assert.All(module.Network.Parameters, parameter => Assert.False(module.Learns(parameter)));
        Assert.Equal(module.Network.ToJson(), Graft.Networks.Network.FromJson(module.Network.ToJson()).ToJson());
        Assert.Equal(["transform.center", "transform.factors", "transform.shift"], module.Network.Parameters.Select(parameter => parameter.Key));
    }

    [Fact]
    public void Transform_of_another_length_is_refused()
    {
        Assert.Throws<ArgumentException>(() => AffineWeights.Diagonal([1, 1], [2, 3, 4]));
        Assert.Throws<ArgumentException>(() => AffineWeights.Full([1, 1], [2, 3, 4, 5], 2, shift: [1]));
        var builder = new NetworkBuilder("net", [new("features", Input.Of(TensorShape.Vector(3)), [])]);
        Assert.Throws<GraftException>(() => builder.Build(builder.Node("features").AffineTransform("transform", AffineWeights.Diagonal([1, 1], [2, 3]))));
    }

    /// <summary>Zeros are larger than all values of a window, and stay so: ONNX Runtime 1.31 would take them for padding, which is never the maximum.</summary>
    [Theory]
    [MemberData(nameof(Engines))]
    public void Zeros_around_negative_values_are_the_maximum(InferenceEngine engine)
    {
        var builder = new NetworkBuilder("net");
        var network = builder.Build(builder.Input("image", 1, 2).ZeroPadding("pad", 1).MaxPool("pool", kernel: 2, stride: 2));

        Assert.Equal([0, 0, 0, 0], Run(network, new ListedWeights(), [-1, -2, -3, -4], engine));
    }

    private static Network Network(AffineWeights weights)
    {
        var builder = new NetworkBuilder("net", [new("features", Input.Of(TensorShape.Vector(2)), [])]);
        return builder.Build(builder.Node("features").AffineTransform("transform", weights));
    }

    private static float[] Transformed(AffineWeights weights, float[] features, InferenceEngine engine) => Run(Network(weights), weights, features, engine);

    private static float[] Run(Network network, IWeights weights, float[] input, InferenceEngine engine)
    {
        using var scope = NewDisposeScope();
        using var frozen = FrozenNetwork.Load(network, weights, engine);
        return frozen.Run(input);
    }

    private static void AssertClose(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, Tolerance));
    }
}
