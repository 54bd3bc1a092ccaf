using System.Globalization;
using Graft.Data;
using Graft.Data.Collections;
using Graft.Evaluation.Charts;

namespace Graft.Runs.Reports;

/// <summary>How much of a run its page shows.</summary>
public sealed record RunReportOptions
{
    /// <summary>Photos that were misclassified, the surest errors first. 0 to 1,000; default 60.</summary>
    public int Misclassified { get; init; } = 60;

    /// <summary>Photos that the model was least sure of. 0 to 1,000; default 24.</summary>
    public int LeastCertain { get; init; } = 24;

    /// <summary>Photos with a heat map of the regions that support the predicted class, half of them misclassified. 0 to 1,000; default 24.</summary>
    public int HeatMaps { get; init; } = 24;

    /// <summary>What is wrong with these options, a sentence each; empty if nothing is.</summary>
    public IReadOnlyList<string> Problems() =>
    [
        .. new[] { (Misclassified, "misclassified photos"), (LeastCertain, "least certain photos"), (HeatMaps, "heat maps") }
            .Where(option => option.Item1 is < 0 or > 1000).Select(option => $"Expected 0 to 1,000 {option.Item2}, found {option.Item1}."),
    ];
}

/// <summary>
/// A run on one page, <c>report.html</c>: what was done and how to repeat it, how good the result is and how far that can be trusted, and the
/// photos that it fails on. The page is one file, asks for no other and runs no script.
/// </summary>
public static class RunReport
{
    /// <summary>The page's name in the run folder.</summary>
    public const string FileName = "report.html";

    private const int MostSkipped = 50;

    /// <summary>Writes the page.</summary>
    /// <param name="path">A new file; null for <c>report.html</c> in the run folder, where an earlier page is replaced.</param>
    /// <returns>Where it was written.</returns>
    /// <exception cref="GraftException">There is such a file that is no earlier page, unsuitable options, or the disk is full or fails.</exception>
    public static string Write(SavedRun run, string? path = null, RunReportOptions? options = null)
    {
        var file = path ?? Path.Combine(run.Folder, FileName);
        Page.Write(file, ToHtml(run, options), replacesOwn: path is null);
        return file;
    }

    /// <exception cref="GraftException">Unsuitable options.</exception>
    public static string ToHtml(SavedRun run, RunReportOptions? options = null)
    {
        options ??= new();
        if (options.Problems() is { Count: > 0 } problems) throw new GraftException(string.Join(" ", problems));
        var result = run.Result;
        var (main, title, images) = run.Test is { } test ? (test, "test", run.Predictions.Of(PredictionTable.Test))
            : (run.Validation, "validation", run.Predictions.Of(PredictionTable.Validation));
        var body = new Html();
        body.Add($"<h1>{DataName(result)}: {WhatIsTrained(result)}</h1>\n");
        body.Add(ResultSections.Cards(main, $"{title} photos"));
        var missing = images.Count(image => !PhotoFile.Exists(image.Path));
        if (missing > 0)
        {
            body.Add($"<p class=\"note\">{(missing == images.Count ? "The" : Text($"{missing:N0} of {images.Count:N0}"))} {title} photos are no longer in <code>{result.Data}</code>, and are not shown. From where they lie now: <code>graft report {run.Folder} --photos DIR</code></p>\n");
        }
        var sections = new List<PageSection>
        {
            new("done", "What was done", Done(run)),
            new("data", "The photos", Photos(run)),
        };
        if (Decision.In(run.Folder) is { Count: > 0 } decisions) sections.Insert(1, new("why", "Why so", Why(decisions)));
        if (PseudoLabels.Load(run.Folder) is { Count: > 0 } unlabeled) sections.Add(new("unlabeled", "Unlabeled photos", Unlabeled(unlabeled, result.Seed)));
        if (run.Course is { } course) sections.Add(new("curves", "Learning curves", Curves(course)));
        sections.Add(new("classes", $"Each class, on the {title} photos", new Html()
            .Add($"<p class=\"how\">Precision: of the photos that were called so, the share that is. Recall: of the photos of the class, the share that was found. F1: their harmonic mean.</p>\n")
            .Add(ResultSections.ClassTable(main.Report))));
        sections.Add(new("confusion", "Confusion matrix", ResultSections.Confusion(main.Confusion)));
        sections.Add(new("trust", "How far to trust it", ResultSections.Charts(main, isFlattering: run.Test is null)));
        if (run.Test is not null) sections.Add(new("validation", "On the validation photos", Validation(run)));
        sections.Add(new("wrong", "Misclassified", Wrong(images, result, options)));
        if (options.LeastCertain > 0) sections.Add(new("unsure", "Least certain", Unsure(images, result, options)));
        if (options.HeatMaps > 0 && missing < images.Count) sections.Add(new("places", "Where it looked", PhotoSections.HeatMaps(run, images, options.HeatMaps)));
        if (Map(run) is { } map) sections.Add(new("map", "Map of the features", map));
        body.Add(Page.Navigation(sections)).Add(Page.Sections(sections));
        if (options.HeatMaps == 0)
            body.Add($"<p class=\"how\">More photos, and heat maps of the regions that support the predicted class: <code>graft report {run.Folder}</code></p>\n");
        body.Add($"<footer>Made by Graft{(run.Description is { } made ? $" {Version(made)}" : "")} from the run {run.Name}. This page asks for nothing else: it can be kept, sent and opened anywhere.</footer>\n");
        return Page.ToHtml($"{DataName(result)}: {WhatIsTrained(result)}", body);
    }

