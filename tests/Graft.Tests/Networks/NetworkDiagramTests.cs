using System.Text.RegularExpressions;
using Graft.Backbones;
using Graft.Networks;
using Graft.Testing;

namespace Graft.Tests.Networks;

public sealed partial class NetworkDiagramTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string> Names => new(BackboneCatalog.All.Select(entry => entry.FullName));

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_layer_is_a_box_and_every_input_an_arrow(string name)
    {
        var network = BackboneCatalog.Find(name).Build();
        var dot = NetworkDiagram.ToDot(network);
        string? mermaid = null;
        try
        {
            mermaid = NetworkDiagram.ToMermaid(network);
        }
        catch (GraftException tooLarge)
        {
            Assert.Contains("more than Mermaid draws", tooLarge.Message, StringComparison.Ordinal);
            Assert.True(network.Layers.Count > 300, $"{network.Layers.Count} layers are not too many.");
        }
        var inputs = network.Layers.SelectMany((layer, index) => layer.Inputs.Select(input => (From: IndexOf(input), To: index))).ToList();

        foreach (var (text, box, arrow) in new[] { (dot, DotBox(), DotArrow()), (mermaid, MermaidBox(), MermaidArrow()) })
        {
            if (text is null) continue;
            Assert.Equal(Enumerable.Range(0, network.Layers.Count), Numbers(box.Matches(text), 1).Order());
            Assert.Equal(inputs.Order(), Numbers(arrow.Matches(text), 1).Zip(Numbers(arrow.Matches(text), 2)).Order());
        }
        if (mermaid is null) return;
        Assert.InRange(mermaid.Length, 1, NetworkDiagram.MermaidCharacters);
        Assert.InRange(inputs.Count, 1, NetworkDiagram.MermaidArrows);

        int IndexOf(string layer) => network.Layers.ToList().FindIndex(other => other.Name == layer);
        static IEnumerable<int> Numbers(MatchCollection matches, int group) => matches.Select(match => int.Parse(match.Groups[group].Value));
    }

    [Fact]
    public void Box_says_name_kind_and_output_shape_and_is_shaded_where_it_has_weights()
    {
        var dot = NetworkDiagram.ToDot(BackboneCatalog.Find("resnet18").Build());

        Assert.Contains("""label="layer1.0.conv1\nConv\n64×56×56", fillcolor=""", dot, StringComparison.Ordinal);
        Assert.Contains("""label="layer1.0.relu1\nRelu\n64×56×56"];""", dot, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("resnet18.torchvision", "layer1.0", "layer4.1")]
    [InlineData("mobilenet_v2.torchvision", "features.0", "features.17", "classifier")]
    [InlineData("resnet50.keras", "conv2_block1", "conv5_block3")]
    [InlineData("mobilenet_v2.keras", "block_1", "block_16")]
    [InlineData("vgg16.keras", "block1", "block5")]
    [InlineData("squeezenet1_1.keras", "fire2", "fire9")]
    [InlineData("inception_v3.torchvision", "Mixed_5b", "Mixed_7c")]
    [InlineData("vit_small_patch14_dinov2.timm", "blocks.0", "blocks.11")]
    public void Blocks_are_frames(string name, params string[] blocks)
    {
        var dot = NetworkDiagram.ToDot(BackboneCatalog.Find(name).Build());
        var frames = DotFrame().Matches(dot).Select(match => match.Groups[1].Value).ToList();

        Assert.All(blocks, block => Assert.Contains(block, frames));
        Assert.Equal(frames.Count, frames.Distinct().Count());
    }

    [Fact]
    public void Names_may_hold_what_the_languages_use_themselves()
    {
        var builder = new NetworkBuilder("a \"b\"");
        var network = builder.Build(builder.Input("in\\put", 1, 4).Convolution("say \"x\" #1", 1, kernel: 1));

        var dot = NetworkDiagram.ToDot(network);
        string? mermaid = null;
        try
        {
            mermaid = NetworkDiagram.ToMermaid(network);
        }
        catch (GraftException tooLarge)
        {
            Assert.Contains("more than Mermaid draws", tooLarge.Message, StringComparison.Ordinal);
            Assert.True(network.Layers.Count > 300, $"{network.Layers.Count} layers are not too many.");
        }

        Assert.Contains("digraph \"a \\\"b\\\"\"", dot, StringComparison.Ordinal);
        Assert.Contains("label=\"in\\\\put\\nInput", dot, StringComparison.Ordinal);
        Assert.Contains("label=\"say \\\"x\\\" #1\\nConv", dot, StringComparison.Ordinal);
        Assert.Contains("[\"say #quot;x#quot; #35;1<br/>Conv", mermaid, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("net.dot", "digraph")]
    [InlineData("net.GV", "digraph")]
    [InlineData("net.mmd", "flowchart")]
    [InlineData("net.md", "```mermaid\nflowchart")]
    public void Ending_of_the_file_chooses_the_language(string file, string start)
    {
        var path = _folder.File(file);

        NetworkDiagram.Write(BackboneCatalog.Find("alexnet").Build(), path);

        Assert.StartsWith(start, File.ReadAllText(path), StringComparison.Ordinal);
    }

    [Fact]
    public void Other_endings_and_files_that_exist_are_refused()
    {
        var network = BackboneCatalog.Find("alexnet").Build();
        var precious = _folder.File("precious.dot");
        File.WriteAllText(precious, "mine");

        Assert.False(NetworkDiagram.CanWrite("net.svg"));
        Assert.Contains(".dot", Assert.Throws<GraftException>(() => NetworkDiagram.Write(network, _folder.File("net.svg"))).Message);
        Assert.Contains("precious.dot", Assert.Throws<GraftException>(() => NetworkDiagram.Write(network, precious)).Message);
        Assert.Equal("mine", File.ReadAllText(precious));
        Assert.False(File.Exists(_folder.File("net.svg")));
    }

    [GeneratedRegex(@"^ *n(\d+) \[label=", RegexOptions.Multiline)]
    private static partial Regex DotBox();

    [GeneratedRegex(@"^ *n(\d+) -> n(\d+);$", RegexOptions.Multiline)]
    private static partial Regex DotArrow();

    [GeneratedRegex(@"subgraph cluster_\d+ {\n    label=""([^""]+)""")]
    private static partial Regex DotFrame();

    [GeneratedRegex(@"^n(\d+)\[", RegexOptions.Multiline)]
    private static partial Regex MermaidBox();

    [GeneratedRegex(@"^n(\d+)-->n(\d+)$", RegexOptions.Multiline)]
    private static partial Regex MermaidArrow();
}
