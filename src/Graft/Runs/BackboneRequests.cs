using Graft.Backbones;
using Graft.Checkpoints;
using Graft.Features;
using Graft.Imaging;
using Graft.Networks;

namespace Graft.Runs;

/// <summary>Opens the networks that a request names.</summary>
public static class BackboneRequests
{
    private static readonly Dictionary<string, Pooling> Poolings = new(StringComparer.Ordinal)
    {
        ["avg"] = Pooling.Average,
        ["max"] = Pooling.Max,
        ["flatten"] = Pooling.Flatten,
        ["none"] = Pooling.None,
    };

    /// <summary>The names of poolings, those that give a vector first.</summary>
    public static IReadOnlyList<string> PoolingNames { get; } = [.. Poolings.Keys];

    internal static Pooling PoolingOf(string name) => Poolings[name];

    public static bool IsOnnx(string name) => name.EndsWith(".onnx", StringComparison.OrdinalIgnoreCase);

    /// <summary>The names of a combination, <c>a+b</c>; a file that is there is one name.</summary>
    public static IReadOnlyList<BackboneRequest> Named(string names) =>
        [.. (File.Exists(names) ? [names] : names.Split('+', StringSplitOptions.TrimEntries)).Select(name => new BackboneRequest { Name = name })];

    /// <summary>Cut to their features and pooled, ready to be computed.</summary>
    /// <param name="pool">One of <see cref="PoolingNames"/>; null for the average.</param>
    /// <param name="fetch">Gets a network's published weights where they are not here yet; null to fail instead.</param>
    /// <exception cref="GraftException">No such network, weights that do not fit, a layer that does not exist.</exception>
    public static FeatureBlocks LoadFeatures(this IReadOnlyList<BackboneRequest> requests, string? pool = null, Action<BackboneDefinition>? fetch = null)
    {
        var blocks = new List<Backbone>();
        try
        {
            foreach (var request in requests)
            {
                blocks.Add(Load(request, fetch));
                blocks[^1] = blocks[^1].Features(Poolings[pool ?? "avg"]);
            }
            return new(blocks);
        }
        catch
        {
            foreach (var block in blocks) block.Dispose();
            throw;
        }
    }

    /// <summary>The network, or its part up to the layer that is named, with its weights.</summary>
    /// <param name="fetch">See <see cref="LoadFeatures"/>.</param>
    /// <param name="isTrained">Whether its layers are to be trained, so that of an ONNX file Graft must know them.</param>
    /// <exception cref="GraftException">As <see cref="LoadFeatures"/>.</exception>
    public static Backbone Load(this BackboneRequest request, Action<BackboneDefinition>? fetch = null, bool isTrained = false)
    {
        if (IsOnnx(request.Name)) return LoadOnnx(request, isTrained ? OnnxBackbone.LoadTrainable : OnnxBackbone.Load);
        var definition = BackboneCatalog.Find(request.Name);
        var weights = request.Weights is { } given ? WeightsFile.Parse(given).Path : null;
        if (weights is { } file && !File.Exists(file)) throw new RequestException([new("missing", "Weights", file, $"There is no weights file {file}.")]);
        var usual = definition.WeightsOf(weights).Preprocessing;
        var size = request.Size ?? usual.InputWidth;
        var preprocessing = request.Preprocessing is { } mode ? PreprocessingModes.Of(mode, size) : usual.WithInputSize(size, size);
        if (request.Weights is null) fetch?.Invoke(definition);
        return Backbone.Load(request.Name, request.Weights, request.Fitted(preprocessing), request.Layer);
    }

    /// <summary>The network with random weights.</summary>
    public static Backbone Untrained(this BackboneRequest request, int seed)
    {
        var untrained = Backbone.Untrained(request.Name, seed);
        if (request.Layer is { } layer) untrained = untrained.CutAfter(layer);
        if (request.Size is { } size) untrained = untrained.WithInputSize(size, size);
        return request.Fit is { } fit ? untrained.WithFit(fit) : untrained;
    }

    private static Preprocessing Fitted(this BackboneRequest request, Preprocessing preprocessing) =>
        request.Fit is { } fit ? preprocessing.WithFit(fit) : preprocessing;

    private static Backbone LoadOnnx(BackboneRequest request, Func<string, Func<int, Preprocessing>, string?, int?, Backbone> load)
    {
        if (!File.Exists(request.Name)) throw new RequestException([new("missing", "Backbone", request.Name, $"There is no ONNX file {request.Name}.")]);
        return request.Preprocessing is { } mode
            ? load(request.Name, size => request.Fitted(PreprocessingModes.Of(mode, size)), request.Layer, request.Size)
            : throw new RequestException(
            [
                new(
                    "missing", "Preprocessing", null, $"{request.Name} does not say how photos are to be fed to it.",
                    $"Say so with {{Preprocessing}}: {string.Join(", ", PreprocessingModes.Names)} (torchvision for most PyTorch models, tf for most of TensorFlow)."),
            ]);
    }
}
