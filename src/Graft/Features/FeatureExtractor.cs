using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Graft.Backbones;
using Graft.Data;
using Graft.Networks;

namespace Graft.Features;

/// <summary>
/// Runs a frozen network over image files, each photo once ever: what the cache holds is not computed again, whatever the file is called now,
/// and of files with one content only the first is computed. All cores decode and compute; memory does not grow with the number of photos
/// beyond the features.
/// </summary>
public sealed class FeatureExtractor : IDisposable
{
    /// <summary>What a killed process loses at most: these images, or what it computed in this time.</summary>
    private const int ImagesPerCacheWrite = 64;
    private static readonly TimeSpan TimePerCacheWrite = TimeSpan.FromSeconds(5);

    /// <summary>To be raised when a mended decoder or resampler gives other pixels for the same photo.</summary>
    private const string PixelsVersion = "pixels-1";

    private readonly Backbone _backbone;
    private FeatureCache? _cache;
    private readonly Action<string> _warn;
    private readonly Lazy<FrozenNetwork> _network;
    private readonly bool _ownsNetwork;
    private readonly Lazy<string> _space;

    /// <param name="backbone">A network cut to what is to be computed, usually <see cref="Backbone.Features"/>. Stays the caller's.</param>
    /// <param name="cache">Where features are kept; null to compute each time. Stays the caller's.</param>
    /// <param name="warn">Told, in a sentence, what goes wrong without stopping the work.</param>
    /// <param name="engine">What computes. Features of one engine are not taken for another's, though they hardly differ.</param>
    /// <exception cref="GraftException">The backbone's photos are of another size than its network's input.</exception>
    public FeatureExtractor(
        Backbone backbone, FeatureCache? cache, Action<string>? warn = null, InferenceEngine engine = InferenceEngine.Onnx)
        : this(backbone, new(() => FrozenNetwork.Load(backbone.Network, backbone.Weights, engine)), cache, warn, engine) => _ownsNetwork = true;

    /// <summary>The same with a network that stays the caller's.</summary>
    internal FeatureExtractor(
        Backbone backbone, Lazy<FrozenNetwork> network, FeatureCache? cache, Action<string>? warn, InferenceEngine engine = InferenceEngine.Onnx)
    {
        var pixels = TensorShape.Map(3, backbone.Preprocessing.InputHeight, backbone.Preprocessing.InputWidth);
        if (pixels != backbone.Network.InputShape)
        {
            throw new GraftException(
                $"Expected photos of {backbone.Network.InputShape} for {backbone.Name}, found a preprocessing that makes {pixels}. "
                + "Set both with WithInputSize.");
        }
        (_backbone, _network, _cache, _warn) = (backbone, network, cache, warn ?? (_ => { }));
        _space = new(() => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(
            backbone.Weights.Fingerprint(backbone.Network) + JsonSerializer.Serialize(backbone.Preprocessing) + PixelsVersion + engine))));
    }

    /// <summary>Numbers per image.</summary>
    public int Length => _backbone.Network.OutputShape.ElementCount;

    /// <exception cref="OperationCanceledException">What was computed before stays in the cache.</exception>
    public FeatureSet Extract(
        IReadOnlyList<LabeledImage> images, IProgress<StepProgress>? progress = null, CancellationToken cancellation = default)
    {
        var rows = new float[]?[images.Count];
        var reasons = new string?[images.Count];
        var (missing, copies) = FillFromCache(images, rows, cancellation);
        var known = images.Count - missing.Count;
        progress?.Report(new("Features", known, images.Count, "images"));
        if (missing.Count > 0) Compute(images, missing, rows, reasons, progress, cancellation);
        foreach (var (copy, original) in copies) (rows[copy], reasons[copy]) = (rows[original], reasons[original]);

        var read = Enumerable.Range(0, images.Count).Where(index => rows[index] is not null).ToList();
        var computed = missing.Count(index => rows[index] is not null);
        return new(
            [.. read.Select(index => images[index])],
            [.. read.Select(index => rows[index]!)],
            [.. Enumerable.Range(0, images.Count).Where(index => rows[index] is null)
                .Select(index => new SkippedFile(images[index].Path, reasons[index]!))],
            read.Count - computed,
            computed);
    }

    public void Dispose()
    {
        if (_ownsNetwork && _network.IsValueCreated) _network.Value.Dispose();
    }

    /// <summary>Returns the images to compute, and those with the same content as one of these.</summary>
    private (List<int> Missing, List<(int Copy, int Original)> Copies) FillFromCache(
        IReadOnlyList<LabeledImage> images, float[]?[] rows, CancellationToken cancellation)
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
        var copies = new List<(int Copy, int Original)>();
        var originals = new Dictionary<string, int>(StringComparer.Ordinal);
        var row = new float[Length];
        for (var index = 0; index < images.Count; index++)
        {
            if (hashes[index] is not { } hash)
                missing.Add(index);
            else if (UseCache(cache => cache.TryGet(_space.Value, hash, row)))
                (rows[index], row) = (row, new float[Length]);
            else if (!originals.TryAdd(Convert.ToHexString(hash), index))
                copies.Add((index, originals[Convert.ToHexString(hash)]));
            else
                missing.Add(index);
        }
        return (missing, copies);
    }

    private void Compute(
        IReadOnlyList<LabeledImage> images, List<int> missing, float[]?[] rows, string?[] reasons,
        IProgress<StepProgress>? progress, CancellationToken cancellation)
    {
        var unwritten = new List<(byte[] Hash, float[] Features)>();
        var sinceWrite = Stopwatch.StartNew();
        var done = images.Count - missing.Count;
        try
        {
            var pipeline = new FeaturePipeline(_network.Value, _backbone.Preprocessing);
            foreach (var (index, hash, features, problem) in pipeline.Run(missing.Select(index => (index, images[index].Path)), cancellation))
            {
                (rows[index], reasons[index]) = (features, problem);
                if (features is not null) unwritten.Add((hash, features));
                if (unwritten.Count >= ImagesPerCacheWrite || sinceWrite.Elapsed > TimePerCacheWrite) WriteToCache();
                progress?.Report(new("Features", ++done, images.Count, "images"));
            }
        }
        finally
        {
            WriteToCache();
        }
        // Copies of what was computed come for nothing.
        progress?.Report(new("Features", images.Count, images.Count, "images"));

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
            sinceWrite.Restart();
        }
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
