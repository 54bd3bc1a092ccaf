using System.Text.Json;
using Graft.Backbones;
using Graft.Checkpoints;
using Graft.Data;
using Graft.Features;
using Graft.Imaging;
using Graft.Networks;
using Graft.Training;

namespace Graft.Classifiers;

/// <summary>
/// A network that names what is on a photo, with everything needed to feed it: a trained model, or a pretrained network with its
/// original head. Photos go through the very same code as in training.
/// </summary>
public sealed class ImageClassifier : IDisposable
{
    private const string Format = "graft.format", FormatVersion = "graft-model-1";
    private const string NetworkKey = "graft.network", PreprocessingKey = "graft.preprocessing", ClassesKey = "graft.classes";
    private const string BackboneKey = "graft.backbone", FeaturesKey = "graft.features";

    private readonly IWeights _weights;
    private readonly IDisposable? _owned;
    private readonly Lazy<(Backbone Features, TorchNetwork? Head)> _parts;
    private readonly Lazy<FrozenNetwork> _featureNetwork;

    /// <summary>Takes <paramref name="owned"/>, which the weights come from, over.</summary>
    private ImageClassifier(
        string backbone, Network network, IWeights weights, Preprocessing preprocessing, IReadOnlyList<string> classes, string? featureLayer,
        IDisposable? owned)
    {
        (BackboneName, Network, Preprocessing, Classes, FeatureLayer) = (backbone, network, preprocessing, classes, featureLayer);
        (_weights, _owned) = (weights, owned);
        _parts = new(() => FeatureLayer is null
            ? (Backbone.Of(BackboneName, Network, _weights, Preprocessing), null)
            : (Backbone.Of(BackboneName, Network.CutAfter(FeatureLayer), _weights, Preprocessing),
                new(Network.StartAfter(FeatureLayer), _weights)));
        _featureNetwork = new(() => FrozenNetwork.Load(_parts.Value.Features.Network, _weights));
    }

    /// <summary>The pretrained network inside, by its name in the catalogue.</summary>
    public string BackboneName { get; }

    /// <summary>The whole network, from the image to one output per class.</summary>
    public Network Network { get; }

    public Preprocessing Preprocessing { get; }

    /// <summary>What the outputs are called, in order.</summary>
    public IReadOnlyList<string> Classes { get; }

    /// <summary>The layer whose output is computed once per photo and cached; null where nothing is cached.</summary>
    public string? FeatureLayer { get; }

