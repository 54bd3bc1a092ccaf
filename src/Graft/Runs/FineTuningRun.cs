using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Graft.Backbones;
using Graft.Checkpoints;
using Graft.Classifiers;
using Graft.Data;
using Graft.Evaluation;
using Graft.Evaluation.Charts;
using Graft.Features;
using Graft.Imaging;
using Graft.Training;

namespace Graft.Runs;

/// <summary>
/// A run that trains into a pretrained network: its stages, then validation and, once, at the end, test. With a run folder it can be killed at
/// any moment and gone on with.
/// </summary>
public sealed class FineTuningRun : IDisposable
{
    /// <summary>A flattened map can have tens of thousands, for each photo.</summary>
    private const int MostMappedFeatures = 16384;

    private FineTuningRun()
    {
    }

    /// <summary>The images as they were used: without those that could not be read.</summary>
    public required LabeledImages Photos { get; init; }

    public required ImageClassifier Model { get; init; }

    /// <summary>What each stage froze and how it went.</summary>
    public required IReadOnlyList<(TrainingStage Stage, TrainingHistory History)> Histories { get; init; }

    public required EvaluationResult Validation { get; init; }

    /// <summary>Null without test images.</summary>
    public required EvaluationResult? Test { get; init; }

    /// <summary>Of the validation and test images.</summary>
    public required PredictionTable Predictions { get; init; }

    /// <summary>What the head of the trained network sees of the validation and test images, on a plane; null where a number is none.</summary>
    public required FeatureMap? Map { get; init; }

    /// <summary>What tells the weights that training began with from any others, see <see cref="Backbone.Fingerprint"/>; null from scratch.</summary>
    public required string? PretrainedFingerprint { get; init; }

    public required FineTuningOptions Options { get; init; }

    /// <summary>Of this process: what a run that was gone on with took before is in its histories.</summary>
    public required double Seconds { get; init; }

    public required int CacheHits { get; init; }

    public required int CacheMisses { get; init; }

    /// <summary>What is wrong with the data, as far as it is quickly known.</summary>
    public required TrainingDataCheck DataCheck { get; init; }