    /// <summary>How many photos of which label were learned from, why the others were not, and some of them drawn at random.</summary>
    private static Markup Unlabeled(IReadOnlyList<PseudoLabeledPhoto> photos, int seed)
    {
        const int shown = 20;
        var html = new Html().Add($"<div class=\"wide\"><table><thead><tr><th>label, or why none</th><th>photos</th></tr></thead><tbody>\n");
        foreach (var (label, count) in photos.Where(photo => photo.Label is not null).CountBy(photo => photo.Label!).OrderByDescending(entry => entry.Value))
            html.Add($"<tr><th>{label}</th><td>{count:N0}</td></tr>\n");
        foreach (var (reason, count) in photos.Where(photo => photo.Label is null).CountBy(photo => photo.Reason ?? "").OrderByDescending(entry => entry.Value))
            html.Add($"<tr><th>no label: {reason}</th><td>{count:N0}</td></tr>\n");
        html.Add($"</tbody></table></div>\n");
        var labeled = photos.Where(photo => photo.Label is not null).ToArray();
        if (labeled.Length == 0) return html;
        var order = Enumerable.Range(0, labeled.Length).ToArray();
        new SplitMix64((ulong)(uint)seed).Shuffle(order);
        var drawn = order.Take(shown).Select(place => labeled[place]).ToList();
        html.Add($"<p class=\"how\">Some of those that were learned from, drawn at random: where many are wrong, do without the unlabeled photos. All are in pseudo_labels.csv.</p>\n<div class=\"photos\">\n");
        foreach (var (photo, picture) in drawn.Zip(PhotoSections.Thumbnails([.. drawn.Select(photo => photo.Path)])))
            html.Add($"<figure><div class=\"frame\">{picture}</div><figcaption>{photo.Label} <span class=\"keep\">{100 * photo.Probability:0} %</span>, round {photo.Round}<br><small>{Html.FileName(Path.GetFileName(photo.Path))}</small></figcaption></figure>\n");
        return html.Add($"</div>\n");
    }

