using Graft.Data;
using Graft.Data.Remote;

namespace Graft.Runs.Reports;

/// <summary>What a check of a data set found, on one page with thumbnails, of the same kind as <see cref="RunReport"/>'s.</summary>
public static class DataCheckPage
{
    /// <summary>So much of each kind is shown, so that the page stays under ten megabytes; the rest is counted.</summary>
    private const int MostInGroup = 8, MostPictures = 160, MostSingles = 100, MostFiles = 1000;

    /// <summary>Writes the page into a new file.</summary>
    /// <exception cref="GraftException">There is a file of that name already, which is left as it is; or the disk is full or fails.</exception>
    public static void Write(DataCheckReport report, string path) => Page.Write(path, ToHtml(report), replacesOwn: false, code: "html-not-written");

    public static string ToHtml(DataCheckReport report)
    {
        var name = Path.GetFileName(Path.TrimEndingDirectorySeparator(RemotePlace.Full(report.Source)));
        var sections = Sections(report).ToList();
        var body = new Html().Add($"<h1>{name}: data check</h1>\n");
        body.Add($"<p>{Count(report.Images.Count, "photo")} in {report.Classes.Count:N0} classes{(report.IsClean ? "; no problems found" : "")}. They lie in <code>{report.Source}</code>.</p>\n");
        body.Add(Page.Navigation(sections));
        foreach (var note in report.Notes) body.Add($"<p class=\"note\">{note}</p>\n");
        if (report.Imbalance is var (largest, most, smallest, fewest))
            body.Add($"<p class=\"note\">Imbalanced: {largest} has {most:N0} photos, {smallest} {fewest:N0}. Judge by macro F1 rather than accuracy.</p>\n");
        body.Add(Page.Sections(sections));
        body.Add($"<footer>Made by Graft, which changed none of these files. This page asks for nothing else: it can be kept, sent and opened anywhere.</footer>\n");
        return Page.ToHtml($"{name}: data check", body);
    }

    private static IEnumerable<PageSection> Sections(DataCheckReport report)
    {
        yield return new("photos", "The photos", Photos(report));
        var (leaks, contradictions, copies) = (
            report.Duplicates.Where(group => group.IsLeak).ToList(),
            report.Duplicates.Where(group => group is { IsLeak: false, IsContradiction: true }).ToList(),
            report.Duplicates.Where(group => group is { IsLeak: false, IsContradiction: false }).ToList());
        if (leaks.Count > 0)
        {
            yield return new("leaks", Titled("Leaks", leaks.Count), Groups(
                Html.Of($"One photo in training and in evaluation: reported scores will be optimistic until they are gone: <code class=\"keep\">graft data check --quarantine</code> moves the spare copies aside, <code class=\"keep\">graft data split</code> divides the photos again."),
                leaks), IsAlarming: true);
        }
        if (contradictions.Count > 0)
        {
            yield return new("contradictions", Titled("One photo in several classes", contradictions.Count), Groups(
                Html.Of($"One of the labels is wrong. Which one, only a person can say."), contradictions));
        }
        if (copies.Count > 0)
        {
            yield return new("copies", Titled("More than once in a class", copies.Count), Groups(
                Html.Of($"Copies count double in training. Of each group the first is the one to keep."), copies));
        }
        if (report.Labels is { } labels) yield return new("labels", Titled("Likely label errors", labels.Suspects.Count), Labels(labels));
        foreach (var flaw in report.Flawed.GroupBy(flawed => flawed.Flaw).OrderBy(flaw => flaw.Key))
        {
            yield return new($"{flaw.Key}".ToLowerInvariant(), Titled(TitleOf(flaw.Key), flaw.Count()), Gallery(
                flaw.Count(), [.. flaw.Take(MostSingles).Select(flawed => (flawed.Image, Html.Of($"{flawed.Image.Class}, {flawed.Detail}")))]));
        }
        (string Id, string Title, IReadOnlyList<(string File, string Reason)> Files)[] lists =
        [
            ("unreadable", "Cannot be read", [.. report.Unreadable.Select(file => (DataCheck.RelativePath(report.Source, file.Path), file.Reason))]),
            ("misnamed", "Named as another format", [.. report.Misnamed.Select(file => (file.Image.File, $"{file.Extension} holds {file.Image.Format}"))]),
            ("others", "Left out", [.. report.Others.Select(file => (DataCheck.RelativePath(report.Source, file.Path), file.Reason))]),
        ];
        foreach (var (id, title, files) in lists.Where(list => list.Files.Count > 0)) yield return new(id, Titled(title, files.Count), Files(files));
    }

    private static string TitleOf(ImageFlaw flaw) => flaw == ImageFlaw.OddAspect ? "Oddly shaped" : $"{flaw}";

