using System.Globalization;
using System.Net;
using System.Text;
using Graft.Imaging;

namespace Graft.Data;

/// <summary>A report as one HTML file with thumbnails: it needs no network and no other file.</summary>
public static class DataCheckPage
{
    private const int ThumbnailSidePixels = 160, LargestShownGroup = 8;

    /// <summary>So many of each kind are shown, so that the page stays under ten megabytes; the rest is counted.</summary>
    private const int Shown = 100;

    private const string Style = """
        body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem }
        body { color: #1b1f24; background: #fff }
        table { border-collapse: collapse }
        td, th { padding: .15rem .9rem .15rem 0; text-align: right } td:first-child, th:first-child { text-align: left }
        th { border-bottom: 1px solid #888 } .leak { background: #fde8d7; border-left: .4rem solid #d55e00; padding: .3rem 1rem }
        .group { display: flex; flex-wrap: wrap; gap: .8rem; margin: .6rem 0; padding: .6rem; border: 1px solid #d0d7de; border-radius: .4rem }
        figure { margin: 0; width: 170px }
        img { max-width: 160px; max-height: 160px; display: block } figcaption { font-size: 12px; overflow-wrap: anywhere }
        .row { display: flex; flex-wrap: wrap; gap: .8rem } code { overflow-wrap: anywhere }
        """;

    /// <summary>Writes the page into a new file.</summary>
    /// <exception cref="DataException">There is a file of that name already; it is left as it is.</exception>
    public static void Write(DataCheckReport report, string path)
    {
        if (File.Exists(path))
            throw new DataException($"There is a file {path} already, and nothing is written over. Name another one, or delete it first.");
        var page = ToHtml(report);
        using var file = new StreamWriter(new FileStream(path, FileMode.CreateNew));
        file.Write(page);
    }

    public static string ToHtml(DataCheckReport report)
    {
        var html = new StringBuilder($"""
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">
            <title>Data check: {Encoded(report.Source)}</title><style>{Style}</style></head><body>
            <h1>Data check: {Encoded(report.Source)}</h1>
            <p>{report.Images.Count:N0} images in {report.Classes.Count:N0} classes{(report.IsClean ? "; nothing worth a look was found" : "")}.</p>

            """);
        AppendCounts(html, report);
        foreach (var note in report.Notes) html.Append($"<p>{Encoded(note)}</p>\n");
        if (report.Imbalance is var (largest, most, smallest, fewest))
            html.Append($"<p>Unbalanced: {Encoded(largest)} has {most:N0} images, {Encoded(smallest)} {fewest:N0}.</p>\n");
        AppendGroups(html, "Leaks: in training and in evaluation", report.Duplicates.Where(group => group.IsLeak), "leak");
        AppendGroups(
            html, "One photo in several classes: a label is likely wrong",
            report.Duplicates.Where(group => group is { IsLeak: false, IsContradiction: true }));
        AppendGroups(
            html, "Duplicates within a class", report.Duplicates.Where(group => group is { IsLeak: false, IsContradiction: false }));
        AppendLabels(html, report.Labels);
        foreach (var flaw in report.Flawed.GroupBy(flawed => flawed.Flaw).OrderBy(flaw => flaw.Key))
        {
            html.Append($"<h2>{TitleOf(flaw.Key)}: {flaw.Count():N0}</h2>\n<div class=\"row\">\n");
            foreach (var flawed in flaw.Take(Shown)) AppendFigure(html, flawed.Image, flawed.Detail);
            html.Append("</div>\n");
            AppendRest(html, flaw.Count());
        }
        AppendFiles(html, "Cannot be read", [.. report.Unreadable.Select(file => (file.Path, file.Reason))]);
        AppendFiles(
            html, "Named as another format",
            [.. report.Misnamed.Select(file => (file.Image.Path, $"{file.Extension} holds {file.Image.Format}"))]);
        AppendFiles(html, "Other files", [.. report.Others.Select(file => (file.Path, file.Reason))]);
        return html.Append("</body></html>\n").ToString();
    }

    internal static string TitleOf(ImageFlaw flaw) => flaw == ImageFlaw.OddAspect ? "Oddly shaped" : $"{flaw}";

