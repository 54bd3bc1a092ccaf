namespace Graft.Testing;

/// <summary>
/// The folder <c>shared</c> beside the checkout (or GRAFT_SHARED): real photos, weights and reference numbers that are
/// read in place. Tests that need it carry <c>SharedFact</c> and are skipped without it.
/// </summary>
internal static class SharedFolder
{
    private static readonly Lazy<string?> Root = new(Find);

    public static string Path(string relative) => System.IO.Path.Combine(
        Root.Value ?? throw new InvalidOperationException("Mark this test [SharedFact]: it reads ../shared."), relative);

    public static bool Has(string relative) =>
        Root.Value is { } root && System.IO.Path.Exists(System.IO.Path.Combine(root, relative));

    private static string? Find()
    {
        if (Environment.GetEnvironmentVariable("GRAFT_SHARED") is { Length: > 0 } named) return named;
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (!File.Exists(System.IO.Path.Combine(folder.FullName, "Graft.slnx"))) continue;
            var shared = System.IO.Path.Combine(folder.Parent?.FullName ?? "/", "shared");
            return Directory.Exists(shared) ? shared : null;
        }
        return null;
    }
}
