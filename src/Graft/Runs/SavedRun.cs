using System.Globalization;
using System.Text.Json;
using CsvHelper;
using Graft.Data;
using Graft.Data.Collections;
using Graft.Evaluation;
using Graft.Training;

namespace Graft.Runs;

/// <summary>The epochs of a run, those of several stages as one course and numbered through.</summary>
/// <param name="History">Its best epoch is that of the last stage.</param>
/// <param name="Stages">The name of each stage and its first epoch; one without a name where there are no stages.</param>
public sealed record TrainingCourse(TrainingHistory History, IReadOnlyList<(string Name, int FirstEpoch)> Stages)
{
    /// <summary>The last epoch of each stage but the last.</summary>
    public IReadOnlyList<int> Boundaries => [.. Stages.Skip(1).Select(stage => stage.FirstEpoch - 1)];

    /// <param name="stages">At least one.</param>
    public static TrainingCourse Of(IReadOnlyList<(TrainingStage Stage, TrainingHistory History)> stages)
    {
        var epochs = new List<EpochResult>();
        var starts = new List<(string, int)>();
        var best = 0;
        foreach (var (stage, history) in stages)
        {
            starts.Add((stage.Name, epochs.Count + 1));
            best = epochs.Count + history.BestEpoch;
            epochs.AddRange(history.Epochs.Select((epoch, index) => epoch with { Epoch = epochs.Count + index + 1 }).ToList());
        }
        return new(new(epochs, best), starts);
    }
}

/// <summary>
/// A finished run, read back from its folder: what <c>graft report</c> and <c>graft compare</c> show. The photos and the model are opened by
/// none of this.
/// </summary>
public sealed class SavedRun
{
    private readonly Lazy<EvaluationResult?> _validation, _test;

    private SavedRun(string folder, ResultDocument result, PredictionTable predictions)
    {
        (Folder, Result, Predictions) = (folder, result, predictions);
        _validation = new(() => Measured(PredictionTable.Validation));
        _test = new(() => Measured(PredictionTable.Test));

        // Of older runs, whose probabilities are without it, the temperature says nothing.
        EvaluationResult? Measured(string split) => predictions.Evaluate(split)
            ?.WithTemperature(result is { Version: >= 3, Validation.Temperature: > 0 and var temperature } ? temperature : null);
    }

    /// <summary>As it was given.</summary>
    public string Folder { get; }

