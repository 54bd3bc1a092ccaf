using Graft.Evaluation;
using Graft.Evaluation.Charts;

namespace Graft.Runs.Reports;

/// <summary>What there is to show of the measured result of a model: figures, tables and charts.</summary>
internal static class ResultSections
{
    /// <summary>Of more classes, the matrix is a picture, and the most frequent confusions are listed.</summary>
    private const int MostClassesInMatrix = 24;

    /// <summary>Of more classes, long tables are folded.</summary>
    public const int MostListedClasses = 30;

    private const int MostListedConfusions = 40;

    public static Markup Cards(EvaluationResult result, string images)
    {
        var confusion = result.Confusion;
        var largest = Enumerable.Range(0, confusion.Classes.Count).MaxBy(confusion.Support);
        var cards = new Html();
        cards.Add($"<div class=\"cards\"><div class=\"card\"><b>{100 * result.Accuracy:0.0} %</b> accuracy: {confusion.Correct:N0} of {result.Count:N0} {images} classified correctly");
        cards.Add($"<span>95 % CI {100 * result.AccuracyInterval.Low:0.0}–{100 * result.AccuracyInterval.High:0.0} %</span></div>");
        cards.Add($"<div class=\"card\"><b>{result.MacroF1:0.000}</b> macro F1: every class counts the same");
        cards.Add($"<span>95 % CI {result.MacroF1Interval.Low:0.000}–{result.MacroF1Interval.High:0.000}</span></div>");
        cards.Add($"<div class=\"card\"><b>{result.Loss:0.000}</b> log loss<span>0 would be sure and right every time; {Math.Log(confusion.Classes.Count):0.000} is blind guessing</span></div>");
        cards.Add($"<div class=\"card\"><b>{100.0 * confusion.Support(largest) / result.Count:0.0} %</b> is what always saying “{confusion.Classes[largest]}” would give<span>the largest class</span></div></div>\n");
        return cards;
    }

    /// <summary>The classification report, its numbers with bars behind them; of many classes first those that fare worst.</summary>
    public static Markup ClassTable(ClassificationReport report)
    {
        if (report.Classes.Count <= MostListedClasses) return ClassTable(report, report.Classes);
        const int Worst = 15;
        return new Html().Add($"<h3>The {Worst} classes that fare worst</h3>\n").Add(ClassTable(report, [.. report.Classes.OrderBy(score => score.F1).Take(Worst)]))
            .Add($"<details><summary>All {report.Classes.Count:N0} classes</summary>\n").Add(ClassTable(report, report.Classes)).Add($"</details>\n");
    }

    private static Markup ClassTable(ClassificationReport report, IReadOnlyList<ClassScore> classes)
    {
        var table = new Html();
        table.Add($"<div class=\"wide\"><table><thead><tr><th>class</th><th>precision</th><th>recall</th><th>F1</th><th>photos</th></tr></thead><tbody>\n");
        foreach (var score in classes) Row(score, "", hasBars: true);
        var sums = report.CoversAll ? (ReadOnlySpan<ClassScore>)[report.MacroAverage, report.WeightedAverage] : [report.MicroAverage, report.MacroAverage, report.WeightedAverage];
        var first = true;
        foreach (var score in sums)
        {
            Row(score, first ? " class=\"sum first\"" : " class=\"sum\"", hasBars: false);
            first = false;
        }
        return table.Add($"</tbody></table></div>\n");

        void Row(ClassScore score, string style, bool hasBars)
        {
            table.Add($"<tr{new Markup(style)}><th>{score.Name}</th>");
            foreach (var value in (ReadOnlySpan<double>)[score.Precision, score.Recall, score.F1])
                table.Add(hasBars ? Html.Of($"<td class=\"bar\" style=\"--p:{100 * value:0.#}%\">{value:0.000}</td>") : Html.Of($"<td>{value:0.000}</td>"));
            table.Add($"<td>{score.Support:N0}</td></tr>\n");
        }
    }

