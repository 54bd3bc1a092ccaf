using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Graft.Checkpoints;
using Graft.Evaluation;
using Graft.Evaluation.Charts;
using Graft.Runs.Reports;
using Graft.Training;

namespace Graft.Runs;

/// <summary>
/// A folder that holds a training run: the model, its results for a person and for a program, and its history. One process at a time trains in it.
/// </summary>
public sealed class RunFolder : IDisposable
{
    internal const string ModelFile = "model.safetensors", ResultFile = "result.json";

    private const string LockFile = ".lock", AnotherFolder = "Name another folder.";

    /// <summary>How every JSON document for a person or a program is written: snake_case, indented.</summary>
    public static JsonSerializerOptions Json { get; } = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        WriteIndented = true,
        // A number that is not finite must not break a document off in the middle.
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    private readonly bool _isNew;
    private bool _isResumed;
    private FileLock? _lock;

    private RunFolder(string path, bool isNew) => (FullName, _isNew) = (path, isNew);

    /// <summary>The folder's path, as it was given.</summary>
    public string FullName { get; }

    /// <summary>Whether there is a result, so that there is nothing to resume.</summary>
    public bool IsComplete => File.Exists(In(ResultFile));

    /// <summary>
    /// A new, empty folder: <paramref name="path"/> or, if none is given, <c>runs/NAME</c>, with a number where that name is
    /// taken. Nothing that is there already is ever written over.
    /// </summary>
    /// <exception cref="GraftException">The folder exists and is not empty, or cannot be written.</exception>
    public static RunFolder Create(string? path, string name)
    {
        var folder = path ?? Enumerable.Range(1, int.MaxValue)
            .Select(number => Path.Combine("runs", OutputFolder.SafeName(number == 1 ? name : $"{name}-{number}")))
            .First(candidate => !Path.Exists(candidate));
        var isNew = !Directory.Exists(folder);
        try
        {
            if (!isNew && Directory.EnumerateFileSystemEntries(folder).Any())
                throw new GraftException($"The folder {folder} is not empty; a run never overwrites files.") { Code = "run-folder", Remedy = AnotherFolder };
            Directory.CreateDirectory(folder);
            // Better to learn now than after the training that nothing can be written here.
            var probe = Path.Combine(folder, ".writable");
            File.WriteAllBytes(probe, []);
            File.Delete(probe);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new GraftException($"The run folder {folder} cannot be written: {problem.Message}", problem) { Code = "run-folder", Remedy = AnotherFolder };
        }
        return new(folder, isNew);
    }

    /// <summary>The folder of a run that was started.</summary>
    /// <exception cref="GraftException">There is no such folder.</exception>
    public static RunFolder Open(string path) =>
        Directory.Exists(path) ? new(path, isNew: false) : throw new GraftException($"There is no run folder {path}.");

    /// <summary>The folder of an interrupted run, and how that was started; the folder is the caller's to dispose.</summary>
    /// <exception cref="GraftException">There is no such folder, it cannot be resumed, or it is complete.</exception>
    public static ResumedRun Resume(string path)
    {
        var folder = Open(path);
        var description = RunDescription.Load(path)
            ?? throw new GraftException($"{path} holds no {RunDescription.FileName}: this run cannot be resumed. Start a new run.");
        if (folder.IsComplete) throw new GraftException($"The run in {path} is complete: there is nothing to resume.");
        folder._isResumed = true;
        return new(folder, description);
    }

    /// <summary>Keeps others from training in the folder until it is disposed, and writes <c>run.json</c> unless the run is resumed.</summary>
    /// <exception cref="GraftException">Another process trains in it, another run was started in it, or it cannot be written.</exception>
    public void Begin(TrainingRequest request)
    {
        Write("The run", () => _lock ??= FileLock.TryTake(In(LockFile)));
        if (_lock is null) throw new GraftException($"Another process trains in {FullName}. Wait for it, or name another folder.");
        if (_isResumed) return;
        if (File.Exists(In(RunDescription.FileName)) || IsComplete)
            throw new GraftException($"Another run was started in {FullName}.") { Code = "run-folder", Remedy = AnotherFolder };
        Write("The run", () => WholeFile.Write(In(RunDescription.FileName), RunDescription.Of(request).ToJson()));
    }

    /// <summary>The folder of checkpoints, made if need be and cleared of what a killed process left half-written.</summary>
    /// <exception cref="GraftException">It cannot be written.</exception>
    internal string PrepareCheckpoints()
    {
        var folder = In("checkpoints");
        Write("Checkpoints", () =>
        {
            Directory.CreateDirectory(folder);
            foreach (var partial in Directory.EnumerateFiles(folder, "*.partial")) File.Delete(partial);
        });
        return folder;
    }

