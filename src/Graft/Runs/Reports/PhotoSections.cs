using Graft.Classifiers;
using Graft.Data.Collections;
using Graft.Evaluation;
using Graft.Imaging;

namespace Graft.Runs.Reports;

/// <summary>Photos with what was said of them, as small pictures within the page.</summary>
internal static class PhotoSections
{
    private const int ThumbnailSidePixels = 160;

    /// <param name="root">The folder that the shown paths begin at.</param>
    public static Markup Gallery(IReadOnlyList<EvaluatedImage> images, IReadOnlyList<string> classes, string root)
    {
        var html = new Html();
        if (images.All(image => !PhotoFile.Exists(image.Path)))
        {
            // Without any photo, what was said of them makes a list.
            html.Add($"<ul>\n");
            foreach (var image in images) html.Add($"<li>{What(image, classes)}: <code>{Html.FileName(Shown(image.Path, root))}</code></li>\n");
            return html.Add($"</ul>\n");
        }
        html.Add($"<div class=\"photos\">\n");
        foreach (var (image, picture) in images.Zip(Thumbnails([.. images.Select(image => image.Path)])))
            html.Add($"<figure><div class=\"frame\">{picture}</div>{Caption(image, classes, root)}</figure>\n");
        return html.Add($"</div>\n");
    }

    /// <summary>Photos beside their heat maps: the surest errors, and of each class in turn one that was surely classified correctly.</summary>
    public static Markup HeatMaps(SavedRun run, IReadOnlyList<EvaluatedImage> images, int count)
    {
        var classes = run.Result.Classes;
        var html = new Html();
        try
        {
            using var model = ImageClassifier.Open(run.Folder);
            using var explanation = new GradCam(model);
            var wrong = images.Where(image => !image.IsCorrect).OrderByDescending(image => image.Confidence).Take(count / 2).ToList();
            var right = images.Where(image => image.IsCorrect).GroupBy(image => image.Label).OrderBy(ofClass => ofClass.Key)
                .SelectMany(ofClass => ofClass.OrderByDescending(image => image.Confidence).Select((image, rank) => (image, rank)))
                .OrderBy(entry => entry.rank).ThenBy(entry => entry.image.Label).Take(count - wrong.Count).Select(entry => entry.image).ToList();
            html.Add($"<p class=\"how\">Grad-CAM: the brighter the color, the more the region supports the predicted class. Where that is not the thing itself but what happens to be around it, the model has learned the wrong thing from these photos. What the network does not see is darkened.</p>\n");
            foreach (var (title, shown) in new[] { ("Misclassified", wrong), ("Correct", right) })
            {
                if (shown.Count == 0) continue;
                html.Add($"<h3>{title}</h3>\n<div class=\"photos pairs\">\n");
                foreach (var image in shown)
                    html.Add($"<figure><div class=\"frame\">{Explained(explanation, image)}</div>{Caption(image, classes, run.Result.Data)}</figure>\n");
                html.Add($"</div>\n");
            }
            return html;
        }
        catch (GraftException problem)
        {
            return html.Add($"<p>{problem.Message}</p>\n");
        }
    }

    private static Markup Explained(GradCam explanation, EvaluatedImage image)
    {
        try
        {
            var photo = PhotoFile.Decode(image.Path);
            var (small, map) = (Resampler.Shrink(photo, ThumbnailSidePixels), explanation.Explain(photo, image.Predicted));
            var name = Path.GetFileName(image.Path);
            return Html.Of($"{Picture(name, small)} {Picture($"{name}, heat map", map.Over(small))}");
        }
        catch (UnreadableImageException problem)
        {
            return Missing(image.Path, problem);
        }
    }

    public static Markup Caption(EvaluatedImage image, IReadOnlyList<string> classes, string root) =>
        Html.Of($"<figcaption>{What(image, classes)}<br><small>{Html.FileName(Shown(image.Path, root))}</small></figcaption>");

    private static Markup What(EvaluatedImage image, IReadOnlyList<string> classes) => image.IsCorrect
        ? Html.Of($"{classes[image.Label]}, {Percent(image.Confidence)}")
        : Html.Of($"{classes[image.Label]}, taken for <b>{classes[image.Predicted]}</b>, {Percent(image.Confidence)} ({Percent(image.Probabilities[image.Label])} {classes[image.Label]})");

    public static Markup Picture(string alt, RgbImage image) => Html.Of(
        $"<img alt=\"{alt}\" width=\"{image.Width}\" height=\"{image.Height}\" src=\"data:image/jpeg;base64,{new Markup(Convert.ToBase64String(JpegEncoder.Encode(image, quality: 80)))}\">");

    private static Markup Percent(double share) => Html.Of($"<span class=\"keep\">{100 * share:0} %</span>");

    /// <summary>Each file as a small picture, or why there is none.</summary>
    public static IReadOnlyList<Markup> Thumbnails(IReadOnlyList<string> paths, int sidePixels = ThumbnailSidePixels)
    {
        var pictures = new Markup[paths.Count];
        Parallel.For(0, paths.Count, index => pictures[index] = Thumbnail(paths[index], sidePixels));
        return pictures;
    }

    private static Markup Thumbnail(string path, int sidePixels)
    {
        try
        {
            return Picture(Path.GetFileName(path), PhotoFile.Decode(path, photo => Resampler.Shrink(photo, sidePixels)));
        }
        catch (UnreadableImageException problem)
        {
            return Missing(path, problem);
        }
    }

    private static Markup Missing(string path, UnreadableImageException problem) =>
        Html.Of($"<div class=\"gone\">{(PhotoFile.Exists(path) ? problem.Reason : "no longer there")}</div>");

    /// <summary>A path within the photos' folder; any other as it is.</summary>
    public static string Shown(string path, string root)
    {
        // A damaged run may have anything in place of paths.
        if (root.Length == 0 || path.Length == 0 || root.Contains('\0') || path.Contains('\0')) return path;
        var relative = Path.GetRelativePath(ResultDocument.FolderOf(root), path);
        return relative.StartsWith("..", StringComparison.Ordinal) ? path : relative;
    }
}
