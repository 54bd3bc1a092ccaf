using Graft.Backbones;
using Graft.Classifiers;
using Graft.Data;
using Graft.Features;
using Graft.Imaging;
using Graft.Networks;
using Graft.Networks.Onnx;
using Graft.Testing;
using Graft.Tests.Features;

namespace Graft.Tests.Networks;

/// <summary>A user-supplied ONNX file as a backbone.</summary>
public class OnnxFileTests
{
    private const double Relative = 1e-4;

    private static Backbone Load(string file, string? layer = null, int? size = null) =>
        OnnxBackbone.Load(file, pixels => Preprocessing.UnitRange(pixels), layer, size);

    private static string Write(FeatureScene scene, ModelProto model)
    {
        var file = Path.Combine(scene.FullName, "model.onnx");
        File.WriteAllBytes(file, new OnnxModel(model).ToArray());
        return file;
    }

    private static string WriteBackbone(FeatureScene scene, Backbone backbone)
    {
        var file = Path.Combine(scene.FullName, "model.onnx");
        File.WriteAllBytes(file, OnnxModel.Of(backbone.Network, backbone.Weights).ToArray());
        return file;
    }

    /// <summary>A model of one node.</summary>
    private static ModelProto Model(string operation, params ValueInfoProto[] inputs) => new()
    {
        IrVersion = OnnxModel.IrVersion,
        OpsetImport = { new OperatorSetIdProto { Version = OnnxModel.Opset } },
        Graph = new()
        {
            Name = "one",
            Input = { inputs },
            Node = { new NodeProto { OpType = operation, Input = { inputs.Select(input => input.Name) }, Output = { "result" } } },
            Output = { new ValueInfoProto { Name = "result" } },
        },
    };

    private static ValueInfoProto Image(params int[] sizes) => Value("image", sizes);

    private static ValueInfoProto Value(string name, params int[] sizes)
    {
        var shape = new TensorShapeProto();
        shape.Dim.AddRange(sizes.Select(size => size > 0
            ? new TensorShapeProto.Types.Dimension { DimValue = size }
            : new TensorShapeProto.Types.Dimension { DimParam = "open" }));
        return new() { Name = name, Type = new() { TensorType = new() { ElemType = (int)TensorProto.Types.DataType.Float, Shape = shape } } };
    }

    private static IReadOnlyList<float[]> Extract(Backbone backbone, params LabeledImage[] photos)
    {
        using var extractor = new FeatureExtractor(backbone, cache: null);
        return extractor.Extract(photos, cancellation: TestContext.Current.CancellationToken).Rows;
    }

