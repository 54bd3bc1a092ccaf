using System.Text.Json;
using System.Text.Json.Serialization;

namespace Graft.Networks;

/// <summary>A named step of a network: an operation and the layers whose outputs it takes.</summary>
public sealed record Layer(string Name, Operation Operation, IReadOnlyList<string> Inputs);

/// <summary>
/// A network described once, as named layers in an order in which each follows its inputs; the first layer is the image, the
/// last the output. It holds no weights and costs nothing: the torch module, the layer table and the checkpoint keys are
/// derived from it.
/// </summary>
public sealed class Network
{
    private readonly Dictionary<string, int> _indices;
    private readonly TensorShape[] _shapes;

    /// <exception cref="GraftException">A name is used twice, an input is missing, or shapes do not fit; names the layer.</exception>
    public Network(string name, IReadOnlyList<Layer> layers)
    {
        Name = name;
        Layers = layers;
        _indices = new(layers.Count, StringComparer.Ordinal);
        _shapes = new TensorShape[layers.Count];
        if (layers is not [{ Operation: Input }, ..])
            throw new GraftException($"Network '{name}' must begin with an Input layer.");
        for (var index = 0; index < layers.Count; index++)
        {
            var layer = layers[index];
            try
            {
                if (layer.Inputs.FirstOrDefault(input => !_indices.ContainsKey(input)) is { } missing)
                    throw new GraftException($"its input '{missing}' does not come before it");
                _shapes[index] = layer.Operation.OutputShape(InputShapes(layer));
                if (!_indices.TryAdd(layer.Name, index)) throw new GraftException("its name is used twice");
            }
            catch (GraftException problem)
            {
                throw new GraftException($"Layer '{layer.Name}' of network '{name}': {problem.Message}.", problem);
            }
        }
        Parameters = [.. layers.SelectMany(layer => layer.Operation.Parameters(layer.Name, InputShapes(layer)))];
    }

    public string Name { get; }

    public IReadOnlyList<Layer> Layers { get; }

    /// <summary>The tensors of weights of all layers, in layer order.</summary>
    public IReadOnlyList<Parameter> Parameters { get; }

    public TensorShape InputShape => _shapes[0];

    public TensorShape OutputShape => _shapes[^1];

    public Layer Output => Layers[^1];

    public Layer this[string layer] => Layers[IndexOf(layer)];

    /// <summary>The shape of a layer's output for one image of <see cref="InputShape"/>.</summary>
    public TensorShape ShapeOf(string layer) => _shapes[IndexOf(layer)];

    public IReadOnlyList<TensorShape> InputShapes(Layer layer) =>
        [.. layer.Inputs.Select(input => _shapes[_indices[input]])];

    /// <summary>
    /// The layer with this name or, for a block such as <c>features.14</c>, the last layer of the block.
    /// </summary>
    /// <exception cref="GraftException">There is none; the message lists the nearest names.</exception>
    public Layer Find(string layerOrBlock) =>
        Layers.LastOrDefault(layer => layer.Name == layerOrBlock)
        ?? Layers.LastOrDefault(layer => InBlock(layer, layerOrBlock))
        ?? throw NoLayer(layerOrBlock);

    /// <summary>The network up to a layer (or a block's last layer), whose output becomes the network's.</summary>
    public Network CutAfter(string layerOrBlock)
    {
        var needed = new HashSet<string>(StringComparer.Ordinal) { Find(layerOrBlock).Name };
        foreach (var layer in Layers.Reverse())
            if (needed.Contains(layer.Name)) needed.UnionWith(layer.Inputs);
        var output = Find(layerOrBlock);
        return new(Name, [.. Layers.Where(layer => needed.Contains(layer.Name) && layer != output), output]);
    }

    /// <summary>The network up to, and without, a layer (or a block's first layer): its input becomes the output.</summary>
    public Network CutBefore(string layerOrBlock)
    {
        var first = Layers.FirstOrDefault(layer => layer.Name == layerOrBlock || InBlock(layer, layerOrBlock))
                    ?? throw NoLayer(layerOrBlock);
        return first.Inputs.Count == 1
            ? CutAfter(first.Inputs[0])
            : throw new GraftException(
                $"Layer '{first.Name}' has {first.Inputs.Count} inputs; cut after one of {string.Join(", ", first.Inputs)}.");
    }

