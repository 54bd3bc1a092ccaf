using System.Globalization;
using Graft.Runs.Reports;

namespace Graft.Labeling;

/// <summary>Labels of photos on one page with small pictures.</summary>
public static class LabelPage
{
    private const int MostOfClass = 24, MostOfReason = 24;

    /// <summary>Writes the page into a new file.</summary>
    /// <param name="title">What was labeled.</param>
    /// <exception cref="GraftException">There is a file of that name already, or the disk is full or fails.</exception>
    public static void Write(LabelResult result, string title, string path) => Page.Write(path, ToHtml(result, title), replacesOwn: false);

    public static string ToHtml(LabelResult result, string title)
    {
        List<PageSection> sections = [new("summary", "Summary", Summary(result))];
        for (var label = 0; label < result.Classes.Count; label++)
        {
            var name = result.Classes[label];
            var photos = result.Labels.Photos.Where(photo => photo.Label == name).OrderBy(photo => photo.Probability).ToList();
            if (photos.Count == 0) continue;
            sections.Add(new($"class{label}", FormattableString.Invariant($"{name}: {photos.Count:N0}"), new Html()
                .Add($"<p class=\"how\">The least sure first: where these are right, the others are.</p>\n").Add(Gallery(result, photos, MostOfClass))));
        }
        foreach (var (reason, count) in result.LeftOut)
        {
            var photos = result.Labels.Photos.Where(photo => photo.Label is null && (photo.Hash.Length == 0 ? LabelReasons.Unreadable : photo.Reason) == reason)
                .OrderByDescending(photo => photo.Probability).ToList();
            sections.Add(new($"left{sections.Count}", FormattableString.Invariant($"No label, {reason}: {count:N0}"), Gallery(result, photos, MostOfReason)));
        }
        var body = new Html().Add($"<h1>Labels of {title}</h1>\n").Add(Page.Navigation(sections)).Add(Page.Sections(sections));
        body.Add($"<footer>Made by Graft, which moved and changed none of these files.</footer>\n");
        return Page.ToHtml($"Labels of {title}", body);
    }

    private static Markup Summary(LabelResult result)
    {
        var html = new Html().Add($"<p>{result.Labeled:N0} of {result.Labels.Photos.Count:N0} photos have a label.</p>\n");
        if (result is { Labeled: > 0, Request.Precision: { } precision, Measured: var (photos, source) })
            html.Add($"<p>At least {100 * precision:0.#} of 100 labels of each class are right, but in {100 * result.Request.Risk:0.#} of 100 cases, as far as these photos are like those that this was measured on: {photos:N0} of {source}.</p>\n");
        html.Add($"<div class=\"wide\"><table><thead><tr><th>class</th><th>photos</th>");
        if (result.Thresholds is not null) html.Add($"<th>from probability</th><th>measured right</th><th>at least</th>");
        html.Add($"</tr></thead><tbody>\n");
        for (var label = 0; label < result.Classes.Count; label++)
        {
            html.Add($"<tr><th>{result.Classes[label]}</th><td>{result.Counts[label]:N0}</td>");
            if (result.Thresholds?[label] is { } limit)
            {
                html.Add(limit.Threshold is { } least
                    ? Html.Of($"<td>{least:0.000}</td><td>{limit.Correct:N0} of {limit.Count:N0}</td><td>{100 * limit.LowerBound:0.0} %</td>")
                    : Html.Of($"<td>none</td><td colspan=\"2\">{limit.Named:N0} photos do not show it</td>"));
            }
            html.Add($"</tr>\n");
        }
        return html.Add($"</tbody></table></div>\n");
    }

    private static Markup Gallery(LabelResult result, List<PhotoLabel> photos, int most)
    {
        var shown = photos.Take(most).ToList();
        var html = new Html().Add($"<div class=\"photos\">\n");
        foreach (var (photo, picture) in shown.Zip(PhotoSections.Thumbnails([.. shown.Select(result.Labels.FullPath)])))
        {
            var said = photo.Hash.Length == 0 ? Html.Of($"{photo.Reason}")
                : Html.Of($"{photo.Label ?? photo.Guess} {Percent(photo.Probability)}{(photo.Second is null ? Markup.None : Html.Of($", then {photo.Second}"))}");
            html.Add($"<figure><div class=\"frame\">{picture}</div><figcaption>{said}<br><small>{Html.FileName(photo.Path)}</small></figcaption></figure>\n");
        }
        html.Add($"</div>\n");
        if (photos.Count > most) html.Add($"<p class=\"how\">… and {photos.Count - most:N0} more; labels.csv has them all.</p>\n");
        return html;
    }

    private static string Percent(double share) => string.Create(CultureInfo.InvariantCulture, $"{100 * share:0.0} %");
}
