using System.Runtime.InteropServices;

namespace Graft.Networks.Onnx.Import;

/// <summary>
/// A network that was read from an ONNX model, whole or from a tensor on.
/// </summary>
/// <param name="FrozenUpTo">The tensor up to which the model stays one layer that ONNX Runtime runs and nothing trains; null where all of it was understood.</param>
/// <param name="Reason">Why; null where all of it was understood.</param>
public sealed record ImportedNetwork(Network Network, IWeights Weights, string? FrozenUpTo = null, string? Reason = null);

/// <summary>
/// An ONNX model as a network that can be cut, trained and exported again: the inverse of <see cref="OnnxModel"/>. It understands what classification
/// networks consist of, as PyTorch's exporters, tf2onnx, CNTK and Graft write them, whether channels lie first or last; layers are called after the tensors
/// that hold their outputs. A factor and a shift for each channel become a batch norm with those as its gamma and beta.
/// </summary>
public static class OnnxImport
{
    /// <summary>The layer that stands for the part of a model that is not understood.</summary>
    private const string FrozenLayer = "onnx";

    /// <summary>Reads a model, or its part up to a tensor.</summary>
    /// <param name="name">What the network is to be called.</param>
    /// <param name="model">The file's content, weights included.</param>
    /// <param name="output">The tensor that the network ends in; null for the model's only output.</param>
    /// <param name="height">Of the image, in pixels, where the model leaves it open.</param>
    /// <param name="width">Of the image, in pixels, where the model leaves it open.</param>
    /// <exception cref="GraftException">Something in the model has no counterpart among Graft's layers; names the node and its kind.</exception>
    public static (Network Network, IWeights Weights) Read(string name, byte[] model, string? output = null, int? height = null, int? width = null)
    {
        var source = OnnxSimplification.Of(OnnxFile.Cut(name, model, output), height, width);
        var imported = Import(name, source, Nodes(source), Image(source));
        return (imported.Network, imported.Weights);
    }

    /// <summary>
    /// Reads as much of a model as is understood: all of it, or what follows the first tensor from which on it is, with the part before it as one frozen layer.
    /// </summary>
    /// <inheritdoc cref="Read"/>
    /// <exception cref="GraftException">The end of the model has no counterpart; names the node and its kind.</exception>
    public static ImportedNetwork ReadLongest(string name, byte[] model, string? output = null, int? height = null, int? width = null)
    {
        model = OnnxFile.Cut(name, model, output);
        var source = OnnxSimplification.Of(model, height, width);
        var nodes = Nodes(source);
        var start = Image(source);
        string? frozen = null, reason = null;
        var cuts = new Queue<(int Node, string Tensor)>(Bottlenecks(nodes, OnnxSimplification.Parse(model).Graph));
        while (true)
        {
            try
            {
                return Import(name, source, nodes, start) with { FrozenUpTo = frozen, Reason = reason };
            }
            catch (UnknownNodeException unknown)
            {
                var place = nodes.FindIndex(node => ReferenceEquals(node, unknown.Node));
                while (cuts.TryPeek(out var passed) && passed.Node < place) cuts.Dequeue();
                if (!cuts.TryDequeue(out var cut)) throw;
                (frozen, reason) = (cut.Tensor, unknown.Message);
                start = Frozen(name, model, cut.Tensor, OnnxSimplification.ImageOf(source, height, width).Size);
            }
        }
    }

    /// <summary>Where a network begins: layers, the tensor that they give, and how it lies.</summary>
    private sealed record Start(IReadOnlyList<(string Layer, Operation Operation)> Layers, string Tensor, bool IsChannelsLast, float[]? Model = null);

    private static ImportedNetwork Import(string name, OnnxSource source, List<NodeProto> nodes, Start start)
    {
        var layers = new ImportedLayers(name);
        var layer = "";
        foreach (var (one, operation) in start.Layers) layer = layers.Add(one, operation, layer.Length > 0 ? [layer] : []);
        if (start.Model is { } model) layers.Weights.Add(layer, model);
        var shape = layers.ShapeOf(layer);
        var first = new ImportedTensor(start.Tensor, layer, shape, [1, .. shape.Sizes]);
        if (start.IsChannelsLast && shape.IsMap) first = first.Transposed(first.Name, [0, 2, 3, 1]);
        var conversion = new OnnxNodes(source, layers, first);
        var place = nodes.FindIndex(node => node.Output.Contains(start.Tensor));
        foreach (var node in nodes.Skip(place + 1)) conversion.Take(node);
        var last = nodes[^1];
        try
        {
            return new(layers.Build(conversion[source.Graph.Output[0].Name]), layers.Weights);
        }
        catch (GraftException problem) when (problem is not UnknownNodeException)
        {
            throw new UnknownNodeException(last, problem.Message);
        }
    }

    private static List<NodeProto> Nodes(OnnxSource source) => source.InOrder(source.Graph.Output[0].Name);

    private static Start Image(OnnxSource source)
    {
        var (channels, size, isLast) = OnnxSimplification.ImageOf(source, null, null);
        return new([(source.Image.Name, new Input(channels, size.Height, size.Width))], source.Image.Name, isLast);
    }

    private static Start Frozen(string name, byte[] model, string tensor, Extent size)
    {
        var content = OnnxFile.Cut(name, model, tensor);
        using var session = OnnxGraphNetwork.Open(content);
        var image = OnnxGraphNetwork.ImageOf(session, name);
        var shape = OnnxGraphNetwork.OutputShape(session, image, size.Height, size.Width, name);
        var graph = new OnnxGraph(shape.Sizes, content.Length);
        var values = new float[(content.Length + sizeof(float) - 1) / sizeof(float)];
        content.CopyTo(MemoryMarshal.AsBytes(values.AsSpan()));
        return new([("image", new Input(3, size.Height, size.Width)), (FrozenLayer, graph)], tensor, image.ChannelsLast, values);
    }

    /// <summary>The tensors of a model that alone feed what follows, each with the node after which it does.</summary>
    private static IEnumerable<(int Node, string Tensor)> Bottlenecks(List<NodeProto> nodes, GraphProto original)
    {
        var known = original.Node.SelectMany(node => node.Output).ToHashSet(StringComparer.Ordinal);
        var computed = nodes.SelectMany(node => node.Output).ToHashSet(StringComparer.Ordinal);
        var lastUse = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var (index, node) in nodes.Index())
            foreach (var input in node.Input) lastUse[input] = index;
        // The image is not computed: what uses it is not passed before it was used last.
        var imageUse = nodes.FindLastIndex(node => node.Input.Any(input => original.Input.Any(value => value.Name == input)));
        var live = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (index, node) in nodes.Index())
        {
            live.RemoveWhere(tensor => lastUse[tensor] <= index);
            foreach (var output in node.Output.Where(output => lastUse.GetValueOrDefault(output, -1) > index)) live.Add(output);
            if (index >= imageUse && live.Count == 1 && live.Single() is var tensor && known.Contains(tensor) && computed.Contains(tensor)) yield return (index, tensor);
        }
    }
}
