using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Graft.Backbones;
using Graft.Data;
using Graft.Networks;
using static TorchSharp.torch;

namespace Graft.Features;

/// <summary>
/// Runs a frozen network over image files, each once ever: what the cache holds is not computed again, whatever the file is
/// called now. Photos are decoded on all cores while the network runs; memory does not grow with their number beyond the features.
/// </summary>
public sealed class FeatureExtractor : IDisposable
{
    private const int BatchSize = 16;
    private const int BatchesPerCacheWrite = 4;

    /// <summary>To be raised when a mended decoder or resampler gives other pixels for the same photo.</summary>
    private const string PixelsVersion = "pixels-1";

    private readonly Backbone _backbone;
    private FeatureCache? _cache;
    private readonly Action<string> _warn;
    private readonly Lazy<TorchNetwork> _module;
    private readonly bool _ownsModule;
    private readonly Lazy<string> _space;

    /// <param name="backbone">A network cut to what is to be computed, usually <see cref="Backbone.Features"/>. Stays the caller's.</param>
    /// <param name="cache">Where features are kept; null to compute each time. Stays the caller's.</param>
    /// <param name="warn">Told, in a sentence, what goes wrong without stopping the work.</param>
    /// <exception cref="GraftException">The backbone's photos are of another size than its network's input.</exception>
    public FeatureExtractor(Backbone backbone, FeatureCache? cache, Action<string>? warn = null)
        : this(backbone, new(() => new(backbone.Network, backbone.Weights)), cache, warn) => _ownsModule = true;

    /// <summary>The same with a module that stays the caller's.</summary>
    internal FeatureExtractor(Backbone backbone, Lazy<TorchNetwork> module, FeatureCache? cache, Action<string>? warn)
    {
        var pixels = TensorShape.Map(3, backbone.Preprocessing.InputHeight, backbone.Preprocessing.InputWidth);
        if (pixels != backbone.Network.InputShape)
        {
            throw new GraftException(
                $"Expected photos of {backbone.Network.InputShape} for {backbone.Name}, found a preprocessing that makes {pixels}. "
                + "Set both with WithInputSize.");
        }
        (_backbone, _module, _cache, _warn) = (backbone, module, cache, warn ?? (_ => { }));
        _space = new(() => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(
            backbone.Weights.Fingerprint(backbone.Network) + JsonSerializer.Serialize(backbone.Preprocessing) + PixelsVersion))));
    }

    /// <summary>Numbers per image.</summary>
    public int Length => _backbone.Network.OutputShape.ElementCount;

    /// <exception cref="OperationCanceledException">What was computed before stays in the cache.</exception>
    public FeatureSet Extract(
        IReadOnlyList<LabeledImage> images, IProgress<StepProgress>? progress = null, CancellationToken cancellation = default)
    {
        var rows = new float[]?[images.Count];
        var reasons = new string?[images.Count];
        var missing = Enumerable.Range(0, images.Count).ToList();
        if (_cache is not null) missing = FillFromCache(images, rows, cancellation);
        var hits = images.Count - missing.Count;
        progress?.Report(new("Features", hits, images.Count, "images"));
        Compute(images, missing, rows, reasons, progress, cancellation);

        var read = Enumerable.Range(0, images.Count).Where(index => rows[index] is not null).ToList();
        return new(
            [.. read.Select(index => images[index])],
            [.. read.Select(index => rows[index]!)],
            [.. missing.Where(index => rows[index] is null).Select(index => new SkippedFile(images[index].Path, reasons[index]!))],
            hits,
            missing.Count(index => rows[index] is not null));
    }

    public void Dispose()
    {
        if (_ownsModule && _module.IsValueCreated) _module.Value.Dispose();
    }

    /// <summary>Returns the images that the cache does not know.</summary>
    private List<int> FillFromCache(IReadOnlyList<LabeledImage> images, float[]?[] rows, CancellationToken cancellation)
    {
        var hashes = new byte[]?[images.Count];
        Parallel.For(0, images.Count, new ParallelOptions { CancellationToken = cancellation }, index =>
        {
            try
            {
                using var file = File.OpenRead(images[index].Path);
                hashes[index] = SHA256.HashData(file);
            }
            catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
            {
                // Not to be read now: decoding will say why.
            }
        });
        var missing = new List<int>();
        var row = new float[Length];
        for (var index = 0; index < images.Count; index++)
        {
            if (hashes[index] is { } hash && UseCache(cache => cache.TryGet(_space.Value, hash, row)))
                (rows[index], row) = (row, new float[Length]);
            else
                missing.Add(index);
        }
        return missing;
    }

    private void Compute(
        IReadOnlyList<LabeledImage> images, List<int> missing, float[]?[] rows, string?[] reasons,
        IProgress<StepProgress>? progress, CancellationToken cancellation)
    {
        if (missing.Count == 0) return;
        var batch = new List<(int Index, byte[] Hash, float[] Pixels)>(BatchSize);
        var unwritten = new List<(byte[] Hash, float[] Features)>();
        var (hits, done) = (images.Count - missing.Count, 0);
        try
        {
            foreach (var (index, hash, pixels, problem) in DecodedImages.InOrder(
                         missing, index => images[index].Path, _backbone.Preprocessing, cancellation))
            {
                done++;
                if (pixels is null) reasons[index] = problem;
                else batch.Add((index, hash!, pixels));
                if (batch.Count == BatchSize) RunBatch();
            }
            if (batch.Count > 0) RunBatch();
        }
        finally
        {
            WriteToCache();
        }
        progress?.Report(new("Features", images.Count, images.Count, "images"));

        void RunBatch()
        {
            var outputs = Forward(batch.Select(item => item.Pixels).ToList());
            for (var i = 0; i < batch.Count; i++)
            {
                rows[batch[i].Index] = outputs[i];
                unwritten.Add((batch[i].Hash, outputs[i]));
            }
            batch.Clear();
            if (unwritten.Count >= BatchSize * BatchesPerCacheWrite) WriteToCache();
            progress?.Report(new("Features", hits + done, images.Count, "images"));
        }

        void WriteToCache()
        {
            if (unwritten.Count > 0)
            {
                UseCache(cache =>
                {
                    cache.Add(_space.Value, unwritten);
                    return true;
                });
            }
            unwritten.Clear();
        }
    }

    private List<float[]> Forward(List<float[]> pixels)
    {
        var module = _module.Value;
        using var scope = NewDisposeScope();
        using var inference = inference_mode();
        var shape = _backbone.Network.InputShape;
        var input = empty([pixels.Count, shape.Channels, shape.Height, shape.Width], ScalarType.Float32);
        var values = TorchNetwork.Values(input);
        for (var i = 0; i < pixels.Count; i++) pixels[i].CopyTo(values[(i * pixels[i].Length)..]);
        var output = TorchNetwork.Values(module.call(input).contiguous());
        var rows = new List<float[]>(pixels.Count);
        for (var i = 0; i < pixels.Count; i++) rows.Add(output.Slice(i * Length, Length).ToArray());
        return rows;
    }

    /// <summary>A cache that fails is given up for the rest of the run: features are then only computed.</summary>
    private bool UseCache(Func<FeatureCache, bool> use)
    {
        if (_cache is null) return false;
        try
        {
            return use(_cache);
        }
        catch (FeatureCacheException problem)
        {
            _cache = null;
            _warn($"{problem.Message} This run goes on without the cache.");
            return false;
        }
    }
}