    private static Markup Photos(DataCheckReport report)
    {
        var html = new Html().Add($"<div class=\"wide\"><table><thead><tr><th>class</th>");
        if (report.Parts.Count > 1)
            foreach (var part in report.Parts) html.Add($"<th>{part}</th>");
        html.Add($"<th>photos</th></tr></thead><tbody>\n");
        var (all, parts) = (report.CountsOf(), report.Parts.Count > 1 ? report.Parts.Select(part => report.CountsOf(part)).ToList() : []);
        var largest = Math.Max(1, all.DefaultIfEmpty().Max());
        for (var index = 0; index < report.Classes.Count; index++)
        {
            html.Add($"<tr><th>{report.Classes[index]}</th>");
            foreach (var counts in parts) html.Add($"<td>{counts[index]:N0}</td>");
            html.Add($"<td class=\"bar\" style=\"--p:{100.0 * all[index] / largest:0.#}%\">{all[index]:N0}</td></tr>\n");
        }
        html.Add($"<tr class=\"sum first\"><th>all classes</th>");
        foreach (var counts in parts) html.Add($"<td>{counts.Sum():N0}</td>");
        html.Add($"<td>{all.Sum():N0}</td></tr></tbody></table></div>\n");
        return report.Classes.Count <= ResultSections.MostListedClasses
            ? html
            : new Html().Add($"<details><summary>{report.Classes.Count:N0} classes</summary>\n").Add(html).Add($"</details>\n");
    }

    private static Markup Groups(Markup what, List<DuplicateGroup> groups)
    {
        var html = new Html().Add($"<p class=\"how\">{what}</p>\n<div class=\"groups\">\n");
        var (shown, images) = (0, 0);
        while (shown < groups.Count && images < MostPictures) images += Math.Min(MostInGroup, groups[shown++].Images.Count);
        var pictures = new Queue<Markup>(PhotoSections.Thumbnails(
            [.. groups.Take(shown).SelectMany(group => group.Images.Take(MostInGroup)).Select(image => image.Path)]));
        foreach (var group in groups.Take(shown))
        {
            html.Add($"<div class=\"group\"><p class=\"how\">{(group.IsExact ? "the same bytes" : "nearly the same picture")}</p><div>\n");
            foreach (var image in group.Images.Take(MostInGroup))
            {
                var place = image.Part.Length == 0 ? image.Class : $"{image.Class}, {image.Part}";
                html.Add(Figure(image, pictures.Dequeue(), Html.Of($"<b>{place}</b>, {image.Width}×{image.Height}, {image.Bytes / 1e3:N0} kB")));
            }
            html.Add($"</div>");
            if (group.Images.Count > MostInGroup) html.Add($"<p class=\"how\">and {group.Images.Count - MostInGroup:N0} more</p>");
            html.Add($"</div>\n");
        }
        return html.Add($"</div>\n").Add(Rest(groups.Count - shown));
    }

    private static Markup Labels(LabelCheck labels) => new Html()
        .Add($"<p class=\"how\">Classifiers on features of {labels.Backbone}, each trained on other photos than it predicts, agree with {100 * labels.Accuracy:0.0} % of the labels. These are the photos with the least probable labels, the most likely errors first. Start at the top, and stop when the labels have been correct for a while.</p>\n")
        .Add(Gallery(labels.Suspects.Count,
        [
            .. labels.Suspects.Take(MostSingles).Select(suspect => (suspect.Image, Html.Of(
                $"{suspect.Image.Class} <span class=\"keep\">{100 * suspect.Given:0.0} %</span>, rather <b>{suspect.Suggested}</b> <span class=\"keep\">{100 * suspect.Probability:0.0} %</span>"))),
        ]));

    private static Markup Gallery(int count, IReadOnlyList<(CheckedImage Image, Markup Caption)> shown)
    {
        var html = new Html().Add($"<div class=\"photos\">\n");
        foreach (var ((image, caption), picture) in shown.Zip(PhotoSections.Thumbnails([.. shown.Select(entry => entry.Image.Path)])))
            html.Add(Figure(image, picture, caption));
        return html.Add($"</div>\n").Add(Rest(count - shown.Count));
    }

    private static Markup Figure(CheckedImage image, Markup picture, Markup caption) => Html.Of(
        $"<figure><div class=\"frame\">{picture}</div><figcaption>{caption}<br><small>{Html.FileName(image.File)}</small></figcaption></figure>\n");

    private static Markup Files(IReadOnlyList<(string File, string Reason)> files)
    {
        var html = new Html().Add($"<ul>\n");
        foreach (var (file, reason) in files.Take(MostFiles)) html.Add($"<li><code>{file}</code>: {reason}</li>\n");
        return html.Add($"</ul>\n").Add(Rest(files.Count - MostFiles));
    }

    private static Markup Rest(int count) =>
        count > 0 ? Html.Of($"<p class=\"how\">… and {count:N0} more; graft data check --json lists them all.</p>\n") : Markup.None;

    private static string Titled(string title, int count) => FormattableString.Invariant($"{title}: {count:N0}");

    private static string Count(int count, string noun) => FormattableString.Invariant($"{count:N0} {noun}{(count == 1 ? "" : "s")}");
}
