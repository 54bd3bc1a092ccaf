using System.Diagnostics;
using System.Globalization;
using Graft.Training;

namespace Graft.Runs;

/// <summary>Reports loss, accuracy, images per second and time left while a stage trains.</summary>
/// <param name="stages">How many there are.</param>
/// <param name="byEpoch">Whether epochs are counted instead of the images of each: where an epoch takes milliseconds.</param>
internal sealed class TrainingProgressReport(IProgress<StepProgress> progress, TrainingStage stage, int stages, bool byEpoch) : ITrainingCallback
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(0.25);
    private readonly Stopwatch _clock = new();
    private TimeSpan _last;
    private int _images, _ofEpoch;
    private double _loss, _correct;

    public void OnStart(TrainingProgress training) => _clock.Start();

    public void OnStep(TrainingProgress training, StepResult result)
    {
        if (result.Step == 1) (_ofEpoch, _loss, _correct) = (0, 0, 0);
        _images += result.Images;
        _ofEpoch += result.Images;
        _loss += result.Loss * result.Images;
        _correct += result.Accuracy * result.Images;
        // The last step is told with the validation.
        if (byEpoch || _clock.Elapsed - _last < Interval || result.Step == training.StepsPerEpoch) return;
        _last = _clock.Elapsed;
        var left = TimeSpan.FromSeconds(((training.Options.Epochs - result.Epoch + 1.0) * training.ImagesPerEpoch - _ofEpoch) / ImagesPerSecond);
        TrainingMeasures measures = new(_loss / _ofEpoch, _correct / _ofEpoch, null, null, ImagesPerSecond, left);
        Report(training, result.Epoch, _ofEpoch, measures, string.Create(
            CultureInfo.InvariantCulture,
            $"loss {measures.Loss:0.000}, accuracy {100 * measures.Accuracy:0.0} %, {ImagesPerSecond:0.#} images/s, {Duration(left)} left"));
    }

    public void OnEpoch(TrainingProgress training, EpochResult epoch)
    {
        var left = TimeSpan.FromSeconds((training.Options.Epochs - epoch.Epoch) * (double)training.ImagesPerEpoch / ImagesPerSecond);
        TrainingMeasures measures = new(epoch.Loss, epoch.Accuracy, epoch.ValidationLoss, epoch.ValidationAccuracy, ImagesPerSecond, left);
        if (byEpoch)
        {
            progress.Report(new(
                "Training", epoch.Epoch, training.Options.Epochs, "epochs",
                string.Create(CultureInfo.InvariantCulture, $"validation: loss {epoch.ValidationLoss:0.000}, accuracy {100 * epoch.ValidationAccuracy:0.0} %"))
            { Training = measures });
            return;
        }
        Report(training, epoch.Epoch, training.ImagesPerEpoch, measures, string.Create(
            CultureInfo.InvariantCulture,
            $"loss {epoch.Loss:0.000}, accuracy {100 * epoch.Accuracy:0.0} %; validation: loss {epoch.ValidationLoss:0.000}, accuracy {100 * epoch.ValidationAccuracy:0.0} %; {ImagesPerSecond:0.#} images/s"));
    }

    private double ImagesPerSecond => _images / _clock.Elapsed.TotalSeconds;

    private void Report(TrainingProgress training, int epoch, int done, TrainingMeasures measures, string note) => progress.Report(new(
        $"{(stages > 1 ? $"Stage {stage.Number}, epoch" : "Epoch")} {epoch}/{training.Options.Epochs}", done, training.ImagesPerEpoch, "images", note)
    { Training = measures });

    private static string Duration(TimeSpan time) => time.TotalSeconds switch
    {
        < 100 => $"{time.TotalSeconds:0} s",
        < 6000 => $"{time.TotalMinutes:0} min",
        _ => $"{time.TotalHours:0.0} h",
    };
}
