using System.Text;
using System.Text.RegularExpressions;

namespace Graft.Networks;

/// <summary>
/// A network as a drawing: a box for each layer with its name, kind and output shape, shaded where it has weights; a frame around the
/// layers of a block; an arrow for each input. Written as text for Graphviz or Mermaid.
/// </summary>
public static partial class NetworkDiagram
{
    /// <summary>The endings of files that <see cref="Write"/> can make, to name in a message.</summary>
    public const string Extensions = ".dot or .gv (Graphviz), .mmd or .md (Mermaid)";

    /// <summary>Mermaid's own limits.</summary>
    internal const int MermaidCharacters = 50_000, MermaidArrows = 500;

    /// <summary>Whether a file's ending tells how to draw: one of <see cref="Extensions"/>.</summary>
    public static bool CanWrite(string path) => FormatOf(path) is not null;

    /// <summary>Draws a network into a new file, in the format that its ending names.</summary>
    /// <exception cref="GraftException">
    /// The ending is none of <see cref="Extensions"/>, the file exists, and stays as it is, or the network is larger than Mermaid draws.
    /// </exception>
    public static void Write(Network network, string path)
    {
        var draw = FormatOf(path) ?? throw new GraftException($"Expected a diagram file that ends with {Extensions}, found '{path}'.");
        if (File.Exists(path))
            throw new GraftException($"There is a file {path} already, and nothing is written over. Name another one, or delete it first.");
        WholeFile.Write(path, draw(network));
    }

    /// <summary>Graphviz's language: <c>dot -Tsvg network.dot -o network.svg</c>.</summary>
    public static string ToDot(Network network)
    {
        var text = new StringBuilder()
            .Append("digraph ").Append(Quoted(network.Name)).Append(" {\n")
            .Append("  graph [charset=\"UTF-8\", fontname=\"Helvetica\", label=").Append(Quoted(network.Name)).Append(", labelloc=t];\n")
            .Append("  node [shape=box, style=\"rounded,filled\", fillcolor=white, fontname=\"Helvetica\", fontsize=11];\n");
        var index = IndicesOf(network);
        foreach (var (block, number, layers) in Blocks(network))
        {
            var indent = block is null ? "  " : "    ";
            if (block is not null)
                text.Append("  subgraph cluster_").Append(number).Append(" {\n    label=").Append(Quoted(block))
                    .Append("; labeljust=l; color=gray;\n");
            foreach (var layer in layers)
                text.Append(indent).Append('n').Append(index[layer.Name]).Append(" [label=")
                    .Append(Quoted(string.Join('\n', Lines(network, layer))))
                    .Append(HasWeights(network, layer) ? ", fillcolor=\"#dce9f7\"];\n" : "];\n");
            if (block is not null) text.Append("  }\n");
        }
        foreach (var (from, to) in Arrows(network)) text.Append("  n").Append(index[from]).Append(" -> n").Append(index[to]).Append(";\n");
        return text.Append("}\n").ToString();

        // A backslash begins an escape sequence in a label, where a new line is one too.
        static string Quoted(string label)
        {
            label = label.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal);
            return $"\"{label.Replace("\n", "\\n", StringComparison.Ordinal)}\"";
        }
    }

    /// <summary>Mermaid's language, which GitHub and GitLab draw inside Markdown.</summary>
    /// <exception cref="GraftException">The network is larger than what Mermaid draws without being told to allow more.</exception>
    public static string ToMermaid(Network network)
    {
        var text = MermaidText(network);
        var arrows = Arrows(network).Count();
        return text.Length <= MermaidCharacters && arrows <= MermaidArrows
            ? text
            : throw new GraftException(
                $"{network.Name} has {network.Layers.Count:N0} layers and {arrows:N0} arrows between them, more than Mermaid draws ({MermaidArrows} arrows, "
                + $"{MermaidCharacters:N0} characters). Take a .dot file, which Graphviz draws.");
    }

    private static string MermaidText(Network network)
    {
        var text = new StringBuilder("flowchart TD\n");
        var index = IndicesOf(network);
        foreach (var (block, number, layers) in Blocks(network))
        {
            if (block is not null) text.Append("subgraph b").Append(number).Append('[').Append(Quoted(block)).Append("]\n");
            foreach (var layer in layers)
                text.Append('n').Append(index[layer.Name]).Append('[')
                    .Append(Quoted(string.Join("<br/>", Lines(network, layer).Select(Escaped))))
                    .Append(HasWeights(network, layer) ? "]:::w\n" : "]\n");
            if (block is not null) text.Append("end\n");
        }
        foreach (var (from, to) in Arrows(network)) text.Append('n').Append(index[from]).Append("-->n").Append(index[to]).Append('\n');
        return text.Append("classDef w fill:#dce9f7\n").ToString();

        static string Quoted(string label) => $"\"{label}\"";
        static string Escaped(string line) =>
            line.Replace("#", "#35;", StringComparison.Ordinal).Replace("\"", "#quot;", StringComparison.Ordinal);
    }

    private static Func<Network, string>? FormatOf(string path) => Path.GetExtension(path).ToUpperInvariant() switch
    {
        ".DOT" or ".GV" => ToDot,
        ".MMD" => ToMermaid,
        ".MD" => network => $"```mermaid\n{ToMermaid(network)}```\n",
        _ => null,
    };

    private static string[] Lines(Network network, Layer layer) => [layer.Name, layer.Operation.Kind, $"{network.ShapeOf(layer.Name)}"];

    private static bool HasWeights(Network network, Layer layer) =>
        layer.Operation.Parameters(layer.Name, network.InputShapes(layer)).Any();

    private static Dictionary<string, int> IndicesOf(Network network) =>
        network.Layers.Select((layer, index) => (layer.Name, index)).ToDictionary(StringComparer.Ordinal);

    private static IEnumerable<(string From, string To)> Arrows(Network network) =>
        network.Layers.SelectMany(layer => layer.Inputs.Select(input => (input, layer.Name)));

    /// <summary>Layers of one block together, blocks in the order of their first layers; null for a layer in none.</summary>
    private static IEnumerable<(string? Block, int Number, IReadOnlyList<Layer> Layers)> Blocks(Network network)
    {
        var members = network.Layers.ToLookup(layer => BlockOf(layer.Name));
        var number = 0;
        foreach (var layer in network.Layers)
        {
            var block = BlockOf(layer.Name);
            if (block is null || members[block].Count() == 1) yield return (null, number++, [layer]);
            else if (members[block].First() == layer) yield return (block, number++, [.. members[block]]);
        }
    }

    /// <summary>
    /// <c>layer1.0</c> for layer1.0.conv2, <c>features.4</c> for features.4.conv.0.0, <c>fire2</c> for fire2/squeeze1x1 and, as Keras does,
    /// <c>conv2_block1</c> for conv2_block1_1_conv.
    /// </summary>
    private static string? BlockOf(string layer)
    {
        var match = BlockPrefix().Match(layer);
        return match.Success ? match.Groups["block"].Value : null;
    }

    [GeneratedRegex(@"^(?<block>[^./]+(?:\.\d+)*)[./][^/]|^(?<block>(?:\w+_)?block_?\d+)_")]
    private static partial Regex BlockPrefix();
}