    private static void AppendCounts(StringBuilder html, DataCheckReport report)
    {
        html.Append("<table><tr><th>class</th>");
        if (report.Parts.Count > 1)
            foreach (var part in report.Parts) html.Append($"<th>{part}</th>");
        html.Append("<th>images</th></tr>\n");
        var (all, parts) = (report.CountsOf(), report.Parts.Count > 1 ? report.Parts.Select(part => report.CountsOf(part)).ToList() : []);
        for (var index = 0; index < report.Classes.Count; index++)
        {
            html.Append($"<tr><td>{Encoded(report.Classes[index])}</td>");
            foreach (var counts in parts) html.Append($"<td>{counts[index]:N0}</td>");
            html.Append($"<td>{all[index]:N0}</td></tr>\n");
        }
        html.Append("</table>\n");
    }

    private static void AppendGroups(StringBuilder html, string title, IEnumerable<DuplicateGroup> groups, string? style = null)
    {
        var all = groups.ToList();
        if (all.Count == 0) return;
        html.Append($"<h2{(style is null ? "" : $" class=\"{style}\"")}>{title}: {all.Count:N0}</h2>\n");
        foreach (var group in all.Take(Shown))
        {
            html.Append("<div class=\"group\">\n");
            foreach (var image in group.Images.Take(LargestShownGroup))
                AppendFigure(html, image, $"{image.Width}×{image.Height}, {image.Bytes / 1e3:N0} kB");
            if (group.Images.Count > LargestShownGroup) html.Append($"<p>and {group.Images.Count - LargestShownGroup:N0} more</p>");
            html.Append($"<p>{(group.IsExact ? "the same bytes" : "nearly the same picture")}</p></div>\n");
        }
        AppendRest(html, all.Count);
    }

    private static void AppendLabels(StringBuilder html, LabelCheck? labels)
    {
        if (labels is null) return;
        html.Append($"<h2>Labels worth a look: {labels.Suspects.Count:N0}</h2>\n<p>");
        html.Append(CultureInfo.InvariantCulture,
            $"Classifiers on features of {Encoded(labels.Backbone)}, none of which learned from the photo it judges, gave ");
        html.Append(CultureInfo.InvariantCulture, $"{100 * labels.Accuracy:0.0} % ");
        html.Append("of the photos their label. These are the photos whose label they find least probable, the most likely wrong first.</p>\n");
        html.Append("<div class=\"row\">\n");
        foreach (var suspect in labels.Suspects.Take(Shown))
        {
            AppendFigure(html, suspect.Image, string.Create(
                CultureInfo.InvariantCulture,
                $"{suspect.Image.Class} {100 * suspect.Given:0.0} %, rather {suspect.Suggested} {100 * suspect.Probability:0.0} %"));
        }
        html.Append("</div>\n");
        AppendRest(html, labels.Suspects.Count);
    }

    private static void AppendFigure(StringBuilder html, CheckedImage image, string detail)
    {
        html.Append("<figure>");
        try
        {
            var jpeg = JpegEncoder.EncodeThumbnail(ImageDecoder.Decode(image.Path), ThumbnailSidePixels);
            html.Append($"<img alt=\"{Encoded(image.File)}\" src=\"data:image/jpeg;base64,{Convert.ToBase64String(jpeg)}\">");
        }
        catch (UnreadableImageException problem)
        {
            // It was readable a moment ago.
            html.Append($"<p>{Encoded(problem.Reason)}</p>");
        }
        html.Append($"<figcaption>{Encoded(image.File)}<br>{Encoded(detail)}</figcaption></figure>\n");
    }

    private static void AppendFiles(StringBuilder html, string title, IReadOnlyList<(string Path, string Reason)> files)
    {
        if (files.Count == 0) return;
        html.Append($"<h2>{title}: {files.Count:N0}</h2>\n<ul>\n");
        foreach (var (path, reason) in files.Take(10 * Shown)) html.Append($"<li><code>{Encoded(path)}</code>: {Encoded(reason)}</li>\n");
        html.Append("</ul>\n");
        if (files.Count > 10 * Shown) html.Append($"<p>… and {files.Count - 10 * Shown:N0} more</p>\n");
    }

    private static void AppendRest(StringBuilder html, int count)
    {
        if (count > Shown) html.Append($"<p>… and {count - Shown:N0} more</p>\n");
    }

    private static string Encoded(string text) => WebUtility.HtmlEncode(text);
}