    /// <summary>The network after a layer: its input is that layer's output, its layers are those that follow from it.</summary>
    /// <exception cref="GraftException">Another path leads around the layer.</exception>
    public Network StartAfter(string layerOrBlock)
    {
        var boundary = Find(layerOrBlock);
        var before = CutAfter(boundary.Name).Layers.Select(layer => layer.Name).ToHashSet(StringComparer.Ordinal);
        var after = Layers.Where(layer => !before.Contains(layer.Name)).ToList();
        var around = after.SelectMany(layer => layer.Inputs)
            .FirstOrDefault(input => before.Contains(input) && input != boundary.Name);
        return around is null
            ? new(Name, [new(boundary.Name, Input.Of(ShapeOf(boundary.Name)), []), .. after])
            : throw new GraftException(
                $"Network '{Name}' cannot be split after '{boundary.Name}': '{around}' is used after it too. Split at the end of a block.");
    }

    /// <summary>This network with more layers on its output.</summary>
    public Network Append(Func<Node, Node> layers)
    {
        var builder = new NetworkBuilder(Name, Layers);
        return builder.Build(layers(builder.Node(Output.Name)));
    }

    /// <summary>The same layers for images of another size.</summary>
    /// <exception cref="GraftException">A layer cannot take that size.</exception>
    public Network WithInputSize(int height, int width) =>
        Layers[0].Operation is Input input && (input.Height, input.Width) == (height, width)
            ? this
            : new(Name, [Layers[0] with { Operation = new Input(InputShape.Channels, height, width) }, .. Layers.Skip(1)]);

    /// <summary>The description as JSON, as a model file carries it.</summary>
    public string ToJson() => JsonSerializer.Serialize(new(Name, Layers), NetworkJson.Default.NetworkDescription);

    /// <exception cref="GraftException">The description is damaged.</exception>
    public static Network FromJson(string json)
    {
        try
        {
            return JsonSerializer.Deserialize(json, NetworkJson.Default.NetworkDescription) is { } description
                ? new(description.Name, description.Layers)
                : throw new GraftException("The network description is empty.");
        }
        // What is no JSON, names no kind of layer, or has sizes that nothing can be divided by.
        catch (Exception problem) when (problem is JsonException or NotSupportedException or ArithmeticException)
        {
            throw new GraftException($"The network description is damaged: {problem.Message}", problem);
        }
    }

    /// <summary>Who uses which layer's output.</summary>
    internal LayerUses Uses => field ??= new(this);

    /// <summary>The position of the layer with exactly this name.</summary>
    internal int IndexOf(string layer) => _indices.TryGetValue(layer, out var index) ? index : throw NoLayer(layer);

    private static bool InBlock(Layer layer, string block) =>
        layer.Name.Length > block.Length
        && layer.Name.StartsWith(block, StringComparison.Ordinal)
        && layer.Name[block.Length] is '.' or '/';

    private GraftException NoLayer(string name)
    {
        var near = Layers.SelectMany(layer => Blocks(layer.Name).Append(layer.Name)).Distinct(StringComparer.Ordinal)
            .Select(known => (Name: known, Distance: Spelling.Distance(name, known)))
            .Where(known => known.Distance <= Math.Max(2, name.Length / 3)
                            || known.Name.Contains(name, StringComparison.OrdinalIgnoreCase)
                            || name.Contains(known.Name, StringComparison.OrdinalIgnoreCase))
            .OrderBy(known => known.Distance).Take(5).Select(known => known.Name).ToList();
        var hint = near.Count > 0 ? $" Did you mean {string.Join(", ", near)}?" : "";
        return new($"Network '{Name}' has no layer or block '{name}'.{hint}") { Code = "no-layer", Value = Name, Remedy = $"{nameof(Layers)} lists them all." };
    }

    /// <summary>Of <c>features.14.conv.0</c>: features, features.14 and features.14.conv.</summary>
    private static IEnumerable<string> Blocks(string layer) =>
        Enumerable.Range(1, Math.Max(0, layer.Length - 1)).Where(end => layer[end] is '.' or '/').Select(end => layer[..end]);
}

/// <summary>What a model file carries of a network.</summary>
internal sealed record NetworkDescription(string Name, IReadOnlyList<Layer> Layers);

/// <summary>Written when Graft is built: to find out by reflection how each kind of layer is written takes a tenth of a second at each start.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(NetworkDescription))]
internal sealed partial class NetworkJson : JsonSerializerContext;
