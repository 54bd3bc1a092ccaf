using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Graft.Checkpoints;
using Graft.Data;
using Graft.Evaluation;
using Graft.Evaluation.Charts;
using Graft.Training;

namespace Graft.Runs;

/// <summary>A folder that holds a training run: the model, its results for a person and for a program, and its course.</summary>
public sealed class RunFolder
{
    /// <summary>How every JSON document for a person or a program is written: snake_case, indented.</summary>
    public static JsonSerializerOptions Json { get; } = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        WriteIndented = true,
    };

    private readonly bool _isNew;

    private RunFolder(string path, bool isNew) => (FullName, _isNew) = (path, isNew);

    /// <summary>The folder's path, as it was given.</summary>
    public string FullName { get; }

    /// <summary>
    /// A new, empty folder: <paramref name="path"/> or, if none is given, <c>runs/NAME</c>, with a number where that name is
    /// taken. Nothing that is there already is ever written over.
    /// </summary>
    /// <exception cref="GraftException">The folder exists and is not empty, or cannot be written.</exception>
    public static RunFolder Create(string? path, string name)
    {
        var folder = path ?? Enumerable.Range(1, int.MaxValue)
            .Select(number => Path.Combine("runs", number == 1 ? name : $"{name}-{number}"))
            .First(candidate => !Path.Exists(candidate));
        var isNew = !Directory.Exists(folder);
        try
        {
            if (!isNew && Directory.EnumerateFileSystemEntries(folder).Any())
                throw new GraftException($"The folder {folder} is not empty; a run never writes over files. Name another one with --out.");
            Directory.CreateDirectory(folder);
            // Better to learn now than after the training that nothing can be written here.
            var probe = Path.Combine(folder, ".writable");
            File.WriteAllBytes(probe, []);
            File.Delete(probe);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new GraftException($"The run folder {folder} cannot be written: {problem.Message} Name another one with --out.", problem);
        }
        return new(folder, isNew);
    }

    /// <summary>The folder of a run that was begun.</summary>
    /// <exception cref="GraftException">There is no such folder.</exception>
    public static RunFolder Open(string path) =>
        Directory.Exists(path) ? new(path, isNew: false) : throw new GraftException($"There is no run folder {path}.");

    /// <summary>Writes <c>model.safetensors</c>, <c>result.json</c>, <c>report.txt</c>, <c>predictions.csv</c>, <c>history.csv</c> if there were epochs,
    /// where files were skipped <c>skipped.csv</c>, and <c>run.json</c> if it is known how the run was begun.</summary>
    /// <exception cref="GraftException">The disk is full or fails.</exception>
    public void Save(TrainingRun run, RunDescription? description = null)
    {
        try
        {
            run.Model.Save(Path.Combine(FullName, "model.safetensors"));
            if (run.History is { } history) File.WriteAllText(Path.Combine(FullName, "history.csv"), History(history));
            File.WriteAllText(Path.Combine(FullName, "report.txt"), Report(run));
            if (run.Photos.Skipped.Count > 0) File.WriteAllText(Path.Combine(FullName, "skipped.csv"), Skipped(run.Photos.Skipped));
            run.Predictions.Save(FullName);
            description?.Save(this);
            // Last, and whole or not at all, so that a result.json means a complete run.
            var draft = Path.Combine(FullName, "result.json.draft");
            File.WriteAllText(draft, Result(run) + "\n");
            File.Move(draft, Path.Combine(FullName, "result.json"));
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or CheckpointException)
        {
            throw new GraftException(
                $"The run cannot be saved in {FullName}: {problem.Message} Free some space and repeat the command; the features are kept.", problem);
        }
    }

    /// <summary>Writes <c>report.txt</c>, <c>predictions.csv</c> and charts (PNG) of a model's evaluation.</summary>
    /// <param name="report">The account for a person.</param>
    /// <param name="result">What the charts show.</param>
    /// <param name="predictions">Of the images that the charts show.</param>
    /// <exception cref="GraftException">The disk is full or fails.</exception>
    public void SaveEvaluation(string report, EvaluationResult result, PredictionTable predictions)
    {
        try
        {
            File.WriteAllText(Path.Combine(FullName, "report.txt"), report);
            predictions.Save(FullName);
            foreach (var (name, chart) in (ReadOnlySpan<(string, Chart)>)
                [
                    ("confusion", ResultCharts.Confusion(result.Confusion)), ("classes", ResultCharts.ClassScores(result.Report)),
                    ("calibration", ResultCharts.Reliability(result)), ("roc", ResultCharts.Roc(result)),
                    ("precision-recall", ResultCharts.PrecisionRecall(result)),
                ])
            {
                File.WriteAllBytes(Path.Combine(FullName, $"{name}.png"), chart.ToPng());
            }
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new GraftException($"The evaluation cannot be saved in {FullName}: {problem.Message} Free some space or name another --out.", problem);
        }
    }

    /// <summary>Writes <c>run.json</c>: how the run was begun.</summary>
    /// <exception cref="GraftException">The disk is full or fails.</exception>
    public void Save(RunDescription description)
    {
        try
        {
            description.Save(this);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new GraftException($"The run cannot be saved in {FullName}: {problem.Message} Free some space or name another --out.", problem);
        }
    }

    /// <summary>Writes <c>learning_rates.csv</c> and <c>learning_rates.png</c> of a sweep.</summary>
    /// <exception cref="GraftException">The disk is full or fails.</exception>
    public void Save(LearningRateSweep sweep)
    {
        try
        {
            File.WriteAllLines(Path.Combine(FullName, "learning_rates.csv"), sweep.Trials
                .Select(trial => string.Create(CultureInfo.InvariantCulture, $"{trial.LearningRate:R},{trial.Loss:R},{trial.SmoothedLoss:R}"))
                .Prepend("learning_rate,loss,smoothed_loss"));
            File.WriteAllBytes(Path.Combine(FullName, "learning_rates.png"), LearningCurves.Sweep(sweep).ToPng());
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new GraftException($"The sweep cannot be saved in {FullName}: {problem.Message} Free some space or name another --out.", problem);
        }
    }

    /// <summary>Removes the folder if it was made for this run and nothing came to be written in it.</summary>
    public void DeleteIfEmpty()
    {
        if (_isNew && Directory.Exists(FullName) && !Directory.EnumerateFileSystemEntries(FullName).Any()) Directory.Delete(FullName);
    }

    /// <summary>The machine-readable account of a run, as <c>result.json</c> has it.</summary>
    public static string Result(TrainingRun run) => JsonSerializer.Serialize(
        new
        {
            Backbone = run.Model.BackboneName,
            Strategy = "features",
            Classifier = run.Classifier?.Name ?? "softmax",
            Fit = run.Classifier?.Facts,
            run.Photos.Classes,
            run.Seed,
            Images = new
            {
                Train = run.Photos.Train.Count,
                Validation = run.Photos.Validation.Count,
                Test = run.Photos.Test.Count,
                Skipped = run.Photos.Skipped.Count,
            },
            Data = Path.GetFullPath(run.Photos.Source),
            ClassImages = ClassImages(run.Photos),
            run.Weights,
            Features = run.Model.Network.ShapeOf(run.Model.FeatureLayer!).ElementCount,
            run.DataCheck,
            Map = run.Map is { } map ? new { Of = "features", Variance = map.VarianceShares } : null,
            Validation = Scores(run.Validation),
            Test = run.Test is null ? null : Scores(run.Test),
            ValidationWithoutViews = run.ValidationWithoutViews is { } without ? Scores(without) : null,
            Epochs = run.History is null ? null : new { Trained = run.History.Epochs.Count, Best = run.History.BestEpoch },
            Seconds = new
            {
                Features = Math.Round(run.Seconds.Features, 2),
                Training = Math.Round(run.Seconds.Training, 2),
                Total = Math.Round(run.Seconds.Total, 2),
            },
            Cache = new { Hits = run.CacheHits, Misses = run.CacheMisses },
            Model = "model.safetensors",
        },
        Json);

    /// <summary>The account of a run for a person, as <c>report.txt</c> has it.</summary>
    public static string Report(TrainingRun run)
    {
        var text = new StringBuilder();
        text.AppendLine(run.History is { } history
            ? string.Create(
                CultureInfo.InvariantCulture,
                $"Trained a softmax head on {run.Model.BackboneName}: {history.Epochs.Count} epochs, the best was {history.BestEpoch}.")
            : $"Fitted on {run.Model.BackboneName}: {run.Classifier!.Account}.");
        if (run.ValidationWithoutViews is { } without)
        {
            text.AppendLine(CultureInfo.InvariantCulture,
                $"Augmented views: accuracy {100 * run.Validation.Accuracy:0.0} % on validation with them, {100 * without.Accuracy:0.0} % without; loss {run.Validation.Loss:0.000}, {without.Loss:0.000} without.");
        }
        Append(text, "Validation", run.Validation);
        if (run.Test is not null) Append(text, "Test", run.Test);
        return text.ToString();
    }

    /// <summary>Accuracy, macro F1, how far they can be trusted, and the table of classes.</summary>
    public static void Append(StringBuilder text, string title, EvaluationResult result)
    {
        text.AppendLine();
        var (accuracy, macroF1) = (result.AccuracyInterval, result.MacroF1Interval);
        text.AppendLine(CultureInfo.InvariantCulture,
            $"{title}: accuracy {100 * result.Accuracy:0.0} %, macro F1 {result.MacroF1:0.000}, loss {result.Loss:0.000} on {result.Count:N0} image{(result.Count == 1 ? "" : "s")}");
        text.AppendLine(CultureInfo.InvariantCulture,
            $"  95 of 100 such sets of images: accuracy {100 * accuracy.Low:0.0} to {100 * accuracy.High:0.0} %, macro F1 {macroF1.Low:0.000} to {macroF1.High:0.000}");
        text.Append("  ");
        if (!double.IsNaN(result.RocAuc)) text.Append(CultureInfo.InvariantCulture, $"area under ROC {result.RocAuc:0.000}, ");
        if (result.Confusion.Classes.Count > 5) text.Append(CultureInfo.InvariantCulture, $"top-5 accuracy {100 * result.TopKAccuracy(5):0.0} %, ");
        text.AppendLine(CultureInfo.InvariantCulture,
            $"Brier score {result.Calibration.BrierScore:0.000}, expected calibration error {result.Calibration.ExpectedCalibrationError:0.000}");
        if (result.Scaled is { } scaled)
        {
            text.AppendLine(CultureInfo.InvariantCulture,
                $"  with temperature {scaled.Temperature:0.00}, fitted on validation: expected calibration error {scaled.Calibration.ExpectedCalibrationError:0.000}");
        }
        text.AppendLine();
        text.AppendLine(result.Report.ToText(digits: 3).TrimEnd());
    }

    /// <summary>A result's figures, as <c>result.json</c> and <c>graft evaluate --json</c> have them.</summary>
    public static JsonObject Scores(EvaluationResult result) => ToJson(new
    {
        result.Accuracy,
        result.MacroF1,
        result.Loss,
        AccuracyInterval = (double[])[result.AccuracyInterval.Low, result.AccuracyInterval.High],
        MacroF1Interval = (double[])[result.MacroF1Interval.Low, result.MacroF1Interval.High],
        RocAuc = double.IsNaN(result.RocAuc) ? (double?)null : result.RocAuc,
        result.Calibration.BrierScore,
        result.Calibration.ExpectedCalibrationError,
        result.Scaled?.Temperature,
        ScaledCalibrationError = result.Scaled?.Calibration.ExpectedCalibrationError,
    });

    /// <summary>How many images of each class there are in each part of the data, as <c>result.json</c> has it.</summary>
    internal static object ClassImages(LabeledImages photos)
    {
        return new { Train = Of(photos.Train), Validation = Of(photos.Validation), Test = Of(photos.Test) };

        int[] Of(IReadOnlyList<LabeledImage> images)
        {
            var counts = new int[photos.Classes.Count];
            foreach (var image in images) counts[image.Class]++;
            return counts;
        }
    }

    /// <summary>A value as a JSON object with the names that <see cref="Json"/> gives its properties.</summary>
    public static JsonObject ToJson(object value) => JsonSerializer.SerializeToNode(value, Json)!.AsObject();

    private static string History(TrainingHistory history)
    {
        var text = new StringBuilder("epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,seconds\n");
        foreach (var epoch in history.Epochs)
        {
            text.Append(CultureInfo.InvariantCulture,
                $"{epoch.Epoch},{epoch.Loss:R},{epoch.Accuracy:R},{epoch.ValidationLoss:R},{epoch.ValidationAccuracy:R},{epoch.LearningRate:R},{epoch.Seconds:0.000}\n");
        }
        return text.ToString();
    }

    private static string Skipped(IEnumerable<SkippedFile> files) =>
        "path,reason\n" + string.Concat(files.Select(file => $"{Quoted(file.Path)},{Quoted(file.Reason)}\n"));

    private static string Quoted(string text) => $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
}