    /// <summary>Opens a trained model (a <c>model.safetensors</c>, or the run folder it lies in).</summary>
    /// <exception cref="GraftException">There is none, or it is no model of Graft's.</exception>
    public static ImageClassifier Open(string path)
    {
        var file = Directory.Exists(path) ? Path.Combine(path, "model.safetensors") : path;
        if (!File.Exists(file))
        {
            throw new GraftException(Directory.Exists(path)
                ? $"The folder {path} holds no model.safetensors. Name the run folder that `graft train` wrote."
                : $"There is no model {path}: no such file or run folder, and no catalogue network of that name (`graft models` lists them).");
        }
        var checkpoint = Checkpoint.Open(file);
        if (checkpoint.Metadata.GetValueOrDefault(Format) != FormatVersion)
        {
            checkpoint.Dispose();
            throw new GraftException(
                $"{file} is a weights file, not a model trained by Graft (its header lacks '{Format}' = '{FormatVersion}'). "
                + "To use it as pretrained weights, name its network and give the file with --weights.");
        }
        try
        {
            var network = Network.FromJson(checkpoint.Metadata[NetworkKey]);
            var preprocessing = JsonSerializer.Deserialize<Preprocessing>(checkpoint.Metadata[PreprocessingKey]);
            var classes = JsonSerializer.Deserialize<string?[]>(checkpoint.Metadata[ClassesKey])?.OfType<string>().ToList() ?? [];
            var featureLayer = checkpoint.Metadata.GetValueOrDefault(FeaturesKey);
            if (preprocessing is null || network.InputShape != TensorShape.Map(3, preprocessing.InputHeight, preprocessing.InputWidth))
                throw new JsonException($"its photos are not of the network's {network.InputShape}.");
            if (classes.Count != network.OutputShape.ElementCount)
                throw new JsonException($"expected {network.OutputShape.ElementCount} classes, found {classes.Count}.");
            if (featureLayer is not null) network.Find(featureLayer);
            return new(
                checkpoint.Metadata[BackboneKey], network, CheckpointWeights.Match(checkpoint, network), preprocessing, classes, featureLayer,
                checkpoint);
        }
        catch (Exception problem) when (problem is JsonException or KeyNotFoundException
                                        || problem is GraftException and not CheckpointMismatchException and not CheckpointException)
        {
            checkpoint.Dispose();
            throw new GraftException($"The header of {file} is damaged: {problem.Message} Train the model again.", problem);
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    /// <summary>A pretrained network with its original head. Takes the backbone over.</summary>
    /// <exception cref="GraftException">Its file has no classification head.</exception>
    public static ImageClassifier Of(Backbone backbone) => new(
        backbone.Name, backbone.Network, backbone.Weights, backbone.Preprocessing,
        backbone.Classes ?? throw new GraftException(
            $"The weights of {backbone.Name} have no classification head, so they name no classes. They serve as a backbone: `graft train DIR --backbone {backbone.Name}`."),
        featureLayer: null, backbone);

    /// <summary>A trained network. What its weights come from stays the caller's.</summary>
    /// <param name="featureLayer">The layer whose output is worth caching; null for none.</param>
    public static ImageClassifier Of(
        string backbone, Network network, IWeights weights, Preprocessing preprocessing, IReadOnlyList<string> classes, string? featureLayer = null) =>
        new(backbone, network, weights, preprocessing, classes, featureLayer, owned: null);

    /// <summary>Features of a backbone with a trained head on them. The backbone stays the caller's.</summary>
    /// <param name="head">Trained layers, beginning at the features; their values are copied.</param>
    public static ImageClassifier Of(Backbone features, TorchNetwork head, IReadOnlyList<string> classes)
    {
        var headLayers = head.Network.Layers.Skip(1).ToList();
        var network = new Network(features.Network.Name, [.. features.Network.Layers, .. headLayers]);
        var weights = new CombinedWeights(
            new CopiedWeights(head), headLayers.Select(layer => layer.Name).ToHashSet(StringComparer.Ordinal), features.Weights);
        return new(features.Name, network, weights, features.Preprocessing, classes, features.Network.Output.Name, owned: null);
    }

    /// <exception cref="UnreadableImageException">The file is no picture, or a broken one.</exception>
    public Prediction Predict(string path)
    {
        var predictions = Predict([path]);
        return predictions.Read is [var prediction]
            ? prediction
            : throw new UnreadableImageException(predictions.Broken[0].Reason, path);
    }

    /// <summary>Predicts many photos; one that cannot be read is listed and does not stop the others.</summary>
    /// <param name="cache">Where features are looked up and kept; null to compute them.</param>
    public Predictions Predict(
        IReadOnlyList<string> paths, FeatureCache? cache = null, Action<string>? warn = null,
        IProgress<StepProgress>? progress = null, CancellationToken cancellation = default)
    {
        var (features, head) = _parts.Value;
        using var extractor = new FeatureExtractor(features, _featureNetwork, cache, warn);
        var set = extractor.Extract([.. paths.Select(path => new LabeledImage(path, Class: 0))], progress, cancellation);
        var outputs = head is null
            ? set.Rows
            : Trainer.Outputs(head, new ExamplesInMemory(set.Rows, new int[set.Rows.Count]), batchSize: 256, cancellation);
        var isSoftmax = Network.Output.Operation is Activation { Function: ActivationFunction.Softmax };
        return new(
            [.. set.Images.Zip(outputs, (image, output) => new Prediction(image.Path, Classes, isSoftmax ? output : Probabilities.Softmax(output)))],
            set.Broken, set.CacheHits, set.CacheMisses);
    }

    /// <summary>Writes the model: weights, architecture, classes and preprocessing in one .safetensors file.</summary>
    /// <exception cref="CheckpointException">The file cannot be written; an older one stays whole.</exception>
    public void Save(string path)
    {
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            [Format] = FormatVersion,
            [BackboneKey] = BackboneName,
            [ClassesKey] = JsonSerializer.Serialize(Classes),
            [NetworkKey] = Network.ToJson(),
            [PreprocessingKey] = JsonSerializer.Serialize(Preprocessing),
        };
        if (FeatureLayer is not null) metadata[FeaturesKey] = FeatureLayer;
        SafetensorsWriter.Write(
            path,
            [.. Network.Parameters.Select(parameter => new TensorSource(
                parameter.Key, TensorType.Float32, [.. parameter.Shape.Select(size => (long)size)], ValuesOf(parameter)))],
            metadata);
    }

    public void Dispose()
    {
        if (_parts.IsValueCreated) _parts.Value.Head?.Dispose();
        if (_featureNetwork.IsValueCreated) _featureNetwork.Value.Dispose();
        _owned?.Dispose();
    }

    /// <summary>Reads a parameter once, when its first run is asked for.</summary>
    private TensorValues ValuesOf(Parameter parameter)
    {
        float[]? values = null;
        return (start, destination) =>
        {
            if (values is null) _weights.Read(parameter, values = new float[parameter.ElementCount]);
            values.AsSpan((int)start, destination.Length).CopyTo(destination);
            if (start + destination.Length == values.Length) values = null;
        };
    }

    private sealed class CopiedWeights : IWeights
    {
        private readonly Dictionary<string, float[]> _values = new(StringComparer.Ordinal);

        public CopiedWeights(TorchNetwork module)
        {
            foreach (var parameter in module.Network.Parameters)
            {
                var values = new float[parameter.ElementCount];
                module.Read(parameter, values);
                _values.Add(parameter.Key, values);
            }
        }

        public void Read(Parameter parameter, Span<float> destination) => _values[parameter.Key].CopyTo(destination);
    }
}
