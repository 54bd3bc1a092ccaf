namespace Graft.Export.Web;

/// <summary>
/// A static folder for any web server: a page that predicts dropped photos and camera frames in the browser with the exported model, and loads
/// nothing from elsewhere.
/// </summary>
internal static class WebFolder
{
    private static readonly string[] Page = ["index.html", "style.css", "icon.svg", "page.js", "worker.js", "classifier.js"];

    /// <summary>All but the model and what lies beside every one.</summary>
    public static IEnumerable<(string Name, byte[] Content)> Files() => Page.Select(name => (name, Read(name))).Concat(OnnxRuntimeWeb.Files());

    internal static Stream Open(string name) =>
        typeof(WebFolder).Assembly.GetManifestResourceStream($"web/{name}") ?? throw new InvalidOperationException($"The resource web/{name} is missing.");

    internal static byte[] Read(string name)
    {
        using var stream = Open(name);
        var content = new byte[stream.Length];
        stream.ReadExactly(content);
        return content;
    }
}