    private static Markup Done(SavedRun run)
    {
        var (result, html) = (run.Result, new Html());
        var (network, count) = (result.Backbone, result.Images);
        var learned = $"{Count(count.Train, "photo")} of {result.Classes.Count:N0} classes";
        html.Add($"<p>");
        html.Add(result.Strategy switch
        {
            "features" when network.Contains('+') => Html.Of(
                $"{learned} went through the pretrained networks {network.Replace("+", " and ", StringComparison.Ordinal)}, which stayed as they were. On the {result.Features ?? 0:N0} numbers that they make of each photo, {Classifier(result)} was trained."),
            "features" => Html.Of(
                $"{learned} went through the pretrained network {network}, which stayed as it was. On the {result.Features ?? 0:N0} numbers that it makes of each photo, {Classifier(result)} was trained."),
            "head" => Html.Of($"A new head was put on the pretrained network {network} and trained on {learned} and varied views of them; the network itself stayed as it was."),
            "finetune" => Html.Of($"A new head was put on the pretrained network {network} and trained on {learned}; then layers of the network were trained further with it, at a small learning rate."),
            "partial" => Html.Of($"A new head was put on the pretrained network {network}. It and the upper layers were trained together on {learned}; the lower ones stayed as they were."),
            "full" => Html.Of($"All layers of the pretrained network {network}, with a new head, were trained further on {learned}."),
            "scratch" => Html.Of($"The network {network} was trained on {learned} from random weights, without anything learned before."),
            _ => Html.Of($"{network} was trained on {learned}."),
        });
        html.Add($"</p>\n");
        foreach (var line in run.Summary.Split('\n', StringSplitOptions.RemoveEmptyEntries)) html.Add($"<p>{line}</p>\n");
        html.Add($"<p>{Count(count.Validation, "validation photo")} {(count.Validation == 1 ? "was" : "were")} not learned from");
        html.Add($"{(run.Course is null ? "." : ", but decided which epoch is kept: what is measured on them is a little too good.")}");
        if (count.Test > 0) html.Add($" {Count(count.Test, "test photo")} {(count.Test == 1 ? "was" : "were")} looked at once, at the end: what is measured on them can be taken at its word.");
        html.Add($"</p>\n");
        if (run.Description is { } description)
            html.Add($"<h3>To repeat it</h3>\n<pre><code>{description.Command()}</code></pre>\n<p class=\"how\">The same photos, seed and machine give the same model, bit for bit.</p>\n");
        else
            html.Add($"<p class=\"how\">The run was started from C#, not by the graft command.</p>\n");
        html.Add($"<details><summary>Versions, seed, weights and times</summary>\n<div class=\"wide\"><table class=\"words\"><tbody>\n");
        foreach (var (name, value) in Facts(run)) html.Add($"<tr><td>{name}</td><td>{value}</td></tr>\n");
        return html.Add($"</tbody></table></div></details>\n");
    }

    private static Markup Why(IReadOnlyList<Decision> decisions)
    {
        var html = new Html().Add($"<p class=\"how\">graft auto decided each step by measurements on these photos; all numbers are in <code>{Decision.FileName}</code>.</p>\n<div class=\"wide\"><table class=\"words\"><tbody>\n");
        foreach (var decision in decisions) html.Add($"<tr><td>{decision.Step}</td><td class=\"keep\"><b>{decision.Choice}</b></td><td>{decision.Reason}</td></tr>\n");
        return html.Add($"</tbody></table></div>\n");
    }

