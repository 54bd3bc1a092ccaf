using Graft.Data.Collections;

namespace Graft.Studio;

/// <summary>A project's labels as the table that training reads.</summary>
internal static class LabelTable
{
    /// <summary>Writes path, label and, where the photos are divided, split; photos without a class are left out.</summary>
    /// <returns>How many photos it lists.</returns>
    /// <exception cref="GraftException">It cannot be written.</exception>
    public static int Write(Labeling labeling, string path, bool replaces = false)
    {
        var isDivided = labeling.Photos.Any(photo => photo.Part.Length > 0);
        var rows = Enumerable.Range(0, labeling.Photos.Length).Where(number => labeling.Labels[number] is not null && PhotoFile.Exists(labeling.Photos[number].Path))
            .Select(number => (Photo: labeling.Photos[number], Label: labeling.Labels[number]!)).ToList();
        try
        {
            CsvFile.Write(
                path, ["path", "label", .. isDivided ? (string[])["split"] : []],
                rows.Select(row => (object?[])[row.Photo.Path, row.Label, .. isDivided ? (object?[])[row.Photo.Part.Length > 0 ? row.Photo.Part : "train"] : []]), replaces);
        }
        catch (Exception problem) when (SaveProblem.Is(problem))
        {
            throw new GraftException($"The labels cannot be written to {path}. {SaveProblem.Words(problem, Path.GetDirectoryName(path)!)}", problem);
        }
        return rows.Count;
    }
}
