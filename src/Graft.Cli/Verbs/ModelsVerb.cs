using System.CommandLine;
using System.Text;
using System.Text.Json;
using Graft.Backbones;
using Graft.Checkpoints.Store;
using Graft.Networks;
using Graft.Networks.Onnx;
using Graft.Networks.Onnx.Import;
using Graft.Runs;

namespace Graft.Cli.Verbs;

internal static class ModelsVerb
{
    public static Command Create()
    {
        var words = new Argument<string[]>("WORD")
        {
            Description = "Only networks with each of these words in their name, source or family; * and ? stand for any letters",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var local = new Option<bool>("--local") { Description = "Only networks whose weights are here, without a download" };
        var json = Terminal.Json();
        var command = new Verb(
            "models",
            "List the pretrained networks, show one, or manage their weights.",
            "graft models",
            "graft models 'efficientnet*' --local",
            "graft models resnet keras",
            "graft models show mobilenet_v2") { words, local, Show(), json };
        foreach (var verb in ModelsStoreVerbs.Create()) command.Add(verb);
        command.SetHandler((parsed, _) =>
        {
            var wanted = parsed.GetValue(words) ?? [];
            var entries = BackboneCatalog.Matching(wanted).Where(entry => !parsed.GetValue(local) || IsHere(entry)).ToList();
            if (entries.Count == 0)
                throw new UsageException($"No network has {string.Join(" and ", wanted.Select(word => $"'{word}'"))} in its name, source or family{(parsed.GetValue(local) ? " and its weights here" : "")}. `graft models` lists them all.");
            if (parsed.GetValue(json)) Console.Out.WriteLine(JsonSerializer.Serialize(entries.Select(Description), RunFolder.Json));
            else if (wanted.Length == 0 && !parsed.GetValue(local)) ListFamilies(entries);
            else ListNetworks(entries);
            return Terminal.Done;
        });
        return command;
    }

    private static object Description(BackboneDefinition entry)
    {
        var network = entry.Build();
        return new
        {
            entry.Name,
            entry.Source,
            entry.Family,
            Default = BackboneCatalog.Find(entry.Name) == entry,
            entry.Paper,
            InputSize = network.InputShape.Width,
            Features = Features(entry, network),
            Parameters = entry.PublishedParameters,
            LayerTable.Of(network).MultiplyAdds,
            entry.Weights[0].Top1,
            entry.Weights[0].License,
            File = entry.Weights[0].File?.FileName,
            Url = entry.Weights[0].File?.Url,
            Here = IsHere(entry),
            Tags = entry.Weights.Select(weights => weights.Tag),
        };
    }

    /// <summary>The names, a paragraph for each family.</summary>
    private static void ListFamilies(IReadOnlyList<BackboneDefinition> entries)
    {
        foreach (var family in entries.GroupBy(entry => entry.Family))
        {
            Console.Out.WriteLine(family.Key);
            foreach (var source in family.GroupBy(entry => entry.Source))
                Console.Out.WriteLine($"  {source.Key + ":",-13}{Wrapped(source.Select(entry => entry.Name), indent: 15)}");
        }
        Console.Out.WriteLine();
        foreach (var (alias, fullName, reason) in BackboneCatalog.Aliases) Console.Out.WriteLine($"{alias + ":",-15}{fullName} ({reason})");
        Terminal.Say($"""

            The default is {BackboneCatalog.Default}. Of networks with one name, the first is what the plain name means; NAME.SOURCE names another
            (resnet50.keras), NAME.SOURCE/TAG other weights of it. `graft models WORD` lists size, cost and accuracy of those with that word in their
            name, source or family, `graft models --local` of those whose weights are here.
            """);
    }

    private static string Wrapped(IEnumerable<string> names, int indent)
    {
        const int Width = 120;
        var text = new StringBuilder();
        var column = indent;
        foreach (var name in names)
        {
            if (column > indent && column + 2 + name.Length > Width)
            {
                text.Append('\n').Append(' ', indent);
                column = indent;
            }
            else if (column > indent)
            {
                text.Append("  ");
                column += 2;
            }
            text.Append(name);
            column += name.Length;
        }
        return text.ToString();
    }

    private static void ListNetworks(IReadOnlyList<BackboneDefinition> entries)
    {
        var family = "";
        Console.Out.WriteLine(Terminal.Table(
            ["family", "name", "source", "input", "features", "parameters", "mult-adds", "top-1", "weights"],
            [false, false, false, true, true, true, true, true, false],
            entries.Select(entry =>
            {
                var network = entry.Build();
                var isFirst = entry.Family != family;
                family = entry.Family;
                return (string[])
                [
                    isFirst ? family : "", entry.Name, entry.Source, $"{network.InputShape.Width}", $"{Features(entry, network):N0}",
                    $"{entry.PublishedParameters:N0}", $"{LayerTable.Of(network).MultiplyAdds / 1e6:N0} M",
                    entry.Weights[0].Top1 is { } top1 ? $"{top1:0.0} %" : "–",
                    entry.Weights[0].IsPartOfGraft ? "part of Graft" : IsHere(entry) ? "downloaded" : "not downloaded",
                ];
            }).ToList()));
        Terminal.Say($"""

            The default is {BackboneCatalog.Default}. Top-1 is the published accuracy on ImageNet's validation photos.
            """);
    }

    private static Verb Show()
    {
        var name = new Argument<string>("NAME") { Description = "A network of the catalog, or NAME.SOURCE, or an .onnx file" };
        var size = new Option<int?>("--size") { Description = "Input size in pixels, if not the usual one", HelpName = "PIXELS" };
        var classes = new Option<int?>("--classes")
        {
            Description = "Replace the classification head by a new one, as training does, and count what is frozen and what is trained",
            HelpName = "COUNT",
        };
        var diagram = new Option<string?>("--diagram")
        {
            Description = $"Draw the network into a new file that ends with {NetworkDiagram.Extensions}",
            HelpName = "FILE",
        };
        var json = Terminal.Json();
        var command = new Verb(
            "show",
            "Show a network's layers: index, name, kind, output shape, parameters and multiply-adds.",
            "graft models show mobilenet_v2 --size 160",
            "graft models show vgg16 --classes 2",
            "graft models show model.onnx",
            "graft models show resnet50 --diagram resnet50.dot && dot -Tsvg resnet50.dot -o resnet50.svg") { name, size, classes, diagram, json };
        command.SetHandler((parsed, _) =>
        {
            if (parsed.GetRequiredValue(name) is var file && file.EndsWith(".onnx", StringComparison.OrdinalIgnoreCase))
            {
                if (parsed.GetValue(classes) is not null || parsed.GetValue(diagram) is not null)
                    throw new UsageException($"--classes and --diagram are for networks of the catalog. Leave them out for {file}.");
                ShowOnnx(file, parsed.GetValue(size), parsed.GetValue(json));
                return Terminal.Done;
            }
            var definition = BackboneCatalog.Find(file);
            var network = definition.Build();
            if (parsed.GetValue(size) is { } pixels)
            {
                if (pixels < 1) throw new UsageException("Expected --size of at least 1 pixel.");
                network = network.WithInputSize(pixels, pixels);
            }
            var head = network.CutBefore(definition.Head).Output.Name;
            var frozen = parsed.GetValue(classes) is null ? null : Frozen(network, definition);
            if (parsed.GetValue(classes) is { } count)
            {
                if (count < 2) throw new UsageException("Expected --classes of at least 2.");
                network = frozen!.Append(features => Head.Softmax.Build(features, count));
            }
            if (parsed.GetValue(diagram) is { } drawing)
            {
                if (!NetworkDiagram.CanWrite(drawing))
                    throw new UsageException($"Expected --diagram with a file that ends with {NetworkDiagram.Extensions}, found {drawing}.");
                NetworkDiagram.Write(network, drawing);
                Terminal.Say($"Drawn into {drawing}.");
            }
            var table = LayerTable.Of(network);
            var split = frozen is null ? null : new Split(LayerTable.Of(frozen), table);
            if (parsed.GetValue(json))
            {
                Console.Out.WriteLine(JsonSerializer.Serialize(
                    new
                    {
                        Name = definition.FullName,
                        definition.Paper,
                        FeaturesAfter = head,
                        Layers = table.Rows.Select(row => new
                        {
                            row.Index,
                            row.Name,
                            row.Kind,
                            OutputShape = row.OutputShape.Sizes,
                            row.Parameters,
                            row.Statistics,
                            row.MultiplyAdds,
                        }),
                        table.Parameters,
                        table.Statistics,
                        table.MultiplyAdds,
                        split?.Frozen,
                        split?.Trainable,
                    },
                    RunFolder.Json));
                return Terminal.Done;
            }
            Console.Out.WriteLine(Terminal.Table(
                ["index", "name", "kind", "output", "parameters", "mult-adds", split is null ? "" : "weights"],
                [true, false, false, true, true, true, false],
                table.Rows.Select(row => (string[])
                [
                    $"{row.Index}", row.Name, row.Kind, $"{row.OutputShape}", $"{row.Parameters + row.Statistics:N0}",
                    row.MultiplyAdds == 0 ? "" : $"{row.MultiplyAdds / 1e6:N2} M",
                    split is null || row.Parameters == 0 ? "" : split.IsFrozen(row) ? "frozen" : "trainable",
                ])));
            Console.Out.WriteLine($"""

                {definition.FullName}: {definition.Paper}
                {table.Parameters:N0} parameters + {table.Statistics:N0} batch-norm statistics = {table.Parameters + table.Statistics:N0}; {table.MultiplyAdds / 1e6:N0} million multiply-adds
                """);
            Console.Out.WriteLine(split is null
                ? $"Transfer takes the features after '{head}'."
                : $"frozen {split.Frozen:N0} · trainable {split.Trainable:N0}");
            return Terminal.Done;
        });
        return command;
    }

    private static void ShowOnnx(string file, int? size, bool asJson)
    {
        if (!File.Exists(file)) throw new UsageException($"There is no ONNX file {file}.");
        if (size is < 1) throw new UsageException("Expected --size of at least 1 pixel.");
        var tensors = OnnxFile.Tensors(file, size, size);
        if (asJson)
        {
            Console.Out.WriteLine(JsonSerializer.Serialize(
                new { Name = file, Tensors = tensors.Select(tensor => new { tensor.Name, tensor.Operation, Shape = tensor.Shape.Sizes }) }, RunFolder.Json));
            return;
        }
        Console.Out.WriteLine(Terminal.Table(
            ["tensor", "operation", "shape"],
            [false, false, true],
            tensors.Select(tensor => (string[])[tensor.Name, tensor.Operation, $"{tensor.Shape}"])));
        Console.Out.WriteLine($"\n--layer takes any of these {tensors.Count:N0} tensors, for example --backbone {file} --layer {tensors[^1].Name}");
        try
        {
            var imported = OnnxImport.ReadLongest(Path.GetFileName(file), RegularFile.ReadAllBytes(file), height: size, width: size);
            Terminal.Say(imported.FrozenUpTo is { } tensor
                ? $"{imported.Reason} The network can be fine-tuned (--backbone {file} --strategy finetune) after '{tensor}'; up to there it stays frozen."
                : $"Graft knows all layers: the network can be fine-tuned (--backbone {file} --strategy finetune).");
        }
        catch (GraftException problem)
        {
            Terminal.Say($"{problem.Message} The network can be used frozen (--backbone {file}).");
        }
    }

    private static Network Frozen(Network network, BackboneDefinition definition)
    {
        var backbone = Backbone.Of(definition.FullName, network, new RandomWeights(seed: 0), definition.Weights[0].Preprocessing);
        return backbone.CutBefore(definition.Head).Pooled().Network;
    }

    /// <summary>A network that a new head was grafted on: what stays as it is, statistics included, and what learns.</summary>
    private sealed record Split(LayerTable Before, LayerTable Whole)
    {
        public long Frozen => Before.Parameters + Before.Statistics;

        public long Trainable => Whole.Parameters - Before.Parameters;

        public bool IsFrozen(LayerRow row) => row.Index < Before.Rows.Count;
    }

    private static int Features(BackboneDefinition entry, Network network) => network.CutBefore(entry.Head).OutputShape.Channels;

    private static bool IsHere(BackboneDefinition entry) =>
        entry.Weights[0].IsPartOfGraft || (entry.Weights[0].File is { } file && WeightStore.Default.Find(file) is not null);
}
