using Graft.Checkpoints;
using Graft.Checkpoints.Store;
using Graft.Imaging;
using Graft.Networks;

namespace Graft.Backbones;

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

    /// <summary>The catalog's full name: <c>mobilenet_v2.torchvision</c>.</summary>
    public string Name { get; }

    public Network Network { get; }

    public IWeights Weights { get; }

    public Preprocessing Preprocessing { get; }

    /// <summary>The first layer of the classification head; null once it is cut off, or if the file has none.</summary>
    public string? Head { get; }

    /// <summary>What is worth knowing before the network is trained; null for nothing.</summary>
    public string? Note { get; private init; }

    /// <summary>What the outputs are called; null without a classification head.</summary>
    public IReadOnlyList<string>? Classes { get; }

    /// <summary>
    /// The same as <see cref="Load"/>, after downloading the network's published weights if they are not on this machine yet: verified, and
    /// kept in the weight store for the next time.
    /// </summary>
    /// <param name="name">A name of <see cref="BackboneCatalog"/>, such as <c>mobilenet_v2</c>.</param>
    /// <param name="preprocessing">How the network was fed, if otherwise than the catalog says.</param>
    /// <param name="upTo">A layer or block to cut after. Null for the whole network.</param>
    /// <param name="progress">Told how far the download is; called on the thread that downloads.</param>
    /// <param name="store">Where weights are kept; null for <see cref="WeightStore.Default"/>.</param>
    /// <param name="cancellation">Stops the download; the part that has arrived is kept and continued next time.</param>
    /// <exception cref="GraftException">No such name, or weights that cannot be downloaded or kept; the message says how to supply them.</exception>
    public static async Task<Backbone> LoadAsync(
        string name, Preprocessing? preprocessing = null, string? upTo = null, IProgress<DownloadProgress>? progress = null,
        WeightStore? store = null, CancellationToken cancellation = default)
    {
        var file = await BackboneCatalog.Find(name).FetchWeightsAsync(store, progress, cancellation).ConfigureAwait(false);
        return await Task.Run(() => Load(name, file, preprocessing, upTo), cancellation).ConfigureAwait(false);
    }

    /// <summary>
    /// Loads a network of the catalog with pretrained weights: from <paramref name="weightsFile"/> if given, else those
    /// that are part of Graft or in the weight store. A file without the classification head gives the network without it.
    /// </summary>
    /// <param name="name">A name of <see cref="BackboneCatalog"/>.</param>
    /// <param name="weightsFile">A .safetensors, .pth, .keras or Keras .h5 file saved from this very network, or <c>FILE#PART</c>, see <see cref="WeightsFile"/>.</param>
    /// <param name="preprocessing">How the file's network was fed, if otherwise than the catalog says.</param>
    /// <param name="upTo">A layer or block to cut after: the file need hold no more than that. Null for the whole network.</param>
    /// <exception cref="GraftException">No such name, no weights on this machine, or a file that does not fit.</exception>
    public static Backbone Load(
        string name, string? weightsFile = null, Preprocessing? preprocessing = null, string? upTo = null)
    {
        var definition = BackboneCatalog.Find(name);
        var given = weightsFile is null ? null : WeightsFile.Parse(weightsFile);
        var published = definition.WeightsOf(given?.Path);
        var file = Checkpoint.Open(given?.Path ?? Locate(definition, published));
        try
        {
            preprocessing ??= published.Preprocessing;
            var whole = definition.Build().WithInputSize(preprocessing.InputHeight, preprocessing.InputWidth);
            var features = upTo is null ? whole.CutBefore(definition.Head) : whole.CutAfter(upTo);
            var auxiliary = definition.Auxiliary?.Invoke();
            // Whatever the file has for the head, the features are what must be there.
            var weights = CheckpointWeights.Match(file, features, whole, auxiliary, definition.OtherKeys, given?.Part);
            var complete = upTo is null ? CheckpointWeights.TryMatch(file, whole, auxiliary, definition.OtherKeys, given?.Part) : null;
            if (complete is null && upTo is null && WithHeadOf(whole, features, weights) is { } retrained)
            {
                complete = CheckpointWeights.TryMatch(file, retrained, auxiliary, definition.OtherKeys, given?.Part);
                if (complete is not null) whole = retrained;
            }
            return complete is null
                ? new(definition.FullName, features, weights, preprocessing, head: null, classes: null, file)
                : new(
                    definition.FullName, whole, complete, preprocessing, definition.Head,
                    file.ClassNames?.Count == whole.OutputShape.ElementCount ? file.ClassNames : ClassesOf(whole, published) ?? NumberedClasses(whole), file);
        }
        catch (CheckpointMismatchException mismatch)
        {
            using (file) throw Remedy(file, definition, mismatch, upTo) is (var remedy, var code, var value) ? mismatch.WithRemedy(remedy, code, value) : mismatch;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The network with as many outputs as the file's head has, which was trained on other classes; null where they are as many, or no head is known.</summary>
    private static Network? WithHeadOf(Network whole, Network features, CheckpointWeights weights)
    {
        var kept = features.Layers.Select(layer => layer.Name).ToHashSet(StringComparer.Ordinal);
        var kernel = whole.Parameters.LastOrDefault(parameter => parameter.IsKernel && !kept.Contains(parameter.Layer));
        if (kernel is null || weights.OutputsOf(kernel) is not { } outputs || outputs == kernel.Shape[0] || outputs < 2) return null;
        Operation? operation = whole[kernel.Layer].Operation switch
        {
            Dense dense => dense with { Units = outputs },
            Convolution { Groups: 1 } convolution => convolution with { Filters = outputs },
            _ => null,
        };
        return operation is null ? null
            : new(whole.Name, [.. whole.Layers.Select(layer => layer.Name == kernel.Layer ? layer with { Operation = operation } : layer)]);
    }

    /// <summary>Of a head that was trained on other classes, in a file that does not name them.</summary>
    private static IReadOnlyList<string>? NumberedClasses(Network whole) =>
        whole.OutputShape.IsVector ? [.. Enumerable.Range(0, whole.OutputShape.ElementCount).Select(number => $"class {number}")] : null;

    /// <summary>What a file that does not fit is good for: a part of the network, or another network of the catalog; null if nothing is found.</summary>
    private static (string Remedy, string Code, string? Value)? Remedy(Checkpoint file, BackboneDefinition definition, CheckpointMismatchException mismatch, string? upTo)
    {
        const double Alike = 0.9;
        var whole = definition.Build();
        if (upTo is null && LastWholeLayer(whole, mismatch.Differing) is { } layer
            && CheckpointWeights.ShareFound(file, whole.CutAfter(layer), whole, definition.OtherKeys) == 1)
        {
            return ($"The file holds the network up to '{layer}': load it up to there.", "fits-up-to-layer", layer);
        }
        var own = upTo is null ? 1 - (double)mismatch.Differing.Count / whole.CutBefore(definition.Head).Parameters.Count : 1;
        var others = BackboneCatalog.All.Where(other => other != definition).Select(other => (Definition: other, Share: ShareOf(other))).ToList();
        return others.Find(other => other.Share == 1) is { Definition: { } fits }
            ? ($"It fits {fits.FullName}: load it as that.", "fits-other-backbone", fits.FullName)
            : others.MaxBy(other => other.Share) is var near && near.Share > Math.Max(own, Alike)
                ? ($"The nearest network is {near.Definition.FullName}, which shares {near.Share:P0} of its tensors.", "checkpoint-mismatch", null)
                : null;

        double ShareOf(BackboneDefinition other)
        {
            var network = other.Build();
            var features = network.CutBefore(other.Head);
            if (CheckpointWeights.ShareFound(file, features, network, other.OtherKeys) is < 1 and var share) return share;
            try
            {
                CheckpointWeights.Match(file, features, network, other.Auxiliary?.Invoke(), other.OtherKeys);
                return 1;
            }
            catch (GraftException)
            {
                return 0;
            }
        }
    }

    /// <summary>The last layer that everything after it depends on and whose own parameters, and those before it, are all there.</summary>
    private static string? LastWholeLayer(Network whole, IReadOnlyList<Parameter> differing)
    {
        var broken = differing.Select(parameter => parameter.Layer).ToHashSet(StringComparer.Ordinal);
        foreach (var layer in whole.Layers)
            if (layer.Inputs.Any(broken.Contains)) broken.Add(layer.Name);
        return whole.Layers.Skip(1).Reverse().Where(layer => !broken.Contains(layer.Name)).Select(layer => layer.Name)
            .FirstOrDefault(IsBottleneck);

        bool IsBottleneck(string layer)
        {
            try
            {
                return whole.CutAfter(layer).Parameters.Count > 0 && whole.StartAfter(layer).Layers.Count > 0;
            }
            catch (GraftException)
            {
                return false;
            }
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

    /// <summary>A network with weights of any origin, to compute features with. The file that the weights come from remains the caller's.</summary>
    public static Backbone Of(string name, Network network, IWeights weights, Preprocessing preprocessing) => Of(name, network, weights, preprocessing, note: null);

    internal static Backbone Of(string name, Network network, IWeights weights, Preprocessing preprocessing, string? note) =>
        new(name, network, weights, preprocessing, head: null, classes: null, file: null) { Note = note };

    /// <summary>The network up to a layer (or a block's last layer).</summary>
    public Backbone CutAfter(string layerOrBlock) => Cut(Network.CutAfter(layerOrBlock));

    /// <summary>The network up to, and without, a layer (or a block's first layer).</summary>
    public Backbone CutBefore(string layerOrBlock) => Cut(Network.CutBefore(layerOrBlock));

    /// <summary>
    /// What transfer learning keeps: the network without its classification head, its output pooled, by default to one number per channel.
    /// </summary>
    public Backbone Features(Pooling pooling = Pooling.Average) => (Head is null ? this : CutBefore(Head)).Pooled(pooling);

    /// <summary>The output as a vector; nothing changes where it is one already.</summary>
    /// <exception cref="GraftException">The outputs are tokens, of which there is no maximum.</exception>
    public Backbone Pooled(Pooling pooling = Pooling.Average) => (Network.OutputShape, pooling) switch
    {
        (_, Pooling.None) or ({ IsVector: true }, _) => this,
        (_, Pooling.Flatten) => Cut(Network.Append(output => output.Flatten(PoolLayer, FlatOrder))),
        ({ IsTokens: true }, Pooling.Average) => Cut(Network.Append(output => output.FirstToken(PoolLayer))),
        ({ IsMap: true }, _) => Cut(Network.Append(output => output.GlobalPool(
            PoolLayer, pooling == Pooling.Max ? PoolFunction.Max : PoolFunction.Average))),
        _ => throw new GraftException(
            $"Layer '{Network.Output.Name}' of {Name} outputs tokens [{Network.OutputShape}], which cannot be pooled by maximum. "
            + "Pool by average, which takes the class token, or flatten."),
    };

    /// <summary>The same network for images of another size, in pixels.</summary>
    public Backbone WithInputSize(int width, int height) =>
        new(Name, Network.WithInputSize(height, width), Weights, Preprocessing.WithInputSize(width, height), Head, Classes, _file);

    /// <summary>The same network for photos fitted to its input by another rule.</summary>
    public Backbone WithFit(Fit fit) => new(Name, Network, Weights, Preprocessing.WithFit(fit), Head, Classes, _file);

    /// <summary>Closes the weights file, of this backbone and those cut from it; models that use the weights keep it open for themselves.</summary>
    public void Dispose() => _file?.Dispose();

    /// <summary>As the library flattens that the network comes from.</summary>
    private AxisOrder FlatOrder => Network.OutputShape.IsMap && Name.Split('/')[0].EndsWith($".{BackboneSource.Keras}", StringComparison.Ordinal)
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
                   ?? throw new GraftException($"The weights of {definition.FullName} are not downloaded.")
                   {
                       Code = "weights-missing",
                       Remedy = $"Backbone.LoadAsync downloads them from {published.Url}; or pass a file that you have.",
                   };
        }
        if (weights.Bundled is { } bundled) return bundled.Locate();
        using var resource = ClassNames.Resource(EmbeddedBackbone.Resource);
        var content = new byte[resource.Length];
        resource.ReadExactly(content);
        return PrivateFile.WithContent("weights", EmbeddedBackbone.Resource, content);
    }
}
