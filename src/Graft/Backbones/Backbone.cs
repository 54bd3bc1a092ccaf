using Graft.Checkpoints;
using Graft.Checkpoints.Store;
using Graft.Imaging;
using Graft.Networks;

namespace Graft.Backbones;

/// <summary>How a layer's output becomes features.</summary>
public enum FeaturePooling
{
    /// <summary>One number per channel: a map averaged; of tokens the class token.</summary>
    Average,

    /// <summary>One number per channel: a map's largest.</summary>
    Maximum,

    /// <summary>All numbers: of a Keras network height, width, channels, of others channels, height, width, as their libraries flatten.</summary>
    Flatten,

    /// <summary>The output as it is.</summary>
    None,
}

/// <summary>A pretrained network, ready to be cut: its description, its weights, and how photos become its input.</summary>
public sealed class Backbone : IDisposable
{
    /// <summary>The name of the layer that <see cref="Pooled"/> adds.</summary>
    internal const string PoolLayer = "features";

    private readonly Checkpoint? _file;
    private readonly Lazy<string> _fingerprint;

    private Backbone(
        string name, Network network, IWeights weights, Preprocessing preprocessing, string? head, IReadOnlyList<string>? classes, Checkpoint? file)
    {
        (Name, Network, Weights, Preprocessing, Head, Classes) = (name, network, weights, preprocessing, head, classes);
        _file = file;
        _fingerprint = new(() => Weights.Fingerprint(Network));
    }

    /// <summary>SHA-256 over the layers and the values of all their weights, see <see cref="WeightsExtensions.Fingerprint"/>; computed once.</summary>
    public string Fingerprint => _fingerprint.Value;

    /// <summary>The catalogue's full name: <c>mobilenet_v2.torchvision</c>.</summary>
    public string Name { get; }

    public Network Network { get; }

    public IWeights Weights { get; }

    public Preprocessing Preprocessing { get; }

    /// <summary>The first layer of the classification head; null once it is cut off, or if the file has none.</summary>
    public string? Head { get; }

    /// <summary>What the outputs are called; null without a classification head.</summary>
    public IReadOnlyList<string>? Classes { get; }

