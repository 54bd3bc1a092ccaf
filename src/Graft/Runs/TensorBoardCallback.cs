using Graft.Training;

namespace Graft.Runs;

/// <summary>
/// Writes the course of a training for TensorBoard: the loss of each step; loss, accuracy and learning rate of each epoch, for training and
/// validation; and every so many epochs a histogram of each trained tensor of weights.
/// </summary>
/// <param name="log">Stays the caller's.</param>
/// <param name="stage">What the tags begin with.</param>
/// <param name="histogramEpochs">Histograms are written after the first epoch and each of so many. Default 5.</param>
public sealed class TensorBoardCallback(TensorBoardLog log, string stage, int histogramEpochs = 5) : ITrainingCallback
{
    public void OnStep(TrainingProgress training, StepResult result) =>
        log.Scalar($"{stage}/step/loss", (result.Epoch - 1L) * training.StepsPerEpoch + result.Step, result.Loss);

    public void OnEpoch(TrainingProgress training, EpochResult epoch)
    {
        log.Scalar($"{stage}/loss/train", epoch.Epoch, epoch.Loss);
        log.Scalar($"{stage}/loss/validation", epoch.Epoch, epoch.ValidationLoss);
        log.Scalar($"{stage}/accuracy/train", epoch.Epoch, epoch.Accuracy);
        log.Scalar($"{stage}/accuracy/validation", epoch.Epoch, epoch.ValidationAccuracy);
        log.Scalar($"{stage}/learning_rate", epoch.Epoch, epoch.LearningRate);
        if (epoch.Epoch != 1 && epoch.Epoch % histogramEpochs != 0) return;
        foreach (var parameter in training.Network.Network.Parameters.Where(parameter => training.Network.Learns(parameter)))
        {
            var values = new float[parameter.ElementCount];
            training.Network.Read(parameter, values);
            log.Histogram($"{stage}/weights/{parameter.Key}", epoch.Epoch, values);
        }
    }
}
