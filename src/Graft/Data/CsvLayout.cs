using CsvHelper;

namespace Graft.Data;

/// <summary>A table of path and label, optionally with a column that says train, val or test.</summary>
internal static class CsvLayout
{
    private static readonly string[] PathNames = ["path", "file", "filename", "image"];
    private static readonly string[] LabelNames = ["label", "class", "category"];
    private static readonly string[] SplitNames = ["split"];

    // The separator is detected. A quote left open ends with its line, so that it cannot swallow the rows below it.
    private static readonly CsvReaderOptions Format = new()
    {
        TrimWhitespace = true,
        TrackLineNumbers = true,
        AllowLineBreaksInQuotes = false,
        MaxRecordSize = 1 << 20,
    };

    public static void Read(string table, DataFindings findings)
    {
        try
        {
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
            $"({string.Join(", ", PathNames)}) and one for its class ({string.Join(", ", LabelNames)}); found {found}.");

    private static void ReadRows(CsvReader csv, string table, DataFindings findings)
    {
        string[] header = [.. csv.Headers];
        var (pathColumn, labelColumn, splitColumn) =
            (Column(header, PathNames), Column(header, LabelNames), Column(header, SplitNames));
        if (pathColumn < 0 || labelColumn < 0)
        {
            MissingColumns(table, header.Length > 0 ? DataFindings.Named(header) : "nothing", findings);
            return;
        }

        var folder = Path.GetDirectoryName(table)!;
        var labels = new Dictionary<string, string>(StringComparer.Ordinal);
        List<string> badSplits = [], unnamed = [], unlabeled = [], missing = [], contradicting = [];
        var (repeated, unlabeledTests) = (0, 0);
        while (csv.Read())
        {
            var (given, label, split) = (Cell(csv, pathColumn), Cell(csv, labelColumn), Cell(csv, splitColumn));
            if (given == "" && label == "") continue;
            if (PartOf(split) is not { } part) badSplits.Add($"'{split}' (line {csv.LineNumber})");
            else if (given == "") unnamed.Add($"line {csv.LineNumber}");
            else if (label == "" && part == DataPart.Test) unlabeledTests++;
            else if (label == "") unlabeled.Add($"'{given}' (line {csv.LineNumber})");
            else if (Find(folder, given) is not { } path) missing.Add($"'{given}' (line {csv.LineNumber})");
            else if (labels.TryAdd(path, label)) Add(part, label, path, findings);
            else if (labels[path] == label) repeated++;
            else contradicting.Add($"'{given}' (line {csv.LineNumber}: '{label}', before: '{labels[path]}')");
        }

        Report(badSplits, "row has a split other than train, val or test", "rows have a split other than train, val or test");
        Report(unnamed, "row names no image", "rows name no image");
        Report(unlabeled, "image has no label", "images have no label");
        Report(contradicting, "image has two labels", "images have two labels");
        var from = $"seen from the folder '{Path.GetFullPath(Path.Join(folder, "."))}'";
        Report(missing, $"image does not exist, {from}", $"images do not exist, {from}");
        if (repeated > 0) findings.Note($"'{table}' lists {repeated} images again; each counts once.");
        if (unlabeledTests > 0)
            findings.Note($"'{table}' has {unlabeledTests} test images without a label; they are ignored.");

        void Report(List<string> rows, string one, string several)
        {
            if (rows.Count > 0) findings.Problem($"In '{table}', {rows.Count} {(rows.Count == 1 ? one : several)}: {DataFindings.Some(rows)}.");
        }
    }

    private static void Add(DataPart part, string label, string path, DataFindings findings)
    {
        if (part == DataPart.Train) findings.ExpectClass(label);
        if (FolderListing.Objection(path) is { } reason) findings.Skip(path, reason);
        else findings.Add(part, label, path);
    }

    private static int Column(string[] header, string[] names) =>
        Array.FindIndex(header, name => names.Contains(name.Trim(), StringComparer.OrdinalIgnoreCase));

    private static string Cell(CsvReader csv, int column) => column < 0 ? "" : csv.GetString(column);

    private static DataPart? PartOf(string split) => split.ToUpperInvariant() switch
    {
        "" or "TRAIN" or "TRAINING" => DataPart.Train,
        "VAL" or "VALID" or "VALIDATION" => DataPart.Validation,
        "TEST" or "TESTING" => DataPart.Test,
        _ => null,
    };

    // Tables written on Windows separate folders with a backslash.
    private static string? Find(string folder, string given) =>
        new[] { given, given.Replace('\\', '/') }
            .Select(path => Path.Combine(folder, path)).FirstOrDefault(File.Exists);
}
