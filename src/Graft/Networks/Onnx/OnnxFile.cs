using Google.Protobuf;
using Google.Protobuf.Reflection;
using Microsoft.ML.OnnxRuntime;

namespace Graft.Networks.Onnx;

/// <summary>A tensor that an ONNX model computes: the operation that gives it, and its shape for one image.</summary>
public sealed record OnnxTensor(string Name, string Operation, TensorShape Shape);

/// <summary>An ONNX file to be used as a frozen network: from its image input up to one of its tensors.</summary>
public static class OnnxFile
{
    private const int ExternalData = 1; // TensorProto.DataLocation

    /// <summary>Reads a model as a network of one layer, cut after a tensor.</summary>
    /// <param name="path">A file that holds its weights itself.</param>
    /// <param name="output">A tensor, or a node, whose output is wanted, however deep inside; null for the model's only output.</param>
    /// <param name="width">Of the image, in pixels; null where the model states it.</param>
    /// <param name="height">Of the image, in pixels; null where the model states it.</param>
    /// <exception cref="GraftException">No ONNX model, no such tensor, or no single image as its input.</exception>
    public static (Network Network, IWeights Weights) Read(string path, string? output = null, int? width = null, int? height = null)
    {
        var model = Parse(path);
        Cut(path, model.Graph, output);
        var content = model.ToByteArray();
        try
        {
            using var session = OnnxGraphNetwork.Open(content);
            var (image, rows, columns) = ImageOf(session, path, width, height);
            var shape = OnnxGraphNetwork.OutputShape(session, image, rows, columns, path);
            var input = new Layer("image", new Input(3, rows, columns), []);
            var layer = new Layer("onnx", new OnnxGraph(shape.Sizes, content.Length), [input.Name]);
            return (new(Path.GetFileNameWithoutExtension(path), [input, layer]), new OnnxGraph.Content(content));
        }
        catch (OnnxRuntimeException problem)
        {
            throw new GraftException($"ONNX Runtime cannot run {path}: {problem.Message}", problem);
        }
    }

    /// <summary>The tensors that <see cref="Read"/> takes as its output, in the order of the model's nodes.</summary>
    /// <param name="path">A file that holds its weights itself.</param>
    /// <param name="width">Of the image, in pixels; null where the model states it.</param>
    /// <param name="height">Of the image, in pixels; null where the model states it.</param>
    /// <exception cref="GraftException">Not an ONNX model, or no single image as its input.</exception>
    public static IReadOnlyList<OnnxTensor> Tensors(string path, int? width = null, int? height = null)
    {
        var model = Parse(path);
        var graph = model.Graph;
        var operationOf = Producers(path, graph).ToDictionary(pair => pair.Key, pair => pair.Value.OpType, StringComparer.Ordinal);
        var stated = graph.Output.Where(value => operationOf.ContainsKey(value.Name)).DistinctBy(value => value.Name).ToDictionary(value => value.Name, StringComparer.Ordinal);
        graph.Output.Clear();
        graph.Output.Add(stated.Values);
        graph.Output.Add(operationOf.Keys.Where(tensor => !stated.ContainsKey(tensor)).Select(tensor => new ValueInfoProto { Name = tensor }));
        try
        {
            using var session = OnnxGraphNetwork.Open(model.ToByteArray());
            var (image, rows, columns) = ImageOf(session, path, width, height);
            var shapes = OnnxGraphNetwork.OutputShapes(session, image, rows, columns, path);
            OnnxTensor[] tensors =
            [
                .. from pair in operationOf
                   where shapes.ContainsKey(pair.Key)
                   select new OnnxTensor(pair.Key, pair.Value, shapes[pair.Key]),
            ];
            return tensors.Length > 0 ? tensors : throw new GraftException($"No tensor of {path} is of float32 for one image: none can be features.");
        }
        catch (OnnxRuntimeException problem)
        {
            throw new GraftException($"ONNX Runtime cannot run {path}: {problem.Message}", problem);
        }
    }

    private static ((bool ChannelsLast, int? Height, int? Width) Image, int Rows, int Columns) ImageOf(
        InferenceSession session, string path, int? width, int? height)
    {
        var image = OnnxGraphNetwork.ImageOf(session, path);
        if ((image.Width ?? width) is not { } columns || (image.Height ?? height) is not { } rows)
            throw new GraftException($"{path} takes images of any size.") { Code = "size-missing", Remedy = "Say which." };
        if ((width is { } askedWidth && askedWidth != columns) || (height is { } askedHeight && askedHeight != rows))
            throw new GraftException($"{path} takes images of {columns}×{rows} pixels, and no others.") { Code = "size-fixed", Remedy = "Ask for no other." };
        return (image, rows, columns);
    }

    private static ModelProto Parse(string path)
    {
        try
        {
            var model = ModelProto.Parser.ParseFrom(RegularFile.ReadAllBytes(path));
            if (model.Graph is { Node.Count: > 0 } && model.OpsetImport.Count > 0)
            {
                CheckTensors(path, model);
                return model;
            }
        }
        catch (InvalidProtocolBufferException)
        {
            // Said below.
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new GraftException($"{path} cannot be read: {problem.Message}", problem);
        }
        throw new GraftException($"{path} is not an ONNX model, or a damaged one.");
    }

