using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Graft.Backbones;
using Graft.Checkpoints;
using Graft.Data;
using Graft.Data.Collections;
using Graft.Features;
using Graft.Imaging;
using Graft.Inference;
using Graft.Networks;
using Graft.Networks.Onnx;
using Graft.Training;
using TorchSharp;

namespace Graft.Classifiers;

/// <summary>
/// A network that names what is on a photo, with everything needed to feed it: a trained model, or a pretrained network with its
/// original head. Photos go through the very same code as in training. Safe to use from many threads, and to dispose of meanwhile: predictions
/// that have begun finish, later ones throw <see cref="ObjectDisposedException"/>. It keeps the files of its weights open for itself, so the
/// backbone that it was trained from may be disposed of first.
/// </summary>
public sealed class ImageClassifier : IDisposable
{
    private const string Format = "graft.format", FormatVersion = "graft-model-1";
    private const string NetworkKey = "graft.network", PreprocessingKey = "graft.preprocessing", ClassesKey = "graft.classes";
    private const string BackboneKey = "graft.backbone", FeaturesKey = "graft.features", TemperatureKey = "graft.temperature";
    private const string NoveltyKey = "graft.novelty", TemperatureLayer = "head.temperature";

    private const string FormatOfCombinations = "graft-model-2", BlocksKey = "graft.blocks";

    private readonly IWeights _weights;
    private readonly IDisposable?[] _owned;
    private readonly UseGuard _guard;
    private readonly ConcurrentBag<float[]> _buffers = [];
    private readonly Lazy<FeatureBlocks> _blocks;
    private readonly Lazy<TorchNetwork?> _head;
    private readonly Lazy<IReadOnlyList<Lazy<FrozenNetwork>>> _blockNetworks;

    /// <param name="owned">Disposed of with the model. What the weights are read from is kept open in any case.</param>
    /// <param name="combination">Several blocks whose features the network takes; null where it takes photos.</param>
    private ImageClassifier(
        string backbone, Network network, IWeights weights, Preprocessing preprocessing, IReadOnlyList<string> classes, string? featureLayer,
        IDisposable? owned, FeatureBlocks? combination = null)
    {
        (BackboneName, Network, Preprocessing, Classes, FeatureLayer) = (backbone, network, preprocessing, classes, featureLayer);
        _weights = weights;
        _owned = [weights.Share(), .. combination?.Blocks.Select(block => block.Weights.Share()) ?? [], owned];
        _guard = new(this, Release);
        _blocks = new(() => new(combination?.Blocks ?? [Backbone.Of(
            BackboneName, Division is null ? Network : Network.CutAfter(Division), _weights, Preprocessing)]));
        _head = new(() => Division is null ? null : new(Network.StartAfter(Division), _weights));
        _blockNetworks = new(() =>
        {
            _blocks.Value.Device = Device;
            return _blocks.Value.Networks(InferenceEngine.Onnx);
        });
        IsCombination = combination is not null;
    }

    /// <summary>The pretrained network inside, by its name in the catalog; of a combination <c>a+b</c>.</summary>
    public string BackboneName { get; }

    /// <summary>Whether features of several backbones are joined.</summary>
    public bool IsCombination { get; }

    /// <summary>What computes the features: one network, or several of a combination.</summary>
    public IReadOnlyList<Backbone> Blocks => _blocks.Value.Blocks;

    /// <summary>The whole network, from the image to one output per class; of a combination, from the joined features on.</summary>
    public Network Network { get; }

    /// <summary>Of <see cref="Network"/>.</summary>
    internal IWeights Weights => _weights;

    /// <summary>How photos are fed to the network; of a combination, to the first of its <see cref="Blocks"/>.</summary>
    public Preprocessing Preprocessing { get; }

    /// <summary>What the outputs are called, in order.</summary>
    public IReadOnlyList<string> Classes { get; }

    /// <summary>The layer whose output is computed once per photo and cached; null where nothing is cached.</summary>
    public string? FeatureLayer { get; }

