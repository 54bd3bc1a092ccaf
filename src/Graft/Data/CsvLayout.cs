using CsvHelper;
using Graft.Data.Collections;
using Graft.Data.Remote;

namespace Graft.Data;

/// <summary>A table of path and label, optionally with columns that say which images train, validate and test.</summary>
internal static class CsvLayout
{
    /// <summary>Headings in the order of preference, without what separates their words.</summary>
    private static readonly string[] PathNames =
    [
        "path", "file", "filename", "filepath", "image", "imagepath", "imagefile", "imagefilename", "imagename", "images",
        "img", "imgpath", "imgfile", "imgname", "photo", "photopath", "picture", "relativepath", "fname", "imageid", "imgid", "photoid", "id",
    ];

    private static readonly string[] LabelNames =
    [
        "label", "labels", "labelname", "class", "classname", "classlabel", "classes", "category", "categoryname", "target", "species", "breed",
        "variety", "diagnosis", "dx", "tag",
    ];

    private static readonly string[] SplitNames = ["split", "subset", "set", "partition", "part", "phase", "usage", "dataset", "fold"];

    /// <summary>Columns of yes and no.</summary>
    private static readonly Dictionary<string, (DataPart Yes, DataPart No)> FlagNames = new(StringComparer.OrdinalIgnoreCase)
    {
        ["isvalid"] = (DataPart.Validation, DataPart.Train),
        ["isval"] = (DataPart.Validation, DataPart.Train),
        ["isvalidation"] = (DataPart.Validation, DataPart.Train),
        ["istest"] = (DataPart.Test, DataPart.Train),
        ["istrain"] = (DataPart.Train, DataPart.Validation),
        ["istraining"] = (DataPart.Train, DataPart.Validation),
    };

    // The separator is detected. A quote left open ends with its line, so that it cannot swallow the rows below it.
    private static readonly CsvReaderOptions Format = new()
    {
        TrimWhitespace = true,
        TrackLineNumbers = true,
        AllowLineBreaksInQuotes = false,
        MaxRecordSize = 1 << 20,
    };

    /// <summary>Of a table on another machine.</summary>
    private const int MostBytes = 1 << 30;

    public static void Read(string table, DataFindings findings)
    {
        try
        {
            if (RemotePlace.Is(table))
            {
                using var remote = CsvReader.Create(ObjectStore.Of(table).Read(table, expected: null, MostBytes).Content, Format);
                ReadRows(remote, table, findings);
                return;
            }
            if (RegularFile.IsEmpty(table))
            {
                MissingColumns(table, "nothing (an empty file, or a pipe, a socket or a device)", findings);
                return;
            }
            RegularFile.Check(table);
            using var csv = CsvReader.FromFile(table, Format);
            ReadRows(csv, table, findings);
        }
        catch (UnauthorizedAccessException)
        {
            findings.Problem($"Permission to read '{table}' is denied.");
        }
        catch (Exception broken) when (broken is IOException or CsvFormatException)
        {
            findings.Problem($"'{table}' cannot be read as a table: {broken.Message}");
        }
    }

    private static void MissingColumns(string table, string found, DataFindings findings) =>
        findings.Problem($"The first line of '{table}' should name a column for the image " +
            $"(path, file, filename, image, image_id and the like) and one for its class (label, class, category, target and the like); " +
            $"found {found}. Rename these columns, or say which they are with path-column and label-column.");

    private static void ReadRows(CsvReader csv, string table, DataFindings findings)
    {
        string[] header = [.. csv.Headers];
        var options = findings.Options;
        var (pathColumn, labelColumn) = (Column(header, options.PathColumn, PathNames), Column(header, options.LabelColumn, LabelNames));
        string[] absent = [.. ((string?[])[options.PathColumn, options.LabelColumn, options.SplitColumn]).OfType<string>().Where(name => Named(header, name) < 0)];
        if (absent.Length > 0)
        {
            findings.Problem($"'{table}' has no column {DataFindings.Named(absent)}; its columns are {Found(header)}.");
            return;
        }
        if (pathColumn < 0 || labelColumn < 0)
        {
            MissingColumns(table, Found(header), findings);
            return;
        }
        var rows = new List<Row>();
        while (csv.Read())
        {
            var row = new Row(csv.LineNumber, [.. Enumerable.Range(0, header.Length).Select(column => Cell(csv, column))]);
            if (row[pathColumn] != "" || row[labelColumn] != "") rows.Add(row);
        }
        var parts = Parts(rows, header, table, findings, pathColumn, labelColumn);

        var folder = options.ImageFolder ?? RemotePlace.Parent(table);
        var labels = new Dictionary<string, string>(StringComparer.Ordinal);
        List<string> badSplits = [], unnamed = [], unlabeled = [], missing = [], contradicting = [];
        // A table of labels says why a photo has none: that is no mistake.
        var reason = Named(header, "reason");
        var (repeated, unlabeledTests, withReason) = (0, 0, 0);
        foreach (var row in rows)
        {
            var (given, label) = (row[pathColumn], CsvFile.Restore(row[labelColumn]));
            if (parts(row) is not { } part) badSplits.Add($"'{row[Named(header, options.SplitColumn ?? SplitNames[0])]}' (line {row.Line})");
            else if (given == "") unnamed.Add($"line {row.Line}");
            else if (label == "" && part == DataPart.Test) unlabeledTests++;
            else if (label == "" && reason >= 0 && row[reason] != "") withReason++;
            else if (label == "") unlabeled.Add($"'{given}' (line {row.Line})");
            else if (Find(folder, given, options.ImageSuffix) is not { } path) missing.Add($"'{given}{options.ImageSuffix}' (line {row.Line})");
            else if (labels.TryAdd(path, label)) Add(part, label, path, findings);
            else if (labels[path] == label) repeated++;
            else contradicting.Add($"'{given}' (line {row.Line}: '{label}', before: '{labels[path]}')");
        }

        Report(badSplits, "row has a split other than train, val or test", "rows have a split other than train, val or test");
        Report(unnamed, "row names no image", "rows name no image");
        Report(unlabeled, "image has no label", "images have no label");
        Report(contradicting, "image has two labels", "images have two labels");
        var from = $"seen from the folder '{(RemotePlace.Is(folder) ? folder : Path.GetFullPath(Path.Join(folder, ".")))}'";
        Report(missing, $"image does not exist, {from}", $"images do not exist, {from}");
        if (missing.Count > 0 && missing.Count >= rows.Count - unlabeledTests)
            findings.Problem("If the images lie in another folder, or the table leaves out their extension, say so with image-folder and image-suffix.");
        if (repeated > 0) findings.Note($"'{table}' lists {repeated} images again; each counts once.");
        if (withReason > 0) findings.Note($"'{table}' has {withReason} images without a label, with a reason; they are left out.");
        if (unlabeledTests > 0)
            findings.Note($"'{table}' has {unlabeledTests} test images without a label; they are ignored.");

        void Report(List<string> rows, string one, string several)
        {
            if (rows.Count > 0) findings.Problem($"In '{table}', {rows.Count} {(rows.Count == 1 ? one : several)}: {DataFindings.Some(rows)}.");
        }
    }