    /// <param name="photos">The data; images that turn out to be broken are left out and listed.</param>
    /// <param name="model">A pretrained network with a new head. Must outlive the run; stays the caller's.</param>
    /// <param name="options">Null for <see cref="Strategy.FineTune"/> with its defaults.</param>
    /// <param name="cache">Where what frozen layers compute is looked up and kept; null to compute it.</param>
    /// <param name="folder">Where checkpoints and the history are written, and gone on from; null to write nothing.</param>
    /// <param name="callbacks">Told of every step and epoch.</param>
    /// <exception cref="GraftException">Nothing is left to train on, unsuitable options, or training diverged.</exception>
    public static FineTuningRun Execute(
        LabeledImages photos, GraftedNetwork model, FineTuningOptions? options = null, FeatureCache? cache = null, RunFolder? folder = null,
        IProgress<StepProgress>? progress = null, Action<string>? warn = null, IReadOnlyList<ITrainingCallback>? callbacks = null,
        CancellationToken cancellation = default)
    {
        options ??= FineTuningOptions.For(Strategy.FineTune);
        var clock = Stopwatch.StartNew();
        var checkpoints = folder is null ? null : Path.Combine(folder.FullName, "checkpoints");
        if (checkpoints is not null) PrepareCheckpoints(checkpoints);
        var stages = FineTuning.Stages(model, options).Count;
        using var events = folder is null ? null : new TensorBoardLog(Path.Combine(folder.FullName, "events"));
        events?.Graph(model.Network);
        var trained = FineTuning.Train(model, photos, options, new()
        {
            Cache = cache,
            Checkpoints = checkpoints,
            Progress = progress,
            Warn = warn,
            OnStage = stage =>
            {
                List<ITrainingCallback> all = [.. callbacks ?? []];
                if (progress is not null) all.Add(new ProgressReport(progress, stage, stages));
                if (events is not null)
                {
                    all.Add(new TensorBoardCallback(events, stage.Name));
                    AddSamples(events, stage, photos, model);
                }
                return all;
            },
        }, cancellation);

        var isVector = trained.Network.ShapeOf(trained.Boundary).IsVector;
        var classifier = ImageClassifier.Of(
            model.Backbone.Name, trained.Network, trained.Weights, model.Backbone.Preprocessing, photos.Classes, isVector ? trained.Boundary : null);
        // What is worth caching of a head on frozen layers is worth nothing of a trained network; but the map is drawn of what its head sees.
        var featureLayer = isVector ? trained.Boundary : trained.Network.Layers.Last(layer => !layer.Name.StartsWith("head.", StringComparison.Ordinal)).Name;
        var evaluated = trained.Network.ShapeOf(featureLayer).ElementCount > MostMappedFeatures
            ? classifier
            : ImageClassifier.Of(
                model.Backbone.Name, trained.Network, trained.Weights, model.Backbone.Preprocessing, photos.Classes, featureLayer);
        using var evaluatedToo = ReferenceEquals(evaluated, classifier) ? null : evaluated;
        var features = new List<float[]>();
        try
        {
            photos = trained.Photos;
            var validation = Evaluate(photos.Validation)!;
            var test = Evaluate(photos.Test);
            var temperature = ScaledCalibration.FitTemperature(validation);
            (validation, test) = (validation.WithTemperature(temperature), test?.WithTemperature(temperature));
            classifier.Temperature = temperature;
            var map = FeatureMap.Of(features);
            return new()
            {
                Photos = photos,
                Model = classifier,
                Histories = trained.Histories,
                Validation = validation,
                Test = test,
                Predictions = PredictionTable.Of(photos, validation, test, map),
                Map = map,
                PretrainedFingerprint = options.Strategy == Strategy.Scratch ? null : model.Backbone.Fingerprint,
                Options = options,
                Seconds = clock.Elapsed.TotalSeconds,
                CacheHits = trained.CacheHits,
                CacheMisses = trained.CacheMisses,
                DataCheck = TrainingDataCheck.Of(photos, cancellation),
            };
        }
        catch
        {
            classifier.Dispose();
            throw;
        }

        EvaluationResult? Evaluate(IReadOnlyList<LabeledImage> images)
        {
            if (images.Count == 0) return null;
            var predictions = evaluated.Predict(
                [.. images.Select(image => image.Path)], isVector ? cache : null, warn, progress, cancellation);
            if (predictions.Broken.Count > 0) photos = photos.WithSkipped(predictions.Broken);
            if (predictions.Read.Count == 0) return null;
            features.AddRange(predictions.Features);
            var labels = images.ToLookup(image => image.Path, image => image.Class);
            return EvaluationResult.Of(
                photos.Classes, [.. predictions.Read.Select(prediction => labels[prediction.Path].First())],
                [.. predictions.Read.Select(prediction => prediction.Probabilities)]);
        }
    }

    /// <summary>Writes <c>model.safetensors</c>, <c>history.csv</c>, <c>report.txt</c>, <c>predictions.csv</c>, <c>layers.txt</c>, learning curves (<c>loss.png</c>, <c>accuracy.png</c>) and, last, <c>result.json</c>.</summary>
    /// <exception cref="GraftException">The disk is full or fails.</exception>
    public void Save(RunFolder folder)
    {
        string In(string name) => Path.Combine(folder.FullName, name);
        try
        {
            Model.Save(In("model.safetensors"));
            File.WriteAllText(In("history.csv"), History());
            File.WriteAllText(In("report.txt"), Report());
            File.WriteAllText(In("layers.txt"), string.Join("\n\n", Histories.Select(entry =>
                $"Stage {entry.Stage.Number}, {entry.Stage.Name}\n{entry.Stage.Plan.ToText(everyLayer: true)}")) + "\n");
            var (course, boundaries) = Course();
            File.WriteAllBytes(In("loss.png"), LearningCurves.Loss(course, boundaries).ToPng());
            File.WriteAllBytes(In("accuracy.png"), LearningCurves.Accuracy(course, boundaries).ToPng());
            if (Photos.Skipped.Count > 0)
            {
                File.WriteAllLines(In("skipped.csv"), Photos.Skipped.Select(file => $"{Quoted(file.Path)},{Quoted(file.Reason)}").Prepend("path,reason"));
            }
            Predictions.Save(folder.FullName);
            File.WriteAllText(In("result.json.draft"), Result() + "\n");
            File.Move(In("result.json.draft"), In("result.json"), overwrite: true);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or CheckpointException)
        {
            throw new GraftException(
                $"The run cannot be saved in {folder.FullName}: {problem.Message} Free some space and go on with `graft train --resume {folder.FullName}`.",
                problem);
        }

        static string Quoted(string text) => $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
    }

