using System.Globalization;
using CsvHelper;
using Graft.Unlabeled;

namespace Graft.Runs;

/// <summary>An unlabeled photo of a run: the label that it was learned with, or why it was not.</summary>
internal sealed record PseudoLabeledPhoto(string Path, string? Label, double Probability, int Round, string? Reason);

/// <summary>The unlabeled photos of a run, as <c>pseudo_labels.csv</c> has them.</summary>
internal static class PseudoLabels
{
    private const string FileName = "pseudo_labels.csv";

    private static readonly string[] Columns = ["path", "label", "probability", "round", "reason"];

    /// <exception cref="IOException">The disk is full or fails.</exception>
    public static void Save(UnlabeledPhotos unlabeled, IReadOnlyList<string> classes, string folder) => CsvFile.Write(
        Path.Combine(folder, FileName), Columns,
        unlabeled.Images.Zip(unlabeled.PseudoLabels, (image, label) =>
        {
            var isUsed = unlabeled.Rounds > 0 && label.Reason == LabelReason.Labeled;
            return (object?[])
            [
                image.FullPath, isUsed ? classes[label.Class] : "", Math.Round(label.Probability, 6), label.Round,
                isUsed ? "" : unlabeled.Rounds == 0 ? "the labeled photos alone do best" : UnlabeledPhotos.Text(label.Reason),
            ];
        }),
        replaces: true);

    /// <summary>Empty of a run without unlabeled photos.</summary>
    /// <exception cref="GraftException">The table is damaged.</exception>
    public static IReadOnlyList<PseudoLabeledPhoto> Load(string folder)
    {
        var path = Path.Combine(folder, FileName);
        List<PseudoLabeledPhoto> photos = [];
        if (!File.Exists(path)) return photos;
        try
        {
            RegularFile.Check(path);
            using var csv = CsvReader.FromFile(path, new() { Separator = ',', AllowLineBreaksInQuotes = true, MaxRecordSize = 1 << 20 });
            if (!csv.Headers.ToArray().SequenceEqual(Columns)) throw new FormatException($"its columns are not {string.Join(", ", Columns)}.");
            while (csv.Read())
            {
                string? Cell(int column) => CsvFile.Restore(csv.GetString(column)) is { Length: > 0 } text ? text : null;
                photos.Add(new(
                    Cell(0) ?? "", Cell(1), double.Parse(csv.GetString(2), NumberStyles.Float, CultureInfo.InvariantCulture),
                    int.Parse(csv.GetString(3), NumberStyles.Integer, CultureInfo.InvariantCulture), Cell(4)));
            }
            return photos;
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or FormatException or OverflowException or CsvFormatException or ArgumentException)
        {
            throw new GraftException($"{path} cannot be read: {problem.Message} Remove it, and the report goes without it.", problem);
        }
    }
}
