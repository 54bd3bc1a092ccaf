using System.Text.Json;

namespace Graft.Studio;

/// <summary>The folders that were opened last, the newest first; a convenience that may be lost.</summary>
internal static class RecentProjects
{
    private const int Most = 10;

    private static string FilePath => Path.Combine(GraftHome.Folder, "studio-recent.json");

    public static IReadOnlyList<string> All()
    {
        try
        {
            return File.Exists(FilePath) ? [.. (JsonSerializer.Deserialize<string?[]>(RegularFile.ReadAllText(FilePath)) ?? []).OfType<string>().Where(Path.Exists)] : [];
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or JsonException)
        {
            return [];
        }
    }

    public static void Add(string source)
    {
        try
        {
            Directory.CreateDirectory(GraftHome.Folder);
            WholeFile.Write(FilePath, JsonSerializer.Serialize(All().Where(other => other != source).Prepend(source).Take(Most)), replaces: true);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            // The list stays as it was.
        }
    }
}
