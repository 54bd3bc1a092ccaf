using System.Runtime.InteropServices;
using Google.Protobuf;
using Graft.Networks.Onnx;
using static Graft.Networks.Onnx.TensorProto.Types;

namespace Graft.Export;

/// <summary>
/// A graph whose weights lie in the file as float16 and are cast when it is opened: half the size, and the arithmetic of float32 on every runtime, so
/// that what was compared here holds there. Runtimes that compute in float16 can be told to do so.
/// </summary>
internal static class Float16Weights
{
    /// <summary>Elements; smaller ones would gain nothing.</summary>
    private const int Fewest = 256;

    /// <param name="model">Not changed.</param>
    public static ModelProto Of(ModelProto model)
    {
        var result = model.Clone();
        var graph = result.Graph;
        var weights = graph.Node.Where(node => node is { OpType: "Conv" or "Gemm" or "MatMul", Input.Count: > 1 }).Select(node => node.Input[1]).ToHashSet(StringComparer.Ordinal);
        var casts = new OnnxGraphWriter(graph.Name);
        foreach (var tensor in graph.Initializer.Where(tensor => tensor.DataType == (int)DataType.Float && weights.Contains(tensor.Name)))
        {
            var values = QuantizedGraph.Values(tensor);
            Half[] halves = [.. values.Select(value => (Half)value)];
            if (values.Length < Fewest || !halves.All(Half.IsFinite)) continue;
            var name = tensor.Name;
            tensor.Name = $"{name}/float16";
            tensor.DataType = (int)DataType.Float16;
            tensor.FloatData.Clear();
            tensor.RawData = ByteString.CopyFrom(MemoryMarshal.AsBytes(halves.AsSpan()));
            casts.Node("Cast", name, [tensor.Name], OnnxGraphWriter.To(DataType.Float));
        }
        for (var index = 0; index < casts.Graph.Node.Count; index++) graph.Node.Insert(index, casts.Graph.Node[index]);
        return result;
    }
}
