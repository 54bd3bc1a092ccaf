using System.IO.Compression;
using Graft.Checkpoints;
using Graft.Networks;
using Graft.Testing;
using PureHDF;

namespace Graft.Tests.Checkpoints;

public sealed class KerasCheckpointTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static readonly (string Layer, (string Weight, float[] Values)[] Weights)[] Network =
    [
        ("input_1", []),
        ("conv1", [("conv1_3/kernel:0", [1, 2]), ("conv1_3/bias:0", [3])]),
        ("dense", [("dense_W_1:0", [4]), ("dense_b_1:0", [5])]),
        ("inner", [("a/kernel:0", [6]), ("b/kernel:0", [7])]),
    ];

    private static H5Group Group(H5Group group, bool split)
    {
        Set(group, "layer_names", Network.Select(layer => layer.Layer), split);
        foreach (var (name, weights) in Network)
        {
            var layer = new H5Group();
            group[name] = layer;
            if (weights.Length > 0) Set(layer, "weight_names", weights.Select(weight => weight.Weight), split);
            else layer.Attributes["weight_names"] = Array.Empty<double>();
            foreach (var (weight, values) in weights)
            {
                var parts = weight.Split('/');
                var holder = layer;
                foreach (var part in parts[..^1])
                {
                    if (!holder.ContainsKey(part)) holder[part] = new H5Group();
                    holder = (H5Group)holder[part];
                }
                holder[parts[^1]] = values;
            }
        }
        return group;
    }

    private static void Set(H5Group group, string name, IEnumerable<string> values, bool split)
    {
        if (!split) group.Attributes[name] = values.ToArray();
        else foreach (var (part, value) in values.Index()) group.Attributes[$"{name}{part}"] = new[] { value };
    }

    private byte[] Bytes(H5File file)
    {
        var path = _folder.File("written.h5");
        file.Write(path);
        return File.ReadAllBytes(path);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void Reads_layers_in_order_and_names_their_weights(bool split, bool wholeModel)
    {
        var file = new H5File();
        file.Attributes["keras_version"] = "2.4.0";
        if (wholeModel) file["model_weights"] = Group(new H5Group(), split);
        else Group(file, split);

        using var checkpoint = Assert.IsType<KerasCheckpoint>(_folder.Open(Bytes(file)));

        Assert.Equal("2.4.0", checkpoint.Metadata["keras_version"]);
        Assert.Equal(["input_1", "conv1", "dense", "inner"], checkpoint.Layers.Select(layer => layer.Name));
        Assert.Empty(checkpoint.Layers[0].TensorNames);
        Assert.Equal(["conv1/kernel", "conv1/bias"], checkpoint.Layers[1].TensorNames);
        Assert.Equal(["dense/dense_W_1", "dense/dense_b_1"], checkpoint.Layers[2].TensorNames);
        Assert.Equal(["inner/a/kernel", "inner/b/kernel"], checkpoint.Layers[3].TensorNames);
        Assert.Equal(
            checkpoint.Layers.SelectMany(layer => layer.TensorNames), checkpoint.Tensors.Select(tensor => tensor.Name));
        Assert.Equal([1, 2, 3, 4, 5, 6, 7], checkpoint.Tensors.SelectMany(tensor => checkpoint.Values(tensor.Name)));
    }

    [Fact]
    public void Converts_other_types_to_float32()
    {
        var file = new H5File();
        file.Attributes["layer_names"] = new[] { "l" };
        var layer = new H5Group
        {
            ["d"] = new[] { 0.1, -2 },
            ["i"] = new long[] { 3 },
            ["b"] = new byte[] { 200 },
            ["m"] = new float[,] { { 1, 2, 3 }, { 4, 5, 6 } },
        };
        layer.Attributes["weight_names"] = new[] { "d", "i", "b", "m" };
        file["l"] = layer;

        using var checkpoint = _folder.Open(Bytes(file));

        Assert.Equal([0.1f, -2], checkpoint.Values("l/d"));
        Assert.Equal([3f], checkpoint.Values("l/i"));
        Assert.Equal([200f], checkpoint.Values("l/b"));
        Assert.Equal([2L, 3L], checkpoint.Find("l/m")!.Shape);
        Assert.Equal([1, 2, 3, 4, 5, 6], checkpoint.Values("l/m"));
    }

    [Fact]
    public void Other_layouts_say_what_to_do()
    {
        var keras3 = _folder.OpenFails(Bytes(new() { ["layers"] = new H5Group() }));
        Assert.Contains("the group 'layers'", keras3, StringComparison.Ordinal);
        var other = _folder.OpenFails(Bytes(new() { ["x"] = new[] { 1f } }));
        Assert.Contains("layer_names", other, StringComparison.Ordinal);
    }

    /// <summary>What Keras 3 writes, which counts the layers of each class.</summary>
    private static H5Group Keras3(params (string Layer, Array[] Variables)[] layers)
    {
        var group = new H5Group();
        foreach (var (name, variables) in layers)
        {
            var values = new H5Group();
            foreach (var (index, value) in variables.Index()) values[$"{index}"] = value;
            group[name] = new H5Group { ["vars"] = values };
        }
        return group;
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Keras_3_layers_are_taken_by_the_order_of_their_kind(bool inArchive)
    {
        var layers = Enumerable.Range(0, 12).Select(number => ($"dense{(number == 0 ? "" : $"_{number}")}", new Array[] { new float[,] { { number } }, new float[] { number } })).Reverse().ToArray();
        var bytes = Bytes(new()
        {
            ["layers"] = new H5Group { ["functional"] = new H5Group { ["layers"] = Keras3(layers) } },
            ["optimizer"] = new H5Group { ["vars"] = new H5Group { ["0"] = new[] { 1f } } },
        });
        if (inArchive) bytes = Archive(bytes);
        var builder = new NetworkBuilder("dense");
        var network = builder.Build(Enumerable.Range(0, 12).Aggregate(
            builder.Add("input", new Input(1, 0, 0)), (node, number) => node.Dense($"some_{number * 7 % 12}", 1)));

        using var checkpoint = _folder.Open(bytes);
        var weights = CheckpointWeights.Match(checkpoint, network);

        for (var number = 0; number < 12; number++)
        {
            var value = new float[1];
            weights.Read(network.Parameters[2 * number + 1], value);
            Assert.Equal(number, value[0]);
        }
        if (inArchive) Assert.Contains(((KerasCheckpoint)checkpoint).Layers, layer => layer.Name == "named_3");
    }

    /// <summary>As EfficientNet's files begin.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_layer_that_normalizes_photos_is_passed_over(bool byOrder)
    {
        var file = new H5File();
        file.Attributes["layer_names"] = new[] { "normalization", "fc" };
        var normalization = new H5Group { ["mean:0"] = new[] { 9f }, ["variance:0"] = new[] { 9f }, ["count:0"] = new[] { 1f } };
        normalization.Attributes["weight_names"] = new[] { "mean:0", "variance:0", "count:0" };
        var dense = new H5Group { ["kernel:0"] = new float[,] { { 1 } }, ["bias:0"] = new[] { 2f } };
        dense.Attributes["weight_names"] = new[] { "kernel:0", "bias:0" };
        (file["normalization"], file["fc"]) = (normalization, dense);
        var builder = new NetworkBuilder("dense");
        var network = builder.Build(builder.Add("input", new Input(1, 0, 0)).Dense(byOrder ? "other" : "fc", 1));
        using var checkpoint = _folder.Open(Bytes(file));

        var weights = CheckpointWeights.Match(checkpoint, network);

        var value = new float[1];
        weights.Read(network.Parameters[0], value);
        Assert.Equal(1, value[0]);
    }

    [Theory]
    [InlineData("Conv2D", "conv2d")]
    [InlineData("DepthwiseConv2D", "depthwise_conv2d")]
    [InlineData("BatchNormalization", "batch_normalization")]
    [InlineData("ReLU", "re_lu")]
    public void Layers_of_Keras_3_are_named_after_their_class(string type, string name) => Assert.Equal(name, KerasConfiguration.SnakeCase(type));

    private static byte[] Archive(byte[] weights)
    {
        var layers = string.Join(',', Enumerable.Range(0, 12).Select(number => $$$"""{"class_name":"Dense","config":{"name":"named_{{{number}}}"}}"""));
        var config = $$$"""{"class_name":"Functional","config":{"layers":[{"class_name":"Functional","config":{"name":"base","layers":[{{{layers}}}]}}]}}""";
        var bytes = new MemoryStream();
        using (var zip = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
        {
            using (var entry = zip.CreateEntry("config.json", CompressionLevel.NoCompression).Open()) entry.Write(System.Text.Encoding.UTF8.GetBytes(config));
            using (var entry = zip.CreateEntry("model.weights.h5", CompressionLevel.NoCompression).Open()) entry.Write(weights);
        }
        return bytes.ToArray();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_model_that_is_a_layer_of_the_saved_one_is_found(bool byOrder)
    {
        var file = new H5File();
        file.Attributes["layer_names"] = new[] { "input_2", "base", "dense" };
        file["input_2"] = new H5Group { Attributes = { ["weight_names"] = Array.Empty<double>() } };
        var inner = new H5Group();
        // Keras lists what is trained first: the kernels of all layers, then the moving averages.
        inner.Attributes["weight_names"] = new[] { "one/kernel:0", "two/kernel:0", "one/bias:0", "two/bias:0" };
        inner["one"] = new H5Group { ["kernel:0"] = new float[,] { { 1 } }, ["bias:0"] = new[] { 2f } };
        inner["two"] = new H5Group { ["kernel:0"] = new float[,] { { 3 } }, ["bias:0"] = new[] { 4f } };
        file["base"] = inner;
        var head = new H5Group { ["kernel:0"] = new float[,] { { 5, 6 } } };
        head.Attributes["weight_names"] = new[] { "kernel:0" };
        file["dense"] = head;
        var builder = new NetworkBuilder("base");
        var network = builder.Build(builder.Add("input", new Input(1, 0, 0))
            .Dense(byOrder ? "first" : "one", 1).Dense(byOrder ? "second" : "two", 1));
        using var checkpoint = _folder.Open(Bytes(file));

        var weights = CheckpointWeights.Match(checkpoint, network);

        foreach (var (index, expected) in new[] { 1f, 2, 3, 4 }.Index())
        {
            var value = new float[1];
            weights.Read(network.Parameters[index], value);
            Assert.Equal(expected, value[0]);
        }
    }

    [Fact]
    public void A_layer_or_weight_that_is_named_but_absent_is_an_error()
    {
        var file = new H5File();
        file.Attributes["layer_names"] = new[] { "conv1" };
        Assert.Contains("the group of layer 'conv1'", _folder.OpenFails(Bytes(file)), StringComparison.Ordinal);
        var layer = new H5Group();
        layer.Attributes["weight_names"] = new[] { "conv1/kernel:0" };
        file["conv1"] = layer;
        Assert.Contains("'conv1/kernel:0'", _folder.OpenFails(Bytes(file)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_cut_short_anywhere_fails_clearly()
    {
        var file = new H5File();
        Group(file, split: false);
        _folder.EveryPrefixFails(Bytes(file));
    }

    [Fact]
    public void Damage_anywhere_reads_or_fails_clearly()
    {
        var file = new H5File();
        Group(file, split: false);
        var sound = Bytes(file);
        for (var at = 0; at < sound.Length; at += 41)
        {
            byte[] damaged = [.. sound];
            damaged[at] ^= 0xFF;
            try
            {
                using var checkpoint = _folder.Open(damaged);
                foreach (var tensor in checkpoint.Tensors.Where(tensor => tensor.ElementCount < 1000))
                    checkpoint.Values(tensor.Name);
            }
            catch (CheckpointException)
            {
                // Clear enough: what must not happen is any other exception.
            }
        }
    }
}
