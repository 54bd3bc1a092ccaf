using System.Globalization;
using Graft.Training;

namespace Graft.Evaluation.Charts;

/// <summary>The course of a training, epoch by epoch.</summary>
public static class LearningCurves
{
    /// <summary>Above so many epochs, lines have no markers.</summary>
    private const int MostMarkedEpochs = 40;

    /// <param name="boundaries">Epochs after which a new stage began.</param>
    public static Chart Loss(TrainingHistory history, IReadOnlyList<int>? boundaries = null) =>
        Loss(history, Stages(boundaries));

    /// <param name="boundaries">Epochs after which a new stage began.</param>
    public static Chart Accuracy(TrainingHistory history, IReadOnlyList<int>? boundaries = null) =>
        Accuracy(history, Stages(boundaries));

    /// <param name="stages">Later stages by name and first epoch.</param>
    internal static Chart Loss(TrainingHistory history, IEnumerable<(string Name, int FirstEpoch)> stages) =>
        Draw("Loss", "cross-entropy", history, stages, epoch => epoch.Loss, epoch => epoch.ValidationLoss);

    /// <inheritdoc cref="Loss(TrainingHistory, IEnumerable{ValueTuple{string, int}})"/>
    internal static Chart Accuracy(TrainingHistory history, IEnumerable<(string Name, int FirstEpoch)> stages) =>
        Draw("Accuracy", "percent", history, stages, epoch => 100 * epoch.Accuracy, epoch => 100 * epoch.ValidationAccuracy);

    /// <summary>The loss against the learning rate, with the rates worth knowing marked.</summary>
    public static Chart Sweep(LearningRateSweep sweep)
    {
        var rates = AxisRange.Of(sweep.Trials.Select(trial => Math.Log10(trial.LearningRate)), room: 0.02);
        var decades = rates.Ticks(10, areWhole: true).Select(decade => (decade, string.Create(CultureInfo.InvariantCulture, $"1e{decade:0}")));
        // What comes after the loss diverges would flatten the rest.
        var highest = 1.1 * Math.Max(sweep.Trials[0].SmoothedLoss, 2 * sweep.Lowest.SmoothedLoss);
        var chart = new Chart("Learning rates", new("learning rate", rates, [.. decades]), Axis.Of("cross-entropy", new(0, highest)));
        var shown = sweep.Trials.TakeWhile(trial => trial.SmoothedLoss <= highest).ToList();
        foreach (var trial in sweep.Trials.Where(trial => trial.Loss <= highest))
            chart.Disc(Math.Log10(trial.LearningRate), trial.Loss, 1.6, ClassLook.Color(7));
        chart.Line(shown.Select(trial => (Math.Log10(trial.LearningRate), trial.SmoothedLoss)), ClassLook.Color(0));
        chart.Explain("loss of a step", "", ClassLook.Color(7), dash: "2 5");
        chart.Explain("smoothed", "", ClassLook.Color(0));
        foreach (var (rate, name, look, dash) in (ReadOnlySpan<(double, string, int, string)>)
            [
                (sweep.Suggestion, "suggestion", 2, ""), (sweep.Steepest.LearningRate, "steepest", 1, "7 3"), (sweep.Lowest.LearningRate, "lowest", 3, "2 3"),
            ])
        {
            chart.Mark(Math.Log10(rate), "", ClassLook.Color(look), dash);
            chart.Explain(name, string.Create(CultureInfo.InvariantCulture, $"{rate:0.0e+0}"), ClassLook.Color(look), dash);
        }
        return chart;
    }

    private static IEnumerable<(string, int)> Stages(IReadOnlyList<int>? boundaries) => (boundaries ?? []).Select(boundary => ("next stage", boundary + 1));

    private static Chart Draw(
        string title, string unit, TrainingHistory history, IEnumerable<(string Name, int FirstEpoch)> stages, Func<EpochResult, double> training,
        Func<EpochResult, double> validation)
    {
        var epochs = history.Epochs;
        var values = AxisRange.Of(epochs.SelectMany(epoch => new[] { training(epoch), validation(epoch) }));
        var chart = new Chart(
            title, Axis.Of("epoch", new(1 - 0.02 * epochs.Count, epochs.Count * 1.02), ticks: 6, isWhole: true), Axis.Of(unit, values));
        chart.Mark(history.BestEpoch, $"best: {history.BestEpoch}", ClassLook.Color(2), isAbove: true);
        foreach (var (look, name, value) in ((int, string, Func<EpochResult, double>)[])[(0, "training", training), (1, "validation", validation)])
        {
            var dash = ClassLook.Dash(1 - look);
            chart.Line(epochs.Select(epoch => ((double)epoch.Epoch, value(epoch))), ClassLook.Color(look), dash);
            chart.Explain(name, "", ClassLook.Color(look), dash, marker: look);
            if (epochs.Count > MostMarkedEpochs) continue;
            foreach (var epoch in epochs)
                chart.Point(epoch.Epoch, value(epoch), look, string.Create(CultureInfo.InvariantCulture, $"{name}, epoch {epoch.Epoch}: {value(epoch):0.###}"));
        }
        foreach (var (name, first) in stages) chart.Mark(first - 0.5, name, ChartColors.Soft, "2 3");
        return chart;
    }
}
