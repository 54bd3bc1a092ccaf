using Graft.Evaluation;
using Graft.Evaluation.Charts;

namespace Graft.Runs.Reports;

/// <summary>Several runs side by side on one page, of the same kind as <see cref="RunReport"/>'s.</summary>
public static class ComparisonReport
{
    /// <summary>Writes the page into a new file.</summary>
    /// <exception cref="GraftException">There is a file of that name, or the disk is full or fails.</exception>
    public static void Write(RunComparison comparison, string path) => Page.Write(path, ToHtml(comparison), replacesOwn: false);

    public static string ToHtml(RunComparison comparison)
    {
        var split = comparison.Split == PredictionTable.Test ? "test" : "validation";
        var body = new Html().Add($"<h1>{comparison.Runs.Count:N0} runs compared</h1>\n");
        body.Add($"<p>On the {split} images of each. The lines are 95 % confidence intervals.</p>\n");
        body.Add(Figures(comparison));
        body.Add($"<section><h2>Accuracy</h2>\n").Add(Intervals(comparison, result => result.Accuracy, result => result.AccuracyInterval, 100, "per cent")).Add($"</section>\n");
        body.Add($"<section><h2>Macro F1</h2>\n").Add(Intervals(comparison, result => result.MacroF1, result => result.MacroF1Interval, 1, "macro F1")).Add($"</section>\n");
        body.Add($"<section><h2>Better, or only luckier?</h2>\n<p class=\"how\">McNemar's test: only images that one run classifies correctly and the other does not say which is better. p is how probable so large a difference is between runs that are equally good.</p>\n<ul>\n");
        foreach (var pair in comparison.Pairs) body.Add($"<li>{pair.Verdict}</li>\n");
        body.Add($"</ul>\n");
        if (comparison.Pairs.Count(pair => pair.Test is not null) is var tests and > 2)
            body.Add($"<p class=\"how\">Of {tests} tests, one in twenty calls a difference real that is only luck: take a single p just below 0.05 with care.</p>\n");
        body.Add($"</section>\n<section><h2>Each class, F1</h2>\n").Add(Classes(comparison)).Add($"</section>\n");
        body.Add($"<section><h2>What was done differently</h2>\n").Add(Options(comparison)).Add($"</section>\n");
        foreach (var (run, name) in comparison.Runs.Zip(comparison.Names))
        {
            if (run.Description is { } description) body.Add($"<h3>{name}</h3>\n<pre><code>{description.Command()}</code></pre>\n");
        }
        body.Add($"<footer>Made by Graft. This page asks for nothing else: it can be kept, sent and opened anywhere.</footer>\n");
        return Page.ToHtml($"{comparison.Runs.Count:N0} runs compared", body);
    }

    private static Markup Figures(RunComparison comparison)
    {
        var best = comparison.Results.Max(result => result.Accuracy);
        var html = new Html().Add($"<div class=\"wide\"><table><thead><tr><th>run</th><th class=\"word\">what</th><th>images</th><th>accuracy</th><th>macro F1</th><th>log loss</th><th>seconds</th></tr></thead><tbody>\n");
        for (var index = 0; index < comparison.Runs.Count; index++)
        {
            var (run, result) = (comparison.Runs[index], comparison.Results[index]);
            var accuracy = Html.Of($"{100 * result.Accuracy:0.0} %");
            html.Add($"<tr><th>{comparison.Names[index]}</th><td class=\"word\">{RunReport.WhatIsTrained(run.Result)}</td><td>{result.Count:N0}</td><td>{(result.Accuracy == best ? Html.Of($"<b>{accuracy}</b>") : accuracy)}</td><td>{result.MacroF1:0.000}</td><td>{result.Loss:0.000}</td><td>{run.Result.Seconds.Total:0.0}</td></tr>\n");
        }
        return html.Add($"</tbody></table></div>\n");
    }

