using System.Runtime.InteropServices;
using Google.Protobuf;
using Graft.Networks.Onnx;

namespace Graft.Export;

/// <summary>Takes the nodes of one ONNX model into the graph of another, which may use newer versions of the operators.</summary>
internal static class OnnxInlining
{
    /// <summary>The oldest operators that can be brought to version 18 by rewriting the nodes.</summary>
    private const long OldestOpset = 13;

    private const string DefaultDomain = "";

    /// <summary>The operators whose axes became an input in version 18.</summary>
    private static readonly HashSet<string> Reductions = new(StringComparer.Ordinal)
    {
        "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare",
    };

    /// <summary>Adds the model's nodes and constants; the model is changed by it.</summary>
    /// <param name="into">The graph that grows.</param>
    /// <param name="model">With one input and one output.</param>
    /// <param name="prefix">Put before every name.</param>
    /// <param name="input">The tensor that takes the place of the model's input.</param>
    /// <param name="opset">The version of the operators that the whole will use.</param>
    /// <returns>The tensor that holds the model's output.</returns>
    /// <exception cref="GraftException">The model uses operators that cannot be brought to that version.</exception>
    public static string Inline(GraphProto into, ModelProto model, string prefix, string input, long opset)
    {
        var graph = model.Graph;
        if (graph.SparseInitializer.Count > 0) throw new GraftException($"The ONNX model {prefix} has sparse constants, which cannot be exported.");
        var version = VersionOf(model);
        if (version < OldestOpset)
        {
            throw new GraftException(
                $"The ONNX model {prefix} uses version {version} of the operators, and only those from {OldestOpset} on can be part of an exported model. "
                + $"Save it with opset {OldestOpset} or later (torch.onnx.export(…, opset_version={OldestOpset})).");
        }
        if (version < opset && opset >= 18) Upgrade(graph, version, prefix);

        var constants = graph.Initializer.Select(tensor => tensor.Name).ToHashSet(StringComparer.Ordinal);
        var image = graph.Input.Single(value => !constants.Contains(value.Name)).Name;
        Rename(graph, name => name.Length == 0 ? name : name == image ? input : $"{prefix}/{name}");
        into.Node.Add(graph.Node);
        into.Initializer.Add(graph.Initializer);
        return graph.Output[0].Name;
    }

    public static long VersionOf(ModelProto model) =>
        model.OpsetImport.Where(import => import.Domain is DefaultDomain or "ai.onnx").Select(import => import.Version).DefaultIfEmpty(1).Max();

    /// <summary>The names of all tensors and nodes, those in the graphs of branches and loops included.</summary>
    private static void Rename(GraphProto graph, Func<string, string> name)
    {
        foreach (var value in graph.Input.Concat(graph.Output).Concat(graph.ValueInfo)) value.Name = name(value.Name);
        foreach (var tensor in graph.Initializer) tensor.Name = name(tensor.Name);
        foreach (var node in graph.Node)
        {
            node.Name = name(node.Name);
            for (var index = 0; index < node.Input.Count; index++) node.Input[index] = name(node.Input[index]);
            for (var index = 0; index < node.Output.Count; index++) node.Output[index] = name(node.Output[index]);
            foreach (var inner in Graphs(node)) Rename(inner, name);
        }
    }

    /// <summary>From version 13 or later to 18: axes of reductions as an input, and a number of outputs of a split that states no sizes.</summary>
    private static void Upgrade(GraphProto graph, long version, string prefix)
    {
        foreach (var node in graph.Node)
        {
            foreach (var inner in Graphs(node)) Upgrade(inner, version, prefix);
            if (node.Domain.Length > 0 && node.Domain != "ai.onnx") continue;
            if (Reductions.Contains(node.OpType) && node.Attribute.FirstOrDefault(attribute => attribute.Name == "axes") is { } axes)
            {
                var name = $"{node.Output[0]}/axes";
                graph.Initializer.Add(new TensorProto
                {
                    Name = name,
                    DataType = (int)TensorProto.Types.DataType.Int64,
                    Dims = { axes.Ints.Count },
                    RawData = UnsafeByteOperations.UnsafeWrap(MemoryMarshal.AsBytes(axes.Ints.ToArray().AsSpan()).ToArray()),
                });
                node.Attribute.Remove(axes);
                node.Input.Add(name);
            }
            else if (node.OpType == "Split" && node.Input.Count < 2 && node.Attribute.All(attribute => attribute.Name != "num_outputs"))
            {
                node.Attribute.Add(OnnxGraphWriter.Of("num_outputs", node.Output.Count));
            }
            else if (node.OpType is "BatchNormalization" && version < 14 && node.Output.Count > 1)
            {
                throw new GraftException($"The ONNX model {prefix} was saved for training. Save it for inference.");
            }
        }
    }

    private static IEnumerable<GraphProto> Graphs(NodeProto node) =>
        node.Attribute.SelectMany(attribute => attribute.G is { } graph ? [graph, .. attribute.Graphs] : attribute.Graphs.AsEnumerable());
}
