using CsvHelper;

namespace Graft.Studio;

/// <summary>
/// Moves photos into the folders of their classes, when a person asks for it: the only place where the studio moves anything. What is moved is written down first,
/// so that it can be moved back; nothing is overwritten.
/// </summary>
internal static class FolderMoves
{
    private const string Pattern = "moved-*.csv";

    /// <summary>The photos whose folder is not that of their class, and where they would go.</summary>
    public static IReadOnlyList<(string From, string To)> Moves(Project project)
    {
        if (project.IsTable) return [];
        var now = project.Labeling;
        var isDivided = now.Photos.Any(photo => photo.Part.Length > 0);
        var moves = new List<(string, string)>();
        for (var number = 0; number < now.Photos.Length; number++)
        {
            var (photo, label) = (now.Photos[number], now.Labels[number]);
            if (label == photo.FolderClass || Path.IsPathRooted(photo.Place)) continue;
            var parts = photo.Place.Split('/');
            // train/roses/1.jpg keeps its train; what lay outside of the parts trains.
            var part = photo.Part.Length > 0 && parts.Length > 1 ? $"{parts[0]}/" : isDivided && label is not null ? "train/" : "";
            moves.Add((photo.Place, $"{(label is null ? "" : part)}{label ?? PhotoSources.Unlabeled}/{parts[^1]}"));
        }
        return moves;
    }

    /// <returns>How many were moved, and what stays where it was, with the reason.</returns>
    /// <exception cref="GraftException">The list of the moves cannot be written; nothing was moved.</exception>
    public static (int Moved, IReadOnlyList<string> Left) Apply(Project project)
    {
        var folder = new OutputFolder(project.Folder);
        var planned = Moves(project).Select(move => (move.From, To: FreePlace(project.Folder, move.To))).ToList();
        if (planned.Count == 0) return (0, []);
        try
        {
            project.BeginKeeping();
            CsvFile.Write(project.Own($"moved-{DateTime.UtcNow:yyyyMMdd-HHmmss-fff}.csv"), ["from", "to"], planned.Select(move => (object?[])[move.From, move.To]));
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new GraftException($"Nothing was moved: the list to undo it cannot be saved. {SaveProblem.Words(problem, project.Folder)}", problem);
        }
        var result = Move(project, folder, planned);
        project.Rescan();
        return result;
    }

    /// <summary>Moves back what was moved last.</summary>
    /// <returns>Null if nothing was.</returns>
    /// <exception cref="GraftException">The list of the moves is damaged; nothing was moved.</exception>
    public static (int Moved, IReadOnlyList<string> Left)? Undo(Project project)
    {
        if (Lists(project).Order(StringComparer.Ordinal).LastOrDefault() is not { } list) return null;
        var moves = Read(list);
        var folder = new OutputFolder(project.Folder);
        var result = Move(project, folder, [.. moves.Where(move => File.Exists(folder.PathOf(move.From)))]);
        if (result.Left.Count == 0) File.Move(list, Path.ChangeExtension(list, ".undone"));
        project.Rescan();
        return result;
    }

    private static List<(string From, string To)> Read(string list)
    {
        var moves = new List<(string From, string To)>();
        try
        {
            RegularFile.Check(list);
            using var csv = CsvReader.FromFile(list, new() { Separator = ',', AllowLineBreaksInQuotes = true });
            while (csv.Read()) moves.Add((CsvFile.Restore(csv.GetString("to")), CsvFile.Restore(csv.GetString("from"))));
            return moves;
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or CsvFormatException or KeyNotFoundException)
        {
            throw new GraftException($"Nothing was moved back: {list} cannot be read. {problem.Message}", problem);
        }
    }

    public static bool CanUndo(Project project) => Lists(project).Any();

    private static IEnumerable<string> Lists(Project project) => Directory.Exists(project.Own("")) ? Directory.EnumerateFiles(project.Own(""), Pattern) : [];

    private static (int Moved, IReadOnlyList<string> Left) Move(Project project, OutputFolder folder, IReadOnlyList<(string From, string To)> moves)
    {
        var (moved, left) = (0, new List<string>());
        foreach (var (from, to) in moves)
        {
            try
            {
                var target = folder.PathOf(to);
                Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                File.Move(folder.PathOf(from), target, overwrite: false);
                moved++;
            }
            catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or GraftException)
            {
                left.Add($"{from}: {(SaveProblem.Is(problem) ? SaveProblem.Words(problem, project.Folder) : problem.Message)}");
            }
        }
        return (moved, left);
    }

    private static string FreePlace(string folder, string place) =>
        PhotoSources.PlaceOf(WholeFile.FreePaths(Path.Combine(folder, place)).First(path => !Path.Exists(path)), folder);
}
