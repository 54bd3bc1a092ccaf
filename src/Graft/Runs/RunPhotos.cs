using CsvHelper;
using Graft.Data.Collections;

namespace Graft.Runs;

/// <summary>
/// The photos of a run by their content, as <c>photos.csv</c> has them: path, label, split (<c>more</c> of photos of another source or without labels), whether the model was fitted on it, and SHA-256. By it
/// an evaluation tells photos that the model was trained on from others, wherever they lie.
/// </summary>
internal static class RunPhotos
{
    private const string FileName = "photos.csv", Hash = "sha256", Trained = "trained";

    /// <exception cref="IOException">The disk is full or fails.</exception>
    public static void Save(TrainingRun run, string folder)
    {
        var (photos, hashes) = (run.Photos, run.DataCheck.FileHashes);
        CsvFile.Write(
            Path.Combine(folder, FileName), ["path", "label", "split", Trained, Hash],
            photos.Train.Select(image => (image, Split: "train", IsTrained: true))
                .Concat(photos.Validation.Select(image => (image, Split: PredictionTable.Validation, IsTrained: run.Plan.Refit)))
                .Concat(photos.Test.Select(image => (image, Split: PredictionTable.Test, IsTrained: false)))
                .Select(entry => (object?[])
                [
                    entry.image.FullPath, photos.Classes[entry.image.Class], entry.Split, entry.IsTrained ? "true" : "false",
                    hashes.GetValueOrDefault(entry.image.Path) is { } hash ? Convert.ToHexStringLower(hash) : "",
                ])
                .Concat(run.More.Select(entry => (object?[])[entry.Image.FullPath, entry.Image.Class < 0 ? "" : run.Photos.Classes[entry.Image.Class], "more", "true", Convert.ToHexStringLower(entry.Hash)])),
            replaces: true);
    }

    /// <summary>Those of the files that a model was trained on, by their content; none where its run folder does not say.</summary>
    /// <param name="model">A run folder, or the model in it.</param>
    /// <param name="paths">Files that can be read; others are left out.</param>
    /// <exception cref="GraftException">The run's table is damaged.</exception>
    public static IReadOnlySet<string> TrainedOn(string model, IEnumerable<string> paths, CancellationToken cancellation = default)
    {
        var known = HashesIn(Path.Combine(Directory.Exists(model) ? model : Path.GetDirectoryName(Path.GetFullPath(model))!, FileName));
        var trained = new HashSet<string>(StringComparer.Ordinal);
        if (known.Count == 0) return trained;
        foreach (var path in paths)
        {
            cancellation.ThrowIfCancellationRequested();
            try
            {
                if (known.Contains(Convert.ToHexStringLower(PhotoFile.Hash(path)))) trained.Add(path);
            }
            catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
            {
                // It is not measured either.
            }
        }
        return trained;
    }

    private static HashSet<string> HashesIn(string table)
    {
        var hashes = new HashSet<string>(StringComparer.Ordinal);
        if (!File.Exists(table)) return hashes;
        try
        {
            RegularFile.Check(table);
            using var csv = CsvReader.FromFile(table, new() { Separator = ',', AllowLineBreaksInQuotes = true });
            string[] columns = csv.Headers.ToArray();
            var (hash, trained) = (Array.IndexOf(columns, Hash), Array.IndexOf(columns, Trained));
            if (hash < 0 || trained < 0) return hashes;
            while (csv.Read())
                if (Math.Max(hash, trained) < csv.FieldCount && csv.GetString(trained) == "true") hashes.Add(csv.GetString(hash));
            return hashes;
        }
        catch (Exception problem) when (problem is IOException or CsvFormatException or UnauthorizedAccessException)
        {
            throw new GraftException($"{table} cannot be read: {problem.Message} Remove it to evaluate all photos alike.", problem);
        }
    }
}
