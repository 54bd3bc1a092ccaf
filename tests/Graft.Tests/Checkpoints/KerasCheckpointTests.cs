using System.IO.Compression;
using Graft.Backbones;
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

    private static readonly (int Channels, int Blocks)[] NarrowTable = [(2, 2), (4, 1), (6, 3), (8, 1)];

    /// <summary>The layers of Keras's ConvNeXt in their order, each with the model that it is a part of, its kind, and the shapes of its weights.</summary>
    private static List<(string Model, string Kind, string Name, int[][] Shapes)> ConvNeXtLayers()
    {
        var layers = new List<(string, string, string, int[][])>();
        for (var stage = 0; stage < NarrowTable.Length; stage++)
        {
            var (channels, blocks) = NarrowTable[stage];
            var model = stage == 0 ? "small_stem" : $"small_downsampling_block_{stage - 1}";
            if (stage == 0)
            {
                layers.Add((model, "conv2d", "small_stem_conv", [[4, 4, 3, channels], [channels]]));
                Norm(model, "small_stem_layernorm", channels);
            }
            else
            {
                Norm(model, $"small_downsampling_layernorm_{stage - 1}", NarrowTable[stage - 1].Channels);
                layers.Add((model, "conv2d", $"small_downsampling_conv_{stage - 1}", [[2, 2, NarrowTable[stage - 1].Channels, channels], [channels]]));
            }
            for (var block = 0; block < blocks; block++)
            {
                var name = $"small_stage_{stage}_block_{block}";
                layers.Add(("", "conv2d", $"{name}_depthwise_conv", [[7, 7, 1, channels], [channels]]));
                Norm("", $"{name}_layernorm", channels);
                layers.Add(("", "dense", $"{name}_pointwise_conv_1", [[channels, 4 * channels], [4 * channels]]));
                layers.Add(("", "dense", $"{name}_pointwise_conv_2", [[4 * channels, channels], [channels]]));
                layers.Add(("", "layer_scale", $"{name}_layer_scale", [[channels]]));
            }
        }
        Norm("", "small_head_layernorm", 8);
        layers.Add(("", "dense", "small_head_dense", [[8, 1000], [1000]]));
        return layers;

        void Norm(string model, string name, int channels) => layers.Add((model, "layer_normalization", name, [[channels], [channels]]));
    }

    private static Array Numbers(int[] shape, ref int next)
    {
        var values = Array.CreateInstance(typeof(float), shape);
        var place = new int[shape.Length];
        for (var i = 0; i < values.Length; i++)
        {
            values.SetValue((float)next++, place);
            for (var axis = shape.Length - 1; axis >= 0 && ++place[axis] == shape[axis]; axis--) place[axis] = 0;
        }
        return values;
    }

    /// <summary>Its stem and what lies between stages are models of their own, and its depthwise convolutions are grouped ones.</summary>
    [Theory]
    [InlineData("by name")]
    [InlineData("by order")]
    [InlineData("Keras 3, by place")]
    [InlineData("Keras 3, by name")]
    public void Network_whose_layers_lie_in_several_models_is_put_together(string layout)
    {
        var file = new H5File();
        var next = 1;
        var values = new Dictionary<string, Array>();
        var isKeras3 = layout.StartsWith("Keras 3", StringComparison.Ordinal);
        H5Group root = new();
        var (counts, order) = (new Dictionary<string, int>(), new List<string>());
        if (isKeras3) file["layers"] = root;
        foreach (var ofModel in ConvNeXtLayers().GroupBy(layer => layer.Model.Length > 0 ? layer.Model : layer.Name))
        {
            var isModel = ofModel.First().Model.Length > 0;
            var (holder, inner) = (root, counts);
            if (isKeras3 && isModel)
            {
                (holder, inner) = (new(), []);
                root[Numbered("sequential", counts)] = new H5Group { ["layers"] = holder };
            }
            else if (!isKeras3)
            {
                var name = layout == "by order" ? $"layer_{order.Count}" : ofModel.Key;
                order.Add(name);
                file[name] = holder = new();
                holder.Attributes["weight_names"] = ofModel.SelectMany(layer => layer.Shapes.Select((_, index) => $"{layer.Name}/weight_{layer.Kind}_{index}:0")).ToArray();
            }
            foreach (var layer in ofModel)
            {
                var variables = new H5Group();
                foreach (var (index, shape) in layer.Shapes.Index())
                {
                    var array = values[$"{layer.Name} {index}"] = Numbers(shape, ref next);
                    variables[isKeras3 ? $"{index}" : $"weight_{layer.Kind}_{index}:0"] = array;
                }
                if (!isKeras3)
                {
                    holder[layer.Name] = variables;
                    continue;
                }
                var group = new H5Group { ["vars"] = variables };
                if (layout == "Keras 3, by name") group.Attributes["name"] = layer.Name;
                holder[Numbered(layer.Kind, inner)] = group;
            }
        }
        if (!isKeras3) file.Attributes["layer_names"] = order.ToArray();
        var network = KerasConvNeXt.Build("small", NarrowTable);
        using var checkpoint = _folder.Open(Bytes(file));

        var weights = CheckpointWeights.Match(checkpoint, network, otherKeys: layout == "Keras 3, by place" ? [KerasConvNeXt.Keras3("small", NarrowTable)] : []);

        foreach (var parameter in network.Parameters)
        {
            var read = new float[parameter.ElementCount];
            weights.Read(parameter, read);
            var written = values[$"{parameter.Layer} {(parameter.Role is ParameterRole.Bias or ParameterRole.Beta ? 1 : 0)}"];
            float[] expected = parameter.Shape switch
            {
                [var output, var input] => [.. from o in Enumerable.Range(0, output) from i in Enumerable.Range(0, input) select (float)written.GetValue(i, o)!],
                [var output, var input, var height, var width] => [.. from o in Enumerable.Range(0, output) from i in Enumerable.Range(0, input)
                    from h in Enumerable.Range(0, height) from w in Enumerable.Range(0, width) select (float)written.GetValue(h, w, i, o)!],
                _ => [.. written.Cast<float>()],
            };
            Assert.Equal(expected, read);
        }

        static string Numbered(string kind, Dictionary<string, int> counts)
        {
            var number = counts[kind] = counts.GetValueOrDefault(kind, -1) + 1;
            return number == 0 ? kind : $"{kind}_{number}";
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
