using System.Text.Encodings.Web;
using System.Text.Json;
using Graft.Data;
using Graft.Networks;

namespace Graft.Features.Export;

/// <summary>Features with all that another program needs to learn from them: one row per image.</summary>
public sealed record FeatureTable
{
    public const string Train = "train", Validation = "validation", Test = "test";

    /// <summary>The kinds of files that <see cref="Write"/> knows, by their extensions.</summary>
    public static IReadOnlyList<string> Extensions { get; } = [".npz", ".parquet", ".safetensors"];

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>For each image its features, [<see cref="Shape"/>] flattened, last axis fastest.</summary>
    public required IReadOnlyList<float[]> Rows { get; init; }

    /// <summary>Of one image's features: [1280], or [channels, height, width] of a map.</summary>
    public required IReadOnlyList<int> Shape { get; init; }

    /// <summary>Of the image files, relative to the data's folder where they lie in it, with <c>/</c>.</summary>
    public required IReadOnlyList<string> Paths { get; init; }

    /// <summary>For each image the index of its class in <see cref="Classes"/>.</summary>
    public required IReadOnlyList<int> Labels { get; init; }

    public required IReadOnlyList<string> Classes { get; init; }

    /// <summary>For each image <see cref="Train"/>, <see cref="Validation"/> or <see cref="Test"/>.</summary>
    public required IReadOnlyList<string> Splits { get; init; }

    /// <summary>For each image SHA-256 of its file, in hexadecimal digits; null where that is not known.</summary>
    public IReadOnlyList<string>? Hashes { get; init; }

    /// <summary>What the features were computed with, a JSON document for each name.</summary>
    public required IReadOnlyDictionary<string, string> Metadata { get; init; }

    /// <summary>The table of an extraction.</summary>
    /// <param name="photos">The data.</param>
    /// <param name="set">Its features, of <see cref="LabeledImages.All"/>.</param>
    /// <param name="features">What computed them.</param>
    public static FeatureTable Of(LabeledImages photos, FeatureSet set, FeatureBlocks features)
    {
        // The images of the set are those of the data, in their order, but for broken ones.
        var (names, splits) = (new List<string>(set.Images.Count), new List<string>(set.Images.Count));
        foreach (var (image, name, split) in Placed(photos))
        {
            if (splits.Count == set.Images.Count || !ReferenceEquals(set.Images[splits.Count], image)) continue;
            names.Add(name);
            splits.Add(split);
        }
        return new()
        {
            Rows = set.Rows,
            Shape = features.Shape.Sizes,
            Paths = names,
            Labels = [.. set.Images.Select(image => image.Class)],
            Classes = photos.Classes,
            Splits = splits,
            Hashes = set.Hashes.Count == set.Images.Count ? [.. set.Hashes.Select(hash => Convert.ToHexStringLower(hash))] : null,
            Metadata = new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["source"] = JsonSerializer.Serialize(photos.Source, Json),
                ["blocks"] = BlocksOf(features),
            },
        };
    }

    /// <summary>What computes features, a JSON document.</summary>
    internal static string BlocksOf(FeatureBlocks features) => JsonSerializer.Serialize(
        features.Blocks.Select(block =>
        {
            var space = FeatureSpace.Of("", block);
            return new
            {
                space.Backbone,
                space.Layer,
                Shape = block.Network.OutputShape.Sizes,
                block.Preprocessing,
                Weights = block.Weights.Fingerprint(block.Network),
            };
        }),
        Json);

    /// <summary>All images of the data with their names in a table and their splits, in the order of a table's rows.</summary>
    internal static IEnumerable<(LabeledImage Image, string Name, string Split)> Placed(LabeledImages photos)
    {
        var folder = DataCheck.FolderOf(photos.Source);
        return Of(photos.Train, Train).Concat(Of(photos.Validation, Validation)).Concat(Of(photos.Test, Test));

        IEnumerable<(LabeledImage, string, string)> Of(IReadOnlyList<LabeledImage> images, string split) =>
            images.Select(image => (image, image.HasPath ? RelativePath(folder, image.Path) : image.Path, split));
    }

    /// <summary>The features of a combination scaled as <c>graft train</c> scales them, on this table's training images.</summary>
    /// <param name="features">What computed them; one backbone's stay as they are.</param>
    public FeatureTable Scaled(FeatureBlocks features)
    {
        if (!features.IsCombination) return this;
        List<float[]> training = [.. Rows.Where((_, index) => Splits[index] == Train)];
        if (training.Count == 0) throw new GraftException("A combination is scaled by its training images, and there are none.");
        using var scaling = BlockScaling.Fit(features, training);
        return this with
        {
            Rows = BlockScaling.Apply(scaling, Rows),
            Metadata = new Dictionary<string, string>(Metadata)
            {
                ["scaling"] = JsonSerializer.Serialize(
                    "columns standardized on the training images, then each block given the same share of the variance", Json),
            },
        };
    }

    /// <summary>What is wrong with a file to be written, in a sentence, before any work is done for it; null if nothing is.</summary>
    public static string? ProblemWith(string path)
    {
        var extension = Path.GetExtension(path).ToLowerInvariant();
        if (!Extensions.Contains(extension))
            return $"Expected a file that ends in {string.Join(", ", Extensions.SkipLast(1))} or {Extensions[^1]}, found {path}.";
        if (Path.Exists(path)) return $"{path} exists already, and is not written over. Name another file, or delete it first.";
        return Directory.Exists(Path.GetDirectoryName(Path.GetFullPath(path))) ? null : $"There is no folder for {path}. Create it first.";
    }

    /// <summary>
    /// Writes the table as numpy's <c>.npz</c>, as <c>.parquet</c> or as <c>.safetensors</c>, by the extension. The file appears when it is
    /// complete.
    /// </summary>
    /// <exception cref="GraftException">The file exists, its kind is unknown, or it cannot be written.</exception>
    public void Write(string path)
    {
        if (ProblemWith(path) is { } problem) throw new GraftException(problem);
        var draft = $"{path}.{Guid.NewGuid():N}.partial";
        try
        {
            switch (Path.GetExtension(path).ToLowerInvariant())
            {
                case ".npz":
                    NumpyArchive.Write(this, draft);
                    break;
                case ".parquet":
                    ParquetTable.Write(this, draft);
                    break;
                default:
                    SafetensorsTable.Write(this, draft);
                    break;
            }
            File.Move(draft, path, overwrite: false);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new GraftException($"{path} cannot be written: {failure.Message}", failure);
        }
        finally
        {
            File.Delete(draft);
        }
    }

    /// <summary>Reads a <c>.safetensors</c> file that <see cref="Write"/> wrote.</summary>
    /// <exception cref="GraftException">The file is missing, damaged or of another kind.</exception>
    public static FeatureTable Read(string path) => !IsStored(path)
        ? throw new GraftException($"Expected features in a .safetensors file, found {path}. Write them as .safetensors.")
        : File.Exists(path) ? SafetensorsTable.Read(path) : throw new GraftException($"There is no file {path}.");

    /// <summary>Whether a path is of a kind that <see cref="Read"/> reads.</summary>
    public static bool IsStored(string path) => Path.GetExtension(path).Equals(".safetensors", StringComparison.OrdinalIgnoreCase);

    internal IEnumerable<string> LabelNames => Labels.Select(label => Classes[label]);

    private static string RelativePath(string folder, string path)
    {
        var relative = Path.GetRelativePath(folder, path);
        return (relative.StartsWith("..", StringComparison.Ordinal) || Path.IsPathRooted(relative) ? path : relative)
            .Replace(Path.DirectorySeparatorChar, '/');
    }
}
