using System.Globalization;
using Graft.Evaluation.Charts;
using Graft.Runs.Reports;

namespace Graft.Selection;

/// <summary>Trials on one page, of the same kind as <see cref="RunReport"/>'s.</summary>
public static class TrialPage
{
    public const string FileName = "report.html";

    /// <summary>Writes the page; one that Graft wrote before is replaced.</summary>
    /// <exception cref="GraftException">There is such a file that is no earlier page, or the disk is full or fails.</exception>
    public static void Write(TrialRun run, string path, Advice? advice = null) => Page.Write(path, ToHtml(run, advice), replacesOwn: true);

    /// <summary>Writes advice into a new file.</summary>
    /// <exception cref="GraftException">There is a file of that name, or the disk is full or fails.</exception>
    public static void Write(Advice advice, string path) => Page.Write(
        path, Page.ToHtml($"{advice.Measured.Photos}: advice", new Html().Add($"<h1>{advice.Measured.Photos}: {advice.Quadrant}</h1>\n").Add(AdviceSection(advice))),
        replacesOwn: false, code: "html-not-written");

    public static string ToHtml(TrialRun run, Advice? advice = null)
    {
        var title = $"{Path.GetFileName(Path.TrimEndingDirectorySeparator(run.Request.Photos))}: which network?";
        var body = new Html().Add($"<h1>{title}</h1>\n<p>{TrialText.Verdict(run)}</p>\n");
        body.Add($"<p class=\"how\">{run.Images:N0} photos of {run.Classes.Count:N0} classes, {run.Request.Repeats} × 5-fold cross-validation that keeps copies of a photo in one fold. Intervals are 95 %, corrected for folds that overlap (Nadeau and Bengio 2003).</p>\n");
        List<PageSection> sections = [new("table", "What was tried", Table(run)), new("cost", "Accuracy against cost", Figure(TrialCharts.Pareto(run), "accuracy against milliseconds a photo"))];
        if (run.Curve is { Points.Count: > 0 } curve)
            sections.Add(new("curve", "Would more photos help?", new Html().Add($"<p>{curve.Summary()}</p>\n").Add(Figure(TrialCharts.Curve(curve), "accuracy against photos of a class"))));
        if (run.Trials.Any(trial => trial.Failure is not null)) sections.Add(new("failures", "What could not be tried", Failures(run)));
        if (advice is not null) sections.Add(new("advice", "Advice", AdviceSection(advice)));
        if (run.Notes.Count > 0) sections.Add(new("notes", "Notes", Html.Join(run.Notes.Select(note => Html.Of($"<p>{note}</p>\n")))));
        body.Add(Page.Navigation(sections)).Add(Page.Sections(sections));
        body.Add($"<footer>Made by Graft. This page asks for nothing else: it can be kept, sent and opened anywhere.</footer>\n");
        return Page.ToHtml(title, body);
    }

    internal static Markup AdviceSection(Advice advice)
    {
        var html = new Html().Add($"<p><b>{advice.Recommendation}</b></p>\n<pre><code>{advice.Command}</code></pre>\n<ul>\n");
        foreach (var reason in advice.Reasons) html.Add($"<li>{reason}</li>\n");
        html.Add($"</ul>\n<p>{advice.Expectation}</p>\n<h3>What would change this advice</h3>\n<ul>\n");
        foreach (var change in advice.Changes) html.Add($"<li>{change}</li>\n");
        return html.Add($"</ul>\n");
    }

