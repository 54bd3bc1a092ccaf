using System.Collections.Concurrent;
using Graft.Data;
using Graft.Features;
using Graft.Networks;
using Graft.Runs;

namespace Graft.Studio;

/// <summary>The features of a project's photos in memory, each computed once for as long as its file stays the same, and kept in the feature cache.</summary>
internal sealed class ProjectFeatures : IDisposable
{
    /// <summary>Photos computed before anybody is told, and before a change of labels is heard.</summary>
    private const int AtOnce = 128;

    private readonly ConcurrentDictionary<string, (FileState State, float[]? Row)> _rows = new(StringComparer.Ordinal);
    private readonly FeatureCache? _cache;
    private readonly Lazy<FeatureBlocks> _blocks;
    private readonly Lazy<IReadOnlyList<Lazy<FrozenNetwork>>> _networks;

    /// <param name="backbone">Whose features they are.</param>
    public ProjectFeatures(BackboneRequest backbone)
    {
        Backbone = backbone;
        _blocks = new(() => ((IReadOnlyList<BackboneRequest>)[backbone]).LoadFeatures());
        _networks = new(() => _blocks.Value.Networks(InferenceEngine.Onnx));
        try
        {
            _cache = FeatureCache.Open(options: FeatureCacheOptions.FromEnvironment());
        }
        catch (FeatureCacheException problem)
        {
            Warn(problem.Message);
        }
    }

    public BackboneRequest Backbone { get; }

    /// <summary>Why what was computed of photos is not kept for the next time; null while it is.</summary>
    public string? Problem { get; private set; }

    /// <summary>One network.</summary>
    public FeatureBlocks Blocks => _blocks.Value;

    /// <summary>A photo's features, if they are known and its file has not changed since they were computed.</summary>
    public float[]? Find(Photo photo) => _rows.TryGetValue(photo.Id, out var known) && known.State == FileState.Of(photo.Path) ? known.Row : null;

    /// <summary>How many of the photos would have to be read.</summary>
    public int CountUnknown(IEnumerable<Photo> photos) => photos.Count(photo => !_rows.ContainsKey(photo.Id));

    /// <summary>Computes what is not known yet; photos that cannot be read have no features.</summary>
    /// <exception cref="OperationCanceledException">What was computed before is kept.</exception>
    public void Complete(IReadOnlyList<Photo> photos, IProgress<StepProgress> progress, CancellationToken cancellation)
    {
        var states = photos.Select(photo => (Photo: photo, State: FileState.Of(photo.Path)))
            .Where(entry => entry.State is { } state && !(_rows.TryGetValue(entry.Photo.Id, out var known) && known.State == state)).ToList();
        var done = photos.Count - states.Count;
        foreach (var chunk in states.Chunk(AtOnce))
        {
            cancellation.ThrowIfCancellationRequested();
            if (done > photos.Count - states.Count || states.Count > AtOnce) progress.Report(new("Look at photos", done, photos.Count, "photos"));
            // The number in the chunk goes along as the class.
            var set = _blocks.Value.Extract(
                [.. chunk.Select((entry, index) => new LabeledImage(entry.Photo.Path, index))], _networks.Value, _cache, Warn, InferenceEngine.Onnx,
                bank: null, progress: null, cancellation);
            var rows = new float[]?[chunk.Length];
            foreach (var (image, row) in set.Images.Zip(set.Rows)) rows[image.Class] = row;
            foreach (var (entry, row) in chunk.Zip(rows)) _rows[entry.Photo.Id] = (entry.State!.Value, row);
            done += chunk.Length;
        }
    }

    private void Warn(string problem) => Problem = $"What was computed of the photos is not kept, so the next start takes longer. {problem}";

    public void Dispose()
    {
        if (_networks.IsValueCreated)
        {
            foreach (var network in _networks.Value)
                if (network.IsValueCreated) network.Value.Dispose();
        }
        if (_blocks.IsValueCreated) _blocks.Value.Dispose();
        _cache?.Dispose();
    }
}
