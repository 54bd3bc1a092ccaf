using System.Globalization;
using System.Numerics;
using CsvHelper;
using Graft.Data;
using Graft.Evaluation;

namespace Graft.Runs;

/// <summary>A prediction for an image whose class is known.</summary>
/// <param name="Path">The image's file, with its full path.</param>
/// <param name="Split">The part of the data that the image belongs to: <c>val</c>, <c>test</c>.</param>
/// <param name="Label">The true class, from 0.</param>
/// <param name="Probabilities">One number per class.</param>
/// <param name="Place">Its place on the map of features; null without a map, or if it was left out.</param>
public sealed record EvaluatedImage(string Path, string Split, int Label, IReadOnlyList<float> Probabilities, MapPoint? Place = null)
{
    /// <summary>The most probable class; of equally probable ones the first.</summary>
    public int Predicted { get; } = Enumerable.Range(0, Probabilities.Count).MaxBy(index => Probabilities[index]);

    public bool IsCorrect => Predicted == Label;

    /// <summary>The probability of <see cref="Predicted"/>, from 0 to 1.</summary>
    public double Confidence => Probabilities[Predicted];
}

/// <summary>
/// The predictions of a run for its validation and test images, as <c>predictions.csv</c> has them: path, label, predicted class and its
/// probability, split, place on the map of features, and the probability of each class. With its path, label and split it is also a table of
/// photos that <c>graft train</c> reads.
/// </summary>
public sealed record PredictionTable(IReadOnlyList<string> Classes, IReadOnlyList<EvaluatedImage> Images)
{
    public const string Validation = "val", Test = "test";

    private const string FileName = "predictions.csv", X = "map_x", Y = "map_y";

    /// <summary>The predictions of a finished run.</summary>
    /// <param name="map">The places of the validation images, then of the test images; null without a map.</param>
    internal static PredictionTable Of(LabeledImages photos, EvaluationResult validation, EvaluationResult? test, FeatureMap? map)
    {
        var images = photos.Validation.Zip(validation.Probabilities, (image, row) => (image, row, Split: Validation))
            .Concat(photos.Test.Zip(test?.Probabilities ?? [], (image, row) => (image, row, Split: Test)));
        return new(photos.Classes, [.. images.Select((entry, index) => new EvaluatedImage(
            entry.image.FullPath, entry.Split, entry.image.Class, entry.row, map?.Points[index]))]);
    }

    /// <summary>The images of a split measured; null without images.</summary>
    public EvaluationResult? Evaluate(string split)
    {
        var images = Of(split);
        return images.Count == 0
            ? null
            : EvaluationResult.Of(Classes, [.. images.Select(image => image.Label)], [.. images.Select(image => image.Probabilities)]);
    }

    /// <summary>The images of a split, in the order of the table.</summary>
    public IReadOnlyList<EvaluatedImage> Of(string split) => [.. Images.Where(image => image.Split == split)];

    /// <summary>Writes <c>predictions.csv</c> into a folder.</summary>
    /// <exception cref="IOException">The disk is full or fails.</exception>
    public void Save(string folder)
    {
        var isMapped = Images.Any(image => image.Place is not null);
        CsvFile.Write(
            Path.Combine(folder, FileName),
            ["path", "label", "predicted", "probability", "split", .. isMapped ? (string[])[X, Y] : [], .. Classes.Select(Title)],
            Images.Select(image => (object?[])
            [
                image.Path, Classes[image.Label], Classes[image.Predicted], image.Probabilities[image.Predicted], image.Split,
                .. isMapped ? (object?[])[Rounded(image.Place?.X), Rounded(image.Place?.Y)] : [],
                .. image.Probabilities.Cast<object?>(),
            ]),
            replaces: true);

        // Six digits draw a point.
        static double? Rounded(double? place) =>
            place is { } number ? double.Parse(number.ToString("G6", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture) : null;
    }

    /// <summary>Reads a folder's <c>predictions.csv</c>.</summary>
    /// <param name="classes">In the order of the labels.</param>
    /// <returns>Null if the folder has none.</returns>
    /// <exception cref="GraftException">The file is damaged, or is of other classes.</exception>
    public static PredictionTable? Load(string folder, IReadOnlyList<string> classes)
    {
        var path = Path.Combine(folder, FileName);
        if (!File.Exists(path)) return null;
        try
        {
            RegularFile.Check(path);
            using var csv = CsvReader.FromFile(path, new() { Separator = ',', MaxRecordSize = 1 << 24, AllowLineBreaksInQuotes = true, TrackLineNumbers = true });
            List<string> header = [.. csv.Headers.ToArray().Select(CsvFile.Restore)];
            int Column(string name) => header.IndexOf(name);
            var (file, label, split, x, y) = (Column("path"), Column("label"), Column("split"), Column(X), Column(Y));
            int[] probabilities = [.. classes.Select(name => header.LastIndexOf(Title(name)))];
            if (file < 0 || label < 0 || split < 0 || probabilities.Any(column => column < 0))
                throw new FormatException("its columns are not those of the run's classes.");
            if (x < 0 != y < 0) throw new FormatException($"it has one of the columns {X} and {Y}, and not the other.");
            var labels = classes.Select((name, index) => (name, index)).ToDictionary(pair => pair.name, pair => pair.index, StringComparer.Ordinal);
            var images = new List<EvaluatedImage>();
            while (csv.Read())
            {
                T Number<T>(int column) where T : INumberBase<T> =>
                    T.TryParse(csv.GetSpan(column), NumberStyles.Float, CultureInfo.InvariantCulture, out var number)
                        && T.IsFinite(number)
                        ? number
                        : throw new FormatException($"line {csv.LineNumber} has '{csv.GetString(column)}' where a number should be.");
                var name = CsvFile.Restore(csv.GetString(label));
                if (!labels.TryGetValue(name, out var index))
                    throw new FormatException($"line {csv.LineNumber} has a class that the run does not have, '{name}'.");
                var image = CsvFile.Restore(csv.GetString(file));
                if (image.Contains('\0')) throw new FormatException($"line {csv.LineNumber} has a path with a NUL character in it.");
                images.Add(new(
                    image, csv.GetString(split), index,
                    [.. probabilities.Select(column => Number<float>(column))],
                    x < 0 || csv.IsEmpty(x) ? null : new MapPoint(Number<double>(x), Number<double>(y))));
            }
            return new(classes, images);
        }
        catch (Exception problem) when (problem is IOException or FormatException or CsvFormatException or UnauthorizedAccessException)
        {
            throw new GraftException($"{path} cannot be read: {problem.Message} Restore the file, or train the run again.", problem);
        }
    }

    private static string Title(string name) => $"p({name})";
}
