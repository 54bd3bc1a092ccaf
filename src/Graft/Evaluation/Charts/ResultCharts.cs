using System.Globalization;
using ScottPlot;
using ScottPlot.TickGenerators;

namespace Graft.Evaluation.Charts;

/// <summary>Pictures of a result: what is taken for what, how well each class fares, and whether probabilities can be believed.</summary>
public static class ResultCharts
{
    private const int Side = 460;
    private const int CellPixels = 56, SmallCellPixels = 26;

    /// <summary>Above so many classes, cells have no numbers.</summary>
    private const int MostNumberedClasses = 24;

    /// <summary>Rows are the truth, columns what it was taken for; a row's colours are shares of its images, its numbers are images.</summary>
    public static Chart Confusion(ConfusionMatrix confusion)
    {
        var count = confusion.Classes.Count;
        string[] names = [.. confusion.Classes.Select(name => Chart.Shortened(name))];
        var label = names.Max(Chart.WidthOf);
        var cell = count <= MostNumberedClasses ? CellPixels : SmallCellPixels;
        return Chart.Of("Confusion matrix", 140 + label + cell * count, 160 + label + cell * count, plot =>
        {
            var shares = new double[count, count];
            for (var truth = 0; truth < count; truth++)
            {
                for (var predicted = 0; predicted < count; predicted++)
                {
                    var images = confusion[truth, predicted];
                    var share = shares[truth, predicted] = images / Math.Max(1.0, confusion.Support(truth));
                    if (images == 0 || count > MostNumberedClasses) continue;
                    var text = plot.Add.Text(images.ToString("N0", CultureInfo.InvariantCulture), predicted, count - 1 - truth);
                    text.Alignment = Alignment.MiddleCenter;
                    text.LabelFontColor = share > 0.5 ? Colors.White : Colors.Black;
                    text.LabelFontSize = 14;
                }
            }
            var heat = plot.Add.Heatmap(shares);
            heat.Colormap = new ScottPlot.Colormaps.Blues().Reversed();
            heat.ManualRange = new(0, 1);
            plot.MoveToBottom(heat);
            plot.HideGrid();
            plot.Axes.SetLimits(-0.5, count - 0.5, -0.5, count - 0.5);
            plot.Axes.Bottom.TickGenerator = Ticks(names);
            plot.Axes.Left.TickGenerator = Ticks([.. names.Reverse()]);
            plot.Axes.Bottom.TickLabelStyle.Rotation = 90;
            plot.Axes.Bottom.TickLabelStyle.Alignment = Alignment.MiddleLeft;
            plot.Axes.Bottom.MinimumSize = label + 40;
            plot.Axes.Left.MinimumSize = label + 50;
            plot.XLabel("taken for");
            plot.YLabel("truth");
        });
    }

    /// <summary>Precision, recall and F1 of each class.</summary>
    public static Chart ClassScores(ClassificationReport report)
    {
        string[] names = [.. report.Classes.Select(score => Chart.Shortened(score.Name))];
        var label = names.Max(Chart.WidthOf);
        return Chart.Of("Each class", 560 + label, 130 + 54 * names.Length, plot =>
        {
            (string Name, Func<ClassScore, double> Value)[] scores =
                [("precision", score => score.Precision), ("recall", score => score.Recall), ("F1", score => score.F1)];
            for (var kind = 0; kind < scores.Length; kind++)
            {
                var bars = plot.Add.Bars(report.Classes.Select((score, index) => new Bar
                {
                    Position = names.Length - 1 - index + (1 - kind) * 0.27,
                    Value = scores[kind].Value(score),
                    Size = 0.25,
                    FillColor = Chart.ColorOf(kind),
                    LineWidth = 0,
                }).ToArray());
                bars.Horizontal = true;
                bars.LegendText = scores[kind].Name;
            }
            plot.Axes.Left.TickGenerator = Ticks([.. names.Reverse()]);
            plot.Axes.Left.MinimumSize = label + 20;
            plot.Axes.SetLimits(0, 1, -0.5, names.Length - 0.5);
            plot.ShowLegend(Edge.Right);
        });
    }

