using System.Runtime.InteropServices;
using Google.Protobuf;
using Graft.Backbones;
using Graft.Networks;
using Graft.Networks.Onnx;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using static TorchSharp.torch;

namespace Graft.Tests.Networks;

/// <summary>ONNX models as networks, against ONNX Runtime on the model itself.</summary>
public class OnnxImportTests
{
    private const double Relative = 1e-5;

    /// <summary>Networks of the catalog that consist of what the importer knows, one of each kind of block.</summary>
    public static TheoryData<string> Importable =>
    [
        "mobilenet_v1_025", "mobilenet_v2", "mobilenet_v3_small", "squeezenet1_1", "mnasnet0_5", "efficientnet_b0", "resnet18.torchvision",
        "resnet18.cntk", "resnet50.keras", "regnet_y_400mf", "densenet121", "inception_v3.keras", "inception_v3.torchvision", "googlenet", "xception", "vgg11",
    ];

    [Theory]
    [MemberData(nameof(Importable))]
    public void Exported_network_comes_back_and_computes_the_same(string name)
    {
        var definition = BackboneCatalog.Find(name);
        var size = definition.Name is "inception_v3" or "xception" ? 96 : 72;
        var network = definition.Build().CutBefore(definition.Head).WithInputSize(size, size);
        var model = OnnxModel.Of(network, new QuickWeights()).ToArray();

        var (imported, weights) = OnnxImport.Read(name, model);

        Assert.Equal(network.OutputShape, imported.OutputShape);
        AssertComputes(model, imported, weights);
        // And it is a network like any other: exported again, it is the same model.
        AssertComputes(OnnxModel.Of(imported, weights).ToArray(), imported, weights);
    }

    [Fact]
    public void Imported_network_trains_a_step_as_the_original_does()
    {
        var builder = new NetworkBuilder("net");
        var network = builder.Build(builder.Input("image", 3, 8)
            .Convolution("conv", 4, kernel: 3, stride: 2, padding: 1).Relu("relu").GlobalPool("pool").Dense("dense", 2));
        var original = new ListedWeights();
        var (imported, weights) = OnnxImport.Read("net", OnnxModel.Of(network, original).ToArray());

        Assert.Equal(network.Layers.Select(layer => (layer.Name, layer.Operation)), imported.Layers.Select(layer => (layer.Name, layer.Operation)));
        Assert.Equal(Gradients(network, original), Gradients(imported, weights));

        static List<float> Gradients(Network network, IWeights weights)
        {
            using var scope = NewDisposeScope();
            using var module = new TorchNetwork(network, weights);
            module.train();
            module.call(arange(3 * 8 * 8, ScalarType.Float32).reshape(1, 3, 8, 8) / 100).pow(2).sum().backward();
            return [.. module.parameters().SelectMany(parameter => parameter.grad!.contiguous().data<float>().ToArray())];
        }
    }

    /// <summary>As exporters write what Graft writes otherwise.</summary>
    public static TheoryData<string> Dialects =>
    [
        "batch norm", "clip as attributes", "scale and shift", "shift first", "swish", "hard swish of hard sigmoid", "gelu, x first", "gelu, half first", "matmul and add",
        "gemm not transposed", "reshape to flatten", "squeeze", "reduce mean", "same lower", "average over all", "pad as attributes", "squeeze and excitation, factors first",
        "constant nodes",
    ];

    [Theory]
    [MemberData(nameof(Dialects))]
    public void Dialect_is_understood(string dialect)
    {
        var model = Written(dialect);

        var (network, weights) = OnnxImport.Read(dialect, model);

        AssertComputes(model, network, weights);
    }

    [Fact]
    public void Part_up_to_a_tensor_is_read_alone()
    {
        var (network, _) = OnnxImport.Read("net", Written("batch norm"), output: "convolved");

        Assert.Equal(["image", "convolved"], network.Layers.Select(layer => layer.Name));
    }

    [Fact]
    public void Node_without_a_counterpart_is_named()
    {
        var graph = new Writer(opset: 13);
        graph.Add("Sinh", "odd", ["image"]);

        var problem = Assert.Throws<GraftException>(() => OnnxImport.Read("net", graph.Model("odd")));

        Assert.Contains("'odd' (Sinh)", problem.Message, StringComparison.Ordinal);
    }

