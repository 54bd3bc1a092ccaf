using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;

namespace Graft.Networks.Onnx;

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
        var graph = model.Graph;
        if (graph.Initializer.Any(tensor => tensor.DataLocation == ExternalData))
        {
            throw new GraftException(
                $"{path} keeps its weights in a file of their own. Save it as one file (onnx.save_model with save_as_external_data=False).");
        }
        Cut(path, graph, output);
        var content = model.ToByteArray();
        try
        {
            using var session = OnnxGraphNetwork.Open(content);
            var image = OnnxGraphNetwork.ImageOf(session, path);
            if ((image.Width ?? width) is not { } columns || (image.Height ?? height) is not { } rows)
                throw new GraftException($"{path} takes images of any size. Say which with --size.");
            if ((width is { } askedWidth && askedWidth != columns) || (height is { } askedHeight && askedHeight != rows))
                throw new GraftException($"{path} takes images of {columns}×{rows} pixels, and no others. Leave --size out.");
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

    private static ModelProto Parse(string path)
    {
        try
        {
            var model = ModelProto.Parser.ParseFrom(File.ReadAllBytes(path));
            if (model.Graph is { Node.Count: > 0 } && model.OpsetImport.Count > 0) return model;
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

    /// <summary>Makes one tensor the graph's only output and removes the nodes that it does not need.</summary>
    private static void Cut(string path, GraphProto graph, string? wanted)
    {
        if (wanted is null && graph.Output.Count != 1)
        {
            throw new GraftException(
                $"{path} has {graph.Output.Count} outputs. Say with --layer which is wanted: {string.Join(", ", graph.Output.Select(value => value.Name))}.");
        }
        var name = wanted ?? graph.Output[0].Name;
        var producers = graph.Node.SelectMany(node => node.Output.Select(tensor => (tensor, node)))
            .Where(pair => pair.tensor.Length > 0).ToDictionary(pair => pair.tensor, pair => pair.node, StringComparer.Ordinal);
        if (!producers.ContainsKey(name))
        {
            name = graph.Node.FirstOrDefault(node => node.Name == name)?.Output[0]
                   ?? throw new GraftException(
                       $"{path} has no tensor or node '{name}'. Its last ones are {string.Join(", ", graph.Node.TakeLast(8).Select(node => node.Output[0]))}.");
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
