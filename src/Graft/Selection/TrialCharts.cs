using System.Globalization;
using Graft.Evaluation.Charts;

namespace Graft.Selection;

/// <summary>Pictures of a choice.</summary>
public static class TrialCharts
{
    /// <summary>Accuracy against the time of a photo; a line through those that no other beats in both.</summary>
    public static Chart Pareto(TrialRun run)
    {
        static double Cost(RankedTrial entry) => Math.Log10(1000 / Math.Max(1e-3, entry.Trial.ImagesPerSecond));
        var costs = AxisRange.Of(run.Ranking.Select(Cost), room: 0.15);
        costs = costs.High - costs.Low < 0.3 ? new(costs.Low - 0.3, costs.High + 0.3) : costs;
        var accuracies = AxisRange.Of(run.Ranking.SelectMany(entry => new[] { 100 * entry.Score.Interval.Low, 100 * entry.Score.Interval.High }), room: 0.06);
        double[] marks = [0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];
        var chart = new Chart(
            "Accuracy against cost",
            new("milliseconds a photo, this machine", costs,
                [.. marks.Select(mark => (Math.Log10(mark), mark.ToString("0.#", CultureInfo.InvariantCulture))).Where(tick => tick.Item1 >= costs.Low && tick.Item1 <= costs.High)]),
            Axis.Of("accuracy, percent", accuracies));
        chart.Line(run.Front.Select(entry => (Cost(entry), 100 * entry.Score.Accuracy)), ChartColors.Soft, "5 4", width: 1.5);
        foreach (var (entry, look) in run.Ranking.Select((entry, place) => (entry, place)))
        {
            var name = Label(run, entry);
            var text = string.Create(CultureInfo.InvariantCulture, $"{100 * entry.Score.Accuracy:0.0} %, {1000 / entry.Trial.ImagesPerSecond:0.0} ms");
            chart.Line([(Cost(entry), 100 * entry.Score.Interval.Low), (Cost(entry), 100 * entry.Score.Interval.High)], ClassLook.Color(look), width: 1);
            chart.Point(Cost(entry), 100 * entry.Score.Accuracy, look, $"{name}: {text}", size: 1.5);
            chart.Explain(name, text, ClassLook.Color(look), marker: look);
        }
        return chart;
    }

    /// <summary>Accuracy against photos of a class, with the law through it.</summary>
    public static Chart Curve(LearningCurve curve)
    {
        var most = 2 * curve.PhotosOfClass;
        var range = new AxisRange(Math.Log10(Math.Max(0.8, curve.Points[0].Photos * 0.8)), Math.Log10(most * 1.1));
        double[] marks = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];
        var values = curve.Points.SelectMany(point => new[] { 100 * point.Interval.Low, 100 * point.Interval.High }).ToList();
        if (curve.Law is not null) values.Add(100 * curve.Forecast(most).Interval.High);
        var chart = new Chart(
            "Learning curve",
            new("photos of a class", range, [.. marks.Select(mark => (Math.Log10(mark), mark.ToString("0", CultureInfo.InvariantCulture))).Where(tick => tick.Item1 >= range.Low && tick.Item1 <= range.High)]),
            Axis.Of("accuracy, percent", AxisRange.Of(values)));
        if (curve.Law is { } law)
        {
            var from = curve.Points.First(point => point.Photos >= Math.Min(5, curve.Points[^1].Photos)).Photos;
            var places = Enumerable.Range(0, 25).Select(step => from * Math.Pow(most / from, step / 24.0)).ToList();
            chart.Line(places.Select(photos => (Math.Log10(photos), 100 * (1 - law.Error(photos)))), ClassLook.Color(1), "7 3");
            chart.Explain("power law", "", ClassLook.Color(1), "7 3");
        }
        foreach (var point in curve.Points)
        {
            var x = Math.Log10(point.Photos);
            chart.Line([(x, 100 * point.Interval.Low), (x, 100 * point.Interval.High)], ClassLook.Color(0), width: 1.5);
            chart.Point(x, 100 * point.Accuracy, 0, string.Create(CultureInfo.InvariantCulture, $"{point.Photos:0} photos of a class: {100 * point.Accuracy:0.0} %"), size: 1.3);
        }
        chart.Explain($"mean of {curve.Points[0].Accuracies.Count} draws", "", ClassLook.Color(0), marker: 0);
        return chart;
    }

    internal static string Label(TrialRun run, RankedTrial entry) => run.Request.Classifiers.Count > 1 ? $"{entry.Trial.Name}, {entry.Score.Classifier}" : entry.Trial.Name;
}
