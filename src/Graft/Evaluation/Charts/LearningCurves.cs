using System.Globalization;
using Graft.Training;
using ScottPlot;

namespace Graft.Evaluation.Charts;

/// <summary>The course of a training, epoch by epoch.</summary>
public static class LearningCurves
{
    private const int Width = 640, Height = 400;

    /// <param name="boundaries">Epochs after which a new stage began.</param>
    public static Chart Loss(TrainingHistory history, IReadOnlyList<int>? boundaries = null) =>
        Draw("Loss", "cross-entropy", history, boundaries, epoch => epoch.Loss, epoch => epoch.ValidationLoss, scale: 1);

    /// <param name="boundaries">Epochs after which a new stage began.</param>
    public static Chart Accuracy(TrainingHistory history, IReadOnlyList<int>? boundaries = null) =>
        Draw("Accuracy", "per cent", history, boundaries, epoch => epoch.Accuracy, epoch => epoch.ValidationAccuracy, scale: 100);

    /// <summary>The loss against the learning rate, with the rates worth knowing marked.</summary>
    public static Chart Sweep(LearningRateSweep sweep) => Chart.Of("Learning rates", Width, Height, plot =>
    {
        double[] rates = [.. sweep.Trials.Select(trial => Math.Log10(trial.LearningRate))];
        var losses = plot.Add.Scatter(rates, sweep.Trials.Select(trial => trial.Loss).ToArray(), Chart.ColorOf(7));
        (losses.LegendText, losses.LineWidth, losses.MarkerSize) = ("loss of a step", 0, 4);
        var smoothed = plot.Add.Scatter(rates, sweep.Trials.Select(trial => trial.SmoothedLoss).ToArray(), Chart.ColorOf(0));
        (smoothed.LegendText, smoothed.LineWidth, smoothed.MarkerSize) = ("smoothed", 2, 0);
        foreach (var (rate, name, color, pattern) in (ReadOnlySpan<(double, string, int, LinePattern)>)
            [
                (sweep.Suggestion, "suggestion", 2, LinePattern.Solid), (sweep.Steepest.LearningRate, "steepest", 1, LinePattern.Dashed),
                (sweep.Lowest.LearningRate, "lowest", 3, LinePattern.Dotted),
            ])
        {
            plot.Add.VerticalLine(Math.Log10(rate), 1.5f, Chart.ColorOf(color), pattern).LegendText =
                string.Create(CultureInfo.InvariantCulture, $"{name}, {rate:0.0e+0}");
        }
        double[] decades = [.. Enumerable.Range((int)Math.Floor(rates.Min()), (int)(Math.Ceiling(rates.Max()) - Math.Floor(rates.Min())) + 1)];
        plot.Axes.Bottom.TickGenerator = new ScottPlot.TickGenerators.NumericManual(
            decades, [.. decades.Select(decade => string.Create(CultureInfo.InvariantCulture, $"1e{decade:0}"))]);
        // What comes after the loss comes apart would flatten the rest.
        plot.Axes.SetLimitsY(0, 1.1 * Math.Max(sweep.Trials[0].SmoothedLoss, 2 * sweep.Lowest.SmoothedLoss));
        plot.XLabel("learning rate");
        plot.YLabel("cross-entropy");
        plot.ShowLegend(Edge.Right);
    });

    private static Chart Draw(
        string title, string unit, TrainingHistory history, IReadOnlyList<int>? boundaries, Func<EpochResult, double> training,
        Func<EpochResult, double> validation, double scale) => Chart.Of(title, Width, Height, plot =>
        {
            double[] epochs = [.. history.Epochs.Select(epoch => (double)epoch.Epoch)];
            foreach (var (index, name, value) in (ReadOnlySpan<(int, string, Func<EpochResult, double>)>)[(0, "training", training), (1, "validation", validation)])
            {
                var line = plot.Add.Scatter(epochs, history.Epochs.Select(epoch => scale * value(epoch)).ToArray(), Chart.ColorOf(index));
                line.LegendText = name;
                line.LineWidth = 2;
                line.MarkerSize = epochs.Length > 40 ? 0 : 6;
                line.MarkerShape = index == 0 ? MarkerShape.FilledCircle : MarkerShape.FilledSquare;
                line.LinePattern = index == 0 ? LinePattern.Dashed : LinePattern.Solid;
            }
            foreach (var boundary in boundaries ?? []) plot.Add.VerticalLine(boundary + 0.5, 1, Chart.ColorOf(9), LinePattern.Dotted).LegendText = "next stage";
            var best = plot.Add.VerticalLine(history.BestEpoch, 1.5f, Chart.ColorOf(2));
            best.LegendText = $"best, epoch {history.BestEpoch}";
            plot.XLabel("epoch");
            plot.YLabel(unit);
            plot.Axes.Bottom.TickGenerator = new ScottPlot.TickGenerators.NumericAutomatic { IntegerTicksOnly = true };
            plot.ShowLegend(Edge.Right);
        });
}
