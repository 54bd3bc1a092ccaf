using System.Text.Json;
using Graft.Data;
using Graft.Features;
using Graft.Features.Export;

namespace Graft.Runs;

/// <summary>Features that were computed before, of photos that need not be here: a <c>.parquet</c> file that extraction or a merge wrote.</summary>
internal sealed class StoredFeatures
{
    /// <summary>What a fit holds at once beside the features: their copies in libtorch, standardized.</summary>
    private const int Copies = 3;

    private readonly Dictionary<string, float[]> _rows = new(StringComparer.Ordinal);

    private StoredFeatures(LabeledImages photos, PhotoHashes hashes, string blocks) => (Photos, Hashes, Blocks) = (photos, hashes, blocks);

    /// <summary>Their names, classes and splits; reading one fails.</summary>
    public LabeledImages Photos { get; }

    public PhotoHashes Hashes { get; }

    /// <summary>What computed the features, a JSON document.</summary>
    public string Blocks { get; }

    /// <exception cref="GraftException">The file is damaged, is one of several parts, or needs more memory than there is.</exception>
    public static StoredFeatures Read(string path, LabeledImagesOptions options, long? availableBytes = null)
    {
        var file = ParquetFeatures.Open(path);
        if (file.Metadata.TryGetValue(PartRecord.Key, out _) && FeatureMerge.RecordOf(file) is { } part && Shard.Parse(part.Shard).Count > 1)
            throw new GraftException($"{path} is shard {part.Shard} of the features. Merge all shards first.") { Code = "features-not-merged" };
        if (!file.Metadata.TryGetValue("blocks", out var blocks)) throw new GraftException($"{path} does not say what its features were computed with. Compute them anew.");
        CheckMemory(path, file.Groups.Sum(count => (long)count), file.Length, availableBytes ?? GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);
        var findings = new DataFindings(path, options);
        var (rows, hashes) = (new Dictionary<string, float[]>(StringComparer.Ordinal), new PhotoHashes());
        foreach (var row in file.Rows())
        {
            var split = row.Split switch { FeatureTable.Train => DataPart.Train, FeatureTable.Validation => DataPart.Validation, _ => DataPart.Test };
            findings.Add(split, file.Classes[row.Label], ImageSource.FromContent(row.Path, () => throw new IOException("only its features are here, not the photo.")));
            rows[row.Path] = row.Values;
            hashes.Add(row.Path, Convert.FromHexString(row.Hash!));
        }
        var stored = new StoredFeatures(findings.ToLabeledImages(), hashes, blocks);
        foreach (var (name, row) in rows) stored._rows.Add(name, row);
        return stored;
    }

    /// <summary>Said before anything is read.</summary>
    private static void CheckMemory(string path, long photos, int length, long available)
    {
        var needed = Copies * photos * length * sizeof(float);
        if (needed <= available) return;
        throw new GraftException(
            $"{path} holds {photos:N0} photos of {length:N0} numbers. A classifier is fitted on all at once and needs about {needed / 1e9:0.0} GB of memory; {available / 1e9:0.0} GB are there. "
            + "Use a machine with more, a layer with fewer numbers, or fewer photos.")
        {
            Code = "too-little-memory",
        };
    }

    /// <summary>Of these images, in order; none of them is read.</summary>
    public FeatureSet Of(IReadOnlyList<LabeledImage> images) => new(images, [.. images.Select(image => _rows[image.Path])], [], images.Count, 0);

    /// <summary>The name of the network that computed them, where one did.</summary>
    public string? Backbone => Names() is [var only] ? only : null;

    /// <exception cref="GraftException">The networks compute other features.</exception>
    public void CheckSpace(FeatureBlocks features, string path)
    {
        var wanted = FeatureTable.BlocksOf(features);
        if (wanted == Blocks) return;
        throw new GraftException($"The features in {path} were computed by {Blocks}, and what was asked for is {wanted}. Name the same network, layer, pooling and weights.") { Code = "other-features" };
    }

    private string?[] Names()
    {
        try
        {
            using var document = JsonDocument.Parse(Blocks);
            return [.. document.RootElement.EnumerateArray().Select(block => block.GetProperty("backbone").GetString())];
        }
        catch (Exception problem) when (problem is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            return [];
        }
    }
}
