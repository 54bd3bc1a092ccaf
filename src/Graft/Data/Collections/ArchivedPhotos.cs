using System.Text;
using System.Text.Json;
using Graft.Imaging;

namespace Graft.Data.Collections;

/// <summary>
/// An archive of files: folders in it are folders. Where a photo's class lies beside it, as in shards of WebDataset (<c>0017.jpg</c> with
/// <c>0017.cls</c> or <c>0017.json</c>), that counts; the key is the name up to the first dot of its last part.
/// </summary>
internal abstract class ArchivedPhotos(string path) : PhotoCollection(path)
{
    /// <summary>More than any label has.</summary>
    protected const int MostLabelBytes = 1 << 20;

    private static readonly string[] Fields = ["label", "class", "class_name", "label_name", "category", "cls", "target"];

    public override IReadOnlyDictionary<string, string>? Labels(string? column, DataFindings findings)
    {
        var sidecars = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var member in Members)
        {
            // The class by itself counts more than a document that may hold it.
            if (member.Name.EndsWith(".cls", StringComparison.OrdinalIgnoreCase) && column is null) sidecars[KeyOf(member.Name)] = member.Name;
            else if (member.Name.EndsWith(".json", StringComparison.OrdinalIgnoreCase)) sidecars.TryAdd(KeyOf(member.Name), member.Name);
        }
        var labels = new Dictionary<string, string>(StringComparer.Ordinal);
        var silent = new List<SkippedFile>();
        var hasSome = false;
        foreach (var photo in Members.Where(member => ImageDecoder.FileExtensions.Contains(System.IO.Path.GetExtension(member.Name))))
        {
            if (!sidecars.TryGetValue(KeyOf(photo.Name), out var sidecar))
            {
                silent.Add(new($"{Path}/{photo.Name}", "no .cls or .json beside it says its class"));
                continue;
            }
            var (label, problem) = LabelIn(sidecar, column);
            if (label is not null) labels.Add(photo.Name, label);
            else silent.Add(new($"{Path}/{photo.Name}", problem!));
            hasSome |= label is not null;
        }
        if (!hasSome) return null;
        foreach (var photo in silent) findings.Skip(photo.Path, photo.Reason);
        return labels;
    }

    private static string KeyOf(string name)
    {
        var start = name.LastIndexOf('/') + 1;
        return name.IndexOf('.', start) is >= 0 and var dot ? name[..dot] : name;
    }

    private (string? Label, string? Problem) LabelIn(string sidecar, string? column)
    {
        try
        {
            if (BytesOf(sidecar) > MostLabelBytes) return (null, $"{sidecar} is too large for a label: more than {MostLabelBytes:N0} bytes");
            var content = Read(sidecar);
            if (!sidecar.EndsWith(".json", StringComparison.OrdinalIgnoreCase))
                return Encoding.UTF8.GetString(content).Trim() is { Length: > 0 } text ? (text, null) : (null, $"{sidecar} is empty");
            using var document = JsonDocument.Parse(content);
            var root = document.RootElement;
            if (root.ValueKind == JsonValueKind.Object)
            {
                foreach (var field in column is null ? Fields : [column])
                    if (root.TryGetProperty(field, out var value) && TextOf(value) is { Length: > 0 } label) return (label, null);
            }
            return (null, $"{sidecar} has no {column ?? "label"}");
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or JsonException)
        {
            return (null, $"{sidecar} cannot be read: {problem.Message}");
        }
    }

    private static string? TextOf(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => value.GetString()!.Trim(),
        JsonValueKind.Number => value.GetRawText(),
        JsonValueKind.True or JsonValueKind.False => value.GetRawText(),
        _ => null,
    };
}
