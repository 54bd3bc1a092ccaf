using System.Globalization;
using System.Text;
using System.Text.Json;
using Graft.Classifiers;
using Graft.Evaluation;

namespace Graft.Runs;

/// <summary>A run in words, tables and JSON, as its files have it.</summary>
public static class RunText
{
    /// <summary>Below them, photos of none of the classes are hardly told: the area under ROC, and the share of them that is called unlike.</summary>
    private const double LeastArea = 0.7, LeastRefused = 0.5;

    /// <summary>A run's results for a program, as <c>result.json</c> has them.</summary>
    public static string Result(TrainingRun run) => JsonSerializer.Serialize(ResultDocument.Of(run), RunFolder.Json);

    /// <summary>A result's figures as JSON.</summary>
    public static System.Text.Json.Nodes.JsonObject Scores(EvaluationResult result) => RunFolder.ToJson(Runs.Scores.Of(result));

    /// <summary>A run for a person, as <c>report.txt</c> has it.</summary>
    public static string Report(TrainingRun run)
    {
        var text = new StringBuilder();
        if (run.Classifier is { } classifier)
        {
            text.AppendLine($"Fitted on {run.Model.BackboneName}: {classifier.Summary}.");
            if (run.Unlabeled is { } unlabeled) text.AppendLine(unlabeled.Summary);
            if (run.Plan.Refit) text.AppendLine("After measuring, it was fitted again on the training and validation images together; the figures are of the fit before.");
        }
        else if (run.Plan.Options.Strategy == Training.Strategy.Features)
        {
            text.AppendLine(CultureInfo.InvariantCulture,
                $"Trained a softmax head on {run.Model.BackboneName}: {run.History!.Epochs.Count} epochs, the best was {run.History.BestEpoch}.");
        }
        else
        {
            if (run.Teacher is { } teacher)
            {
                var unlabeled = teacher.Unlabeled == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $", and its answers to {teacher.Unlabeled:N0} photos without labels");
                text.AppendLine($"Learned from a teacher on {teacher.Backbone}: {run.Plan.Options.Distillation.Sentence}{unlabeled}.");
            }
            else if (run.More.Count > 0)
            {
                var look = run.Plan.CoralWeight == 0 ? "pooled" : string.Create(CultureInfo.InvariantCulture, $"made to look alike by Deep CORAL, weight {run.Plan.CoralWeight}");
                text.AppendLine(CultureInfo.InvariantCulture, $"Learned from {run.More.Count:N0} more photos: both sources {look}.");
            }
            if (run.LinearProbe is { } probe)
                text.AppendLine(CultureInfo.InvariantCulture, $"Head, fitted on frozen features first: {probe.Summary}; {100 * probe.Validation.Accuracy:0.0} % on validation.");
            foreach (var (stage, history) in run.Stages)
            {
                var best = history.Epochs[history.BestEpoch - 1];
                text.AppendLine(CultureInfo.InvariantCulture,
                    $"Stage {stage.Number}, {stage.Name}: {stage.Plan.Summary()}; {history.Epochs.Count} epochs in {history.Epochs[^1].Seconds:0.0} s, the best was {best.Epoch} with {100 * best.ValidationAccuracy:0.0} % on validation.");
            }
        }
        if (run.ValidationWithoutViews is { } without)
        {
            text.AppendLine(CultureInfo.InvariantCulture,
                $"Augmented views: accuracy {100 * run.Validation.Accuracy:0.0} % on validation with them, {100 * without.Accuracy:0.0} % without; loss {run.Validation.Loss:0.000}, {without.Loss:0.000} without.");
        }
        if (Sentence(run.Model) is { } sentence) text.AppendLine(sentence);
        if (Doubt(run.Model.Novelty, run.Model.Refuse) is { } doubt) text.AppendLine(doubt);
        Append(text, "Validation", run.Validation);
        if (run.Test is not null) Append(text, "Test", run.Test);
        return text.ToString();
    }

    /// <summary>How a model tells photos of none of its classes; null where it does not.</summary>
    internal static string? Sentence(ImageClassifier model)
    {
        if (model.Novelty is not { } novelty) return null;
        if (novelty.Cut(model.Refuse) is null)
            return string.Create(CultureInfo.InvariantCulture, $"None of these: with {novelty.ValidationCount} validation photos it cannot be said which photos are unlike them. {Math.Ceiling(1 / model.Refuse) - 1:0} are needed for a share of {model.Refuse} refused.");
        var far = novelty.Measure == NoveltyMeasure.Neighbors ? "their nearest training photos" : "all class means";
        var refused = novelty.RefusedOthers(model.Refuse) is { } share ? string.Create(CultureInfo.InvariantCulture, $", {100 * share:0} % of them called unlike") : "";
        var area = novelty.RocAuc.TryGetValue(novelty.Measure, out var value) ? string.Create(CultureInfo.InvariantCulture, $"; tried on {(novelty.Others > 0 ? $"{novelty.Others:N0} photos of none of the classes" : "classes left out")}, area under ROC {value:0.00}{refused}") : "";
        return string.Create(CultureInfo.InvariantCulture, $"None of these: photos far from {far} are called unlike, at most {100 * model.Refuse:0.##} of 100 like the validation photos{area}.");
    }

    /// <summary>That a run's own photos of none of its classes are hardly told, and what to do; null where they are, or there are none.</summary>
    internal static string? Doubt(Novelty? novelty, double refuse)
    {
        if (novelty is not { Others: > 0 } || !novelty.RocAuc.TryGetValue(novelty.Measure, out var area)) return null;
        var refused = novelty.RefusedOthers(refuse);
        if (area >= LeastArea && refused is null or >= LeastRefused) return null;
        var told = refused is { } share ? string.Create(CultureInfo.InvariantCulture, $"{100 * share:0} % of them are called unlike, ") : "";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"The {novelty.Others:N0} photos of none of the classes are hardly told from the others: {told}area under ROC {area:0.00}, where 0.5 is chance. To this network they look like photos of the classes. Refuse a larger share, or make them a class of their own: give their folder another name, such as not_these, and balance the class weights.");
    }

    /// <summary>How well photos of none of the classes are told, in a sentence.</summary>
    public static string Sentence(NoveltyResult result)
    {
        var known = string.Create(CultureInfo.InvariantCulture, $"None of these: {100 * result.Refused:0.0} % of these photos are called unlike the training photos");
        return result.RocAuc is not { } area ? $"{known}." : string.Create(
            CultureInfo.InvariantCulture,
            $"{known}, and {100 * result.RefusedOthers:0.0} % of {result.Others:N0} others; area under ROC {area:0.000} (by the probability alone {result.ProbabilityRocAuc:0.000}).");
    }

    /// <summary>Accuracy, macro F1, how far they can be trusted, and the table of classes.</summary>
    public static void Append(StringBuilder text, string title, EvaluationResult result)
    {
        text.AppendLine();
        var (accuracy, macroF1) = (result.AccuracyInterval, result.MacroF1Interval);
        text.AppendLine(CultureInfo.InvariantCulture,
            $"{title}: accuracy {100 * result.Accuracy:0.0} %, macro F1 {result.MacroF1:0.000}, loss {result.Loss:0.000} on {result.Count:N0} image{(result.Count == 1 ? "" : "s")}");
        text.AppendLine(CultureInfo.InvariantCulture,
            $"  accuracy 95 % CI {100 * accuracy.Low:0.0}–{100 * accuracy.High:0.0} %, macro F1 95 % CI {macroF1.Low:0.000}–{macroF1.High:0.000}");
        text.Append("  ");
        if (!double.IsNaN(result.RocAuc)) text.Append(CultureInfo.InvariantCulture, $"area under ROC {result.RocAuc:0.000}, ");
        if (result.Confusion.Classes.Count > 5) text.Append(CultureInfo.InvariantCulture, $"top-5 accuracy {100 * result.TopKAccuracy(5):0.0} %, ");
        text.AppendLine(CultureInfo.InvariantCulture,
            $"Brier score {result.Calibration.BrierScore:0.000}, expected calibration error {result.Calibration.ExpectedCalibrationError:0.000}");
        if (result.Uncalibrated is { Temperature: not 1 } uncalibrated)
        {
            text.AppendLine(CultureInfo.InvariantCulture,
                $"  without its temperature of {uncalibrated.Temperature:0.00}, fitted on validation: expected calibration error {uncalibrated.Calibration.ExpectedCalibrationError:0.000}");
        }
        text.AppendLine();
        text.AppendLine(result.Report.ToText(digits: 3).TrimEnd());
    }

    /// <summary>The epochs of all stages, as <c>history.csv</c> has them.</summary>
    internal static string History(TrainingRun run)
    {
        var text = new StringBuilder("stage,epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,seconds\n");
        foreach (var (stage, history) in run.Stages)
        {
            foreach (var epoch in history.Epochs)
            {
                text.Append(CultureInfo.InvariantCulture,
                    $"{stage.Name},{epoch.Epoch},{epoch.Loss:R},{epoch.Accuracy:R},{epoch.ValidationLoss:R},{epoch.ValidationAccuracy:R},{epoch.LearningRate:R},{epoch.Seconds:0.000}\n");
            }
        }
        return text.ToString();
    }

    /// <summary>What each stage froze, as <c>layers.txt</c> has it.</summary>
    internal static string Layers(TrainingRun run) => string.Join("\n\n", run.Stages.Select(entry =>
        $"Stage {entry.Stage.Number}, {entry.Stage.Name}\n{entry.Stage.Plan.ToText(everyLayer: true)}")) + "\n";
}
