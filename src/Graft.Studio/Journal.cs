using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Graft.Studio;

/// <summary>What a person did.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<JournalAction>))]
internal enum JournalAction
{
    /// <summary>Gave photos a class, or none.</summary>
    [JsonStringEnumMemberName("label")]
    Label,

    /// <summary>Said that the labels are right although the model doubts them.</summary>
    [JsonStringEnumMemberName("keep")]
    Keep,

    /// <summary>Named a class that has no photos yet.</summary>
    [JsonStringEnumMemberName("class")]
    AddClass,

    /// <summary>Took an earlier action back.</summary>
    [JsonStringEnumMemberName("undo")]
    Undo,
}

/// <summary>One line of the journal.</summary>
/// <param name="Number">From 1, in the order in which things were done.</param>
/// <param name="Photos">Paths inside the project's folder, separated by '/'.</param>
internal sealed record JournalEntry(int Number, DateTime At, JournalAction Action, IReadOnlyList<string> Photos)
{
    /// <summary>Null for no class.</summary>
    public string? Class { get; init; }

    /// <summary>What the model had guessed, of a photo that it asked for.</summary>
    public string? Guess { get; init; }

    /// <summary>Whether the photo was drawn at random, to measure the model, and not chosen to teach it.</summary>
    public bool? IsRandom { get; init; }

    /// <summary>The number of the entry that is undone.</summary>
    public int? Of { get; init; }
}

/// <summary>
/// All labeling as a file to which lines are only added, each on the disk before it counts. A file that ends within a line, as a killed process or a
/// full disk leaves it, loses that line alone. Safe to use from several threads.
/// </summary>
internal sealed class Journal : IDisposable
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private readonly Lock _gate = new();
    private readonly FileStream? _file;
    private readonly List<JournalEntry> _entries = [];
    private readonly HashSet<int> _undone = [];
    private int _last;

    /// <param name="path">Made if it is not there and is to be written.</param>
    /// <param name="isWritten">Whether lines can be added; else the file stays as it is, and need not be there.</param>
    /// <exception cref="IOException">The file cannot be read or written.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be.</exception>
    public Journal(string path, bool isWritten = true)
    {
        if (!isWritten)
        {
            if (File.Exists(path) && !RegularFile.IsEmpty(path)) Read(RegularFile.ReadAllBytes(path));
            return;
        }
        _file = new(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0);
        try
        {
            var content = new byte[_file.Length];
            _file.ReadExactly(content);
            if (Read(content) is { } cut) Mend(path, content, cut);
        }
        catch
        {
            _file.Dispose();
            throw;
        }
    }

    /// <summary>What the file held that was not an entry; null if nothing.</summary>
    public string? Notice { get; private set; }

    /// <summary>What counts, in order: without what was undone, and without the undoing.</summary>
    public IReadOnlyList<JournalEntry> Entries
    {
        get
        {
            lock (_gate) return [.. _entries.Where(IsInForce)];
        }
    }

    /// <summary>The last action that can be undone; null if there is none.</summary>
    public JournalEntry? LastInForce
    {
        get
        {
            lock (_gate) return _entries.FindLast(IsInForce);
        }
    }

    /// <exception cref="IOException">The disk is full or fails; the file is as it was.</exception>
    public JournalEntry Add(JournalAction action, IReadOnlyList<string> photos, string? @class = null, string? guess = null, bool? isRandom = null)
    {
        lock (_gate)
            return Append(new(_last + 1, DateTime.UtcNow, action, photos) { Class = @class, Guess = guess, IsRandom = isRandom });
    }

    /// <summary>Takes the last action back.</summary>
    /// <returns>What was undone; null if there was nothing.</returns>
    /// <exception cref="IOException">The disk is full or fails; nothing is undone.</exception>
    public JournalEntry? Undo()
    {
        lock (_gate)
        {
            if (_entries.FindLast(IsInForce) is not { } last) return null;
            Append(new(_last + 1, DateTime.UtcNow, JournalAction.Undo, []) { Of = last.Number });
            return last;
        }
    }

    public void Dispose() => _file?.Dispose();

    private bool IsInForce(JournalEntry entry) => entry.Action != JournalAction.Undo && !_undone.Contains(entry.Number);

    private JournalEntry Append(JournalEntry entry)
    {
        var length = (_file ?? throw new InvalidOperationException("The journal was opened to be read.")).Length;
        try
        {
            _file.Position = length;
            _file.Write(Encoding.UTF8.GetBytes(JsonSerializer.Serialize(entry, Json) + "\n"));
            _file.Flush(flushToDisk: true);
        }
        catch (IOException)
        {
            // Half a line must not precede the next one.
            _file.SetLength(length);
            throw;
        }
        Take(entry);
        return entry;
    }

    private void Take(JournalEntry entry)
    {
        _entries.Add(entry);
        _last = Math.Max(_last, entry.Number);
        if (entry.Of is { } undone) _undone.Add(undone);
    }

    /// <returns>Where a last line without an end begins; null if there is none.</returns>
    private int? Read(byte[] content)
    {
        var (start, damaged) = (0, 0);
        int? cut = null;
        while (start < content.Length)
        {
            var end = Array.IndexOf(content, (byte)'\n', start);
            var entry = Parse(content.AsSpan(start, (end < 0 ? content.Length : end) - start));
            if (entry is not null) Take(entry);
            if (end < 0)
            {
                cut = start;
                if (entry is null) Notice = "The list of labels ended within a line, as after a power failure. All lines before it count.";
                break;
            }
            if (entry is null) damaged++;
            start = end + 1;
        }
        if (damaged > 0) Notice = $"{damaged:N0} {(damaged == 1 ? "line" : "lines")} of the list of labels cannot be read and do not count. All others do.";
        return cut;
    }

    /// <summary>Gives the last line its end, or, where more than that was lost, puts it aside.</summary>
    private void Mend(string path, byte[] content, int start)
    {
        var line = content.AsMemory(start);
        if (Parse(line.Span) is not null)
        {
            _file!.Position = content.Length;
            _file.Write("\n"u8);
            return;
        }
        var kept = WholeFile.FreePaths($"{path}.cut").First(free => !Path.Exists(free));
        WholeFile.Write(kept, line);
        _file!.SetLength(start);
        Notice += $" The rest is kept in {Path.GetFileName(kept)}.";
    }

    private static JournalEntry? Parse(ReadOnlySpan<byte> line)
    {
        try
        {
            return JsonSerializer.Deserialize<JournalEntry>(line, Json) is { Photos: { } photos, Number: > 0 } entry && !photos.Contains(null!) ? entry : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
