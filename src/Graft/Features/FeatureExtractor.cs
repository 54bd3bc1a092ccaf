using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Graft.Backbones;
using Graft.Data;
using Graft.Data.Remote;
using Graft.Inference;
using Graft.Networks;

namespace Graft.Features;

/// <summary>
/// Runs a frozen network over image files, each photo once ever: what the cache holds is not computed again, whatever the file is called now,
/// and of files with one content only the first is computed. All cores decode and compute; memory does not grow with the number of photos
/// beyond the features.
/// </summary>
public sealed class FeatureExtractor : IDisposable
{
    /// <summary>What a killed process loses at most: so many features, or what it computed in this time.</summary>
    private const int RowsPerCacheWrite = 64;
    private static readonly TimeSpan TimePerCacheWrite = TimeSpan.FromSeconds(5);

    /// <summary>To be raised when a mended decoder or resampler gives other pixels for the same photo.</summary>
    private const string PixelsVersion = "pixels-1";

    private readonly Backbone _backbone;
    private FeatureCache? _cache;
    private readonly Action<string> _warn;
    private readonly Lazy<FrozenNetwork> _network;
    private readonly bool _ownsNetwork;
    private readonly Lazy<FeatureSpace> _space;

    /// <param name="backbone">A network cut to what is to be computed, usually <see cref="Backbone.Features"/>. Stays the caller's.</param>
    /// <param name="cache">Where features are kept; null to compute each time. Stays the caller's.</param>
    /// <param name="warn">Told, in a sentence, what goes wrong without stopping the work.</param>
    /// <param name="engine">What computes. Features of one engine are not taken for another's, though they hardly differ.</param>
    /// <param name="device">Where it computes; features of one device are not taken for another's either.</param>
    /// <exception cref="GraftException">The backbone's photos are of another size than its network's input.</exception>
    public FeatureExtractor(
        Backbone backbone, FeatureCache? cache, Action<string>? warn = null, InferenceEngine engine = InferenceEngine.Onnx, InferenceDevice device = InferenceDevice.Cpu)
        : this(backbone, new(() => FrozenNetwork.Load(backbone.Network, backbone.Weights, engine, device)), cache, warn, engine, device) => _ownsNetwork = true;

    /// <summary>The same with a network that stays the caller's.</summary>
    internal FeatureExtractor(
        Backbone backbone, Lazy<FrozenNetwork> network, FeatureCache? cache, Action<string>? warn, InferenceEngine engine = InferenceEngine.Onnx,
        InferenceDevice device = InferenceDevice.Cpu)
    {
        var pixels = TensorShape.Map(3, backbone.Preprocessing.InputHeight, backbone.Preprocessing.InputWidth);
        if (pixels != backbone.Network.InputShape)
        {
            throw new GraftException(
                $"Expected photos of {backbone.Network.InputShape} for {backbone.Name}, found a preprocessing that makes {pixels}. "
                + "Set both with WithInputSize.");
        }
        (_backbone, _network, _cache, _warn) = (backbone, network, cache, warn ?? (_ => { }));
        _space = new(() => FeatureSpace.Of(
            Hash(backbone.Fingerprint + JsonSerializer.Serialize(backbone.Preprocessing) + PixelsVersion + engine + (device == InferenceDevice.Cpu ? "" : device)), backbone));
    }

    /// <summary>Equal for the same computation, different for any other.</summary>
    internal string SpaceKey => _space.Value.Key;

    /// <summary>Numbers per image.</summary>
    public int Length => _backbone.Network.OutputShape.ElementCount;

    /// <exception cref="OperationCanceledException">What was computed before stays in the cache.</exception>
    public FeatureSet Extract(
        IReadOnlyList<LabeledImage> images, IProgress<StepProgress>? progress = null, CancellationToken cancellation = default) =>
        Extract(images, bank: null, progress, cancellation);

    /// <summary>The same with augmented views of each image.</summary>
    /// <param name="bank">Null for the images as they are alone.</param>
    /// <exception cref="GraftException">Unsuitable options of the bank.</exception>
    /// <exception cref="OperationCanceledException">What was computed before stays in the cache.</exception>
    public FeatureSet Extract(
        IReadOnlyList<LabeledImage> images, ViewBank? bank, IProgress<StepProgress>? progress = null, CancellationToken cancellation = default) =>
        Extract(images, bank, new PhotoHashes(), progress, cancellation);

