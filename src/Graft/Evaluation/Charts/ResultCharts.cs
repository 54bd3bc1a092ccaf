using System.Globalization;

namespace Graft.Evaluation.Charts;

/// <summary>Pictures of a result: what is taken for what, how well each class fares, and whether probabilities can be believed.</summary>
public static class ResultCharts
{
    private const int CellSide = 34, SmallCellSide = 16;

    /// <summary>Above so many classes, cells have no numbers.</summary>
    private const int MostNumberedClasses = 24;

    /// <summary>Of more classes, the curves of those that fare worst.</summary>
    public const int MostCurves = 10;

    /// <summary>What fewer photos say of a bin is chance: no line goes through it.</summary>
    public const int FewestPhotosOfBin = 10;

    /// <summary>Rows are the truth, columns what it was taken for; a row's colors are shares of its images, its numbers are images.</summary>
    public static Chart Confusion(ConfusionMatrix confusion)
    {
        var count = confusion.Classes.Count;
        string[] names = [.. confusion.Classes.Select(name => Chart.Shortened(name))];
        var side = count * (count <= MostNumberedClasses ? CellSide : SmallCellSide);
        var chart = new Chart("Confusion matrix", Axis.OfNames("predicted", names), Axis.OfNames("truth", [.. names.Reverse()]), side, side);
        for (var truth = 0; truth < count; truth++)
        {
            var y = count - 1 - truth;
            for (var predicted = 0; predicted < count; predicted++)
            {
                var images = confusion[truth, predicted];
                var share = images / Math.Max(1.0, confusion.Support(truth));
                chart.Rectangle(predicted - 0.48, y - 0.48, predicted + 0.48, y + 0.48, Shade(share), string.Create(
                    CultureInfo.InvariantCulture, $"{confusion.Classes[truth]} taken for {confusion.Classes[predicted]}: {images:N0}"));
                if (images > 0 && count <= MostNumberedClasses)
                    chart.Word(predicted, y, images.ToString("N0", CultureInfo.InvariantCulture), share > 0.45 ? "#FFFFFF" : "#000000");
            }
        }
        return chart;
    }

    /// <summary>Precision, recall and F1 of each class.</summary>
    public static Chart ClassScores(ClassificationReport report)
    {
        string[] names = [.. report.Classes.Select(score => Chart.Shortened(score.Name))];
        var chart = new Chart("Each class", Axis.Of("score", AxisRange.Share), Axis.OfNames("", [.. names.Reverse()]), 376, 36 * names.Length);
        (string Name, Func<ClassScore, double> Value)[] scores =
            [("precision", score => score.Precision), ("recall", score => score.Recall), ("F1", score => score.F1)];
        for (var kind = 0; kind < scores.Length; kind++)
        {
            chart.Explain(scores[kind].Name, ClassLook.Color(kind));
            for (var index = 0; index < names.Length; index++)
            {
                var middle = names.Length - 1 - index + (1 - kind) * 0.27;
                chart.Rectangle(0, middle - 0.125, scores[kind].Value(report.Classes[index]), middle + 0.125, ClassLook.Color(kind));
            }
        }
        return chart;
    }

    /// <summary>
    /// How often predictions of a confidence are correct, with the model's temperature and without it; on the diagonal, probabilities mean what they
    /// say. Discs are larger for more photos; those of fewer than <see cref="FewestPhotosOfBin"/> are hollow, and no line goes through them.
    /// </summary>
    public static Chart Reliability(EvaluationResult result)
    {
        var chart = new Chart("Calibration", Axis.Of("confidence", AxisRange.Share), Axis.Of("share that is correct", AxisRange.Share));
        chart.Line([(0, 0), (1, 1)], ChartColors.Soft, "5 4", width: 1.5);
        // The one it is in truth lies above.
        var without = result.Uncalibrated is { Temperature: not 1 } known ? known : null;
        if (without is not null) Draw(without.Calibration, 1, string.Create(CultureInfo.InvariantCulture, $"without its temperature of {without.Temperature:0.00}"));
        Draw(result.Calibration, 0, "");
        Explain(result.Calibration, 0, "as it is:");
        if (without is not null)
            Explain(without.Calibration, 1, string.Create(CultureInfo.InvariantCulture, $"without its temperature of {without.Temperature:0.00}:"));
        return chart;

        void Draw(Calibration calibration, int look, string how)
        {
            var solid = calibration.NonEmptyBins.Where(bin => bin.Count >= FewestPhotosOfBin).ToList();
            chart.Line(solid.Select(bin => (bin.Confidence, bin.Accuracy)), ClassLook.Color(look), ClassLook.Dash(look));
            foreach (var bin in calibration.NonEmptyBins)
            {
                chart.Disc(
                    bin.Confidence, bin.Accuracy, 2.5 + 9 * Math.Sqrt((double)bin.Count / result.Count), ClassLook.Color(look), string.Create(
                        CultureInfo.InvariantCulture,
                        $"{how}{(how.Length > 0 ? ", " : "")}{bin.Count:N0} photos with a confidence of {100 * bin.Confidence:0} %: {100 * bin.Accuracy:0} % correct"),
                    isHollow: bin.Count < FewestPhotosOfBin);
            }
        }

        void Explain(Calibration calibration, int look, string name) => chart.Explain(
            name, string.Create(CultureInfo.InvariantCulture, $"expected calibration error {calibration.ExpectedCalibrationError:0.000}"),
            ClassLook.Color(look), ClassLook.Dash(look));
    }

