using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Graft.Data;
using Graft.Networks;

namespace Graft.Features.Export;

/// <summary>What a part of a table of features says of itself, in its metadata.</summary>
/// <param name="Shard">Which one it is, <c>3/8</c>.</param>
/// <param name="Photos">How many photos there are in all shards together.</param>
/// <param name="Listing">SHA-256 of the names, classes and splits of all these photos.</param>
/// <param name="Space">What the features were computed with: networks, weights, preprocessing, engine, precision.</param>
/// <param name="Skipped">Photos of the shard that cannot be read, by their paths, and why.</param>
internal sealed record PartRecord(string Shard, int Photos, string Listing, string Space, IReadOnlyDictionary<string, string> Skipped)
{
    public const string Key = "shard";
}

/// <summary>What writing a part has come to.</summary>
/// <param name="Images">Photos in the part.</param>
/// <param name="Skipped">Photos of the shard that cannot be read.</param>
/// <param name="Kept">Photos that the part held before.</param>
/// <param name="CacheHits">Photos whose features were in the cache.</param>
/// <param name="CacheMisses">Photos whose features were computed.</param>
public sealed record FeaturePartResult(int Images, IReadOnlyList<SkippedFile> Skipped, int Kept, int CacheHits, int CacheMisses);

/// <summary>
/// The features of one shard of the photos, in a <c>.parquet</c> file that <see cref="FeatureMerge"/> joins with the others'. The file is whole
/// or absent; what an earlier one of the same shard holds is not computed again. Memory does not grow with the photos' number beyond their names.
/// </summary>
public static class FeaturePart
{
    /// <summary>Photos that are read, computed and written before the next are.</summary>
    private const int Batch = 2048;

    /// <summary>Computes and writes a part.</summary>
    /// <param name="photos">All photos: each shard is made of the same.</param>
    /// <param name="features">What is computed, by one network.</param>
    /// <param name="shard">Which of the photos.</param>
    /// <param name="path">A new <c>.parquet</c> file, or a part of the same shard, which is replaced.</param>
    /// <param name="cache">Where features are kept, also those of a run that is killed; null to compute each time.</param>
    /// <param name="warn">Told, in a sentence, what goes wrong without stopping the work.</param>
    /// <param name="engine">What computes.</param>
    /// <param name="progress">Photos done.</param>
    /// <param name="cancellation">Leaves an earlier file as it was.</param>
    /// <exception cref="GraftException">The file is something else, of another shard, or of other features; or it cannot be written.</exception>
    public static FeaturePartResult Write(
        LabeledImages photos, FeatureBlocks features, Shard shard, string path, FeatureCache? cache, Action<string>? warn = null,
        InferenceEngine engine = InferenceEngine.Onnx, IProgress<StepProgress>? progress = null, CancellationToken cancellation = default)
    {
        if (features.IsCombination)
            throw new GraftException($"{features.Name} is a combination, whose blocks are scaled by all training photos at once. Compute the parts of each network by itself.");
        var space = $"{new FeatureExtractor(features.Blocks[0], new(() => null!), null, null, engine, features.Device).SpaceKey} {(cache?.Precision ?? FeaturePrecision.Float32).Name()}";
        var earlier = File.Exists(path) ? Earlier.Open(path, shard, space) : null;
        var work = new Work(photos, features, shard, cache, warn, engine, progress, earlier, cancellation);
        var head = FeatureTable.Of(photos, new([], [], [], 0, 0), features);
        var networks = features.Networks(engine);
        try
        {
            WholeFile.Write(
                path,
                file => ParquetTable.Write(file, head.Shape, head.Classes, hasHashes: true, work.Rows(networks), () => new Dictionary<string, string>(head.Metadata)
                {
                    [PartRecord.Key] = JsonSerializer.Serialize(new PartRecord(
                        shard.ToString(), photos.All.Count(), work.Listing, space, work.Skipped.ToDictionary(file => file.Path, file => file.Reason))),
                }),
                replaces: earlier is not null);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new GraftException($"{path} cannot be written: {failure.Message}", failure);
        }
        finally
        {
            foreach (var network in networks)
                if (network.IsValueCreated) network.Value.Dispose();
        }
        return new(work.Images, work.Skipped, work.Kept, work.Hits, work.Misses);
    }