    /// <param name="photoHashes">Of the images that were read before.</param>
    internal FeatureSet Extract(
        IReadOnlyList<LabeledImage> images, ViewBank? bank, PhotoHashes photoHashes, IProgress<StepProgress>? progress, CancellationToken cancellation)
    {
        if (bank?.Problems() is { Count: > 0 } problems) throw new GraftException(string.Join(" ", problems));
        var portions = RemotePhotos.Portions(images);
        return portions.Count == 1 ? ExtractPortion(images, bank, photoHashes, progress, cancellation) : ExtractPortions(images, portions, bank, photoHashes, progress, cancellation);
    }

    /// <summary>Photos on other machines, each fetched once: hashed and computed while it is in memory, and the next fetched meanwhile.</summary>
    private FeatureSet ExtractPortions(
        IReadOnlyList<LabeledImage> images, IReadOnlyList<Range> portions, ViewBank? bank, PhotoHashes photoHashes, IProgress<StepProgress>? progress, CancellationToken cancellation)
    {
        LabeledImage[] all = [.. images];
        var (sets, ahead) = (new List<FeatureSet>(), Task.CompletedTask);
        for (var index = 0; index < portions.Count; index++)
        {
            ahead.GetAwaiter().GetResult();
            var next = index + 1 < portions.Count ? all[portions[index + 1]] : [];
            photoHashes.Of(all[portions[index]], cancellation);
            ahead = Task.Run(() => photoHashes.Of(next, cancellation), CancellationToken.None);
            var (before, perImage) = (portions[index].Start.Value, 1 + (bank?.Views ?? 0));
            var part = progress is null ? null : new Portion(progress, perImage * before, perImage * all.Length);
            try
            {
                sets.Add(ExtractPortion(all[portions[index]], bank, photoHashes, part, cancellation));
            }
            catch
            {
                // No thread is left behind; what went wrong there is the same or less.
                Task.WaitAny([ahead], CancellationToken.None);
                throw;
            }
        }
        return new([.. sets.SelectMany(set => set.Images)], [.. sets.SelectMany(set => set.Rows)], [.. sets.SelectMany(set => set.Broken)], sets.Sum(set => set.CacheHits), sets.Sum(set => set.CacheMisses))
        {
            Views = [.. Enumerable.Range(0, bank?.Views ?? 0).Select(view => sets.SelectMany(set => set.Views[view]).ToArray())],
            Hashes = [.. sets.SelectMany(set => set.Hashes)],
        };
    }

    /// <summary>Progress of a part as that of the whole.</summary>
    private sealed class Portion(IProgress<StepProgress> whole, int before, int total) : IProgress<StepProgress>
    {
        public void Report(StepProgress step) => whole.Report(step with { Done = before + step.Done, Total = total });
    }

    private FeatureSet ExtractPortion(
        IReadOnlyList<LabeledImage> images, ViewBank? bank, PhotoHashes photoHashes, IProgress<StepProgress>? progress, CancellationToken cancellation)
    {
        var views = 1 + (bank?.Views ?? 0);
        var reasons = new string?[images.Count];
        var hashes = Hashes(images, photoHashes, cancellation);
        var rows = new float[]?[views][];
        for (var view = 0; view < views; view++) rows[view] = UseCache(cache => cache.Read(Space(bank, view), hashes, Length)) ?? new float[]?[images.Count];
        var hits = rows.Sum(ofView => ofView.Count(row => row is not null));

        // Of files with one content, the first is computed.
        var originals = new Dictionary<string, int>(StringComparer.Ordinal);
        var missing = new List<PhotoViews>();
        var copies = new List<(int Copy, int Original)>();
        for (var index = 0; index < images.Count; index++)
        {
            var unknown = Enumerable.Range(0, views).Where(view => rows[view][index] is null).ToList();
            if (unknown.Count == 0) continue;
            if (hashes[index] is { } hash && !originals.TryAdd(Convert.ToHexString(hash), index))
                copies.Add((index, originals[Convert.ToHexString(hash)]));
            else
                missing.Add(new(index, images[index], unknown));
        }
        var total = views * images.Count;
        void Report(int done) => progress?.Report(new("Features", done, total, bank is null ? "images" : "views"));
        Report(hits);
        if (missing.Count > 0) Compute(missing, bank, rows, hashes, reasons, computed => Report(hits + computed), cancellation);
        foreach (var (copy, original) in copies)
        {
            reasons[copy] = reasons[original];
            foreach (var ofView in rows) ofView[copy] = ofView[original];
        }
        Report(total);

        var read = Enumerable.Range(0, images.Count).Where(index => rows.All(ofView => ofView[index] is not null)).ToList();
        var broken = Enumerable.Range(0, images.Count).Except(read);
        var computed = missing.IntersectBy(read, photo => photo.Index).Sum(photo => photo.Views.Count);
        return new(
            [.. read.Select(index => images[index])],
            [.. read.Select(index => rows[0][index]!)],
            [.. broken.Select(index => new SkippedFile(images[index].Path, reasons[index]!))],
            views * read.Count - computed,
            computed)
        {
            Views = [.. rows.Skip(1).Select(ofView => read.Select(index => ofView[index]!).ToArray())],
            Hashes = [.. read.Select(index => hashes[index]!)],
        };
    }