    /// <summary>
    /// Loads a network of the catalogue with pretrained weights: from <paramref name="weightsFile"/> if given, else those
    /// that are part of Graft or in the weight store. A file without the classification head gives the network without it.
    /// </summary>
    /// <param name="name">A name of <see cref="BackboneCatalog"/>.</param>
    /// <param name="weightsFile">A .safetensors, .pth or Keras .h5 file saved from this very network.</param>
    /// <param name="preprocessing">How the file's network was fed, if otherwise than the catalogue says.</param>
    /// <param name="upTo">A layer or block to cut after: the file need hold no more than that. Null for the whole network.</param>
    /// <exception cref="GraftException">No such name, no weights at hand, or a file that does not fit.</exception>
    public static Backbone Load(
        string name, string? weightsFile = null, Preprocessing? preprocessing = null, string? upTo = null)
    {
        var definition = BackboneCatalog.Find(name);
        var published = definition.WeightsOf(weightsFile);
        var file = Checkpoint.Open(weightsFile ?? Locate(definition, published));
        try
        {
            var whole = definition.Build();
            preprocessing ??= published.Preprocessing;
            whole = whole.WithInputSize(preprocessing.InputHeight, preprocessing.InputWidth);
            var features = upTo is null ? whole.CutBefore(definition.Head) : whole.CutAfter(upTo);
            var auxiliary = definition.Auxiliary?.Invoke();
            // Whatever the file has for the head, the features are what must be there.
            var weights = CheckpointWeights.Match(file, features, whole, auxiliary, definition.TimmNames);
            var complete = upTo is null ? CheckpointWeights.TryMatch(file, whole, auxiliary, definition.TimmNames) : null;
            return complete is null
                ? new(definition.FullName, features, weights, preprocessing, head: null, classes: null, file)
                : new(definition.FullName, whole, complete, preprocessing, definition.Head, ClassesOf(whole, published), file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The same network with random weights, to train from scratch or to compare with.</summary>
    public static Backbone Untrained(string name, int seed)
    {
        var definition = BackboneCatalog.Find(name);
        var preprocessing = definition.Weights[0].Preprocessing;
        var whole = definition.Build().WithInputSize(preprocessing.InputHeight, preprocessing.InputWidth);
        return new(
            definition.FullName, whole, new RandomWeights(seed), preprocessing, definition.Head, ClassesOf(whole, definition.Weights[0]), file: null);
    }

    /// <summary>A network with weights of any origin, to compute features with. What the weights come from stays the caller's.</summary>
    public static Backbone Of(string name, Network network, IWeights weights, Preprocessing preprocessing) =>
        new(name, network, weights, preprocessing, head: null, classes: null, file: null);

    /// <summary>The network up to a layer (or a block's last layer).</summary>
    public Backbone CutAfter(string layerOrBlock) => Cut(Network.CutAfter(layerOrBlock));

    /// <summary>The network up to, and without, a layer (or a block's first layer).</summary>
    public Backbone CutBefore(string layerOrBlock) => Cut(Network.CutBefore(layerOrBlock));

    /// <summary>
    /// What transfer learning keeps: the network without its classification head, its output pooled, by default to one number per channel.
    /// </summary>
    public Backbone Features(FeaturePooling pooling = FeaturePooling.Average) => (Head is null ? this : CutBefore(Head)).Pooled(pooling);

    /// <summary>The output as a vector; nothing changes where it is one already.</summary>
    /// <exception cref="GraftException">The outputs are tokens, of which there is no maximum.</exception>
    public Backbone Pooled(FeaturePooling pooling = FeaturePooling.Average) => (Network.OutputShape, pooling) switch
    {
        (_, FeaturePooling.None) or ({ IsVector: true }, _) => this,
        (_, FeaturePooling.Flatten) => Cut(Network.Append(output => output.Flatten(PoolLayer, FlatOrder))),
        ({ IsTokens: true }, FeaturePooling.Average) => Cut(Network.Append(output => output.FirstToken(PoolLayer))),
        ({ IsMap: true }, _) => Cut(Network.Append(output => output.GlobalPool(
            PoolLayer, pooling == FeaturePooling.Maximum ? PoolFunction.Max : PoolFunction.Average))),
        _ => throw new GraftException(
            $"The output of layer '{Network.Output.Name}' of {Name} are tokens [{Network.OutputShape}], of which no maximum is taken. "
            + "Pool by average, which takes the class token, or flatten."),
    };

    /// <summary>The same network for images of another size, in pixels.</summary>
    public Backbone WithInputSize(int width, int height) =>
        new(Name, Network.WithInputSize(height, width), Weights, Preprocessing.WithInputSize(width, height), Head, Classes, _file);

    /// <summary>The same network for photos fitted to its input by another rule.</summary>
    public Backbone WithFit(Fit fit) => new(Name, Network, Weights, Preprocessing.WithFit(fit), Head, Classes, _file);

    public void Dispose() => _file?.Dispose();

    /// <summary>As the library flattens that the network comes from.</summary>
    private AxisOrder FlatOrder => Network.OutputShape.IsMap && Name.EndsWith($".{BackboneSource.Keras}", StringComparison.Ordinal)
        ? AxisOrder.ChannelsLast
        : AxisOrder.ChannelsFirst;

    private Backbone Cut(Network network) =>
        new(Name, network, Weights, Preprocessing, head: null, classes: null, _file);

    private static IReadOnlyList<string>? ClassesOf(Network network, PretrainedWeights weights) =>
        weights.Classes?.Count == network.OutputShape.ElementCount ? weights.Classes : null;

    private static string Locate(BackboneDefinition definition, PretrainedWeights weights)
    {
        if (weights.File is { } published)
        {
            return WeightStore.Default.Find(published)
                   ?? throw new GraftException(
                       $"The weights of {definition.FullName} are not here yet. `graft models pull {definition.FullName}` downloads them from "
                       + $"{published.Url}; a file that you have already is named with --weights FILE.");
        }
        using var resource = ClassNames.Resource(EmbeddedBackbone.Resource);
        var content = new byte[resource.Length];
        resource.ReadExactly(content);
        return PrivateFile.WithContent("weights", EmbeddedBackbone.Resource, content);
    }
}