    /// <summary>A dot and a line for each run, under its name, so that names of any length have room.</summary>
    private static Markup Intervals(
        RunComparison comparison, Func<EvaluationResult, double> value, Func<EvaluationResult, ConfidenceInterval> interval, double scale, string unit)
    {
        var range = AxisRange.Of(comparison.Results.SelectMany(result => new[] { scale * interval(result).Low, scale * interval(result).High }), room: 0.08);
        range = new(Math.Max(0, range.Low), Math.Min(scale, range.High));
        var ticks = range.Ticks(6, areWhole: false);
        double Place(double number) => Math.Clamp(600 * (number - range.Low) / (range.High - range.Low), 0, 600);
        var html = new Html().Add($"<div class=\"large\">\n");
        for (var index = 0; index < comparison.Runs.Count; index++)
        {
            var result = comparison.Results[index];
            var (low, middle, high) = (scale * interval(result).Low, scale * value(result), scale * interval(result).High);
            var digits = scale == 1 ? "0.000" : "0.0";
            html.Add($"<p style=\"margin:.5rem 0 0\">{comparison.Names[index]}: {middle.ToString(digits, System.Globalization.CultureInfo.InvariantCulture)} <span class=\"how\">({low.ToString(digits, System.Globalization.CultureInfo.InvariantCulture)} to {high.ToString(digits, System.Globalization.CultureInfo.InvariantCulture)})</span></p>\n");
            html.Add($"<svg viewBox=\"-18 0 636 18\" role=\"img\" aria-label=\"{comparison.Names[index]}\">");
            foreach (var tick in ticks) html.Add($"<path class=\"grid\" d=\"M{Place(tick):0.#},0V18\"/>");
            html.Add($"<path class=\"line\" d=\"M{Place(low):0.#},9H{Place(high):0.#}M{Place(low):0.#},4V14M{Place(high):0.#},4V14\" stroke=\"{ClassLook.Color(0)}\" stroke-width=\"2\"/><circle cx=\"{Place(middle):0.#}\" cy=\"9\" r=\"5\" fill=\"{ClassLook.Color(0)}\"/></svg>\n");
        }
        html.Add($"<svg viewBox=\"-18 0 636 34\" role=\"img\" aria-label=\"{unit}\">");
        foreach (var tick in ticks) html.Add($"<text x=\"{Place(tick):0.#}\" y=\"14\" text-anchor=\"middle\">{tick:0.####}</text>");
        return html.Add($"<text x=\"300\" y=\"31\" text-anchor=\"middle\">{unit}</text></svg></div>\n");
    }

    private static Markup Classes(RunComparison comparison)
    {
        var html = new Html();
        var (first, others) = (comparison.Runs[0], comparison.Runs.Skip(1));
        if (others.Any(run => !run.Result.Classes.SequenceEqual(first.Result.Classes))) return html.Add($"<p>The runs tell different classes apart.</p>\n");
        html.Add($"<div class=\"wide\"><table><thead><tr><th>class</th>");
        foreach (var name in comparison.Names) html.Add($"<th>{name}</th>");
        html.Add($"</tr></thead><tbody>\n");
        for (var label = 0; label < first.Result.Classes.Count; label++)
        {
            html.Add($"<tr><th>{first.Result.Classes[label]}</th>");
            foreach (var result in comparison.Results)
            {
                var score = result.Report.Classes[label].F1;
                html.Add($"<td class=\"bar\" style=\"--p:{100 * score:0.#}%\">{score:0.000}</td>");
            }
            html.Add($"</tr>\n");
        }
        return html.Add($"</tbody></table></div>\n");
    }

    private static Markup Options(RunComparison comparison)
    {
        var html = new Html();
        if (comparison.Options.Count == 0) return html.Add($"<p>Nothing: the commands say the same.</p>\n");
        html.Add($"<div class=\"wide\"><table><thead><tr><th>option</th>");
        foreach (var name in comparison.Names) html.Add($"<th class=\"word\">{name}</th>");
        html.Add($"</tr></thead><tbody>\n");
        foreach (var option in comparison.Options)
        {
            html.Add($"<tr><th><code>{option.Name}</code></th>");
            foreach (var value in option.Values) html.Add($"<td class=\"word\">{value ?? "(default)"}</td>");
            html.Add($"</tr>\n");
        }
        return html.Add($"</tbody></table></div>\n");
    }
}