    private static IEnumerable<(string Name, string Value)> Facts(SavedRun run)
    {
        var result = run.Result;
        yield return ("photos", result.Data);
        yield return ("run folder", Path.GetFullPath(run.Folder));
        yield return ("seed", Text($"{result.Seed}"));
        if (run.Description is { } description)
        {
            yield return ("begun", description.Begun.ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture));
            yield return ("Graft", description.Graft);
            yield return ("machine", $"{description.System}, {description.Cores} cores, {description.Runtime}");
        }
        foreach (var (name, hash) in result.Weights ?? new Dictionary<string, string>()) yield return ($"weights of {name}", $"SHA-256 over layers and numbers: {hash}");
        foreach (var stage in result.Stages ?? [])
            yield return ($"stage {stage.Name}", Text($"{stage.Trainable:N0} parameters trained, {stage.Frozen:N0} frozen"));
        var seconds = result.Seconds;
        yield return ("time", (seconds.Features is { } features ? Text($"features {features:0.0} s, ") : "") + Text($"training {seconds.Training:0.0} s, in all {seconds.Total:0.0} s"));
    }

    private static Markup Photos(SavedRun run)
    {
        var (result, html) = (run.Result, new Html());
        if (result.ClassImages is { } counts)
        {
            var parts = new[] { ("training", counts.Train), ("validation", counts.Validation), ("test", counts.Test) }.Where(part => part.Item2.Sum() > 0).ToList();
            var largest = Enumerable.Range(0, result.Classes.Count).Max(label => parts.Sum(part => part.Item2[label]));
            var isFolded = result.Classes.Count > ResultSections.MostListedClasses;
            var sizes = Enumerable.Range(0, result.Classes.Count).Select(label => parts.Sum(part => part.Item2[label])).ToList();
            html.Add($"<p>{sizes.Sum():N0} photos of {result.Classes.Count:N0} classes: {string.Join(", ", parts.Select(part => Text($"{part.Item2.Sum():N0} for {part.Item1}")))}. {(sizes.Min() == sizes.Max() ? Text($"Each class has {sizes.Min():N0}.") : Text($"The smallest class has {sizes.Min():N0}, the largest {sizes.Max():N0}."))}</p>\n");
            if (isFolded) html.Add($"<details><summary>Each class</summary>\n");
            html.Add($"<div class=\"wide\"><table><thead><tr><th>class</th>");
            foreach (var (name, _) in parts) html.Add($"<th>{name}</th>");
            html.Add($"<th>in all</th></tr></thead><tbody>\n");
            for (var label = 0; label < result.Classes.Count; label++)
            {
                var all = parts.Sum(part => part.Item2[label]);
                html.Add($"<tr><th>{result.Classes[label]}</th>");
                foreach (var (_, images) in parts) html.Add($"<td>{images[label]:N0}</td>");
                html.Add($"<td class=\"bar\" style=\"--p:{100.0 * all / largest:0.#}%\">{all:N0}</td></tr>\n");
            }
            html.Add($"<tr class=\"sum first\"><th>all classes</th>");
            foreach (var (_, images) in parts) html.Add($"<td>{images.Sum():N0}</td>");
            html.Add($"<td>{parts.Sum(part => part.Item2.Sum()):N0}</td></tr></tbody></table></div>\n");
            if (isFolded) html.Add($"</details>\n");
        }
        if (run.Skipped.Count == 0) return html.Add($"<p>No file was left out.</p>\n");
        html.Add($"<p class=\"note\">{Count(run.Skipped.Count, "file")} {(run.Skipped.Count == 1 ? "was" : "were")} left out.</p>\n<details><summary>Which, and why</summary><ul>\n");
        foreach (var file in run.Skipped.Take(MostSkipped)) html.Add($"<li><code>{Html.FileName(PhotoSections.Shown(file.Path, result.Data))}</code>: {file.Reason}</li>\n");
        html.Add($"</ul>\n");
        if (run.Skipped.Count > MostSkipped) html.Add($"<p>… and {run.Skipped.Count - MostSkipped:N0} more, all in skipped.csv.</p>\n");
        return html.Add($"</details>\n");
    }

    private static Markup Curves(TrainingCourse course)
    {
        var best = course.History.Epochs[course.History.BestEpoch - 1];
        return new Html()
            .Add($"<p class=\"how\">An epoch is one pass over the training photos. Where training goes on improving and validation does not, the model learns the photos by heart. Kept is epoch {best.Epoch}, with the lowest validation loss{(course.Stages.Count > 1 ? " of the last stage" : "")}: {best.ValidationLoss:0.000}, and {100 * best.ValidationAccuracy:0.0} % right.</p>\n")
            .Add($"<div class=\"charts\">\n").Add(Curve("Loss", LearningCurves.Loss(course.History, course.Stages.Skip(1))))
            .Add(Curve("Accuracy", LearningCurves.Accuracy(course.History, course.Stages.Skip(1)))).Add($"</div>\n");
    }

    private static Markup Curve(string title, Chart chart) => Html.Of($"""
        <figure><figcaption><b>{title}</b></figcaption>
        {ResultSections.Drawn(chart, $"{title} of training and validation by epoch")}
        {ResultSections.Legend(chart)}</figure>

        """);

    private static Markup Validation(SavedRun run)
    {
        var result = run.Validation;
        return new Html()
            .Add($"<p>{Count(result.Count, "photo")}: accuracy {100 * result.Accuracy:0.0} % ({100 * result.AccuracyInterval.Low:0.0} to {100 * result.AccuracyInterval.High:0.0} %), macro F1 {result.MacroF1:0.000} ({result.MacroF1Interval.Low:0.000} to {result.MacroF1Interval.High:0.000}), log loss {result.Loss:0.000}.</p>\n")
            .Add($"<details><summary>Each class, and the confusion matrix</summary>\n").Add(ResultSections.ClassTable(result.Report))
            .Add(ResultSections.Confusion(result.Confusion)).Add($"</details>\n");
    }

    private static Markup Wrong(IReadOnlyList<EvaluatedImage> images, ResultDocument result, RunReportOptions options)
    {
        var wrong = images.Where(image => !image.IsCorrect).OrderByDescending(image => image.Confidence).ToList();
        if (wrong.Count == 0) return Html.Of($"<p>None of the {images.Count:N0} photos.</p>\n");
        var html = new Html().Add($"<p class=\"how\">{wrong.Count:N0} of {images.Count:N0} photos, the surest errors first. Among these are photos with a wrong label, photos that show several things, and what the model has yet to learn.</p>\n");
        html.Add(PhotoSections.Gallery([.. wrong.Take(options.Misclassified)], result.Classes, result.Data));
        return wrong.Count > options.Misclassified ? html.Add($"<p class=\"how\">… and {wrong.Count - options.Misclassified:N0} more, all in predictions.csv.</p>\n") : html;
    }

    private static Markup Unsure(IReadOnlyList<EvaluatedImage> images, ResultDocument result, RunReportOptions options) => new Html()
        .Add($"<p class=\"how\">The photos whose most probable class is the least probable: where more photos of the kind would teach the model most.</p>\n")
        .Add(PhotoSections.Gallery([.. images.OrderBy(image => image.Confidence).Take(options.LeastCertain)], result.Classes, result.Data));

    /// <summary>Null where there is none.</summary>
    private static Markup? Map(SavedRun run)
    {
        var images = run.Predictions.Images.Where(image => image.Place is not null).ToList();
        if (images.Count < 3 || run.Result.Map is not { } map) return null;
        var classes = run.Result.Classes;
        var chart = new Chart(
            "Map of the features",
            Axis.Bare(Text($"first direction, {100 * map.Variance[0]:0.0} % of the variance"), AxisRange.Of(images.Select(image => image.Place!.Value.X))),
            Axis.Bare(Text($"second, {100 * map.Variance[1]:0.0} %"), AxisRange.Of(images.Select(image => image.Place!.Value.Y))));
        var size = images.Count > 800 ? 0.8 : 1;
        foreach (var image in images.OrderBy(image => !image.IsCorrect))
        {
            var place = image.Place!.Value;
            var verdict = image.IsCorrect ? classes[image.Label] : $"{classes[image.Label]}, taken for {classes[image.Predicted]}";
            chart.Point(place.X, place.Y, image.Label, $"{verdict}: {Path.GetFileName(image.Path)}", size, isRinged: !image.IsCorrect);
        }
        // Of many classes, colors and shapes are hard to look up: the number of each stands in its middle.
        var hasNumbers = classes.Count > 10;
        var legend = new Html().Add($"<ul class=\"legend\">");
        for (var label = 0; label < classes.Count; label++)
        {
            legend.Add($"<li><svg viewBox=\"0 0 12 12\" style=\"width:12px\" aria-hidden=\"true\"><path d=\"{ClassLook.Marker(label)}\" transform=\"translate(6,6) scale(1.3)\" fill=\"{ClassLook.Color(label)}\"/></svg><span>{(hasNumbers ? $"{label + 1} " : "")}{classes[label]}</span></li>");
            var own = images.Where(image => image.Label == label).Select(image => image.Place!.Value).ToList();
            if (hasNumbers && own.Count > 0) chart.Word(Median(own.Select(place => place.X)), Median(own.Select(place => place.Y)), Text($"{label + 1}"));
        }
        legend.Add($"</ul>");
        return new Html()
            .Add($"<p class=\"how\">What the classifier sees of {images.Count:N0} validation{(run.Test is null ? "" : " and test")} photos, laid out along the two directions in which they differ most (principal components). Photos that lie together look alike to it; those with a black rim are misclassified. Classes that overlap here may still be apart in the other directions.</p>\n")
            .Add($"<figure class=\"large\" style=\"margin-left:0\">{ResultSections.Drawn(chart, "Map of the features, colored by class")}{(Markup)legend}</figure>\n");
    }

    private static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        return sorted[sorted.Count / 2];
    }

    internal static string WhatIsTrained(ResultDocument result) => result.Strategy == "features"
        ? $"{Classifier(result)} on {result.Backbone}"
        : result.Strategy == "scratch" ? $"{result.Backbone} from scratch" : $"{result.Backbone}, strategy {result.Strategy}";

    private static string Classifier(ResultDocument result) => result.Classifier switch
    {
        "softmax" => "a softmax head",
        "logistic" => "logistic regression",
        "svm" => "a linear support vector machine",
        "rbf-svm" => "a support vector machine with a Gaussian kernel",
        "bayes" => "Gaussian naive Bayes",
        "knn" => "nearest neighbors",
        "mean" => "nearest class means",
        var other => other,
    };

    private static string DataName(ResultDocument result) =>
        Path.GetFileNameWithoutExtension(Path.TrimEndingDirectorySeparator(result.Data)) is { Length: > 0 } name ? name : "Run";

    /// <summary>Without the commit that it was built from.</summary>
    private static string Version(RunDescription description) => description.Graft.Split('+')[0];

    private static string Count(int count, string noun) => Text($"{count:N0} {noun}{(count == 1 ? "" : "s")}");

    private static string Text(FormattableString text) => FormattableString.Invariant(text);
}
