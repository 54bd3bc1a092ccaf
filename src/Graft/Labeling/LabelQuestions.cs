using System.Globalization;
using CsvHelper;
using Graft.Classifiers;
using Graft.Data;
using Graft.Data.Collections;
using Graft.Data.Remote;
using Graft.Features;
using Graft.Runs;
using Graft.Unlabeled;

namespace Graft.Labeling;

/// <summary>Photos to label next.</summary>
/// <param name="Photos">In the order in which they are asked for.</param>
/// <param name="Unlabeled">How many photos there are to choose from.</param>
/// <param name="Sure">The share of them whose class the model is at least 95 % sure of.</param>
public sealed record NextPhotos(IReadOnlyList<NextPhoto> Photos, int Unlabeled, double Sure)
{
    /// <summary>Whether going on still pays, in a sentence.</summary>
    public string Outlook => string.Create(CultureInfo.InvariantCulture, $"The model is at least 95 % sure of {100 * Sure:0} % of the {Unlabeled:N0} photos without a label: ")
        + (Sure >= 0.98 ? "it is sure of nearly all that is left." : Sure >= 0.8 ? "those it is unsure of still teach something." : "more labels will teach it much.");
}

/// <summary>One of them.</summary>
/// <param name="Guess">The most probable class.</param>
/// <param name="Second">The next.</param>
public sealed record NextPhoto(string Path, string Guess, double Probability, string Second, QueueReason Reason, int Batch);

/// <summary>Questions to a person about photos, as pages and tables, and the answers.</summary>
public static class LabelQuestions
{
    private const string Yes = "yes", No = "no";

    /// <summary>Chooses from a folder what to label next, see <see cref="ActiveSelection"/>. Photos that the model was trained on are left out, whatever they are called.</summary>
    /// <param name="modelPath">The run folder, or the model's file in it.</param>
    /// <exception cref="GraftException">There are no such photos.</exception>
    public static NextPhotos Next(
        ImageClassifier model, string modelPath, string photos, int count, int seed = 1, FeatureCache? cache = null, IProgress<StepProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        var found = PhotoPaths.Find(photos);
        if (found.Photos.Count == 0) throw new GraftException($"There are no photos to label in {photos}: {found.Skipped[0].Reason}.") { Code = "no-photos" };
        var predictions = model.Predict(found.Photos, model.FeatureLayer is null ? null : cache, warn: null, progress, cancellation);
        var known = RunPhotos.TrainedOn(modelPath, predictions.Read.Select(prediction => prediction.Path), cancellation);
        int[] open = [.. Enumerable.Range(0, predictions.Read.Count).Where(photo => !known.Contains(predictions.Read[photo].Path))];
        if (open.Length == 0) throw new GraftException($"The model was trained on all photos of {photos} that can be read: there is nothing to label.") { Code = "no-photos" };
        var queue = new ActiveSelection { Count = count }.Next(
            [.. open.Select(photo => predictions.Features[photo])], [.. open.Select(photo => predictions.Read[photo].Probabilities)], Labeled(modelPath, model, cache, progress, cancellation),
            seed, cancellation);
        return new(
            [
                .. queue.Select(next => (next, Prediction: predictions.Read[open[next.Photo]])).Select(entry => new NextPhoto(
                    RemotePlace.Full(entry.Prediction.Path), entry.Prediction.Class, entry.Prediction.Probability, entry.Prediction.Ranking[1].Class, entry.next.Reason, entry.next.Batch)),
            ],
            open.Length, open.Average(photo => predictions.Read[photo].Probability >= 0.95 ? 1.0 : 0));
    }

    /// <summary>The features of the photos that the model was trained on, where they still are.</summary>
    private static IReadOnlyList<float[]> Labeled(string modelPath, ImageClassifier model, FeatureCache? cache, IProgress<StepProgress>? progress, CancellationToken cancellation)
    {
        var folder = Directory.Exists(modelPath) ? modelPath : Path.GetDirectoryName(Path.GetFullPath(modelPath))!;
        try
        {
            string[] paths = [.. SavedRun.Open(folder).TrainingPhotos().Where(PhotoFile.Exists)];
            return paths.Length == 0 ? [] : model.Predict(paths, model.FeatureLayer is null ? null : cache, warn: null, progress, cancellation).Features;
        }
        catch (GraftException)
        {
            // Of a model without its run, or whose photos are gone: then only those asked for before are to be far away.
            return [];
        }
    }

