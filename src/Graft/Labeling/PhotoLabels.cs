using System.Globalization;
using CsvHelper;
using Graft.Data.Remote;

namespace Graft.Labeling;

/// <summary>A photo and the label that it was given, or why it has none.</summary>
/// <param name="Path">From the folder of the photos on, separated by '/'; a full path where photos of several places were named.</param>
/// <param name="Label">Null for none.</param>
/// <param name="Probability">Of the most probable class, whether it became the label or not.</param>
/// <param name="Second">The second class; null where there is none.</param>
/// <param name="Margin">What the second is less probable.</param>
/// <param name="Reason">Why there is no label; null with one.</param>
/// <param name="Round">Of self-training, in which the label was given; 0 by a model alone.</param>
/// <param name="Hash">SHA-256 of the file; empty of one that cannot be read.</param>
public sealed record PhotoLabel(string Path, string? Label, double Probability, string? Second, double Margin, string? Reason, int Round, string Hash)
{
    /// <summary>The most probable class where it did not become the label.</summary>
    public string? Guess { get; init; }
}

/// <summary>Labels of a folder of photos, as <c>labels.csv</c> has them: a table that can be trained on.</summary>
/// <param name="Root">The folder that paths start from; null where they are full.</param>
public sealed record PhotoLabels(string? Root, IReadOnlyList<PhotoLabel> Photos)
{
    public const string FileName = "labels.csv";

    private static readonly string[] Columns = ["path", "label", "probability", "guess", "second", "margin", "reason", "round", "sha256"];

    private static readonly CsvReaderOptions Format = new() { Separator = ',', AllowLineBreaksInQuotes = true, MaxRecordSize = 1 << 20 };

    /// <summary>Where a photo lies.</summary>
    public string FullPath(PhotoLabel photo) => Root is null ? photo.Path : System.IO.Path.Join(Root, photo.Path);

    /// <summary>Writes the table; paths are full, so that it can lie anywhere.</summary>
    internal void Write(string path) => CsvFile.Write(path, Columns, Photos.Select(photo => (IReadOnlyList<object?>)
    [
        RemotePlace.Full(FullPath(photo)), photo.Label ?? "", Math.Round(photo.Probability, 6), photo.Guess ?? "", photo.Second ?? "", Math.Round(photo.Margin, 6),
        photo.Reason ?? "", photo.Round, photo.Hash,
    ]));

    /// <summary>Reads a table with at least the columns path and label; rows without a label are photos without one.</summary>
    /// <exception cref="GraftException">There is no such table, or it is damaged.</exception>
    public static PhotoLabels Read(string path)
    {
        if (Directory.Exists(path))
        {
            var folder = path;
            path = System.IO.Path.Join(folder, FileName);
            if (!File.Exists(path)) throw new GraftException($"{folder} is a folder without {FileName}. Name the folder that labeling wrote, or a table with the columns path and label.");
        }
        if (!File.Exists(path)) throw new GraftException($"There is no table of labels {path}. Check the spelling; expected a table with the columns path and label, or the folder that labeling wrote.");
        try
        {
            RegularFile.Check(path);
            using var csv = CsvReader.FromFile(path, Format);
            string[] header = csv.Headers.ToArray();
            if (!header.Contains("path") || !header.Contains("label")) throw new FormatException($"it has the columns {string.Join(", ", header)}.");
            var root = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!;
            List<PhotoLabel> photos = [];
            var labels = new Dictionary<string, string?>(StringComparer.Ordinal);
            while (csv.Read())
            {
                string Cell(string column) => Array.IndexOf(header, column) is >= 0 and var place && place < csv.FieldCount ? CsvFile.Restore(csv.GetString(place)) : "";
                double Number(string column) => double.TryParse(Cell(column), NumberStyles.Float, CultureInfo.InvariantCulture, out var value) ? value : 0;
                string? OrNull(string column) => Cell(column) is { Length: > 0 } text ? text : null;
                if (OrNull("path") is not { } photo || photo.Contains('\0')) throw new FormatException("a row has no path.");
                var full = System.IO.Path.GetFullPath(photo, root);
                // Blanks that slipped in would make another class.
                var label = OrNull("label")?.Trim() is { Length: > 0 } name ? name : null;
                if (!labels.TryAdd(full, label))
                {
                    if (labels[full] == label) continue;
                    throw new FormatException($"{photo} has two labels, '{labels[full]}' and '{label}'.");
                }
                photos.Add(new(
                    full, label, Number("probability"), OrNull("second"), Number("margin"), OrNull("reason"), (int)Number("round"),
                    Cell("sha256"))
                {
                    Guess = OrNull("guess"),
                });
            }
            return new(null, photos);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or FormatException or CsvFormatException or KeyNotFoundException)
        {
            throw new GraftException($"{path} is no table of labels: {problem.Message} Expected the columns path and label.", problem);
        }
    }
}