    /// <summary>How many photos there are of each confidence, the misclassified ones below.</summary>
    public static Chart Confidences(EvaluationResult result)
    {
        const int Bins = 20;
        var (all, wrong) = (new int[Bins], new int[Bins]);
        foreach (var (label, row) in result.Labels.Zip(result.Probabilities))
        {
            var best = Enumerable.Range(0, row.Count).MaxBy(index => row[index]);
            var bin = Math.Clamp((int)(row[best] * Bins), 0, Bins - 1);
            all[bin]++;
            if (best != label) wrong[bin]++;
        }
        var chart = new Chart("Confidence", Axis.Of("confidence", AxisRange.Share), Axis.Of("photos", new(0, 1.05 * Math.Max(1, all.Max()))));
        for (var bin = 0; bin < Bins; bin++)
        {
            if (all[bin] == 0) continue;
            var (from, to) = ((bin + 0.06) / Bins, (bin + 0.94) / Bins);
            var title = string.Create(
                CultureInfo.InvariantCulture, $"confidence {5 * bin} to {5 * bin + 5} %: {all[bin]:N0} photos, {wrong[bin]:N0} of them misclassified");
            chart.Rectangle(from, 0, to, all[bin], ClassLook.Color(5), title);
            if (wrong[bin] > 0) chart.Rectangle(from, 0, to, wrong[bin], ClassLook.Color(4), title);
        }
        chart.Explain("correct", ClassLook.Color(5));
        chart.Explain("misclassified", ClassLook.Color(4));
        return chart;
    }

    /// <summary>Each class against the rest, at every threshold; of many classes, the ten that are told apart worst.</summary>
    public static Chart Roc(EvaluationResult result)
    {
        var chart = new Chart("ROC, each class against the rest", Axis.Of("false positive rate", AxisRange.Share), Axis.Of("true positive rate", AxisRange.Share));
        chart.Line([(0, 0), (1, 1)], ChartColors.Soft, "5 4", width: 1.5);
        Curves(chart, Shown(result, one => one.RocAuc), one => one.Roc.Select(point => (point.FalsePositiveRate, point.TruePositiveRate)), one => $"area {Figure(one.RocAuc)}");
        return chart;
    }

    /// <summary>What finding more of a class costs in wrong ones, at every threshold; of many classes, the ten that fare worst.</summary>
    public static Chart PrecisionRecall(EvaluationResult result)
    {
        var chart = new Chart("Precision and recall", Axis.Of("recall", AxisRange.Share), Axis.Of("precision", AxisRange.Share));
        Curves(
            chart, Shown(result, one => one.AveragePrecision), one => one.PrecisionRecall.Select(point => (point.Recall, point.Precision)),
            one => $"average precision {Figure(one.AveragePrecision)}");
        return chart;
    }

    /// <summary>Of many classes those with the smallest areas; without those that have none.</summary>
    private static List<(Discrimination One, string Name)> Shown(EvaluationResult result, Func<Discrimination, double> area)
    {
        var all = result.OneVersusRest.Select((one, index) => (One: one, Name: result.Confusion.Classes[index])).Where(entry => !double.IsNaN(area(entry.One)));
        return result.Confusion.Classes.Count <= MostCurves ? [.. all] : [.. all.OrderBy(entry => area(entry.One)).Take(MostCurves)];
    }

    private static void Curves(
        Chart chart, List<(Discrimination One, string Name)> shown, Func<Discrimination, IEnumerable<(double X, double Y)>> curve, Func<Discrimination, string> detail)
    {
        foreach (var ((one, name), look) in shown.Select((entry, index) => (entry, index)))
        {
            chart.Line(Corners(curve(one)), ClassLook.Color(look), ClassLook.Dash(look), name);
            chart.Explain(name, detail(one), ClassLook.Color(look), ClassLook.Dash(look));
        }
    }

    /// <summary>A curve without the points that lie on a straight line between their neighbors, or too near to the one before to be seen.</summary>
    private static List<(double X, double Y)> Corners(IEnumerable<(double X, double Y)> curve)
    {
        var kept = new List<(double X, double Y)>();
        foreach (var point in curve)
        {
            if (kept is [.., var before, var last]
                && (Math.Abs((last.X - before.X) * (point.Y - before.Y) - (last.Y - before.Y) * (point.X - before.X)) < 1e-9
                    || (Math.Abs(last.X - before.X) < 1e-3 && Math.Abs(last.Y - before.Y) < 1e-3)))
            {
                kept[^1] = point;
            }
            else
            {
                kept.Add(point);
            }
        }
        return kept;
    }

    private static string Figure(double value) => value.ToString("0.000", CultureInfo.InvariantCulture);

    /// <summary>From white to deep blue.</summary>
    private static string Shade(double share) => string.Create(
        CultureInfo.InvariantCulture, $"#{(int)(255 - 247 * share):X2}{(int)(255 - 176 * share):X2}{(int)(255 - 113 * share):X2}");
}