    /// <summary>Writes <c>next.csv</c> and <c>next.html</c>.</summary>
    public static void SaveNext(NextPhotos next, IReadOnlyList<string> classes, string folder)
    {
        string[] columns = ["path", "guess", "probability", "second", "reason", "batch", "label"];
        string[][] cells = [.. next.Photos.Select(photo => (string[])
            [photo.Path, photo.Guess, photo.Probability.ToString("0.000", CultureInfo.InvariantCulture), photo.Second, photo.Reason.ToString().ToLowerInvariant(), photo.Batch.ToString(CultureInfo.InvariantCulture)])];
        var keys = "123456789abcdefghijklmnopqrstuvwxyz";
        Save(folder, "next", columns, cells, CheckingPage.ToHtml(
            "Label next", "What is on the photo?",
            [.. next.Photos.Select(photo => new PhotoToCheck(photo.Path, photo.Guess, Remark(photo.Reason)))], columns, cells,
            [.. classes.Take(keys.Length).Select((name, index) => (name, keys[index].ToString()))], enterTakesGuess: true, "next.csv"));

        static string Remark(QueueReason reason) => reason switch
        {
            QueueReason.Unsure => "The model hesitates.",
            QueueReason.Diverse => "Unlike the others.",
            _ => "Drawn at random.",
        };
    }

    /// <summary>Writes <c>audit.csv</c> and <c>audit.html</c>.</summary>
    public static void SaveAudit(IReadOnlyList<PhotoLabel> drawn, string folder)
    {
        string[] columns = ["path", "label", "correct"];
        string[][] cells = [.. drawn.Select(photo => (string[])[photo.Path, photo.Label!])];
        Save(folder, "audit", columns, cells, CheckingPage.ToHtml(
            "Check labels", "Is the label right?", [.. drawn.Select(photo => new PhotoToCheck(photo.Path, photo.Label!, ""))], columns, cells, [(Yes, "y"), (No, "n")],
            enterTakesGuess: false, "audit.csv"));
    }

    /// <summary>The answers of a checked table: for each photo whether its label is right. Rows without an answer are left out.</summary>
    /// <exception cref="GraftException">There is no such table, it is damaged, or an answer is neither yes nor no.</exception>
    public static IReadOnlyDictionary<string, CheckedLabel> AnswersOf(string table)
    {
        if (!File.Exists(table)) throw new GraftException($"There is no table of answers {table}.");
        try
        {
            RegularFile.Check(table);
            using var csv = CsvReader.FromFile(table, new() { Separator = ',', AllowLineBreaksInQuotes = true, MaxRecordSize = 1 << 20 });
            string[] header = csv.Headers.ToArray();
            var (path, label, correct) = (Array.IndexOf(header, "path"), Array.IndexOf(header, "label"), Array.IndexOf(header, "correct"));
            if (path < 0 || label < 0 || correct < 0) throw new FormatException("it lacks a column of path, label and correct.");
            var answers = new Dictionary<string, CheckedLabel>(StringComparer.Ordinal);
            while (csv.Read())
            {
                if (correct >= csv.FieldCount) continue;
                var photo = CsvFile.Restore(csv.GetString(path));
                var answer = csv.GetString(correct).Trim().ToLowerInvariant();
                if (answer.Length == 0) continue;
                var isCorrect = answer switch
                {
                    Yes or "y" or "true" or "1" => true,
                    No or "n" or "false" or "0" => false,
                    _ => throw new FormatException($"'{answer}' is neither yes nor no."),
                };
                CheckedLabel given = new(CsvFile.Restore(csv.GetString(label)), isCorrect);
                if (!answers.TryAdd(photo, given) && answers[photo] != given) throw new FormatException($"{photo} is answered in two ways.");
            }
            return answers;
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or FormatException or CsvFormatException)
        {
            throw new GraftException($"{table} is no table of answers: {problem.Message}", problem);
        }
    }

    /// <summary>Of an answered <c>next.csv</c>: how many of the photos that were drawn at random the model had named right; null without any.</summary>
    public static (int Right, int Asked)? EstimateOf(PhotoLabels answered)
    {
        var random = answered.Photos.Where(photo => photo is { Label: not null, Guess: not null, Reason: "random" }).ToList();
        return random.Count == 0 ? null : (random.Count(photo => photo.Label == photo.Guess), random.Count);
    }

    private static void Save(string folder, string name, IReadOnlyList<string> columns, IReadOnlyList<IReadOnlyList<string>> cells, string page)
    {
        try
        {
            WholeFile.WriteAll(
                (Path.Join(folder, $"{name}.csv"), path => CsvFile.Write(path, columns, cells.Select(row => (IReadOnlyList<object?>)[.. row, ""]))),
                (Path.Join(folder, $"{name}.html"), path => WholeFile.Write(path, page)));
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new GraftException($"The photos to look at cannot be written in {folder}, and nothing was left there: {problem.Message}", problem);
        }
    }
}
