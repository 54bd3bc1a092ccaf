using Graft.Imaging;

namespace Graft.Runs.Reports;

/// <summary>Photos with what was said of them, as small pictures within the page.</summary>
internal static class PhotoSections
{
    private const int ThumbnailSidePixels = 160;

    /// <param name="root">The folder that the shown paths begin at.</param>
    public static Markup Gallery(IReadOnlyList<EvaluatedImage> images, IReadOnlyList<string> classes, string root)
    {
        var pictures = new Markup[images.Count];
        Parallel.For(0, images.Count, index => pictures[index] = Thumbnail(images[index].Path));
        var html = new Html().Add($"<div class=\"photos\">\n");
        foreach (var (image, picture) in images.Zip(pictures))
            html.Add($"<figure><div class=\"frame\">{picture}</div>{Caption(image, classes, root)}</figure>\n");
        return html.Add($"</div>\n");
    }

    public static Markup Caption(EvaluatedImage image, IReadOnlyList<string> classes, string root)
    {
        var html = new Html();
        html.Add(image.IsRight
            ? Html.Of($"<figcaption>{classes[image.Label]}, {Percent(image.Confidence)}")
            : Html.Of($"<figcaption>{classes[image.Label]}, taken for <b>{classes[image.Predicted]}</b>, {Percent(image.Confidence)} ({Percent(image.Probabilities[image.Label])} {classes[image.Label]})"));
        return html.Add($"<br><small>{Shown(image.Path, root)}</small></figcaption>");
    }

    public static Markup Picture(string alt, RgbImage image) => Html.Of(
        $"<img alt=\"{alt}\" width=\"{image.Width}\" height=\"{image.Height}\" src=\"data:image/jpeg;base64,{new Markup(Convert.ToBase64String(JpegEncoder.Encode(image, quality: 80)))}\">");

    private static Markup Percent(double share) => Html.Of($"<span class=\"keep\">{100 * share:0} %</span>");

    private static Markup Thumbnail(string path)
    {
        try
        {
            return Picture(Path.GetFileName(path), Shrunk(ImageDecoder.Decode(path), ThumbnailSidePixels));
        }
        catch (UnreadableImageException problem)
        {
            return Html.Of($"<div class=\"gone\">{(File.Exists(path) ? problem.Reason : "no longer there")}</div>");
        }
    }

    /// <summary>In its own proportions; never enlarged.</summary>
    public static RgbImage Shrunk(RgbImage image, int sidePixels)
    {
        var scale = Math.Min(1, (double)sidePixels / Math.Max(image.Width, image.Height));
        return Resampler.Resize(
            image, Math.Max(1, (int)Math.Round(image.Width * scale)), Math.Max(1, (int)Math.Round(image.Height * scale)), Interpolation.Bilinear);
    }

    /// <summary>A path within the photos' folder; any other as it is.</summary>
    public static string Shown(string path, string root)
    {
        if (root.Length == 0) return path;
        var folder = Directory.Exists(root) || Path.GetExtension(root).Length == 0 ? root : Path.GetDirectoryName(root) ?? root;
        var relative = Path.GetRelativePath(folder, path);
        return relative.StartsWith("..", StringComparison.Ordinal) ? path : relative;
    }
}
