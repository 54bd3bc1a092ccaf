using System.Runtime.InteropServices;
using Google.Protobuf;
using Graft.Networks.Onnx;

namespace Graft.Tests.Networks;

/// <summary>Writes small ONNX models, node by node, whose constants are drawn by their names.</summary>
internal sealed class OnnxModelWriter(int opset)
{
    private const int Side = 8;

    private readonly GraphProto _graph = new() { Name = "net" };
    private int _unnamed;

    /// <summary>Adds a node with one output; returns its name.</summary>
    public string Add(string type, string output, string[] inputs, params (string Name, object Value)[] attributes)
    {
        Node(type, [output], inputs, attributes);
        return output;
    }

    /// <summary>The same under a name that nobody asks for.</summary>
    public string Add(string type, string[] inputs, params (string Name, object Value)[] attributes) => Add(type, $"{type}_{_unnamed++}", inputs, attributes);

    public string[] Node(string type, string[] outputs, string[] inputs, params (string Name, object Value)[] attributes)
    {
        var node = new NodeProto { OpType = type, Name = outputs[0], Input = { inputs }, Output = { outputs } };
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
        return outputs;
    }

    public string Floats(string name, int[] shape, float above = -1)
    {
        var values = new float[shape.Aggregate(1, (product, size) => product * size)];
        var random = new Random(name.Aggregate(values.Length, (seed, letter) => seed * 31 + letter));
        for (var i = 0; i < values.Length; i++) values[i] = above + 2 * random.NextSingle();
        return Tensor(name, TensorProto.Types.DataType.Float, MemoryMarshal.AsBytes(values.AsSpan()), [.. shape.Select(size => (long)size)]);
    }

    /// <summary>Numbers that must be these.</summary>
    public string Floats(string name, int[] shape, float[] values) =>
        Tensor(name, TensorProto.Types.DataType.Float, MemoryMarshal.AsBytes(values.AsSpan()), [.. shape.Select(size => (long)size)]);

    public string Number(float value) => Tensor($"number {value:R}", TensorProto.Types.DataType.Float, MemoryMarshal.AsBytes([value]), []);

    public string Number(double value) => Tensor($"double {value:R}", TensorProto.Types.DataType.Double, MemoryMarshal.AsBytes([value]), []);

    public string Longs(params long[] values) =>
        Tensor($"longs {string.Join(' ', values)}", TensorProto.Types.DataType.Int64, MemoryMarshal.AsBytes(values.AsSpan()), [values.Length]);

    public string Long(long value) => Tensor($"long {value}", TensorProto.Types.DataType.Int64, MemoryMarshal.AsBytes([value]), []);

    public string Convolution(string x, int filters, int depth, int kernel = 3, string? name = null) =>
        Add("Conv", name ?? $"conv_{_unnamed++}", [x, Floats($"kernel {_unnamed}", [filters, depth, kernel, kernel])], ("pads", new[] { kernel / 2, kernel / 2, kernel / 2, kernel / 2 }));

    /// <summary>A matrix product and the sum with a bias.</summary>
    public string Dense(string x, int depth, int units) =>
        Add("Add", [Floats($"bias {_unnamed}", [units]), Add("MatMul", [x, Floats($"matrix {_unnamed}", [depth, units])])]);

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

    /// <summary>The model of an image called <c>image</c>, 8×8 of three colors.</summary>
    /// <param name="isBatchOpen">Whether it takes any number of images.</param>
    public byte[] Model(string output, bool isChannelsLast = false, bool isBatchOpen = false)
    {
        int[] sizes = isChannelsLast ? [Side, Side, 3] : [3, Side, Side];
        var shape = new TensorShapeProto
        {
            Dim =
            {
                isBatchOpen ? new TensorShapeProto.Types.Dimension { DimParam = "N" } : new() { DimValue = 1 },
                sizes.Select(size => new TensorShapeProto.Types.Dimension { DimValue = size }),
            },
        };
        _graph.Input.Add(new ValueInfoProto { Name = "image", Type = new() { TensorType = new() { ElemType = (int)TensorProto.Types.DataType.Float, Shape = shape } } });
        _graph.Output.Add(new ValueInfoProto { Name = output });
        return new ModelProto { IrVersion = opset > 20 ? 10 : opset < 9 ? 3 : 7, OpsetImport = { new OperatorSetIdProto { Version = opset } }, Graph = _graph }.ToByteArray();
    }

    private string Tensor(string name, TensorProto.Types.DataType type, ReadOnlySpan<byte> values, long[] shape)
    {
        if (_graph.Initializer.All(tensor => tensor.Name != name))
            _graph.Initializer.Add(new TensorProto { Name = name, DataType = (int)type, Dims = { shape }, RawData = ByteString.CopyFrom(values) });
        return name;
    }
}
