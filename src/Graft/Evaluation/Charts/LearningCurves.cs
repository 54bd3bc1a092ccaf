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