    /// <summary>
    /// Every tensor of the model, wherever it stands (initializers, attributes, subgraphs, functions, training information), must be in
    /// the file itself: a stranger's model does not read other files, and claims no more elements than it has bytes for.
    /// </summary>
    private static void CheckTensors(string path, IMessage message)
    {
        if (message is TensorProto tensor)
        {
            if (tensor.DataLocation == ExternalData || tensor.ExternalData.Count > 0)
            {
                var file = tensor.ExternalData.FirstOrDefault(entry => entry.Key == "location")?.Value;
                throw new GraftException(
                    $"The tensor '{tensor.Name}' of {path} lies in another file{(file is null ? "" : $", '{file}'")}; Graft reads the model alone. "
                    + "Save it as one file (onnx.save_model with save_as_external_data=False).");
            }
            var elements = tensor.Dims.Aggregate((Int128)1, (product, size) => product > long.MaxValue ? product : product * size);
            // Types of 4 bits have two elements a byte; none is smaller.
            if (elements < 0 || elements > 2L * tensor.CalculateSize())
                throw new GraftException($"The tensor '{tensor.Name}' of {path} claims [{string.Join(", ", tensor.Dims)}] elements, more than it holds. The file is damaged.");
        }
        foreach (var field in message.Descriptor.Fields.InFieldNumberOrder())
        {
            if (field.FieldType != FieldType.Message) continue;
            var value = field.Accessor.GetValue(message);
            if (value is IMessage one) CheckTensors(path, one);
            else if (value is IEnumerable<IMessage> several) foreach (var inner in several) CheckTensors(path, inner);
        }
    }

    /// <summary>By tensor: the node that computes it.</summary>
    private static Dictionary<string, NodeProto> Producers(string path, GraphProto graph)
    {
        var producers = new Dictionary<string, NodeProto>(StringComparer.Ordinal);
        foreach (var node in graph.Node)
        {
            foreach (var tensor in node.Output.Where(tensor => tensor.Length > 0))
                if (!producers.TryAdd(tensor, node)) throw new GraftException($"Two nodes of {path} compute the tensor '{tensor}'. The model is damaged.");
        }
        return producers;
    }

    /// <summary>A model with one tensor as its only output, and no more nodes than it needs.</summary>
    /// <param name="wanted">A tensor or a node; null for the only output.</param>
    internal static byte[] Cut(string path, byte[] content, string? wanted)
    {
        ModelProto model;
        try
        {
            model = ModelProto.Parser.ParseFrom(content);
        }
        catch (InvalidProtocolBufferException problem)
        {
            throw new GraftException($"{path} is not an ONNX model, or a damaged one.", problem);
        }
        if (model.Graph is null) throw new GraftException($"{path} is not an ONNX model, or a damaged one.");
        Cut(path, model.Graph, wanted);
        return model.ToByteArray();
    }

    /// <summary>Makes one tensor the graph's only output and removes the nodes that it does not need.</summary>
    private static void Cut(string path, GraphProto graph, string? wanted)
    {
        if (wanted is null && graph.Output.Count != 1)
        {
            throw new GraftException($"{path} has {graph.Output.Count} outputs: {string.Join(", ", graph.Output.Select(value => value.Name))}.")
            {
                Code = "several-outputs",
                Remedy = "Say which is wanted.",
            };
        }
        var name = wanted ?? graph.Output[0].Name;
        var producers = Producers(path, graph);
        if (!producers.ContainsKey(name))
        {
            if (wanted is null)
                throw new GraftException($"No node of {path} computes its output '{name}'. The model is damaged.") { Code = "several-outputs", Remedy = "Name another tensor." };
            name = graph.Node.FirstOrDefault(node => node.Name == name)?.Output.FirstOrDefault(tensor => tensor.Length > 0)
                   ?? throw new GraftException(
                       $"{path} has no tensor or node '{name}'. Its last tensors are {string.Join(", ", producers.Keys.TakeLast(8))}.")
                   { Code = "no-tensor", Value = path };
        }
        if (graph.Output.Count == 1 && graph.Output[0].Name == name) return;

        var needed = new HashSet<NodeProto>();
        var open = new Stack<string>([name]);
        while (open.TryPop(out var tensor))
        {
            if (!producers.TryGetValue(tensor, out var node) || !needed.Add(node)) continue;
            foreach (var input in Reads(node)) open.Push(input);
        }
        var known = graph.Output.FirstOrDefault(value => value.Name == name) ?? graph.ValueInfo.FirstOrDefault(value => value.Name == name);
        var kept = graph.Node.Where(needed.Contains).ToList();
        graph.Node.Clear();
        graph.Node.Add(kept);
        var read = kept.SelectMany(Reads).ToHashSet(StringComparer.Ordinal);
        var constants = graph.Initializer.Where(tensor => read.Contains(tensor.Name)).ToList();
        graph.Initializer.Clear();
        graph.Initializer.Add(constants);
        graph.Output.Clear();
        graph.Output.Add(known ?? new ValueInfoProto { Name = name });
    }

    /// <summary>The tensors that a node reads, those in the graphs of its branches and loops included.</summary>
    private static IEnumerable<string> Reads(NodeProto node) => node.Input.Concat(
        node.Attribute.SelectMany(attribute => attribute.G is { } graph ? [graph, .. attribute.Graphs] : attribute.Graphs.AsEnumerable())
            .SelectMany(graph => graph.Node.SelectMany(Reads).Concat(graph.Output.Select(value => value.Name))));
}
