using Graft.Backbones;
using Graft.Checkpoints;
using Graft.Networks;
using Graft.Testing;
using static Graft.Tests.Checkpoints.PickleWriter;

namespace Graft.Tests.Checkpoints;

/// <summary>Weights as training code saves them: under prefixes, in dictionaries, beside other objects.</summary>
public sealed class SavedStateTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static readonly Network Small = Dense("body.fc", "head");

    private static Network Dense(params string[] layers)
    {
        var builder = new NetworkBuilder("small");
        return builder.Build(layers.Aggregate(builder.Add("input", new Input(3, 0, 0)), (node, layer) => node.Dense(layer, 3)));
    }

    private static Action<PickleWriter> Weights(string prefix = "", string storage = "0") => Dictionary(
        [.. Small.Parameters.Select((parameter, index) => (
            prefix + parameter.Key,
            Tensor(storage, "FloatStorage", 12, 0, [.. parameter.Shape.Select(size => (long)size)], parameter.Shape.Count == 2 ? [3, 1] : [1])))]);

    private Checkpoint Torch(Action<PickleWriter> root) => _folder.Open(TorchFile.Zip(Write(root), new Dictionary<string, byte[]>
    {
        ["0"] = TorchFile.Bytes(Enumerable.Range(0, 12).Select(value => (float)value).ToArray()),
        ["1"] = TorchFile.Bytes(Enumerable.Range(0, 12).Select(value => value + 100f).ToArray()),
    }));

    private static float First(CheckpointWeights weights)
    {
        var values = new float[9];
        weights.Read(Small.Parameters[0], values);
        return values[0];
    }

    [Theory]
    [InlineData("module.")]
    [InlineData("_orig_mod.")]
    [InlineData("model.")]
    [InlineData("module.backbone.")]
    [InlineData("net/tower.")]
    public void Any_prefix_is_found(string prefix)
    {
        using var torch = Torch(Weights(prefix));
        Assert.Equal(0, First(CheckpointWeights.Match(torch, Small)));

        var path = _folder.File("prefixed.safetensors");
        SafetensorsWriter.Write(path, [.. Small.Parameters.Select(parameter => new TensorSource(
            prefix + parameter.Key, TensorType.Float32, [.. parameter.Shape.Select(size => (long)size)], new float[parameter.ElementCount]))]);
        using var safetensors = Checkpoint.Open(path);
        Assert.Equal(0, First(CheckpointWeights.Match(safetensors, Small)));
    }

    [Fact]
    public void A_dictionary_under_any_word_is_found_beside_tensors_and_objects()
    {
        using var file = Torch(Dictionary(
            ("best", Vector("0", 12)),
            ("args", p => p.Global("argparse", "Namespace").Op(')').Raw(0x81).Op('}').Text("lr").Number(1).Op('s').Op('b')),
            ("mean", p => p.Global("numpy.core.multiarray", "scalar").Global("numpy", "dtype").Text("f8").Raw(0x85).Op('R').Text("x").Raw(0x86).Op('R')),
            ("seen", p => p.Raw(0x8F).Op('(').Number(1).Raw(0x90)),
            ("anything", Weights("model."))));

        Assert.Equal(0, First(CheckpointWeights.Match(file, Small)));
    }

    [Fact]
    public void Of_weights_and_their_moving_average_the_average_is_taken_and_either_can_be_chosen()
    {
        using var file = Torch(Dictionary(("state_dict", Weights()), ("state_dict_ema", Weights(storage: "1"))));

        Assert.Equal(100, First(CheckpointWeights.Match(file, Small)));
        Assert.Equal(0, First(CheckpointWeights.Match(file, Small, part: "state_dict")));
        Assert.Equal(100, First(CheckpointWeights.Match(file, Small, part: "ema")));
        var problem = Assert.Throws<GraftException>(() => CheckpointWeights.Match(file, Small, part: "swa"));
        Assert.Contains("'state_dict/', 'state_dict_ema/'", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Two_networks_that_fit_must_be_chosen_from()
    {
        using var file = Torch(Dictionary(("student", Weights()), ("teacher", Weights(storage: "1"))));

        var problem = Assert.Throws<GraftException>(() => CheckpointWeights.Match(file, Small));
        Assert.Contains("weights.bin#student", problem.Message, StringComparison.Ordinal);
        Assert.Equal(100, First(CheckpointWeights.Match(file, Small, part: "teacher")));
    }

    [Fact]
    public void A_whole_pickled_model_gives_its_state_dictionary()
    {
        void Linear(PickleWriter pickle, long output) => Module(pickle, parameters: p =>
        {
            p.Text("weight");
            Tensor("0", "FloatStorage", 12, 0, [output, 3], [3, 1])(p);
            p.Op('s').Text("bias");
            Vector("0", 12)(p);
            p.Op('s');
        });
        using var file = Torch(p => Module(p, modules: inner =>
        {
            inner.Text("body");
            Module(inner, modules: body => { body.Text("fc"); Linear(body, 3); body.Op('s'); });
            inner.Op('s');
        }));

        Assert.Equal(["body.fc.weight", "body.fc.bias"], file.Tensors.Select(tensor => tensor.Name));

        static void Module(PickleWriter pickle, Action<PickleWriter>? parameters = null, Action<PickleWriter>? modules = null)
        {
            pickle.Global("my_project.models", "Net").Op(')').Raw(0x81).Op('}');
            foreach (var (name, items) in new[] { ("_parameters", parameters), ("_buffers", null), ("_modules", modules) })
            {
                pickle.Text(name).Global("collections", "OrderedDict").Op(')').Op('R');
                items?.Invoke(pickle);
                pickle.Op('s');
            }
            pickle.Op('b');
        }
    }

    [Fact]
    public void Names_of_classes_are_read_where_the_file_has_them()
    {
        using var listed = Torch(Dictionary(
            ("model", Weights()), ("meta", Dictionary(("classes", p => p.Op('(').Text("rose").Text("tulip").Op('t'))))));
        Assert.Equal(["rose", "tulip"], listed.ClassNames);
        using var numbered = Torch(Dictionary(
            ("model", Weights()), ("class_to_idx", Dictionary(("tulip", p => p.Number(1)), ("rose", p => p.Number(0))))));
        Assert.Equal(["rose", "tulip"], numbered.ClassNames);
        using var none = Torch(Dictionary(("model", Weights()), ("class_to_idx", Dictionary(("tulip", p => p.Number(1)), ("rose", p => p.Number(7))))));
        Assert.Null(none.ClassNames);
    }

    [Fact]
    public void Weights_that_are_not_finite_name_the_file_and_the_tensor()
    {
        var path = _folder.File("weights.safetensors");
        foreach (var bad in (float[])[float.NaN, float.PositiveInfinity, float.NegativeInfinity])
        {
            foreach (var at in (int[])[0, 8])
            {
                SafetensorsWriter.Write(path, [.. Small.Parameters.Select(parameter =>
                {
                    var values = new float[parameter.ElementCount];
                    if (values.Length > at) values[at] = bad;
                    return new TensorSource("module." + parameter.Key, TensorType.Float32, [.. parameter.Shape.Select(size => (long)size)], values);
                })]);
                using var file = Checkpoint.Open(path);
                var weights = CheckpointWeights.Match(file, Small);

                var problem = Assert.Throws<CheckpointException>(() => weights.Read(Small.Parameters[0], new float[9]));
                Assert.Contains("'module.body.fc.weight'", problem.Message, StringComparison.Ordinal);
                Assert.Contains(path, problem.Message, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void A_key_map_packs_splits_and_renames()
    {
        var network = Dense("block.3.query", "block.3.key", "block.3.value", "joined");
        var path = _folder.File("packed.safetensors");
        float[] Rows(int rows, int from) => [.. Enumerable.Range(from, rows * 3).Select(value => (float)value)];
        SafetensorsWriter.Write(path,
        [
            new("encoder.3.in_proj_weight", TensorType.Float32, [9, 3], Rows(9, 0)),
            new("encoder.3.in_proj_bias", TensorType.Float32, [9], new float[] { 0, 1, 2, 3, 4, 5, 6, 7, 8 }),
            new("first.weight", TensorType.Float32, [1, 3], Rows(1, 50)),
            new("rest.weight", TensorType.Float32, [2, 3], Rows(2, 53)),
            new("joined_bias", TensorType.Float32, [3], Rows(1, 90)),
        ]);
        using var file = Checkpoint.Open(path);
        var map = KeyMap.Of(
        [
            .. ((string[])["query", "key", "value"]).SelectMany((name, part) => (KeyRule[])
            [
                new($"block.*.{name}.weight", "encoder.*.in_proj_weight") { Part = part, Parts = 3 },
                new($"block.*.{name}.bias", "encoder.*.in_proj_bias") { Part = part, Parts = 3 },
            ]),
            new("joined.weight", "first.weight", "rest.weight"),
            new("joined.bias", "joined_bias"),
        ]);

        var weights = CheckpointWeights.Match(file, network, otherKeys: [map]);

        float[] Values(string key)
        {
            var parameter = network.Parameters.Single(parameter => parameter.Key == key);
            var values = new float[parameter.ElementCount];
            weights.Read(parameter, values);
            return values;
        }
        Assert.Equal(Rows(3, 9), Values("block.3.key.weight"));
        Assert.Equal([6, 7, 8], Values("block.3.value.bias"));
        Assert.Equal(Rows(3, 50), Values("joined.weight"));
        Assert.Equal(Rows(1, 90), Values("joined.bias"));
        Assert.Throws<CheckpointMismatchException>(() => CheckpointWeights.Match(file, Dense("block.3.query", "other"), otherKeys: [map]));
    }

    /// <summary>CLIP's projection lies so, and its class token has no axes before the channels.</summary>
    [Fact]
    public void A_key_map_transposes_and_adds_axes_of_one()
    {
        var builder = new NetworkBuilder("turned");
        var network = builder.Build(builder.Input("image", channels: 2, size: 2).ClassToken("token").FirstToken("first").Dense("wide", 3, bias: false));
        var path = _folder.File("turned.safetensors");
        SafetensorsWriter.Write(path,
        [
            new("token", TensorType.Float32, [2], new float[] { 7, 8 }),
            new("proj", TensorType.Float32, [2, 3], new float[] { 1, 2, 3, 4, 5, 6 }),
            new("text.proj", TensorType.Float32, [2, 2], new float[4]),
            new("unknown", TensorType.Float32, [1], new float[1]),
        ]);
        using var file = Checkpoint.Open(path);
        var map = KeyMap.Of(new KeyRule("wide.weight", "proj") { IsTransposed = true });

        Assert.Null(CheckpointWeights.TryMatch(file, network, otherKeys: [map.PassingOver("text.")]));
        var weights = CheckpointWeights.Match(file, network, otherKeys: [map.PassingOver("text.", "unknown")]);

        var (token, kernel) = (new float[2], new float[6]);
        weights.Read(network.Parameters[0], token);
        weights.Read(network.Parameters[1], kernel);
        Assert.Equal([7, 8], token);
        Assert.Equal([1, 4, 2, 5, 3, 6], kernel);
    }

    /// <summary>As torch.jit.save writes modules: objects of the program's classes, whose attributes are tensors and modules.</summary>
    [Fact]
    public void The_tensors_of_a_TorchScript_program_are_read_and_its_code_is_not()
    {
        Action<PickleWriter> Module(string name, params (string Key, Action<PickleWriter> Value)[] attributes) => pickle =>
        {
            pickle.Global("__torch__.torch.nn", name).Op(')').Raw(0x81).Op('}').Op('(');
            foreach (var (key, value) in attributes)
            {
                pickle.Text(key);
                value(pickle);
            }
            pickle.Op('u').Op('b');
        };
        Action<PickleWriter> Layer(long offset) => Module("Linear",
            ("training", pickle => pickle.Raw(0x89)),
            ("sizes", pickle => pickle.Global("torch.jit._pickle", "build_intlist").Op(']').Raw(0x85).Op('R')),
            ("weight", Tensor("0", "FloatStorage", 24, offset, [3, 3], [3, 1])),
            ("bias", Tensor("0", "FloatStorage", 24, offset + 9, [3], [1])));
        using var file = _folder.Open(TorchFile.Zip(
            Write(Module("Net", ("training", pickle => pickle.Raw(0x88)), ("body", Module("Body", ("fc", Layer(0)))), ("head", Layer(12)))),
            new Dictionary<string, byte[]> { ["0"] = TorchFile.Bytes(Enumerable.Range(0, 24).Select(value => (float)value).ToArray()) }));

        var weights = CheckpointWeights.Match(file, Small);

        Assert.Equal(0, First(weights));
        var bias = new float[3];
        weights.Read(Small.Parameters[3], bias);
        Assert.Equal([21, 22, 23], bias);
    }

    [Fact]
    public void A_gray_first_convolution_takes_the_mean_of_the_channels()
    {
        var builder = new NetworkBuilder("color");
        var network = builder.Build(builder.Input("image", channels: 3, size: 4).Convolution("conv", 2, kernel: 1, bias: false));
        var path = _folder.File("gray.safetensors");
        SafetensorsWriter.Write(path, [new("conv.weight", TensorType.Float32, [2, 1, 1, 1], new float[] { 3, 6 })]);
        using var file = Checkpoint.Open(path);
        var values = new float[6];

        CheckpointWeights.Match(file, network).Read(network.Parameters[0], values);

        Assert.Equal([1, 1, 1, 2, 2, 2], values);
    }

    [Fact]
    public void A_head_for_other_classes_comes_with_their_names()
    {
        var path = Retrained(("rose", "tulip", "daisy"));
        using var backbone = Backbone.Load("squeezenet1_1", path);

        Assert.Equal(["rose", "tulip", "daisy"], backbone.Classes);
        Assert.Equal(3, backbone.Network.OutputShape.ElementCount);
        using var unnamed = Backbone.Load("squeezenet1_1", Retrained(null));
        Assert.Equal(["class 0", "class 1", "class 2"], unnamed.Classes);
    }

    [Fact]
    public void A_mismatch_names_the_network_that_fits_and_the_layer_that_differs_first()
    {
        var path = Retrained(null);

        var problem = Assert.Throws<CheckpointMismatchException>(() => Backbone.Load("resnet18", path));
        Assert.Contains("It fits squeezenet1_1.torchvision", problem.Message, StringComparison.Ordinal);
        Assert.Contains("differ from the first layer on, 'conv1'", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_of_a_part_of_the_network_names_the_layer_to_cut_after()
    {
        var whole = BackboneCatalog.Find("squeezenet1_1").Build();
        var path = _folder.File("part.safetensors");
        Save(path, whole.CutAfter("features.5").Parameters, prefix: "module.");

        var problem = Assert.Throws<CheckpointMismatchException>(() => Backbone.Load("squeezenet1_1", path));

        Assert.Equal(("fits-up-to-layer", "features.5"), (problem.Code, problem.Value));
        Assert.Contains("begin with 'module.'", problem.Message, StringComparison.Ordinal);
        Assert.Contains("'features.6.squeeze' is the first that differs", problem.Message, StringComparison.Ordinal);
        using var part = Backbone.Load("squeezenet1_1", path, upTo: "features.5");
        Assert.Equal(128, part.Network.OutputShape.Channels);
    }

    private string Retrained((string, string, string)? classes)
    {
        var path = _folder.File(classes is null ? "unnamed.safetensors" : "named.safetensors");
        var parameters = BackboneCatalog.Find("squeezenet1_1").Build().Parameters
            .Select(parameter => parameter.Layer == "classifier.1" ? parameter with { Shape = [3, .. parameter.Shape.Skip(1)] } : parameter);
        Save(path, parameters, prefix: "", classes is var (a, b, c) ? new() { ["class_names"] = $"[\"{a}\",\"{b}\",\"{c}\"]" } : null);
        return path;
    }

    private static void Save(string path, IEnumerable<Parameter> parameters, string prefix, Dictionary<string, string>? metadata = null) =>
        SafetensorsWriter.Write(path, [.. parameters.Select(parameter => new TensorSource(
            prefix + parameter.Key, TensorType.Float32, [.. parameter.Shape.Select(size => (long)size)], (_, values) => values.Fill(0.01f)))], metadata);
}