    private static void AssertClose(float[] expected, float[] actual) => Assert.All(
        expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, Relative * expected.Max(Math.Abs)));

    [Theory]
    [InlineData(null)]
    [InlineData("norm")]
    [InlineData("features")]
    public void Its_features_are_the_activations_at_the_tensor_asked_for(string? layer)
    {
        using var scene = new FeatureScene();
        var own = FeatureScene.Backbone();
        var photo = scene.Photo(1);

        using var backbone = Load(WriteBackbone(scene, own), layer);

        AssertClose(Extract(layer is null ? own : own.CutAfter(layer), photo)[0], Extract(backbone, photo)[0]);
        Assert.Equal(6, backbone.Features().Network.OutputShape.ElementCount);
        AssertClose(Extract((layer is null ? own : own.CutAfter(layer)).Features(), photo)[0], Extract(backbone.Features(), photo)[0]);
    }

    [Fact]
    public void Channels_may_come_last()
    {
        using var scene = new FeatureScene();
        using var backbone = Load(Write(scene, Model("Relu", Image(0, 8, 10, 3))));
        var image = new float[240];
        for (var i = 0; i < image.Length; i++) image[i] = i;

        using var network = FrozenNetwork.Load(backbone.Network, backbone.Weights);

        Assert.Equal(TensorShape.Map(3, 8, 10), backbone.Network.InputShape);
        Assert.Equal(TensorShape.Map(3, 8, 10), backbone.Network.OutputShape);
        Assert.Equal(image, network.Run(image));
    }

    [Fact]
    public void Trained_model_carries_the_onnx_model_inside()
    {
        using var scene = new FeatureScene();
        using var features = Load(WriteBackbone(scene, FeatureScene.Backbone()));
        var builder = new NetworkBuilder("head", [new(features.Network.Output.Name, Input.Of(features.Network.OutputShape), [])]);
        using var head = new TorchNetwork(
            builder.Build(Head.Softmax.Build(builder.Node(features.Network.Output.Name), classes: 2)), new RandomWeights(1));
        using var model = ImageClassifier.Of(features, head, ["a", "b"]);
        var (photo, file) = (scene.Photo(1).Path, Path.Combine(scene.FullName, "model.safetensors"));
        model.Save(file);
        File.Delete(Path.Combine(scene.FullName, "model.onnx"));

        using var opened = ImageClassifier.Open(file);

        Assert.Equal(model.Predict(photo).Probabilities, opened.Predict(photo).Probabilities);
    }

    [Fact]
    public void Size_is_asked_for_where_the_model_leaves_it_open()
    {
        using var scene = new FeatureScene();
        var file = Write(scene, Model("GlobalAveragePool", Image(0, 3, 0, 0)));

        Assert.Equal("size-missing", Assert.Throws<GraftException>(() => Load(file)).Code);
        Assert.Equal(TensorShape.Map(3, 16, 16), Load(file, size: 16).Network.InputShape);
    }

    [Fact]
    public void Another_size_than_the_models_is_refused()
    {
        using var scene = new FeatureScene();
        var file = Write(scene, Model("Relu", Image(1, 3, 8, 8)));

        Assert.Contains("8×8", Assert.Throws<GraftException>(() => Load(file, size: 16)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Unknown_tensor_is_refused_with_those_there_are()
    {
        using var scene = new FeatureScene();
        var file = WriteBackbone(scene, FeatureScene.Backbone());

        Assert.Contains("relu", Assert.Throws<GraftException>(() => Load(file, "block5")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Several_outputs_must_be_chosen_from()
    {
        using var scene = new FeatureScene();
        var model = Model("Relu", Image(1, 3, 8, 8));
        model.Graph.Node.Add(new NodeProto { OpType = "Sigmoid", Input = { "result" }, Output = { "other" } });
        model.Graph.Output.Add(new ValueInfoProto { Name = "other" });
        var file = Write(scene, model);

        Assert.Contains("result, other", Assert.Throws<GraftException>(() => Load(file)).Message, StringComparison.Ordinal);
        Assert.Equal(TensorShape.Map(3, 8, 8), Load(file, "result").Network.OutputShape);
    }

    [Fact]
    public void Other_inputs_than_one_image_are_refused()
    {
        using var scene = new FeatureScene();

        var two = Assert.Throws<GraftException>(() => Load(Write(scene, Model("Add", Image(1, 3, 8, 8), Value("mask", 1, 3, 8, 8)))));
        var vector = Assert.Throws<GraftException>(() => Load(Write(scene, Model("Relu", Image(1, 100)))));

        Assert.Contains("mask", two.Message, StringComparison.Ordinal);
        Assert.Contains("100", vector.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Weights_in_another_file_are_refused_with_the_remedy()
    {
        using var scene = new FeatureScene();
        var model = Model("Relu", Image(1, 3, 8, 8));
        model.Graph.Initializer.Add(new TensorProto { Name = "kernel", DataLocation = 1 });

        Assert.Contains("one file", Assert.Throws<GraftException>(() => Load(Write(scene, model))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Model_that_the_runtime_cannot_run_is_refused()
    {
        using var scene = new FeatureScene();

        var problem = Assert.Throws<GraftException>(() => Load(Write(scene, Model("NoSuchOperator", Image(1, 3, 8, 8)))));

        Assert.Contains("NoSuchOperator", problem.Message, StringComparison.Ordinal);
    }

    private static NodeProto Node(string operation, string input, string output) => new() { OpType = operation, Input = { input }, Output = { output } };

    private static readonly Action<TensorProto, ModelProto>[] Places =
    [
        (tensor, model) => model.Graph.Initializer.Add(tensor),
        (tensor, model) => model.Graph.SparseInitializer.Add(new SparseTensorProto { Values = tensor }),
        (tensor, model) => model.Graph.SparseInitializer.Add(new SparseTensorProto { Indices = tensor }),
        (tensor, model) => model.Graph.Node[0].Attribute.Add(new AttributeProto { Name = "value", T = tensor }),
        (tensor, model) => model.Graph.Node[0].Attribute.Add(new AttributeProto { Name = "values", Tensors = { tensor } }),
        (tensor, model) => model.Graph.Node[0].Attribute.Add(new AttributeProto { Name = "s", SparseTensor = new() { Values = tensor } }),
        (tensor, model) => model.Graph.Node[0].Attribute.Add(new AttributeProto { Name = "s", SparseTensors = { new SparseTensorProto { Values = tensor } } }),
        (tensor, model) => model.Graph.Node[0].Attribute.Add(new AttributeProto { Name = "body", G = new() { Initializer = { tensor } } }),
        (tensor, model) => model.Graph.Node[0].Attribute.Add(new AttributeProto { Name = "b", Graphs = { new GraphProto { Initializer = { tensor } } } }),
        (tensor, model) => model.TrainingInfo.Add(new TrainingInfoProto { Initialization = new() { Initializer = { tensor } } }),
        (tensor, model) => model.TrainingInfo.Add(new TrainingInfoProto { Algorithm = new() { Initializer = { tensor } } }),
        (tensor, model) => model.Functions.Add(new FunctionProto { Node = { new NodeProto { OpType = "Constant", Attribute = { new AttributeProto { T = tensor } } } } }),
        (tensor, model) => model.Functions.Add(new FunctionProto { AttributeProto = { new AttributeProto { Name = "value", T = tensor } } }),
    ];

    public static TheoryData<int> PlaceNumbers => [.. Enumerable.Range(0, Places.Length)];

    [Theory]
    [MemberData(nameof(PlaceNumbers))]
    public void External_data_is_refused_wherever_it_hides(int place)
    {
        using var scene = new FeatureScene();
        foreach (var tensor in (TensorProto[])
        [
            new() { Name = "v", DataType = 1, DataLocation = 1, ExternalData = { new StringStringEntryProto { Key = "location", Value = "secret.bin" } } },
            new() { Name = "v", DataType = 1, ExternalData = { new StringStringEntryProto { Key = "location", Value = "secret.bin" } } },
        ])
        {
            var model = Model("Relu", Image(1, 3, 8, 8));
            Places[place](tensor, model);

            var problem = Assert.Throws<GraftException>(() => Load(Write(scene, model)));

            Assert.Contains("'v'", problem.Message, StringComparison.Ordinal);
            Assert.Contains("'secret.bin'", problem.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Tensors_that_claim_more_than_they_hold_are_refused()
    {
        using var scene = new FeatureScene();
        foreach (var dims in (long[][])[[1L << 40], [1L << 40, 1L << 40], [-1], [4]])
        {
            var model = Model("Relu", Image(1, 3, 8, 8));
            model.Graph.Initializer.Add(new TensorProto { Name = "v", DataType = 1, Dims = { dims }, RawData = Google.Protobuf.ByteString.CopyFrom(new byte[16]) });
            if (dims is [4]) Load(Write(scene, model)).Dispose();
            else Assert.Contains("more than it holds", Assert.Throws<GraftException>(() => Load(Write(scene, model))).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_tensor_of_two_nodes_and_an_output_of_none_are_named()
    {
        using var scene = new FeatureScene();
        var twice = Model("Relu", Image(1, 3, 8, 8));
        twice.Graph.Node.Add(Node("Sigmoid", "image", "result"));
        Assert.Contains("Two nodes", Assert.Throws<GraftException>(() => Load(Write(scene, twice))).Message, StringComparison.Ordinal);

        var none = Model("Relu", Image(1, 3, 8, 8));
        none.Graph.Output[0].Name = "absent";
        Assert.Contains("computes its output 'absent'", Assert.Throws<GraftException>(() => Load(Write(scene, none))).Message, StringComparison.Ordinal);
        Assert.Equal("result", Assert.Single(OnnxFile.Tensors(Write(scene, none))).Name);
    }

    [Fact]
    public void The_tensors_that_can_be_features_are_listed_with_their_shapes()
    {
        using var scene = new FeatureScene();
        var model = Model("Relu", Image(0, 3, 8, 8));
        model.Graph.Node.Add(new NodeProto { OpType = "Shape", Input = { "result" }, Output = { "shape" } });
        model.Graph.Node.Add(Node("GlobalAveragePool", "result", "pooled"));
        model.Graph.Node.Add(Node("Flatten", "pooled", "features"));
        model.Graph.Output.Clear();
        model.Graph.Output.Add(new ValueInfoProto { Name = "features" });

        var tensors = OnnxFile.Tensors(Write(scene, model));

        Assert.Equal(
            [("result", "Relu", "3×8×8"), ("pooled", "GlobalAveragePool", "3×1×1"), ("features", "Flatten", "3")],
            tensors.Select(tensor => (tensor.Name, tensor.Operation, string.Join('×', tensor.Shape.Sizes))));
        foreach (var tensor in tensors) Load(Write(scene, model), tensor.Name).Dispose();
    }

    [SharedFact("cases/onnx/loop.onnx")]
    public void A_loop_without_end_is_stopped()
    {
        var limit = OnnxGraphNetwork.TimeLimit;
        try
        {
            OnnxGraphNetwork.TimeLimit = TimeSpan.FromSeconds(1);
            var problem = Assert.Throws<GraftException>(() => Load(SharedFolder.Path("cases/onnx/loop.onnx")));
            Assert.Contains("stopped after 1 seconds", problem.Message, StringComparison.Ordinal);
        }
        finally
        {
            OnnxGraphNetwork.TimeLimit = limit;
        }
    }

    /// <summary>A few hundred bytes that ask for 14 GB, before the first image or for a bright one.</summary>
    [Theory]
    [InlineData("ConstantOfShape", false)]
    [InlineData("Expand", false)]
    [InlineData("ConstantOfShape", true)]
    public void Operation_that_asks_for_much_memory_is_refused_by_name(string operation, bool byImage)
    {
        using var scene = new FeatureScene();
        var model = Model("Relu", Image(1, 3, 8, 8));
        const long side = 60_000;
        void Constant(string name, int type, params long[] values) => model.Graph.Initializer.Add(type == Long
            ? new TensorProto { Name = name, DataType = type, Dims = { values.Length }, Int64Data = { values } }
            : new TensorProto { Name = name, DataType = type, Dims = { values.Length }, FloatData = { values.Select(value => (float)value) } });
        Constant("sides", Long, side, side);
        Constant("one", Float, 1);
        Constant("two", Long, 2);
        if (byImage)
        {
            // 0 for the black image that the shapes are found with, as large as it gets for others.
            model.Graph.Node.Add(new NodeProto { OpType = "ReduceMax", Input = { "image" }, Output = { "brightest" }, Attribute = { new AttributeProto { Name = "keepdims", Type = AttributeProto.Types.AttributeType.Int } } });
            model.Graph.Node.Add(new NodeProto { OpType = "Cast", Input = { "brightest" }, Output = { "bright" }, Attribute = { new AttributeProto { Name = "to", I = Long, Type = AttributeProto.Types.AttributeType.Int } } });
            model.Graph.Node.Add(new NodeProto { OpType = "Mul", Input = { "bright", "sides" }, Output = { "shape" } });
        }
        var shape = byImage ? "shape" : "sides";
        model.Graph.Node.Add(new NodeProto { OpType = operation, Input = { (string[])(operation == "Expand" ? ["one", shape] : [shape]) }, Output = { "large" } });
        model.Graph.Node.Add(new NodeProto { OpType = "ReduceSum", Input = { "large" }, Output = { "sum" } });
        model.Graph.Node.Add(new NodeProto { OpType = "Add", Input = { "result", "sum" }, Output = { "added" } });
        model.Graph.Output[0].Name = "added";

        var problem = Assert.Throws<GraftException>(() =>
        {
            using var backbone = Load(Write(scene, model));
            using var network = FrozenNetwork.Load(backbone.Network, backbone.Weights);
            network.Run([.. Enumerable.Repeat(1f, 192)]);
        });

        Assert.Contains($"asks for more than 2 GB of memory for one image, in an operation {operation}", problem.Message, StringComparison.Ordinal);
    }

    private const int Float = (int)TensorProto.Types.DataType.Float, Long = (int)TensorProto.Types.DataType.Int64;

    /// <summary>As a trained model that a stranger made may hold one: nothing checked it before.</summary>
    [Fact]
    public void Model_inside_a_model_reads_no_other_file()
    {
        // The runtime looks from the current folder, and refuses paths that lead out of it itself.
        var secret = $"secret-{Guid.NewGuid():N}.bin";
        var model = Model("Add", Image(1, 3, 8, 8));
        model.Graph.Node[0].Input.Add("secret");
        model.Graph.Initializer.Add(new TensorProto
        {
            Name = "secret",
            DataType = Float,
            Dims = { 1 },
            DataLocation = 1,
            ExternalData = { new StringStringEntryProto { Key = "location", Value = secret } },
        });
        var shape = TensorShape.Map(3, 8, 8);
        File.WriteAllBytes(secret, new byte[4]);
        try
        {
            Assert.Contains(
                "External data", Assert.Throws<GraftException>(() => new OnnxGraphNetwork(new OnnxModel(model).ToArray(), shape, shape)).Message, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(secret);
        }
    }

    [Theory]
    [InlineData("", "an empty file")]
    [InlineData("no model at all", "is not an ONNX model")]
    public void Any_other_file_is_refused(string content, string reason)
    {
        using var scene = new FeatureScene();
        var file = Path.Combine(scene.FullName, "model.onnx");
        File.WriteAllText(file, content);

        Assert.Contains(reason, Assert.Throws<GraftException>(() => Load(file)).Message, StringComparison.Ordinal);
    }
}