    /// <summary>The machine-readable account of the run.</summary>
    public string Result() => JsonSerializer.Serialize(
        new
        {
            Backbone = Model.BackboneName,
            Strategy = Options.Strategy.ToString().ToLowerInvariant(),
            Classifier = "softmax",
            Photos.Classes,
            Histories[^1].Stage.Options.Training.Seed,
            Images = new { Train = Photos.Train.Count, Validation = Photos.Validation.Count, Test = Photos.Test.Count, Skipped = Photos.Skipped.Count },
            DataCheck,
            Data = Path.GetFullPath(Photos.Source),
            ClassImages = RunFolder.ClassImages(Photos),
            Weights = PretrainedFingerprint is { } fingerprint ? new Dictionary<string, string> { [Model.BackboneName] = fingerprint } : null,
            Map = Map is null ? null : new { Of = "features", Variance = Map.VarianceShares },
            Validation = RunFolder.Scores(Validation),
            Test = Test is null ? null : RunFolder.Scores(Test),
            Stages = Histories.Select(entry => new
            {
                entry.Stage.Name,
                Frozen = entry.Stage.Plan.FrozenParameters,
                Trainable = entry.Stage.Plan.TrainableParameters,
                Epochs = new { Trained = entry.History.Epochs.Count, Best = entry.History.BestEpoch },
                Seconds = Math.Round(entry.History.Epochs[^1].Seconds, 2),
            }),
            Seconds = new
            {
                Training = Math.Round(Histories.Sum(entry => entry.History.Epochs[^1].Seconds), 2),
                Total = Math.Round(Seconds, 2),
            },
            Cache = new { Hits = CacheHits, Misses = CacheMisses },
            Model = "model.safetensors",
        },
        RunFolder.Json);

    /// <summary>The account of the run for a person.</summary>
    public string Report()
    {
        var text = new StringBuilder();
        foreach (var (stage, history) in Histories)
        {
            var best = history.Epochs[history.BestEpoch - 1];
            text.AppendLine(CultureInfo.InvariantCulture,
                $"Stage {stage.Number}, {stage.Name}: {stage.Plan.Summary()}; {history.Epochs.Count} epochs in {history.Epochs[^1].Seconds:0.0} s, the best was {best.Epoch} with {100 * best.ValidationAccuracy:0.0} % on validation.");
        }
        RunFolder.Append(text, "Validation", Validation);
        if (Test is not null) RunFolder.Append(text, "Test", Test);
        return text.ToString();
    }

    public void Dispose() => Model.Dispose();

    /// <summary>All stages as one, the epochs numbered through, and the last epoch of each but the last stage.</summary>
    private (TrainingHistory History, IReadOnlyList<int> Boundaries) Course()
    {
        var epochs = new List<EpochResult>();
        var boundaries = new List<int>();
        var best = 0;
        foreach (var (_, history) in Histories)
        {
            if (epochs.Count > 0) boundaries.Add(epochs.Count);
            best = epochs.Count + history.BestEpoch;
            epochs.AddRange(history.Epochs.Select((epoch, index) => epoch with { Epoch = epochs.Count + index + 1 }).ToList());
        }
        return (new(epochs, best), boundaries);
    }

    private string History()
    {
        var text = new StringBuilder("stage,epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,seconds\n");
        foreach (var (stage, history) in Histories)
            foreach (var epoch in history.Epochs)
            {
                text.Append(CultureInfo.InvariantCulture,
                    $"{stage.Name},{epoch.Epoch},{epoch.Loss:R},{epoch.Accuracy:R},{epoch.ValidationLoss:R},{epoch.ValidationAccuracy:R},{epoch.LearningRate:R},{epoch.Seconds:0.000}\n");
            }
        return text.ToString();
    }