    private sealed class Work(
        LabeledImages photos, FeatureBlocks features, Shard shard, FeatureCache? cache, Action<string>? warn, InferenceEngine engine,
        IProgress<StepProgress>? progress, Earlier? earlier, CancellationToken cancellation)
    {
        private readonly IncrementalHash _listing = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

        public List<SkippedFile> Skipped { get; } = [];

        public int Images { get; private set; }

        public int Kept { get; private set; }

        public int Hits { get; private set; }

        public int Misses { get; private set; }

        /// <summary>Of all photos, when <see cref="Rows"/> has ended.</summary>
        public string Listing => Convert.ToHexStringLower(_listing.GetCurrentHash());

        /// <summary>The shard's photos in their order, a batch at a time.</summary>
        public IEnumerable<FeatureRow> Rows(IReadOnlyList<Lazy<FrozenNetwork>> networks)
        {
            var done = 0;
            var total = photos.All.Count();
            foreach (var batch in FeatureTable.Placed(photos).Chunk(Batch))
            {
                cancellation.ThrowIfCancellationRequested();
                foreach (var (image, name, split) in batch) _listing.AppendData(Encoding.UTF8.GetBytes($"{split}\t{photos.Classes[image.Class]}\t{name}\n"));
                var hashes = new PhotoHashes();
                var found = hashes.Of([.. batch.Select(photo => photo.Image)], cancellation);
                int[] mine = [.. shard.Of([.. batch.Select(photo => photo.Name)], found)];
                var rows = new float[batch.Length][];
                foreach (var index in mine)
                    if (found[index] is { } hash && earlier?.Find(Convert.ToHexStringLower(hash)) is { } row) rows[index] = row;
                int[] missing = [.. mine.Where(index => rows[index] is null)];
                Kept += mine.Length - missing.Length;
                if (missing.Length > 0)
                {
                    var set = features.Extract([.. missing.Select(index => batch[index].Image)], networks, cache, warn, engine, bank: null, progress: null, cancellation, hashes);
                    (Hits, Misses) = (Hits + set.CacheHits, Misses + set.CacheMisses);
                    var places = missing.ToDictionary(index => batch[index].Image.Path, StringComparer.Ordinal);
                    foreach (var (image, row, hash) in set.Images.Zip(set.Rows, set.Hashes))
                    {
                        var index = places[image.Path];
                        (rows[index], found[index]) = (row, hash);
                    }
                    Skipped.AddRange(set.Broken.Select(file => file with { Path = batch[places[file.Path]].Name }));
                }
                foreach (var index in mine)
                {
                    if (rows[index] is not { } row) continue;
                    Images++;
                    yield return new(batch[index].Name, batch[index].Image.Class, batch[index].Split, Convert.ToHexStringLower(found[index]!), row);
                }
                progress?.Report(new("Features", done += batch.Length, total, "images"));
            }
        }
    }

    /// <summary>A part that was written before: its features by the photos' contents.</summary>
    private sealed class Earlier
    {
        private const int KeptGroups = 4;

        private readonly ParquetFeatures _file;
        private readonly Dictionary<string, (int Group, int Row)> _places = new(StringComparer.Ordinal);
        private readonly List<(int Group, FeatureRow[] Rows)> _recent = [];

        private Earlier(ParquetFeatures file)
        {
            _file = file;
            for (var group = 0; group < file.Groups.Count; group++)
            {
                var rows = file.Read(group, withValues: false);
                for (var row = 0; row < rows.Length; row++) _places.TryAdd(rows[row].Hash!, (group, row));
            }
        }

        public static Earlier Open(string path, Shard shard, string space)
        {
            var file = ParquetFeatures.Open(path);
            var record = FeatureMerge.RecordOf(file);
            if (record.Shard != shard.ToString()) throw new GraftException($"{path} exists already and is shard {record.Shard}, not {shard}. Name another file.");
            return record.Space == space
                ? new(file)
                : throw new GraftException($"{path} exists already, and its features are of other weights, another preprocessing, engine or precision. Name another file, or delete it first.");
        }

        public float[]? Find(string hash)
        {
            if (!_places.TryGetValue(hash, out var place)) return null;
            var known = _recent.FindIndex(entry => entry.Group == place.Group);
            if (known < 0)
            {
                if (_recent.Count == KeptGroups) _recent.RemoveAt(0);
                _recent.Add((place.Group, _file.Read(place.Group)));
                known = _recent.Count - 1;
            }
            return _recent[known].Rows[place.Row].Values;
        }
    }
}