    private static byte[] Written(string dialect)
    {
        var graph = new Writer(opset: dialect is "clip as attributes" or "pad as attributes" ? 10 : 17);
        string x = graph.Add("Conv", "convolved", ["image", graph.Floats("kernel", [4, 3, 3, 3])], ("pads", new[] { 1, 1, 1, 1 }));
        switch (dialect)
        {
            case "batch norm":
                return graph.Model(graph.Add("BatchNormalization", "normal",
                    [x, graph.Floats("gamma", [4]), graph.Floats("beta", [4]), graph.Floats("mean", [4]), graph.Floats("variance", [4], above: 0.5f)], ("epsilon", 1e-3f)));
            case "clip as attributes":
                return graph.Model(graph.Add("Clip", "clipped", [x], ("min", 0f), ("max", 6f)));
            case "scale and shift":
                x = graph.Add("Mul", "scaled", [x, graph.Floats("scale", [1, 4, 1, 1])]);
                return graph.Model(graph.Add("Add", "shifted", [graph.Floats("shift", [4, 1, 1]), x]));
            case "shift first":
                x = graph.Add("Add", "shifted", [x, graph.Floats("shift", [4, 1, 1])]);
                return graph.Model(graph.Add("Mul", "scaled", [x, graph.Floats("scale", [1])]));
            case "swish":
                return graph.Model(graph.Add("Mul", "product", [graph.Add("Sigmoid", "gate", [x]), x]));
            case "hard swish of hard sigmoid":
                return graph.Model(graph.Add("Mul", "product", [x, graph.Add("HardSigmoid", "gate", [x], ("alpha", 1f / 6))]));
            case "gelu, x first" or "gelu, half first":
                var half = dialect == "gelu, half first" ? graph.Add("Mul", "half", [x, graph.Number("0.5", 0.5f)]) : x;
                var sum = graph.Add(
                    "Add", "sum", [graph.Add("Erf", "erf", [graph.Add("Div", "divided", [x, graph.Number("root", MathF.Sqrt(2))])]), graph.Number("one", 1)]);
                var product = graph.Add("Mul", "product", [half, sum]);
                return graph.Model(half == x ? graph.Add("Mul", "halved", [product, graph.Number("0.5", 0.5f)]) : product);
            case "matmul and add" or "gemm not transposed":
                x = graph.Add("Flatten", "flat", [graph.Add("GlobalAveragePool", "pooled", [x])]);
                if (dialect == "gemm not transposed") return graph.Model(graph.Add("Gemm", "dense", [x, graph.Floats("matrix", [4, 5]), graph.Floats("bias", [5])]));
                return graph.Model(graph.Add("Add", "dense", [graph.Add("MatMul", "matmul", [x, graph.Floats("matrix", [4, 5])]), graph.Floats("bias", [5])]));
            case "reshape to flatten":
                return graph.Model(graph.Add("Reshape", "flat", [x, graph.Longs("shape", [1, -1])]));
            case "squeeze":
                return graph.Model(graph.Add("Squeeze", "flat", [graph.Add("GlobalAveragePool", "pooled", [x]), graph.Longs("axes", [2, 3])]));
            case "reduce mean":
                return graph.Model(graph.Add("ReduceMean", "pooled", [x], ("axes", new[] { 2, 3 }), ("keepdims", 0)));
            case "same lower":
                return graph.Model(graph.Add("MaxPool", "pooled", [x], ("kernel_shape", new[] { 3, 3 }), ("strides", new[] { 2, 2 }), ("auto_pad", "SAME_LOWER")));
            case "average over all":
                return graph.Model(graph.Add("AveragePool", "pooled", [x], ("kernel_shape", new[] { 8, 8 })));
            case "pad as attributes":
                return graph.Model(graph.Add("Pad", "padded", [x], ("pads", new[] { 0, 0, 1, 0, 0, 0, 0, 2 })));
            case "squeeze and excitation, factors first":
                var gate = graph.Add("Sigmoid", "gate", [graph.Add(
                    "Conv", "excited", [graph.Add("ReduceMean", "squeezed", [x], ("axes", new[] { 2, 3 })), graph.Floats("kernel2", [4, 4, 1, 1])])]);
                return graph.Model(graph.Add("Mul", "scaled", [gate, x]));
            default:
                x = graph.Add("Relu", "active", [x]);
                graph.MakeConstantsNodes();
                return graph.Model(x);
        }
    }