    /// <summary>
    /// The temperature fitted on validation photos, which the logits are divided by, so that the probabilities are calibrated; 1 where these told none. Null where none was
    /// fitted, as of a pretrained network with its own head.
    /// </summary>
    public double? Temperature { get; private init; }

    /// <summary>How unlike its training photos a photo is; null where that is not known.</summary>
    public Novelty? Novelty { get; private init; }

    /// <summary>
    /// The share of photos like the training photos that may be called unlike them: decides <see cref="Prediction.IsUnlike"/>. Above 0, below 1; what the model was trained
    /// with, unless it is set.
    /// </summary>
    public double Refuse
    {
        get;
        set => field = value is > 0 and < 1 ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "Expected a share between 0 and 1.");
    }
    = Novelty.DefaultRefuse;

    /// <summary>Where the network computes, up to its head on features, which the CPU does. To be set before the first prediction.</summary>
    /// <exception cref="InvalidOperationException">The model has predicted already.</exception>
    public InferenceDevice Device
    {
        get;
        set => field = _blockNetworks.IsValueCreated && value != field
            ? throw new InvalidOperationException("The model has predicted already. Set its device before.")
            : value;
    }

    /// <summary>Where the network is divided into what is computed once for a photo and the rest; null where it runs as a whole.</summary>
    private string? Division => FeatureLayer ?? Novelty?.Layer;

    /// <summary>Opens a trained model (a <c>model.safetensors</c>, or the run folder it lies in).</summary>
    /// <exception cref="GraftException">There is none, or the file is not a model that Graft trained.</exception>
    public static ImageClassifier Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var file = Directory.Exists(path) ? Path.Combine(path, "model.safetensors") : path;
        if (!File.Exists(file))
        {
            if (File.Exists(Path.Combine(path, "run.json")))
                throw new GraftException($"The run in {path} is not finished, so it has no model yet.") { Code = "run-unfinished", Value = path };
            throw new GraftException(Directory.Exists(path)
                ? $"The folder {path} holds no model.safetensors, so it is not the folder of a finished training run."
                : $"There is no model {path}: no such file or run folder.")
            {
                Code = "model-missing",
            };
        }
        var checkpoint = Checkpoint.Open(file);
        if (checkpoint.Metadata.GetValueOrDefault(Format) is not (FormatVersion or FormatOfCombinations))
        {
            checkpoint.Dispose();
            if (file.EndsWith(".onnx", StringComparison.OrdinalIgnoreCase))
            {
                throw new GraftException($"{file} is an ONNX model, not a model.safetensors that Graft trained.")
                {
                    Code = "onnx-not-a-model",
                    Remedy = "One that Graft exported is opened by Graft.Inference; any other can be trained on as a backbone.",
                };
            }
            throw new GraftException(
                $"{file} is a weights file, not a model trained by Graft (its header lacks '{Format}' = '{FormatVersion}').")
            {
                Code = "not-a-model",
                Remedy = "To use it as pretrained weights, pass it to Backbone.Load with the name of its network.",
            };
        }
        try
        {
            if (checkpoint.Metadata[Format] == FormatOfCombinations) return OpenCombination(checkpoint);
            var network = Network.FromJson(checkpoint.Metadata[NetworkKey]);
            var preprocessing = JsonSerializer.Deserialize<Preprocessing>(checkpoint.Metadata[PreprocessingKey]);
            var classes = JsonSerializer.Deserialize<string?[]>(checkpoint.Metadata[ClassesKey])?.OfType<string>().ToList() ?? [];
            var featureLayer = checkpoint.Metadata.GetValueOrDefault(FeaturesKey);
            if (preprocessing is null || network.InputShape != TensorShape.Map(3, preprocessing.InputHeight, preprocessing.InputWidth))
                throw new JsonException($"its photos are not of the network's {network.InputShape}.");
            if (classes.Count != network.OutputShape.ElementCount)
                throw new JsonException($"expected {network.OutputShape.ElementCount} classes, found {classes.Count}.");
            if (featureLayer is not null) network.Find(featureLayer);
            var (novelty, refuse) = NoveltyIn(checkpoint, network);
            return new(
                checkpoint.Metadata[BackboneKey], network, CheckpointWeights.Match(checkpoint, network), preprocessing, classes, featureLayer,
                checkpoint)
            {
                Temperature = TemperatureIn(checkpoint, network),
                Novelty = novelty,
                Refuse = refuse,
            };
        }
        catch (Exception problem) when (problem is JsonException or NotSupportedException or KeyNotFoundException
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
            $"The weights of {backbone.Name} have no classification head and so no classes.")
        {
            Code = "no-classification-head",
            Remedy = "Use it as a backbone: train a head on its features.",
        },
        featureLayer: null, backbone);

    /// <summary>A trained network.</summary>
    /// <param name="featureLayer">The layer whose output is worth caching; null for none.</param>
    public static ImageClassifier Of(
        string backbone, Network network, IWeights weights, Preprocessing preprocessing, IReadOnlyList<string> classes, string? featureLayer = null) =>
        new(backbone, network, weights, preprocessing, classes, featureLayer, owned: null);

    /// <summary>Features of a backbone with a trained head on them. The backbone remains the caller's, and may be disposed of before the model.</summary>
    /// <param name="head">Trained layers, beginning at the features; their values are copied.</param>
    public static ImageClassifier Of(Backbone features, TorchNetwork head, IReadOnlyList<string> classes)
    {
        var headLayers = head.Network.Layers.Skip(1).ToList();
        var network = new Network(features.Network.Name, [.. features.Network.Layers, .. headLayers]);
        var weights = new CombinedWeights(
            new CopiedWeights(head), headLayers.Select(layer => layer.Name).ToHashSet(StringComparer.Ordinal), features.Weights);
        return new(features.Name, network, weights, features.Preprocessing, classes, features.Network.Output.Name, owned: null);
    }

    /// <summary>Features of one backbone, or of a combination, with a trained head on them. The blocks remain the caller's.</summary>
    /// <param name="scaling">Of a combination: see <see cref="BlockScaling.Fit"/>; its values are copied. Null for one backbone.</param>
    /// <param name="head">Trained layers, beginning at the features, of a combination at the scaled ones; their values are copied.</param>
    public static ImageClassifier Of(FeatureBlocks blocks, TorchNetwork? scaling, TorchNetwork head, IReadOnlyList<string> classes)
    {
        if (scaling is null) return Of(blocks.Blocks.Single(), head, classes);
        var headLayers = head.Network.Layers.Skip(1).ToList();
        return new(
            blocks.Name, new(blocks.Name, [.. scaling.Network.Layers, .. headLayers]),
            new CombinedWeights(
                new CopiedWeights(head), headLayers.Select(layer => layer.Name).ToHashSet(StringComparer.Ordinal), new CopiedWeights(scaling)),
            blocks.Blocks[0].Preprocessing, classes, BlockScaling.JoinedLayer, owned: null, blocks);
    }

    /// <summary>The same model with a temperature in its logits, and with what tells photos unlike its training photos; this one may be disposed of.</summary>
    /// <param name="temperature">Above 0; 1 changes nothing.</param>
    /// <param name="novelty">Null where it is not known.</param>
    internal ImageClassifier With(double temperature, Novelty? novelty, double refuse = Novelty.DefaultRefuse)
    {
        var (network, weights) = (Network, _weights);
        if (temperature != 1)
        {
            network = Network.Append(output => output.Builder.Add(TemperatureLayer, new LayerScale(), output));
            weights = new CombinedWeights(new Constant((float)(1 / temperature)), new HashSet<string>(StringComparer.Ordinal) { TemperatureLayer }, _weights);
        }
        return new(BackboneName, network, weights, Preprocessing, Classes, FeatureLayer, owned: null, IsCombination ? _blocks.Value : null)
        {
            Temperature = temperature,
            Novelty = novelty,
            Refuse = refuse,
        };
    }

    /// <summary>
    /// The trained network, to be trained further: with the head it has where <paramref name="classes"/> are its own, else with a new one on
    /// the rest. The weights stay this model's, which must outlive it.
    /// </summary>
    /// <param name="head">The new head; unused where the old one stays.</param>
    /// <exception cref="GraftException">It cannot be trained by gradient: several networks joined, an ONNX file, or such a classifier.</exception>
    public GraftedNetwork ToTraining(IReadOnlyList<string> classes, Head head, int seed = 1)
    {
        if (IsCombination) throw new GraftException($"The combination {BackboneName} stays frozen: only a model of one network can be trained further.");
        if (Network.Layers.FirstOrDefault(layer => layer.Operation is OnnxGraph) is not null)
            throw new GraftException($"{BackboneName} is an ONNX file, which stays frozen: it cannot be trained further.");
        var first = Network.Layers.FirstOrDefault(layer => layer.Name.StartsWith("head.", StringComparison.Ordinal))
            ?? throw new GraftException($"{BackboneName} is not a model that Graft trained: train a new head on it instead.");
        var rest = Backbone.Of(BackboneName, Network.CutBefore(first.Name), _weights, Preprocessing);
        if (!classes.SequenceEqual(Classes)) return rest.Graft(head, classes, seed);
        return Network.Layers.FirstOrDefault(layer => layer.Operation is ClassifierOperation) is not { } fitted
            ? new(rest, Network.Output.Name == TemperatureLayer ? Network.CutBefore(TemperatureLayer) : Network, _weights, Classes)
            : throw new GraftException(
                $"The classifier of this model ({fitted.Operation.Kind}) cannot be trained by gradient. Begin with a model with a softmax head, "
                + "or of logistic regression or the linear SVM.");
    }

    /// <summary>Predicts one photo, from a file.</summary>
    /// <exception cref="ArgumentException">The path is null or empty, or names a folder.</exception>
    /// <exception cref="UnreadableImageException">The file is missing, not an image, or damaged; the message begins with the path.</exception>
    /// <exception cref="ObjectDisposedException">The model is disposed of.</exception>
    public Prediction Predict(string path)
    {
        CheckPhoto(path);
        return Predict(path, resize => PhotoFile.Decode(path, resize));
    }

    /// <summary>Predicts one photo, from a stream that is read to its end and remains the caller's.</summary>
    /// <exception cref="UnreadableImageException">The content is not an image, or a damaged one.</exception>
    /// <exception cref="ObjectDisposedException">The model is disposed of.</exception>
    public Prediction Predict(Stream photo)
    {
        ArgumentNullException.ThrowIfNull(photo);
        return Predict("", resize => ImageDecoder.Decode(ImageContent.ReadToEnd(photo), resize));
    }

    /// <summary>Predicts one photo, from the bytes of its file.</summary>
    /// <exception cref="UnreadableImageException">They are not an image, or a damaged one.</exception>
    /// <exception cref="ObjectDisposedException">The model is disposed of.</exception>
    public Prediction Predict(ReadOnlyMemory<byte> photo) => Predict("", resize => ImageDecoder.Decode(photo, resize));

    /// <summary>Predicts one photo, from its pixels: upright, of any size.</summary>
    /// <exception cref="UnreadableImageException">The image is far too narrow to be resized in proportion.</exception>
    /// <exception cref="ObjectDisposedException">The model is disposed of.</exception>
    public Prediction Predict(RgbImage photo)
    {
        ArgumentNullException.ThrowIfNull(photo);
        return Predict("", resize => resize(photo));
    }

    /// <summary>The same as <see cref="Predict(string)"/>, without blocking a thread while the file is read.</summary>
    public async Task<Prediction> PredictAsync(string path, CancellationToken cancellation = default)
    {
        CheckPhoto(path);
        if (new FileInfo(path) is not { Exists: true, Length: > 0 }) return Predict(path);
        try
        {
            var content = await RegularFile.ReadAllBytesAsync(path, cancellation).ConfigureAwait(false);
            return Predict(path, resize => ImageDecoder.Decode(content, resize));
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new UnreadableImageException(problem.Message, path, problem);
        }
        catch (UnreadableImageException problem) when (problem.Path is null)
        {
            throw new UnreadableImageException(problem.Reason, path, problem);
        }
    }

    /// <summary>The same as <see cref="Predict(Stream)"/>, without blocking a thread while the stream is read.</summary>
    public async Task<Prediction> PredictAsync(Stream photo, CancellationToken cancellation = default)
    {
        var content = await ImageContent.ReadToEndAsync(photo, cancellation: cancellation).ConfigureAwait(false);
        return Predict(content);
    }

    private static void CheckPhoto(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Directory.Exists(path)) throw new ArgumentException($"{path} is a folder. Name a photo, or a list of them.", nameof(path));
    }

    /// <param name="path">For the result.</param>
    /// <param name="decode">Hands a photo over to be resized for each of the blocks, and lets go of it.</param>
    private Prediction Predict(string path, Func<Func<RgbImage, RgbImage[]>, RgbImage[]> decode)
    {
        using var use = _guard.Enter();
        var blocks = _blocks.Value.Blocks;
        var resized = decode(image => [.. blocks.Select(block => block.Preprocessing.Resize(image))]);
        var features = new float[blocks.Count][];
        for (var index = 0; index < features.Length; index++)
        {
            var preprocessing = blocks[index].Preprocessing;
            if (!_buffers.TryTake(out var pixels) || pixels.Length != preprocessing.InputLength) pixels = new float[preprocessing.InputLength];
            preprocessing.Apply(resized[index], pixels);
            features[index] = _blockNetworks.Value[index].Value.Run(pixels);
            _buffers.Add(pixels);
        }
        var outputs = features is [var single] ? single : [.. features.SelectMany(values => values)];
        var distance = Novelty?.Distances([outputs])[0];
        if (_head.Value is { } head) outputs = Outputs(head, outputs);
        return Of(path, outputs, distance);
    }

    /// <summary>One row of features → the head's outputs.</summary>
    private static float[] Outputs(TorchNetwork head, float[] features)
    {
        using var inference = torch.inference_mode();
        using var scope = torch.NewDisposeScope();
        var row = torch.tensor(features, [1, .. head.Network.InputShape.Sizes.Select(size => (long)size)]);
        return TorchNetwork.Values(head.call(row).contiguous()).ToArray();
    }

    /// <param name="distance">To the training photos; null where it is not known.</param>
    private Prediction Of(string path, float[] outputs, double? distance) => new(
        path, Classes,
        Network.Output.Operation is Activation { Function: ActivationFunction.Softmax } ? outputs : Probabilities.Softmax(outputs))
    {
        Unlikeness = distance is { } far && Novelty!.Cut(Refuse) is { } cut ? far / Math.Max(cut, 1e-12) : null,
    };

    /// <summary>Predicts many photos; one that cannot be read is listed and does not stop the others.</summary>
    /// <param name="cache">Where features are looked up and kept; null to compute them.</param>
    public Predictions Predict(
        IReadOnlyList<string> paths, FeatureCache? cache = null, Action<string>? warn = null,
        IProgress<StepProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(paths);
        if (paths.Any(string.IsNullOrWhiteSpace)) throw new ArgumentException("A path is empty. Name a photo.", nameof(paths));
        return Predict([.. paths.Select(path => new LabeledImage(path, Class: 0))], cache, warn, new PhotoHashes(), progress, cancellation);
    }

    /// <param name="hashes">Of the photos that were read before.</param>
    internal Predictions Predict(
        IReadOnlyList<LabeledImage> photos, FeatureCache? cache, Action<string>? warn, PhotoHashes hashes, IProgress<StepProgress>? progress,
        CancellationToken cancellation)
    {
        using var use = _guard.Enter();
        var head = _head.Value;
        var set = _blocks.Value.Extract(
            photos, _blockNetworks.Value, cache, warn, InferenceEngine.Onnx, bank: null,
            progress, cancellation, hashes);
        var outputs = head is null
            ? set.Rows
            : Trainer.Outputs(head, new ExamplesInMemory(set.Rows, new int[set.Rows.Count]), batchSize: 256, cancellation);
        var distances = Novelty?.Distances(set.Rows);
        return new(
            [.. set.Images.Select((image, place) => Of(image.Path, outputs[place], distances?[place]))],
            set.Broken, set.CacheHits, set.CacheMisses)
        {
            Features = set.Rows,
        };
    }

    /// <summary>Writes the model: weights, architecture, classes and preprocessing in one .safetensors file.</summary>
    /// <exception cref="CheckpointException">The file cannot be written; an older one stays whole.</exception>
    /// <exception cref="ObjectDisposedException">The model is disposed of.</exception>
    public void Save(string path)
    {
        using var use = _guard.Enter();
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            [Format] = IsCombination ? FormatOfCombinations : FormatVersion,
            [BackboneKey] = BackboneName,
            [ClassesKey] = JsonSerializer.Serialize(Classes),
            [NetworkKey] = Network.ToJson(),
            [PreprocessingKey] = JsonSerializer.Serialize(Preprocessing),
        };
        if (FeatureLayer is not null) metadata[FeaturesKey] = FeatureLayer;
        if (Novelty is not null) metadata[NoveltyKey] = Novelty.ToJson(Refuse);
        if (Temperature is { } temperature) metadata[TemperatureKey] = temperature.ToString("R", CultureInfo.InvariantCulture);
        var tensors = Network.Parameters.Select(parameter => Source(parameter.Key, parameter, _weights));
        if (IsCombination)
        {
            metadata.Remove(PreprocessingKey);
            metadata[BlocksKey] = JsonSerializer.Serialize(
                Blocks.Select(block => new BlockRecord(block.Name, block.Network.ToJson(), block.Preprocessing)));
            tensors = tensors.Concat(Blocks.SelectMany((block, index) =>
                block.Network.Parameters.Select(parameter => Source(BlockPrefix(index) + parameter.Key, parameter, block.Weights))));
        }
        SafetensorsWriter.Write(path, [.. tensors, .. Novelty?.Tensors ?? []], metadata);
    }

    /// <summary>Returns at once; what predictions in progress use is released when the last of them ends.</summary>
    public void Dispose() => _guard.Close();

    private void Release()
    {
        if (_head.IsValueCreated) _head.Value?.Dispose();
        if (_blockNetworks.IsValueCreated)
            foreach (var network in _blockNetworks.Value.Where(network => network.IsValueCreated)) network.Value.Dispose();
        foreach (var owned in _owned) owned?.Dispose();
    }

    private static ImageClassifier OpenCombination(Checkpoint checkpoint)
    {
        var network = Network.FromJson(checkpoint.Metadata[NetworkKey]);
        var classes = JsonSerializer.Deserialize<string?[]>(checkpoint.Metadata[ClassesKey])?.OfType<string>().ToList() ?? [];
        if (classes.Count != network.OutputShape.ElementCount)
            throw new JsonException($"expected {network.OutputShape.ElementCount} classes, found {classes.Count}.");
        var records = JsonSerializer.Deserialize<BlockRecord?[]>(checkpoint.Metadata[BlocksKey])?.OfType<BlockRecord>().ToList() ?? [];
        var blocks = new List<Backbone>();
        foreach (var (name, description, preprocessing) in records)
        {
            var block = Network.FromJson(description);
            if (block.InputShape != TensorShape.Map(3, preprocessing.InputHeight, preprocessing.InputWidth))
                throw new JsonException($"photos for {name} are not of the network's {block.InputShape}.");
            blocks.Add(Backbone.Of(name, block, new PrefixedWeights(checkpoint, BlockPrefix(blocks.Count)), preprocessing));
        }
        var combination = new FeatureBlocks(blocks);
        if (blocks.Count < 2 || network.InputShape != combination.Shape)
            throw new JsonException($"its {blocks.Count} blocks do not make the {network.InputShape} numbers that the head takes.");
        var featureLayer = checkpoint.Metadata[FeaturesKey];
        network.Find(featureLayer);
        // Every tensor must be there, and no other.
        var wanted = network.Parameters.Select(parameter => (parameter.Key, parameter.Shape))
            .Concat(blocks.SelectMany((block, index) =>
                block.Network.Parameters.Select(parameter => (Key: BlockPrefix(index) + parameter.Key, parameter.Shape))))
            .ToDictionary(tensor => tensor.Key, tensor => tensor.Shape, StringComparer.Ordinal);
        List<string> problems =
        [
            .. wanted.Where(tensor => checkpoint.Find(tensor.Key)?.Shape.SequenceEqual(tensor.Value.Select(size => (long)size)) != true)
                .Select(tensor => $"missing: '{tensor.Key}' [{string.Join(", ", tensor.Value)}]"),
            .. checkpoint.Tensors.Where(tensor => !wanted.ContainsKey(tensor.Name) && !tensor.Name.StartsWith(Novelty.Prefix, StringComparison.Ordinal)).Select(tensor => $"unexpected: '{tensor.Name}'"),
        ];
        if (problems.Count > 0) throw new CheckpointMismatchException(checkpoint.Path, network, prefix: "", problems, differing: []);
        var (novelty, refuse) = NoveltyIn(checkpoint, network);
        return new(
            checkpoint.Metadata[BackboneKey], network, new PrefixedWeights(checkpoint, ""), blocks[0].Preprocessing, classes, featureLayer,
            checkpoint, combination)
        {
            Temperature = TemperatureIn(checkpoint, network),
            Novelty = novelty,
            Refuse = refuse,
        };
    }

    /// <summary>Older files have a temperature that their probabilities are without: it says nothing of them.</summary>
    private static double? TemperatureIn(Checkpoint checkpoint, Network network)
    {
        if (!checkpoint.Metadata.TryGetValue(TemperatureKey, out var text) || text != "1" && network.Output.Name != TemperatureLayer) return null;
        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var temperature) && temperature is > 0 and < double.PositiveInfinity
            ? temperature
            : throw new JsonException($"expected a temperature above 0, found '{text}'.");
    }

    private static (Novelty? Novelty, double Refuse) NoveltyIn(Checkpoint checkpoint, Network network)
    {
        if (!checkpoint.Metadata.TryGetValue(NoveltyKey, out var json)) return (null, Novelty.DefaultRefuse);
        var (novelty, refuse) = Novelty.Read(checkpoint, json);
        if (network.ShapeOf(novelty.Layer) is var shape && (!shape.IsVector || shape.ElementCount != novelty.Length))
            throw new JsonException($"novelty is of {novelty.Length} features, and the layer '{novelty.Layer}' gives [{shape}].");
        return (novelty, refuse);
    }

    private static string BlockPrefix(int index) => $"block{index}/";

    /// <summary>Reads a parameter once, when its first run is asked for.</summary>
    private static TensorSource Source(string key, Parameter parameter, IWeights weights)
    {
        float[]? values = null;
        return new(key, TensorType.Float32, [.. parameter.Shape.Select(size => (long)size)], (start, destination) =>
        {
            if (values is null) weights.Read(parameter, values = new float[parameter.ElementCount]);
            values.AsSpan((int)start, destination.Length).CopyTo(destination);
            if (start + destination.Length == values.Length) values = null;
        });
    }

    /// <summary>A block of a combination, as a model file describes it.</summary>
    private sealed record BlockRecord(
        [property: JsonPropertyName("backbone")] string Backbone,
        [property: JsonPropertyName("network")] string Network,
        [property: JsonPropertyName("preprocessing")] Preprocessing Preprocessing);

    private sealed class Constant(float value) : IWeights
    {
        public void Read(Parameter parameter, Span<float> destination) => destination.Fill(value);
    }

    /// <summary>A part of a file's tensors, whose names begin alike.</summary>
    private sealed class PrefixedWeights(Checkpoint checkpoint, string prefix) : IWeights
    {
        public IDisposable Share() => checkpoint.Share();

        public void Read(Parameter parameter, Span<float> destination)
        {
            checkpoint.Read(prefix + parameter.Key, destination);
            if (parameter.Role != ParameterRole.OnnxModel) checkpoint.CheckFinite($"'{prefix}{parameter.Key}'", destination);
        }
    }
}