    public static Markup Confusion(ConfusionMatrix confusion)
    {
        var count = confusion.Classes.Count;
        var html = new Html();
        if (count <= MostClassesInMatrix)
        {
            html.Add($"<p class=\"how\">Rows are what the photos show, columns what they were taken for. The darker a square, the larger its share of the row; the diagonal is correct.</p>\n");
            html.Add($"<div class=\"wide\"><table class=\"matrix\" style=\"--name:{Math.Min(15, 0.55 * confusion.Classes.Max(name => name.Length)):0.#}rem\"><thead><tr><th></th>");
            foreach (var name in confusion.Classes) html.Add($"<th><span>{name}</span></th>");
            html.Add($"</tr></thead><tbody>\n");
            for (var truth = 0; truth < count; truth++)
            {
                html.Add($"<tr><th>{confusion.Classes[truth]}</th>");
                for (var predicted = 0; predicted < count; predicted++)
                {
                    var images = confusion[truth, predicted];
                    var share = images / Math.Max(1.0, confusion.Support(truth));
                    html.Add($"<td{new Markup(truth == predicted ? " class=\"hit\"" : "")} style=\"{Shade(share)}\" title=\"{confusion.Classes[truth]} taken for {confusion.Classes[predicted]}: {images:N0}\">");
                    html.Add(images == 0 ? Markup.None : Html.Of($"{images:N0}"));
                    html.Add($"</td>");
                }
                html.Add($"</tr>\n");
            }
            html.Add($"</tbody></table></div>\n");
        }
        else
        {
            html.Add(Picture(confusion));
        }
        return html.Add(MostFrequent(confusion, count <= MostClassesInMatrix ? 10 : MostListedConfusions));
    }

    /// <summary>Too many classes for names and numbers: a picture of the whole, whose squares say what they are when pointed at.</summary>
    private static Markup Picture(ConfusionMatrix confusion)
    {
        var count = confusion.Classes.Count;
        var html = new Html();
        html.Add($"<p class=\"how\">Each row is a class, from the first at the top to the last, each column what its photos were taken for, in the same order; the diagonal is correct. Point at a square to read it.</p>\n");
        html.Add($"<div class=\"large\"><svg viewBox=\"-1 -1 {count + 2} {count + 2}\" role=\"img\" aria-label=\"Confusion matrix of {count} classes\" shape-rendering=\"crispEdges\">");
        html.Add($"<path d=\"M0,0H{count}V{count}H0z\" fill=\"#f7f8fa\" stroke=\"#8b949e\" stroke-width=\".2\"/><path d=\"M0,0L{count},{count}\" stroke=\"#d0d7de\" stroke-width=\".3\"/>");
        for (var truth = 0; truth < count; truth++)
        {
            for (var predicted = 0; predicted < count; predicted++)
            {
                if (confusion[truth, predicted] is var images && images == 0) continue;
                var share = images / (double)confusion.Support(truth);
                html.Add($"<path d=\"M{predicted},{truth}h1v1h-1z\" fill=\"rgb(0 91 150 / {0.15 + 0.85 * share:0.##})\"><title>{confusion.Classes[truth]} taken for {confusion.Classes[predicted]}: {images:N0} of {confusion.Support(truth):N0}</title></path>");
            }
        }
        return html.Add($"</svg></div>\n");
    }

    private static Markup MostFrequent(ConfusionMatrix confusion, int most)
    {
        var all = Enumerable.Range(0, confusion.Classes.Count)
            .SelectMany(truth => Enumerable.Range(0, confusion.Classes.Count).Select(predicted => (truth, predicted, Images: confusion[truth, predicted])))
            .Where(entry => entry.truth != entry.predicted && entry.Images > 0).OrderByDescending(entry => entry.Images).ToList();
        if (all.Count == 0) return Html.Of($"<p>No photo was taken for another class.</p>\n");
        var html = new Html();
        html.Add($"<h3>What is confused most</h3>\n<div class=\"wide\"><table><thead><tr><th>photos of</th><th class=\"word\">taken for</th><th>photos</th><th>of all of the class</th></tr></thead><tbody>\n");
        foreach (var (truth, predicted, images) in all.Take(most))
            html.Add($"<tr><th>{confusion.Classes[truth]}</th><td class=\"word\">{confusion.Classes[predicted]}</td><td>{images:N0}</td><td>{100.0 * images / confusion.Support(truth):0.0} %</td></tr>\n");
        html.Add($"</tbody></table></div>\n");
        if (all.Count > most) html.Add($"<p class=\"how\">… and {all.Count - most:N0} more pairs of classes, with at most {all[most].Images:N0} {(all[most].Images == 1 ? "photo" : "photos")} each.</p>\n");
        return html;
    }

    /// <param name="isFlattering">Whether the temperature was fitted on the very images of the result.</param>
    public static Markup Charts(EvaluationResult result, bool isFlattering) => new Html().Add($"<div class=\"charts\">\n")
        .Add(Reliability(result, isFlattering)).Add(Confidences(result)).Add(Roc(result)).Add(PrecisionRecall(result)).Add($"</div>\n");

    private static Markup Reliability(EvaluationResult result, bool isFlattering)
    {
        var chart = ResultCharts.Reliability(result);
        return Html.Of($"""
            <figure><figcaption><b>Calibration.</b> Whether “80 % sure” means correct in 80 of 100 cases: then the discs, larger for more photos, lie on the dashed line. Below it, the model is too sure of itself. Hollow discs are of fewer than {ResultCharts.FewestPhotosOfBin} photos: take no notice of one.</figcaption>
            {Drawn(chart, "Share of correct predictions by confidence")}
            {Legend(chart)}
            <p class="how">{What(result, isFlattering)}Brier score {result.Calibration.BrierScore:0.000}.</p></figure>

            """);
    }

    /// <summary>What a temperature is, and what this one says of the model.</summary>
    private static string What(EvaluationResult result, bool isFlattering)
    {
        if (result.Uncalibrated is not { } uncalibrated) return "";
        const string what = "Dividing all logits by one number, the temperature, changes no answer, only how sure it sounds.";
        if (uncalibrated.Temperature == 1) return $"{what} The validation photos, if there were enough of them, called for none. ";
        var verdict = uncalibrated.Temperature > 1 ? "the model was too sure of itself on them" : "the model was less sure of itself on them than it could have been";
        var helps = result.Calibration.ExpectedCalibrationError < uncalibrated.Calibration.ExpectedCalibrationError;
        return $"{what} The model's was fitted on the validation photos{(isFlattering ? ", which are these: of other photos, expect less of it" : "")}, and is in all its answers: {verdict}{(helps ? "" : "; here it does not help")}. ";
    }

    private static Markup Confidences(EvaluationResult result)
    {
        var chart = ResultCharts.Confidences(result);
        return Html.Of($"""
            <figure><figcaption><b>Confidence.</b> How sure the model was of how many photos. Above the confidence where the errors end, few answers need a second look.</figcaption>
            {Drawn(chart, "Photos by confidence, correct and misclassified")}
            {Legend(chart)}</figure>

            """);
    }

    private static Markup Roc(EvaluationResult result)
    {
        var chart = ResultCharts.Roc(result);
        if (chart.Legend.Count == 0) return Html.Of($"<figure><figcaption><b>ROC.</b> All photos are of one class, so there is no curve.</figcaption></figure>\n");
        return Html.Of($"""
            <figure><figcaption><b>ROC.</b> Each class against the rest, at every threshold: how many of it are found for how many wrong ones. The nearer to the top left, the better.{Only(result, chart.Legend.Count)}</figcaption>
            {Drawn(chart, "ROC curve of each class")}
            {Legend(chart)}
            <p class="how">Mean area under the curves {result.RocAuc:0.000}; guessing gives 0.5.</p></figure>

            """);
    }

    private static Markup PrecisionRecall(EvaluationResult result)
    {
        var chart = ResultCharts.PrecisionRecall(result);
        return Html.Of($"""
            <figure><figcaption><b>Precision and recall.</b> The more photos of a class are to be found, the more wrong ones are among them. The nearer to the top right, the better; of rare classes this says more than ROC.{Only(result, chart.Legend.Count)}</figcaption>
            {Drawn(chart, "Precision-recall curve of each class")}
            {Legend(chart)}</figure>

            """);
    }

    private static Markup Only(EvaluationResult result, int shown) =>
        shown < result.Confusion.Classes.Count ? Html.Of($" Of {result.Confusion.Classes.Count:N0} classes, the {shown} that fare worst.") : Markup.None;

    /// <param name="chart">What is shown.</param>
    /// <param name="description">Read out to those who do not see it.</param>
    public static Markup Drawn(Chart chart, string description) => new(chart.ToSvg(description));

    /// <summary>A chart's legend as text, which wraps.</summary>
    public static Markup Legend(Chart chart)
    {
        var html = new Html().Add($"<ul class=\"legend\">");
        foreach (var entry in chart.Legend) html.Add($"<li>{new Markup(Chart.ToSvg(entry))}<span>{entry.Name} {entry.Detail}</span></li>");
        return html.Add($"</ul>");
    }

    /// <summary>From white to deep blue, with letters that can be read on it.</summary>
    private static string Shade(double share) => FormattableString.Invariant(
        $"background:rgb({255 - 247 * share:0} {255 - 176 * share:0} {255 - 113 * share:0}){(share > 0.45 ? ";color:#fff" : "")}");
}