    private static void AssertComputes(byte[] model, Network network, IWeights weights)
    {
        using var scope = NewDisposeScope();
        using var inference = inference_mode();
        var shape = network.InputShape;
        var image = new float[shape.ElementCount];
        QuickWeights.Fill(image, seed: 7, scale: 1, center: 0);
        using var session = new InferenceSession(model);
        using var results = session.Run(
            [NamedOnnxValue.CreateFromTensor(session.InputNames[0], new DenseTensor<float>(image, [1, shape.Channels, shape.Height, shape.Width]))]);
        var expected = results[0].AsEnumerable<float>().ToArray();
        using var module = new TorchNetwork(network, weights);

        var actual = module.call(tensor(image).reshape(1, shape.Channels, shape.Height, shape.Width)).contiguous().data<float>().ToArray();

        Assert.Equal(expected.Length, actual.Length);
        Assert.InRange(expected.Zip(actual, (e, a) => Math.Abs(e - a)).Max() / expected.Max(Math.Abs), 0, Relative * Math.Sqrt(network.Layers.Count));
    }

    /// <summary>Writes small models.</summary>
    private sealed class Writer(int opset)
    {
        private readonly GraphProto _graph = new() { Name = "net" };

        public string Add(string type, string output, string[] inputs, params (string Name, object Value)[] attributes)
        {
            var node = new NodeProto { OpType = type, Name = output, Input = { inputs }, Output = { output } };
            foreach (var (name, value) in attributes)
            {
                node.Attribute.Add(value switch
                {
                    int[] numbers => new AttributeProto { Name = name, Ints = { numbers.Select(number => (long)number) }, Type = AttributeProto.Types.AttributeType.Ints },
                    int number => new AttributeProto { Name = name, I = number, Type = AttributeProto.Types.AttributeType.Int },
                    float number => new AttributeProto { Name = name, F = number, Type = AttributeProto.Types.AttributeType.Float },
                    string text => new AttributeProto { Name = name, S = ByteString.CopyFromUtf8(text), Type = (AttributeProto.Types.AttributeType)3 },
                    _ => throw new NotSupportedException($"{value}"),
                });
            }
            _graph.Node.Add(node);
            return output;
        }

        public string Floats(string name, int[] shape, float above = -1)
        {
            var values = new float[shape.Aggregate(1, (product, size) => product * size)];
            var random = new Random(name.Length + values.Length);
            for (var i = 0; i < values.Length; i++) values[i] = above + 2 * random.NextSingle();
            return Tensor(name, TensorProto.Types.DataType.Float, MemoryMarshal.AsBytes(values.AsSpan()), [.. shape.Select(size => (long)size)]);
        }

        public string Number(string name, float value) => Tensor(name, TensorProto.Types.DataType.Float, MemoryMarshal.AsBytes([value]), []);

        public string Longs(string name, long[] values) => Tensor(name, TensorProto.Types.DataType.Int64, MemoryMarshal.AsBytes(values.AsSpan()), [values.Length]);

        /// <summary>As older exporters wrote them.</summary>
        public void MakeConstantsNodes()
        {
            foreach (var tensor in _graph.Initializer)
            {
                var value = new AttributeProto { Name = "value", T = tensor, Type = (AttributeProto.Types.AttributeType)4 };
                _graph.Node.Insert(0, new NodeProto { OpType = "Constant", Output = { tensor.Name }, Attribute = { value } });
            }
            _graph.Initializer.Clear();
        }

        public byte[] Model(string output)
        {
            _graph.Input.Add(new ValueInfoProto
            {
                Name = "image",
                Type = new()
                {
                    TensorType = new()
                    {
                        ElemType = (int)TensorProto.Types.DataType.Float,
                        Shape = new() { Dim = { new[] { 1, 3, 8, 8 }.Select(size => new TensorShapeProto.Types.Dimension { DimValue = size }) } },
                    },
                },
            });
            _graph.Output.Add(new ValueInfoProto { Name = output });
            return new ModelProto { IrVersion = 7, OpsetImport = { new OperatorSetIdProto { Version = opset } }, Graph = _graph }.ToByteArray();
        }

        private string Tensor(string name, TensorProto.Types.DataType type, ReadOnlySpan<byte> values, long[] shape)
        {
            if (_graph.Initializer.All(tensor => tensor.Name != name))
                _graph.Initializer.Add(new TensorProto { Name = name, DataType = (int)type, Dims = { shape }, RawData = ByteString.CopyFrom(values) });
            return name;
        }
    }
}