    /// <summary>A few photos, a row each, as training sees them in its first epochs.</summary>
    private static void AddSamples(TensorBoardLog events, TrainingStage stage, LabeledImages photos, GraftedNetwork model)
    {
        var rows = new List<IReadOnlyList<RgbImage>>();
        foreach (var photo in photos.Train.GroupBy(image => image.Class).Select(ofClass => ofClass.First()).Take(6))
        {
            try
            {
                var file = RegularFile.ReadAllBytes(photo.Path);
                var picture = ImageDecoder.Decode(file, model.Backbone.Preprocessing.Resize);
                var key = Augmentation.PictureKey(SHA256.HashData(file));
                rows.Add([.. Enumerable.Range(1, 4).Select(view => stage.Options.Augmentation.Apply(picture, stage.Options.Training.Seed, key, view))]);
            }
            catch (Exception problem) when (problem is UnreadableImageException or IOException or UnauthorizedAccessException)
            {
                // Another one will do; this one is told of where it is left out.
            }
        }
        if (rows.Count == 0) return;
        var sheet = ContactSheet.Of(rows);
        events.Image($"{stage.Name}/photos", 0, sheet.Width, sheet.Height, ContactSheet.ToPng(sheet));
    }

    /// <summary>Makes the folder, and removes what a killed process left half-written.</summary>
    private static void PrepareCheckpoints(string folder)
    {
        try
        {
            Directory.CreateDirectory(folder);
            foreach (var partial in Directory.EnumerateFiles(folder, "*.partial")) File.Delete(partial);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new GraftException($"Checkpoints cannot be written to {folder}: {problem.Message} Name another folder with --out.", problem);
        }
    }

    /// <summary>Loss, accuracy, images per second and time left, while it goes on.</summary>
    private sealed class ProgressReport(IProgress<StepProgress> progress, TrainingStage stage, int stages) : ITrainingCallback
    {
        private static readonly TimeSpan Interval = TimeSpan.FromSeconds(0.25);
        private readonly Stopwatch _clock = new();
        private TimeSpan _last;
        private int _images, _ofEpoch;
        private double _loss, _right;

        public void OnStart(TrainingProgress training) => _clock.Start();

        public void OnStep(TrainingProgress training, StepResult result)
        {
            if (result.Step == 1) (_ofEpoch, _loss, _right) = (0, 0, 0);
            _images += result.Images;
            _ofEpoch += result.Images;
            _loss += result.Loss * result.Images;
            _right += result.Accuracy * result.Images;
            // The last step is told with the validation.
            if (_clock.Elapsed - _last < Interval || result.Step == training.StepsPerEpoch) return;
            _last = _clock.Elapsed;
            var perSecond = _images / _clock.Elapsed.TotalSeconds;
            var left = ((training.Options.Epochs - result.Epoch + 1.0) * training.ImagesPerEpoch - _ofEpoch) / perSecond;
            Report(training, result.Epoch, _ofEpoch, string.Create(
                CultureInfo.InvariantCulture,
                $"loss {_loss / _ofEpoch:0.000}, accuracy {100 * _right / _ofEpoch:0.0} %, {perSecond:0.#} images/s, {Duration(left)} left"));
        }

        public void OnEpoch(TrainingProgress training, EpochResult epoch) => Report(training, epoch.Epoch, training.ImagesPerEpoch, string.Create(
            CultureInfo.InvariantCulture,
            $"loss {epoch.Loss:0.000}, accuracy {100 * epoch.Accuracy:0.0} %; validation: loss {epoch.ValidationLoss:0.000}, accuracy {100 * epoch.ValidationAccuracy:0.0} %; {_images / _clock.Elapsed.TotalSeconds:0.#} images/s"));

        private void Report(TrainingProgress training, int epoch, int done, string note) => progress.Report(new(
            $"{(stages > 1 ? $"Stage {stage.Number}, epoch" : "Epoch")} {epoch}/{training.Options.Epochs}", done, training.ImagesPerEpoch, "images", note));

        private static string Duration(double seconds) => seconds switch
        {
            < 100 => $"{seconds:0} s",
            < 6000 => $"{seconds / 60:0} min",
            _ => $"{seconds / 3600:0.0} h",
        };
    }
}
