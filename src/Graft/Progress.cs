namespace Graft;

/// <summary>How far a long step is.</summary>
/// <param name="Step">What is being done, for a person: "features".</param>
/// <param name="Done">Units done, of <paramref name="Total"/>.</param>
/// <param name="Total">Units in all.</param>
/// <param name="Unit">What is counted: "images", "epochs".</param>
/// <param name="Note">The state in a few words, such as the loss; may be empty.</param>
public sealed record StepProgress(string Step, int Done, int Total, string Unit, string Note = "")
{
    /// <summary>How training goes; null of other steps.</summary>
    public TrainingMeasures? Training { get; init; }
}

/// <summary>How a training goes.</summary>
/// <param name="Loss">Of the epoch so far, in nats.</param>
/// <param name="Accuracy">Of the epoch so far, from 0 to 1.</param>
/// <param name="ValidationLoss">Of a finished epoch, in nats.</param>
/// <param name="ValidationAccuracy">Of a finished epoch, from 0 to 1.</param>
/// <param name="ImagesPerSecond">Since the stage began.</param>
/// <param name="TimeLeft">At most, to the last epoch; null where it is not known yet.</param>
public sealed record TrainingMeasures(
    double Loss, double Accuracy, double? ValidationLoss, double? ValidationAccuracy, double ImagesPerSecond, TimeSpan? TimeLeft);