    /// <summary>How often predictions of a confidence are right; on the diagonal, probabilities mean what they say.</summary>
    public static Chart Reliability(Calibration calibration) => Chart.Of("Calibration", Side, Side, plot =>
    {
        var diagonal = plot.Add.Line(0, 0, 1, 1);
        (diagonal.LineColor, diagonal.LinePattern) = (Chart.ColorOf(9), LinePattern.Dashed);
        var bins = calibration.NonEmptyBins;
        var line = plot.Add.Scatter(bins.Select(bin => bin.Confidence).ToArray(), bins.Select(bin => bin.Accuracy).ToArray(), Chart.ColorOf(0));
        line.LineWidth = 2;
        line.MarkerSize = 8;
        line.LegendText = string.Create(CultureInfo.InvariantCulture, $"expected calibration error {calibration.ExpectedCalibrationError:0.000}");
        plot.XLabel("confidence");
        plot.YLabel("share that is right");
        plot.Axes.SetLimits(0, 1.02, 0, 1.02);
        plot.ShowLegend(Alignment.LowerRight);
    });

    /// <summary>Each class against the rest, at every threshold; of many classes, the ten that are told apart worst.</summary>
    public static Chart Roc(EvaluationResult result)
    {
        var shown = result.OneVersusRest.Select((one, index) => (One: one, Name: result.Confusion.Classes[index]))
            .Where(entry => !double.IsNaN(entry.One.RocAuc)).OrderBy(entry => entry.One.RocAuc).Take(Chart.Palette.Colors.Length).ToList();
        var label = shown.Select(entry => Chart.WidthOf(Chart.Shortened(entry.Name))).DefaultIfEmpty(0).Max();
        return Chart.Of("ROC, each class against the rest", Side + 130 + label, Side, plot =>
        {
            var diagonal = plot.Add.Line(0, 0, 1, 1);
            (diagonal.LineColor, diagonal.LinePattern) = (Chart.ColorOf(9), LinePattern.Dashed);
            for (var index = 0; index < shown.Count; index++)
            {
                var roc = shown[index].One.Roc;
                var line = plot.Add.ScatterLine(
                    roc.Select(point => point.FalsePositiveRate).ToArray(), roc.Select(point => point.TruePositiveRate).ToArray(), Chart.ColorOf(index));
                line.LineWidth = 2;
                line.LegendText = string.Create(CultureInfo.InvariantCulture, $"{Chart.Shortened(shown[index].Name)} {shown[index].One.RocAuc:0.000}");
            }
            plot.XLabel("false positive rate");
            plot.YLabel("true positive rate");
            plot.Axes.SetLimits(-0.01, 1.01, -0.01, 1.01);
            plot.ShowLegend(Edge.Right);
        });
    }

    /// <summary>What finding more of a class costs in wrong ones, at every threshold; of many classes, the ten that fare worst.</summary>
    public static Chart PrecisionRecall(EvaluationResult result)
    {
        var shown = result.OneVersusRest.Select((one, index) => (One: one, Name: result.Confusion.Classes[index]))
            .Where(entry => !double.IsNaN(entry.One.AveragePrecision)).OrderBy(entry => entry.One.AveragePrecision)
            .Take(Chart.Palette.Colors.Length).ToList();
        var label = shown.Select(entry => Chart.WidthOf(Chart.Shortened(entry.Name))).DefaultIfEmpty(0).Max();
        return Chart.Of("Precision and recall", Side + 130 + label, Side, plot =>
        {
            for (var index = 0; index < shown.Count; index++)
            {
                var curve = shown[index].One.PrecisionRecall;
                var line = plot.Add.ScatterLine(
                    curve.Select(point => point.Recall).ToArray(), curve.Select(point => point.Precision).ToArray(), Chart.ColorOf(index));
                line.LineWidth = 2;
                line.LegendText = string.Create(
                    CultureInfo.InvariantCulture, $"{Chart.Shortened(shown[index].Name)} {shown[index].One.AveragePrecision:0.000}");
            }
            plot.XLabel("recall");
            plot.YLabel("precision");
            plot.Axes.SetLimits(-0.01, 1.01, -0.01, 1.01);
            plot.ShowLegend(Edge.Right);
        });
    }

    private static NumericManual Ticks(string[] names) => new([.. Enumerable.Range(0, names.Length).Select(index => (double)index)], names);
}