    /// <summary>
    /// Writes <c>model.safetensors</c>, <c>report.txt</c>, <c>photos.csv</c>, <c>predictions.csv</c>; where there were epochs <c>history.csv</c>, <c>layers.txt</c>,
    /// <c>loss.png</c> and <c>accuracy.png</c>; where files were skipped <c>skipped.csv</c>; of unlabeled photos <c>pseudo_labels.csv</c>; and, last, <c>result.json</c>: where that is, the run
    /// is whole.
    /// </summary>
    /// <param name="page">Whether <c>report.html</c> is written too.</param>
    /// <param name="warn">Told if the page alone cannot be written.</param>
    /// <exception cref="GraftException">The disk is full or fails, or another run's result is there.</exception>
    public void Save(TrainingRun run, bool page = false, Action<string>? warn = null)
    {
        try
        {
            if (IsComplete) throw new IOException($"there is a {ResultFile} already.");
            run.Model.Save(In(ModelFile));
            WholeFile.Write(In("report.txt"), RunText.Report(run), replaces: true);
            if (run.Stages.Count > 0)
            {
                WholeFile.Write(In("history.csv"), RunText.History(run), replaces: true);
                WholeFile.Write(In("layers.txt"), RunText.Layers(run), replaces: true);
                var course = TrainingCourse.Of(run.Stages);
                WholeFile.Write(In("loss.png"), LearningCurves.Loss(course.History, course.Boundaries).ToPng(), replaces: true);
                WholeFile.Write(In("accuracy.png"), LearningCurves.Accuracy(course.History, course.Boundaries).ToPng(), replaces: true);
            }
            if (run.Photos.Skipped.Count > 0) CsvFile.Write(In("skipped.csv"), ["path", "reason"], run.Photos.Skipped.Select(file => (object?[])[file.Path, file.Reason]), replaces: true);
            RunPhotos.Save(run, FullName);
            if (run.Unlabeled is { } unlabeled) PseudoLabels.Save(unlabeled, run.Photos.Classes, FullName);
            run.Predictions.Save(FullName);
            WholeFile.Write(In(ResultFile), RunText.Result(run) + "\n");
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or CheckpointException)
        {
            throw new GraftException(
                $"The run cannot be saved in {FullName}: {problem.Message} Free some space and resume the run; what was computed is kept.", problem);
        }
        if (page) WritePage(run.Predictions, warn);
    }

    private void WritePage(PredictionTable predictions, Action<string>? warn)
    {
        try
        {
            // With few photos, so that it costs next to nothing.
            RunReport.Write(SavedRun.Open(FullName, predictions), options: new() { Misclassified = 15, LeastCertain = 5, HeatMaps = 0 });
        }
        catch (GraftException problem)
        {
            // The run is saved; what is missing is one command away.
            warn?.Invoke($"{problem.Message} Once that is mended, the report of {FullName} can be written again.");
        }
    }

    /// <summary>Writes <c>report.txt</c>, <c>predictions.csv</c> and charts (PNG) of a model's evaluation.</summary>
    /// <param name="report">A summary for a person.</param>
    /// <param name="result">What the charts show.</param>
    /// <param name="predictions">Of the images that the charts show.</param>
    /// <exception cref="GraftException">The disk is full or fails.</exception>
    public void SaveEvaluation(string report, EvaluationResult result, PredictionTable predictions)
    {
        Write("The evaluation", () =>
        {
            WholeFile.Write(In("report.txt"), report);
            predictions.Save(FullName);
            foreach (var (name, chart) in (ReadOnlySpan<(string, Chart)>)
                [
                    ("confusion", ResultCharts.Confusion(result.Confusion)), ("classes", ResultCharts.ClassScores(result.Report)),
                    ("calibration", ResultCharts.Reliability(result)), ("roc", ResultCharts.Roc(result)),
                    ("precision-recall", ResultCharts.PrecisionRecall(result)),
                ])
            {
                WholeFile.Write(In($"{name}.png"), chart.ToPng());
            }
        });
    }

    /// <summary>Writes <c>learning_rates.csv</c> and <c>learning_rates.png</c> of a sweep.</summary>
    /// <exception cref="GraftException">The disk is full or fails.</exception>
    public void Save(LearningRateSweep sweep)
    {
        Write("The sweep", () =>
        {
            WholeFile.Write(In("learning_rates.csv"), string.Concat(sweep.Trials
                .Select(trial => string.Create(CultureInfo.InvariantCulture, $"{trial.LearningRate:R},{trial.Loss:R},{trial.SmoothedLoss:R}"))
                .Prepend("learning_rate,loss,smoothed_loss").Select(line => line + "\n")));
            WholeFile.Write(In("learning_rates.png"), LearningCurves.Sweep(sweep).ToPng());
        });
    }

    /// <summary>Removes the folder if it was made for this run and nothing came to be written in it.</summary>
    public void DeleteIfEmpty()
    {
        if (_isNew && Directory.Exists(FullName) && !Directory.EnumerateFileSystemEntries(FullName).Any()) Directory.Delete(FullName);
    }

    public void Dispose() => _lock?.Dispose();

    /// <summary>A value as a JSON object with the names that <see cref="Json"/> gives its properties.</summary>
    public static JsonObject ToJson(object value) => JsonSerializer.SerializeToNode(value, value.GetType(), Json)!.AsObject();

    private string In(string name) => Path.Combine(FullName, name);

    private void Write(string what, Action write)
    {
        try
        {
            write();
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new GraftException($"{what} cannot be written in {FullName}: {problem.Message} Free some space, or name another folder.", problem);
        }
    }
}

/// <summary>An interrupted run that is about to be resumed. Owns the folder.</summary>
public sealed record ResumedRun(RunFolder Folder, RunDescription Description) : IDisposable
{
    public void Dispose() => Folder.Dispose();
}