    private static Markup Table(TrialRun run)
    {
        var html = new Html().Add($"<div class=\"wide\"><table><thead><tr><th>network</th><th class=\"word\">classifier</th><th>accuracy</th><th>95 % CI</th><th>macro F1</th><th>photos/s</th><th>MB</th><th>million multiply-adds</th><th>nearest neighbor</th><th>LogME</th>");
        if (run.Request.Episodes is { } asked) html.Add($"<th>{asked.Way}-way {asked.Shot}-shot</th>");
        html.Add($"<th class=\"word\">as good as the best?</th></tr></thead><tbody>\n");
        foreach (var entry in run.Ranking)
        {
            var (trial, score) = (entry.Trial, entry.Score);
            html.Add($"<tr><th style=\"min-width:9rem\">{trial.Name}</th><td class=\"word\">{score.Classifier}</td><td>{100 * score.Accuracy:0.0} %</td><td>{100 * score.Interval.Low:0.0}–{100 * score.Interval.High:0.0}</td><td>{score.MacroF1:0.000}</td>");
            html.Add($"<td>{trial.ImagesPerSecond:0.0}</td><td>{trial.Megabytes:0.0}</td><td>{trial.MultiplyAdds / 1e6:#,0}</td><td>{100 * trial.NearestNeighbor:0.0} %</td><td>{trial.LogME:0.000}</td>");
            if (run.Request.Episodes is not null) html.Add($"<td>{TrialText.Episodes(trial)}</td>");
            html.Add($"<td class=\"word\">{TrialText.Comparison(entry, run)}</td></tr>\n");
        }
        return html.Add($"</tbody></table></div>\n<p class=\"how\">Nearest neighbor: the share of photos whose most similar other photo is of their class. LogME: how well the features suit the classes without training anything; higher is better, on the same photos only.</p>\n");
    }

    private static Markup Failures(TrialRun run) =>
        Html.Join(run.Trials.Where(trial => trial.Failure is not null).Select(trial => Html.Of($"<p><b>{trial.Name}</b>: {trial.Failure}</p>\n")));

    private static Markup Figure(Chart chart, string description)
    {
        var html = new Html().Add($"<figure class=\"large\">{new Markup(chart.ToSvg(description))}<ul class=\"legend\">\n");
        foreach (var entry in chart.Legend) html.Add($"<li>{new Markup(Chart.ToSvg(entry))}{entry.Name} {entry.Detail}</li>\n");
        return html.Add($"</ul></figure>\n");
    }
}

/// <summary>Trials in words.</summary>
public static class TrialText
{
    /// <summary>Which is best, which is as good, and which to take.</summary>
    public static string Verdict(TrialRun run)
    {
        var best = run.Ranking[0];
        var equals = run.Ranking.Where(entry => entry.IsAsGoodAsBest).ToList();
        var fastest = equals.MaxBy(entry => entry.Trial.ImagesPerSecond)!;
        var text = string.Create(
            CultureInfo.InvariantCulture,
            $"{TrialCharts.Label(run, best)} is the most accurate: {100 * best.Score.Accuracy:0.0} % (95 % CI {100 * best.Score.Interval.Low:0.0}–{100 * best.Score.Interval.High:0.0}).");
        if (run.Ranking.Count == 1) return text;
        return equals.Count == 1 ? $"{text} The others are worse, hardly by luck."
            : fastest == best ? $"{text} {equals.Count - 1} of the other {run.Ranking.Count - 1} may be as good, and none of these is faster."
            : string.Create(
                CultureInfo.InvariantCulture,
                $"{text} {TrialCharts.Label(run, fastest)} may be as good ({100 * fastest.Score.Accuracy:0.0} %) and takes {best.Trial.ImagesPerSecond / fastest.Trial.ImagesPerSecond:P0} of the time.");
    }

    internal static string Episodes(Trial trial) => trial.Episodes is { } score
        ? string.Create(CultureInfo.InvariantCulture, $"{100 * score.Accuracy:0.0} ± {100 * score.HalfWidth:0.0}")
        : "–";

    internal static string Comparison(RankedTrial entry, TrialRun run) => entry == run.Ranking[0] ? "best"
        : entry.PValue is not { } p ? "measured on other photos"
        : string.Create(CultureInfo.InvariantCulture, $"{(entry.IsAsGoodAsBest ? "may be" : "no")} (p {(p < 1e-4 ? "below 0.0001" : $"= {p.ToString("0.###", CultureInfo.InvariantCulture)}")})");
}