    /// <summary>Of each photo, and meanwhile what the cache knows their features under: one waits for the disk, the other computes.</summary>
    private byte[]?[] Hashes(IReadOnlyList<LabeledImage> images, PhotoHashes photoHashes, CancellationToken cancellation)
    {
        var space = _cache is null ? Task.CompletedTask : Task.Run(() => _space.Value, CancellationToken.None);
        try
        {
            return photoHashes.Of(images, cancellation);
        }
        finally
        {
            // It reads the weights, which the caller may dispose of. What goes wrong is said where it is used.
            Task.WaitAny([space], CancellationToken.None);
        }
    }

    public void Dispose()
    {
        if (_ownsNetwork && _network.IsValueCreated) _network.Value.Dispose();
    }

    private void Compute(
        List<PhotoViews> missing, ViewBank? bank, float[]?[][] rows, byte[]?[] hashes, string?[] reasons, Action<int> report, CancellationToken cancellation)
    {
        var unwritten = new List<(int View, byte[] Hash, float[] Features)>();
        var sinceWrite = Stopwatch.StartNew();
        var done = 0;
        try
        {
            RemotePhotos.Fetch(missing.Select(photo => photo.Image), cancellation);
            var pipeline = new FeaturePipeline(_network.Value, _backbone.Preprocessing, bank);
            foreach (var (photo, hash, features, problem) in pipeline.Run(missing, cancellation))
            {
                reasons[photo.Index] = problem;
                if (problem is null) hashes[photo.Index] ??= hash;
                foreach (var (view, row) in photo.Views.Zip(features))
                {
                    _cache?.Precision.Round(row);
                    rows[view][photo.Index] = row;
                    unwritten.Add((view, hash, row));
                }
                if (unwritten.Count >= RowsPerCacheWrite || sinceWrite.Elapsed > TimePerCacheWrite) WriteToCache();
                report(done += photo.Views.Count);
            }
        }
        finally
        {
            WriteToCache();
        }

        void WriteToCache()
        {
            foreach (var ofView in unwritten.GroupBy(entry => entry.View, entry => (entry.Hash, entry.Features)))
            {
                UseCache(cache =>
                {
                    cache.Add(Space(bank, ofView.Key), ofView);
                    return cache;
                });
            }
            unwritten.Clear();
            sinceWrite.Restart();
        }
    }

    /// <summary>What the cache knows a view's features under.</summary>
    private FeatureSpace Space(ViewBank? bank, int view) => view == 0
        ? _space.Value
        : _space.Value with { Key = Hash(_space.Value.Key + bank!.Identity(view)), Preprocessing = $"{_space.Value.Preprocessing}, augmented view {view}" };

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    /// <summary>A cache that fails is given up for the rest of the run: features are then only computed.</summary>
    private T? UseCache<T>(Func<FeatureCache, T> use)
        where T : class
    {
        if (_cache is null) return null;
        try
        {
            return use(_cache);
        }
        catch (FeatureCacheException problem)
        {
            _cache = null;
            _warn($"{problem.Message} This run goes on without the cache.");
            return null;
        }
    }
}