    /// <summary>Gives the part of a row; null if its split is not a known part.</summary>
    private static Func<Row, DataPart?> Parts(
        IReadOnlyList<Row> rows, string[] header, string table, DataFindings findings, int pathColumn, int labelColumn)
    {
        // Named by the user, or plainly "split": every row must say a part.
        var named = Named(header, findings.Options.SplitColumn ?? SplitNames[0]);
        if (named >= 0) return row => findings.Options.SplitColumn is not null && Flag(header[named]) is { } flag ? PartOf(row[named], flag) : PartOf(row[named]);

        int[] candidates = [.. Enumerable.Range(0, header.Length).Where(column => column != pathColumn && column != labelColumn
            && (SplitNames.Contains(Joined(header[column]), StringComparer.OrdinalIgnoreCase) || Flag(header[column]) is not null))];
        var used = candidates.Where(column => Flag(header[column]) is { } flag
            ? rows.All(row => PartOf(row[column], flag) is not null)
            : rows.All(row => PartOf(row[column]) is not null) && rows.Any(row => row[column] != "")).ToList();
        // Columns of yes and no go together; one that names the part says all.
        var naming = used.FindIndex(column => Flag(header[column]) is null);
        used = naming >= 0 ? [used[naming]] : used;
        if (used.Count > 0) findings.Note($"In '{table}', {DataFindings.Named(used.Select(column => header[column]))} says which images train, validate and test.");
        foreach (var column in candidates.Except(used))
        {
            var values = rows.Select(row => row[column]).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal);
            findings.Note($"The column '{header[column]}' of '{table}' may divide the images, but holds {DataFindings.Named(values)} and is ignored. " +
                "Where it means train, val and test, write that; then it is used.");
        }
        return row => used.Select(column => Flag(header[column]) is { } flag ? PartOf(row[column], flag) : PartOf(row[column]))
            .DefaultIfEmpty(DataPart.Train).Max();
    }

    private static (DataPart Yes, DataPart No)? Flag(string heading) => FlagNames.TryGetValue(Joined(heading), out var flag) ? flag : null;

    private static DataPart? PartOf(string split) => split == "" ? DataPart.Train : PartNames.Of(split);

    private static DataPart? PartOf(string value, (DataPart Yes, DataPart No) flag) => value.ToUpperInvariant() switch
    {
        "TRUE" or "1" or "1.0" or "YES" or "Y" or "T" => flag.Yes,
        "FALSE" or "0" or "0.0" or "NO" or "N" or "F" or "" => flag.No,
        _ => null,
    };

    private static void Add(DataPart part, string label, string path, DataFindings findings)
    {
        if (part == DataPart.Train) findings.ExpectClass(label);
        if (FolderListing.Objection(path) is { } reason) findings.Skip(path, reason);
        else findings.Add(part, label, path);
    }

    private static string Found(string[] header) => header.Length > 0 ? DataFindings.Named(header) : "nothing";

    private static int Column(string[] header, string? named, string[] known) => named is not null
        ? Named(header, named)
        : known.Select(name => Array.FindIndex(header, heading => name.Equals(Joined(heading), StringComparison.OrdinalIgnoreCase)))
            .FirstOrDefault(column => column >= 0, -1);

    private static int Named(string[] header, string name) =>
        Array.FindIndex(header, heading => heading.Trim().Equals(name.Trim(), StringComparison.OrdinalIgnoreCase));

    /// <summary>A heading without what separates its words: image_path, Image Path and image-path are one.</summary>
    private static string Joined(string heading) => string.Concat(heading.Where(char.IsLetterOrDigit));

    private static string Cell(CsvReader csv, int column) => column < csv.FieldCount ? csv.GetString(column) : "";

    // Tables written on Windows separate folders with a backslash.
    private static string? Find(string folder, string given, string? suffix) =>
        new[] { given, CsvFile.Restore(given), given.Replace('\\', '/') }
            .Select(path => RemotePlace.Combine(folder, path + suffix)).FirstOrDefault(PhotoFile.Exists);

    private sealed record Row(long Line, string[] Cells)
    {
        public string this[int column] => column < 0 ? "" : Cells[column];
    }
}