    /// <summary>The folder's name.</summary>
    public string Name => Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(Folder)));

    /// <summary>What <c>result.json</c> says.</summary>
    public ResultDocument Result { get; }

    public PredictionTable Predictions { get; }

    public EvaluationResult Validation => _validation.Value!;

    /// <summary>Null without test images.</summary>
    public EvaluationResult? Test => _test.Value;

    /// <summary>How it was started; null where no command started it.</summary>
    public RunDescription? Description { get; private init; }

    /// <summary>What was trained and how it went, a sentence or two: the beginning of <c>report.txt</c>.</summary>
    public string Summary { get; private init; } = "";

    /// <summary>The epochs; null for a classifier that was fitted in one go.</summary>
    public TrainingCourse? Course { get; private init; }

    public IReadOnlyList<SkippedFile> Skipped { get; private init; } = [];

    /// <summary>How many of the validation and test photos are no longer where they were.</summary>
    public int MissingPhotos => Predictions.Images.Count(image => !PhotoFile.Exists(image.Path));

    /// <summary>The photos that it was trained on, where they still are; empty of a run that no request began.</summary>
    /// <exception cref="GraftException">Its photos are no longer there.</exception>
    public IReadOnlyList<string> TrainingPhotos() => Description?.Request is { Photos: not null } request
        ? [.. TrainingSetup.PhotosOf(request).Train.Select(image => image.FullPath)]
        : [];

    /// <summary>
    /// The same run with its photos in another folder: each under the path that it had within the old one or, if it is not there, where the
    /// folder holds one file of its name, or one whose folders are called most like the old ones (<c>roses/1.jpg</c>).
    /// </summary>
    /// <param name="folder">Where the photos lie now, whole or in part.</param>
    /// <exception cref="GraftException">There is no such folder, it cannot be read, or it holds none of the photos.</exception>
    public SavedRun WithPhotosIn(string folder)
    {
        if (!Directory.Exists(folder)) throw new GraftException($"There is no folder {folder}. Name the one that the photos lie in now.");
        var moved = new MovedPhotos(ResultDocument.FolderOf(Result.Data), folder);
        var found = 0;
        EvaluatedImage[] images = [.. Predictions.Images.Select(image =>
        {
            if (moved.Find(image.Path) is not { } path) return image;
            found++;
            return image with { Path = path };
        })];
        if (found == 0)
            throw new GraftException($"{folder} holds none of the run's {images.Length:N0} validation and test photos. They lay in {Result.Data}.");
        return new(Folder, Result with { Data = Path.GetFullPath(folder) }, Predictions with { Images = images })
        {
            Description = Description,
            Summary = Summary,
            Course = Course,
            Skipped = Skipped,
        };
    }

    /// <param name="predictions">Of a run that has just been saved, so that they need not be read; else null.</param>
    /// <exception cref="GraftException">It is no folder of a finished run, or a file in it is damaged.</exception>
    public static SavedRun Open(string folder, PredictionTable? predictions = null)
    {
        var file = Path.Combine(folder, "result.json");
        if (!Directory.Exists(folder)) throw new GraftException($"There is no run folder {folder}.");
        if (!File.Exists(file))
        {
            throw RunDescription.Load(folder) is not { } begun
                ? new GraftException($"{folder} holds no result.json: it is not the folder of a run.") { Code = "not-a-run", Remedy = "Name one that a training wrote." }
                : begun.Request is null ? new GraftException($"The run in {folder} is not finished. Start it again: {begun.Command()}")
                : new GraftException($"The run in {folder} is not finished.")
                {
                    Code = "run-not-finished",
                    Value = folder,
                    Remedy = $"Resume it with {nameof(TrainingRun)}.{nameof(TrainingRun.ResumeAsync)}.",
                };
        }
        try
        {
            var result = JsonSerializer.Deserialize<ResultDocument>(RegularFile.ReadAllText(file), RunFolder.Json) ?? throw new JsonException("it is empty.");
            if (result is { Classes: null or { Count: 0 } } or { Strategy: null or "" })
                throw new GraftException($"{file} is not the result of a run: it does not say what was trained.");
            // What a program or a person changed in the file.
            if (result.Data is null || result.Data.Contains('\0') || result.Images is null || result.Seconds is null || result.Backbone is null || result.Classifier is null
                || result.ClassImages is { Train: null } or { Validation: null } or { Test: null } || result.Map is { Variance: null } || result.Classes.Contains(null!))
            {
                throw new JsonException("something in it is missing, or is no path.");
            }
            predictions ??= PredictionTable.Load(folder, result.Classes);
            if (predictions is null || predictions.Of(PredictionTable.Validation).Count == 0)
            {
                throw new GraftException(
                    $"{folder} holds no predictions of its validation images: an older Graft trained it. Train it again to have a report of it.");
            }
            var report = Path.Combine(folder, "report.txt");
            return new(folder, result, predictions)
            {
                Description = RunDescription.Load(folder),
                Summary = File.Exists(report)
                    ? string.Join('\n', RegularFile.ReadLines(report).TakeWhile(line => line.Length > 0))
                    : "",
                Course = CourseOf(Path.Combine(folder, "history.csv"), result),
                Skipped = SkippedIn(Path.Combine(folder, "skipped.csv")),
            };
        }
        catch (JsonException problem)
        {
            throw new GraftException($"{file} is damaged: {problem.Message} Train the run again.", problem);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or FormatException or CsvFormatException or KeyNotFoundException)
        {
            throw new GraftException($"The run in {folder} cannot be read: {problem.Message}", problem);
        }
    }

    private static TrainingCourse? CourseOf(string file, ResultDocument result)
    {
        if (!File.Exists(file)) return null;
        var epochs = new List<EpochResult>();
        var stages = new List<(string Name, int FirstEpoch)>();
        // Nothing but numbers and plain words: no quotes to heed.
        var lines = RegularFile.ReadAllLines(file);
        var columns = lines.Length == 0 ? [] : lines[0].Split(',');
        foreach (var line in lines.Skip(1))
        {
            var cells = line.Split(',');
            string Cell(string column) => Array.IndexOf(columns, column) is >= 0 and var index && index < cells.Length
                ? cells[index]
                : throw new FormatException($"{file} has no {column} in '{line}'.");
            double Number(string column) => double.Parse(Cell(column), NumberStyles.Float, CultureInfo.InvariantCulture);
            var name = columns.Contains("stage") ? Cell("stage") : "";
            if (stages.Count == 0 || stages[^1].Name != name) stages.Add((name, epochs.Count + 1));
            epochs.Add(new(
                epochs.Count + 1, Number("loss"), Number("accuracy"), Number("val_loss"), Number("val_accuracy"), Number("learning_rate"),
                Number("seconds")));
        }
        if (epochs.Count == 0) return null;
        var best = stages[^1].FirstEpoch - 1 + ((result.Stages is [.., var last] ? last.Epochs : result.Epochs)?.Best ?? epochs.Count);
        return best >= 1 && best <= epochs.Count
            ? new(new(epochs, best), stages)
            : throw new FormatException($"{file} has {epochs.Count} epochs, of which the best is said to be number {best}.");
    }

    private static List<SkippedFile> SkippedIn(string file)
    {
        var files = new List<SkippedFile>();
        if (!File.Exists(file)) return files;
        RegularFile.Check(file);
        using var csv = CsvReader.FromFile(file, new() { Separator = ',' });
        while (csv.Read()) files.Add(new(csv.GetString("path"), csv.GetString("reason")));
        return files;
    }
}
