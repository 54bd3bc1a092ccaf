using System.Globalization;
using System.Text.RegularExpressions;
using Graft.Data.Remote;

namespace Graft.Data.Collections;

/// <summary>Several files by one text: <c>*</c> for any part of a name, <c>{000..012}</c> for numbers, <c>{a,b}</c> for either.</summary>
internal static partial class CollectionPattern
{
    /// <summary>More than a pattern means that was typed on purpose.</summary>
    private const int MostFiles = 1_000_000;

    /// <summary>Whether a path that leads nowhere may be a pattern.</summary>
    public static bool Is(string path) => path.AsSpan().ContainsAny("*{");

    /// <summary>The texts that braces stand for; the text itself without any.</summary>
    /// <exception cref="DataException">They stand for too many.</exception>
    public static IReadOnlyList<string> Braces(string text)
    {
        if (Brace().Match(text) is not { Success: true } brace) return [text];
        var (before, after) = (text[..brace.Index], text[(brace.Index + brace.Length)..]);
        List<string> made = [.. Choices(brace).SelectMany(choice => Braces(before + choice + after)).Take(MostFiles + 1)];
        return made.Count <= MostFiles ? made : throw new DataException($"'{text}' stands for more than {MostFiles:N0} files. Name fewer.");
    }

    /// <summary>The collections that a pattern names, in ordinal order; what braces name must be there.</summary>
    /// <exception cref="DataException">One is missing, or nothing matches.</exception>
    public static IReadOnlyList<string> Files(string pattern)
    {
        var files = new List<string>();
        foreach (var text in Braces(pattern))
        {
            if (RemotePlace.Is(text))
            {
                files.AddRange(Remote(text));
                continue;
            }
            if (!text.Contains('*'))
            {
                files.Add(File.Exists(text) ? text : throw new DataException($"There is no file '{text}', which '{pattern}' names."));
                continue;
            }
            var folder = Path.GetDirectoryName(text) is { Length: > 0 } parent ? parent : ".";
            if (folder.Contains('*') || !Directory.Exists(folder)) throw new DataException($"There is no folder '{folder}' for '{pattern}'. A * stands in the name of a file only.");
            files.AddRange(Directory.EnumerateFiles(folder, Path.GetFileName(text)).Where(PhotoCollection.HasExtension)
                .Select(file => Path.GetDirectoryName(text) is { Length: > 0 } ? file : Path.GetFileName(file)));
        }
        files = [.. files.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
        if (files.FirstOrDefault(file => !PhotoCollection.HasExtension(file)) is { } other)
            throw new DataException($"'{other}' is no tar, zip or Parquet file. Several files by one pattern are such collections.");
        return files.Count > 0 ? files : throw new DataException($"No tar, zip or Parquet file matches '{pattern}'.");
    }

    /// <summary>Whether what braces name is there, opening it says.</summary>
    private static IEnumerable<string> Remote(string text)
    {
        if (!text.Contains('*')) return [RemotePlace.Of(text)];
        var folder = RemotePlace.Parent(text);
        if (!RemotePlace.IsS3(text) || folder.Contains('*')) throw new DataException($"'{text}': a * stands in the last name of an s3:// address only, for web servers do not say what there is. Use {{000..012}}.");
        var names = Regex.Escape(text[(folder.Length + 1)..]).Replace(@"\*", "[^/]*", StringComparison.Ordinal);
        return PhotoCollection.Open(folder).Members.Where(member => PhotoCollection.HasExtension(member.Name) && Regex.IsMatch(member.Name, $"^{names}$")).Select(member => $"{folder}/{member.Name}");
    }

    private static IEnumerable<string> Choices(Match brace)
    {
        if (!brace.Groups["from"].Success) return brace.Groups["choices"].Value.Split(',');
        var (from, to) = (brace.Groups["from"].Value, brace.Groups["to"].Value);
        var (first, last) = (int.Parse(from, CultureInfo.InvariantCulture), int.Parse(to, CultureInfo.InvariantCulture));
        var digits = Math.Max(from.Length, to.Length) is var width && (from[0] == '0' || to[0] == '0') ? width : 1;
        return first <= last ? Enumerable.Range(first, Math.Min(last - first, MostFiles) + 1).Select(number => number.ToString($"D{digits}", CultureInfo.InvariantCulture)) : [];
    }

    [GeneratedRegex(@"\{(?:(?<from>[0-9]{1,8})\.\.(?<to>[0-9]{1,8})|(?<choices>[^{}]*,[^{}]*))\}", RegexOptions.ExplicitCapture)]
    private static partial Regex Brace();
}
