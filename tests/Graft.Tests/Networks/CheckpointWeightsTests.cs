using Graft.Checkpoints;
using Graft.Networks;
using Graft.Testing;
using PureHDF;

namespace Graft.Tests.Networks;

public sealed class CheckpointWeightsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Kernels_larger_than_a_slice_arrive_transposed()
    {
        var builder = new NetworkBuilder("large");
        var network = builder.Build(builder.Input("input", channels: 400, size: 1)
            .Convolution("conv", 400, kernel: 3, padding: 1, bias: false).Flatten("flatten").Dense("dense", 3000));
        using var file = Keras(
            ("conv", [("kernel", Numbers(3, 3, 400, 400))]), ("dense", [("kernel", Numbers(400, 3000)), ("bias", Numbers(3000))]));
        var weights = CheckpointWeights.Match(file, network);

        var kernel = new float[400 * 400 * 9];
        weights.Read(network.Parameters[0], kernel);
        foreach (var (o, i, h, w) in new[] { (0, 0, 0, 0), (399, 399, 2, 2), (17, 250, 1, 2), (398, 3, 2, 0) })
            Assert.Equal(((h * 3 + w) * 400 + i) * 400 + o, kernel[((o * 400 + i) * 3 + h) * 3 + w]);
        Assert.Equal(kernel.Length, kernel.Distinct().Count());

        var dense = new float[3000 * 400];
        weights.Read(network.Parameters[1], dense);
        for (var o = 0; o < 3000; o += 7)
            for (var i = 0; i < 400; i++) Assert.Equal(i * 3000 + o, dense[o * 400 + i]);
    }

    [Fact]
    public void Layers_counted_from_one_match_by_order_even_where_a_name_is_known()
    {
        var builder = new NetworkBuilder("counted");
        var network = builder.Build(builder.Input("input", channels: 1, size: 4)
            .Convolution("conv2d", 2, kernel: 1, bias: false).Convolution("conv2d_1", 3, kernel: 1, bias: false)
            .Convolution("conv2d_2", 4, kernel: 1, bias: false));
        using var file = Keras(("conv2d_1", [("kernel", Numbers(1, 1, 1, 2))]), ("conv2d_2", [("kernel", Numbers(1, 1, 2, 3))]));

        var weights = CheckpointWeights.Match(file, network.CutAfter("conv2d_1"), network);

        var values = new float[6];
        weights.Read(network.Parameters[1], values);
        Assert.Equal([0, 3, 1, 4, 2, 5], values);
        var problems = Assert.Throws<CheckpointMismatchException>(() => CheckpointWeights.Match(file, network)).Problems;
        Assert.Contains(problems, problem => problem.StartsWith("missing: 'conv2d", StringComparison.Ordinal));
    }

    [Fact]
    public void Layers_in_another_order_match_by_name()
    {
        var builder = new NetworkBuilder("named");
        var input = builder.Input("input", channels: 1, size: 4);
        var network = builder.Build(input.Convolution("left", 2, kernel: 1, bias: false)
            .Add("add", input.Convolution("right", 2, kernel: 1, bias: false)));
        using var file = Keras(
            ("right", [("kernel", new float[1, 1, 1, 2] { { { { 5, 6 } } } })]), ("left", [("kernel", new float[1, 1, 1, 2] { { { { 7, 8 } } } })]));
        var values = new float[2];

        CheckpointWeights.Match(file, network).Read(network.Parameters[0], values);

        Assert.Equal("left", network.Parameters[0].Layer);
        Assert.Equal([7, 8], values);
    }

    [Fact]
    public void Auxiliary_head_is_passed_over_and_anything_else_is_an_error()
    {
        var network = DenseOf("network", "fc");
        var auxiliary = DenseOf("auxiliary", "AuxLogits.fc");
        var path = _folder.File("weights.safetensors");
        SafetensorsWriter.Write(path, [.. network.Parameters.Concat(auxiliary.Parameters).Select(parameter => new TensorSource(
            parameter.Key, TensorType.Float32, [.. parameter.Shape.Select(size => (long)size)], new float[parameter.ElementCount]))]);
        using var file = Checkpoint.Open(path);

        CheckpointWeights.Match(file, network, auxiliary: auxiliary);
        Assert.NotNull(CheckpointWeights.TryMatch(file, network, auxiliary));
        Assert.Equal(
            ["unexpected: 'AuxLogits.fc.weight' [2, 3]", "unexpected: 'AuxLogits.fc.bias' [2]"],
            Assert.Throws<CheckpointMismatchException>(() => CheckpointWeights.Match(file, network)).Problems);

        static Network DenseOf(string name, string layer)
        {
            var builder = new NetworkBuilder(name);
            return builder.Build(builder.Add("input", new Input(3, 0, 0)).Dense(layer, 2));
        }
    }

    [Fact]
    public void Keras_file_for_a_transformer_fails_by_naming_what_is_missing()
    {
        using var file = Keras(("dense", [("kernel", Numbers(2, 2))]));
        var network = Graft.Backbones.BackboneCatalog.Find("vit_small_patch14_dinov2").Build();

        var problems = Assert.Throws<CheckpointMismatchException>(() => CheckpointWeights.Match(file, network)).Problems;

        Assert.Contains("missing: 'pos_embed/embeddings' [1, 1370, 384]", problems);
    }

    private static Array Numbers(params int[] shape)
    {
        var numbers = Array.CreateInstance(typeof(float), shape);
        var values = Enumerable.Range(0, numbers.Length).Select(number => (float)number).ToArray();
        Buffer.BlockCopy(values, 0, numbers, 0, values.Length * sizeof(float));
        return numbers;
    }

    private Checkpoint Keras(params (string Layer, (string Weight, Array Values)[] Weights)[] layers)
    {
        var file = new H5File();
        file.Attributes["layer_names"] = layers.Select(layer => layer.Layer).ToArray();
        foreach (var (name, weights) in layers)
        {
            var group = new H5Group();
            group.Attributes["weight_names"] = weights.Select(weight => $"{weight.Weight}:0").ToArray();
            foreach (var (weight, values) in weights) group[$"{weight}:0"] = values;
            file[name] = group;
        }
        var path = _folder.File("weights.h5");
        file.Write(path);
        return Checkpoint.Open(path);
    }
}
