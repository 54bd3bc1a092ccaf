using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using CsvHelper;

namespace Graft;

/// <summary>
/// A table (RFC 4180, UTF-8) that spreadsheets and terminals can be trusted with, written row by row. Text that a spreadsheet would take for
/// a formula gets an apostrophe in front. Hidden characters, line breaks, and blanks at either end become <c>\u{202E}</c>, so that each row is one line
/// and nothing is lost to readers that trim. <see cref="Restore"/> gives all back: whatever Graft writes it also reads.
/// </summary>
internal sealed partial class CsvFile : IDisposable
{
    private readonly CsvWriter _csv;
    private readonly CsvQuoting _quoting;

    private CsvFile(CsvWriter csv, CsvQuoting quoting) => (_csv, _quoting) = (csv, quoting);

    /// <summary>For standard output: lines end in CR LF as RFC 4180 has it, and quotes stand where they are needed.</summary>
    public static CsvFile ForOutput(Stream stream, IEnumerable<string> columns) => Begin(stream, "\r\n", CsvQuoting.WhenNeeded, columns);

    /// <summary>For a file: lines end in LF, and all text but the headings is quoted.</summary>
    public static CsvFile ForFile(Stream stream, IEnumerable<string> columns) => Begin(stream, "\n", CsvQuoting.Always, columns);

    /// <summary>Writes a whole table into a file, or nothing; see <see cref="WholeFile"/>.</summary>
    /// <exception cref="IOException">The file exists and is not to be replaced, or the disk is full or fails.</exception>
    public static void Write(string path, IEnumerable<string> columns, IEnumerable<IReadOnlyList<object?>> rows, bool replaces = false) =>
        WholeFile.Write(path, stream =>
        {
            using var table = ForFile(stream, columns);
            foreach (var row in rows) table.Add(row);
        }, replaces);

    private static CsvFile Begin(Stream stream, string newLine, CsvQuoting quoting, IEnumerable<string> columns)
    {
        var csv = CsvWriter.Create(stream, new CsvWriterOptions { NewLine = newLine }, leaveOpen: true);
        csv.WriteRecord([.. columns.Select(Protect)]);
        return new(csv, quoting);
    }

    /// <summary>Adds a row: text is protected, numbers are written so that they read back as the same number, null is empty.</summary>
    public void Add(params IReadOnlyList<object?> cells)
    {
        foreach (var cell in cells)
        {
            if (cell is string text) _csv.WriteField(Protect(text), _quoting);
            else _csv.WriteField(cell is IFormattable number ? number.ToString(null, CultureInfo.InvariantCulture) : cell?.ToString());
        }
        _csv.EndRecord();
    }

    public void Flush() => _csv.Flush();

    public void Dispose() => _csv.Dispose();

    /// <summary>Adds a row to a list that grows while others may read it: it is on the disk when this returns, or not there at all.</summary>
    /// <exception cref="IOException">The disk is full or fails.</exception>
    public static void Append(FileStream list, params IEnumerable<string> cells)
    {
        var length = list.Length;
        try
        {
            list.Write(Encoding.UTF8.GetBytes(Line(cells)));
            list.Flush(flushToDisk: true);
        }
        catch
        {
            // On a full disk: half a row would make the list unreadable.
            list.SetLength(length);
            throw;
        }
    }

    /// <summary>One row as text.</summary>
    public static string Line(params IEnumerable<string> cells) =>
        $"{string.Join(',', cells.Select(cell => $"\"{Protect(cell).Replace("\"", "\"\"", StringComparison.Ordinal)}\""))}\n";

    /// <summary>The text of a cell as it stands in the file, before quotes.</summary>
    public static string Protect(string text)
    {
        text = LikeEscaped().Replace(text, @"\u{5C}u{");
        if (VisibleText.HasHidden(text, isOneLine: true)) text = VisibleText.Replace(text, isOneLine: true, rune => rune.Value == '\t' ? "\t" : Escaped(rune.Value));
        if (text.Length > 0 && char.IsWhiteSpace(text[^1])) text = text[..^1] + Escaped(text[^1]);
        // A tab in front stays, after an apostrophe.
        if (text.Length > 0 && text[0] != '\t' && char.IsWhiteSpace(text[0])) text = Escaped(text[0]) + text[1..];
        return text.Length > 0 && IsProtected(text[0]) ? $"'{text}" : text;
    }

    /// <summary>The text that <see cref="Protect"/> was given; any other is as it was.</summary>
    public static string Restore(string cell)
    {
        if (cell.Length > 1 && cell[0] == '\'' && IsProtected(cell[1])) cell = cell[1..];
        return cell.Contains(@"\u{", StringComparison.Ordinal)
            ? Escape().Replace(cell, match => int.Parse(match.Groups[1].ValueSpan, NumberStyles.HexNumber, CultureInfo.InvariantCulture) is var value
                && Rune.IsValid(value) ? new Rune(value).ToString() : match.Value)
            : cell;
    }

    private static string Escaped(int character) => $"\\u{{{character:X}}}";

    // What begins a formula in Excel, LibreOffice or Google Sheets, in their full-width forms too, and the apostrophe itself.
    private static bool IsProtected(char first) => first is '=' or '+' or '-' or '@' or '\t' or '\r' or '\n' or '\'' or '＝' or '＋' or '－' or '＠';

    [GeneratedRegex(@"\\u\{(?=[0-9A-F]{1,6}\})")]
    private static partial Regex LikeEscaped();

    [GeneratedRegex(@"\\u\{([0-9A-F]{1,6})\}")]
    private static partial Regex Escape();
}
