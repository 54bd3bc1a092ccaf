using Graft.Backbones;
using Graft.Data;
using Graft.Inference;
using Graft.Networks;

namespace Graft.Features;

/// <summary>
/// The features of one backbone, or of several side by side: the combination <c>a+b</c>. Each block is computed with its own preprocessing
/// and kept in the cache by itself, so that a combination of what was used before computes nothing.
/// </summary>
public sealed class FeatureBlocks : IDisposable
{
    /// <param name="blocks">Networks cut to what is to be computed; several must end in vectors. They are taken over.</param>
    /// <exception cref="GraftException">Several blocks, and one ends in a map or in tokens.</exception>
    public FeatureBlocks(params IReadOnlyList<Backbone> blocks)
    {
        if (blocks.Count > 1 && blocks.FirstOrDefault(block => !block.Network.OutputShape.IsVector) is { } map)
        {
            throw new GraftException(
                $"A combination joins vectors, and {map.Name} ends in [{map.Network.OutputShape}]. Pool it by average or maximum, or flatten it.");
        }
        Blocks = blocks;
    }

    /// <summary>At least one.</summary>
    public IReadOnlyList<Backbone> Blocks { get; }

    /// <summary>Where the features are computed.</summary>
    public InferenceDevice Device { get; set; }

    public bool IsCombination => Blocks.Count > 1;

    /// <summary>The backbones' names in the catalog: <c>alexnet.torchvision+vgg16.keras</c>.</summary>
    public string Name => string.Join('+', Blocks.Select(block => block.Name));

    /// <summary>Of one image's features: of several blocks, one after the other.</summary>
    public TensorShape Shape => IsCombination
        ? TensorShape.Vector(Blocks.Sum(block => block.Network.OutputShape.ElementCount))
        : Blocks[0].Network.OutputShape;

    /// <summary>Computes each block, or takes it from the cache, and joins them; see <see cref="FeatureExtractor"/>.</summary>
    /// <returns>Hits and misses are those of all blocks together: an image counts once for each.</returns>
    /// <exception cref="OperationCanceledException">What was computed before stays in the cache.</exception>
    public FeatureSet Extract(
        IReadOnlyList<LabeledImage> images, FeatureCache? cache, Action<string>? warn = null, InferenceEngine engine = InferenceEngine.Onnx,
        ViewBank? bank = null, IProgress<StepProgress>? progress = null, CancellationToken cancellation = default) =>
        Extract(images, cache, warn, engine, bank, new PhotoHashes(), progress, cancellation);

    /// <param name="hashes">Of the images that were read before.</param>
    internal FeatureSet Extract(
        IReadOnlyList<LabeledImage> images, FeatureCache? cache, Action<string>? warn, InferenceEngine engine, ViewBank? bank, PhotoHashes hashes,
        IProgress<StepProgress>? progress, CancellationToken cancellation)
    {
        var networks = Networks(engine);
        try
        {
            return Extract(images, networks, cache, warn, engine, bank, progress, cancellation, hashes);
        }
        finally
        {
            foreach (var network in networks)
                if (network.IsValueCreated) network.Value.Dispose();
        }
    }

    /// <summary>What computes each block, loaded when first needed; the caller's.</summary>
    internal IReadOnlyList<Lazy<FrozenNetwork>> Networks(InferenceEngine engine) =>
        [.. Blocks.Select(block => new Lazy<FrozenNetwork>(() => FrozenNetwork.Load(block.Network, block.Weights, engine, Device)))];

    /// <summary>The same with networks that stay the caller's.</summary>
    internal FeatureSet Extract(
        IReadOnlyList<LabeledImage> images, IReadOnlyList<Lazy<FrozenNetwork>> networks, FeatureCache? cache, Action<string>? warn,
        InferenceEngine engine, ViewBank? bank, IProgress<StepProgress>? progress, CancellationToken cancellation, PhotoHashes? hashes = null)
    {
        hashes ??= new();
        FeatureSet? joined = null;
        foreach (var (block, network) in Blocks.Zip(networks))
        {
            using var extractor = new FeatureExtractor(block, network, cache, warn, engine, Device);
            // What one block cannot read is left out of all.
            var set = extractor.Extract(joined?.Images ?? images, bank, hashes, Named(progress, block), cancellation);
            joined = joined is null ? set : Join(joined, set);
        }
        return joined!;
    }

    public void Dispose()
    {
        foreach (var block in Blocks) block.Dispose();
    }

    private IProgress<StepProgress>? Named(IProgress<StepProgress>? progress, Backbone block) =>
        IsCombination && progress is not null ? new NamedProgress(progress, block.Name) : progress;

    private static FeatureSet Join(FeatureSet left, FeatureSet right)
    {
        // The images of the right set are some of the left's, in their order.
        var kept = new List<int>(right.Images.Count);
        for (var index = 0; index < left.Images.Count; index++)
            if (kept.Count < right.Images.Count && ReferenceEquals(left.Images[index], right.Images[kept.Count])) kept.Add(index);
        float[][] Rows(IReadOnlyList<float[]> ofLeft, IReadOnlyList<float[]> ofRight) =>
            [.. ofRight.Select((row, index) => (float[])[.. ofLeft[kept[index]], .. row])];
        return new(
            right.Images, Rows(left.Rows, right.Rows), [.. left.Broken, .. right.Broken],
            left.CacheHits + right.CacheHits, left.CacheMisses + right.CacheMisses)
        {
            Views = [.. left.Views.Zip(right.Views, Rows)],
            Hashes = right.Hashes,
        };
    }

    private sealed class NamedProgress(IProgress<StepProgress> progress, string name) : IProgress<StepProgress>
    {
        public void Report(StepProgress value) => progress.Report(value with { Step = $"{value.Step} {name}" });
    }
}
