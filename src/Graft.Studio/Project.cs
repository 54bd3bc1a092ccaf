using System.Collections.Immutable;
using Graft.Imaging;

namespace Graft.Studio;

/// <summary>A class and how many photos have it.</summary>
internal sealed record ClassCount(string Name, int Photos);

/// <summary>Photos with their labels at one moment.</summary>
/// <param name="Version">Grows with every change.</param>
/// <param name="Labels">The class of each photo, by its number; null for none.</param>
/// <param name="Classes">Sorted; those without photos included.</param>
/// <param name="Kept">Photos whose label a person confirmed although the model doubts it.</param>
internal sealed record Labeling(int Version, ImmutableArray<Photo> Photos, IReadOnlyList<string?> Labels, IReadOnlyList<string> Classes, IReadOnlySet<string> Kept)
{
    private readonly Lazy<Dictionary<string, int>> _numbers = new(() => Photos.Select((photo, number) => (photo.Id, number)).ToDictionary(StringComparer.Ordinal));

    /// <summary>−1 for an id that no photo has.</summary>
    public int NumberOf(string id) => _numbers.Value.TryGetValue(id, out var number) ? number : -1;

    public IReadOnlyList<ClassCount> Counts()
    {
        var counts = Labels.OfType<string>().CountBy(name => name, StringComparer.Ordinal).ToDictionary(StringComparer.Ordinal);
        return [.. Classes.Select(name => new ClassCount(name, counts.GetValueOrDefault(name)))];
    }
}

/// <summary>
/// A folder or table of photos that is open in the studio: what lies there, and what people said of it, which is in <c>.graft-studio</c> beside the
/// photos. Photos are moved by <see cref="FolderMoves"/> alone. Safe to use from several threads.
/// </summary>
internal sealed class Project : IDisposable
{
    public const string OwnFolder = ".graft-studio";

    private const string JournalName = "labels.jsonl";

    private readonly Lock _gate = new();
    private readonly string _source;
    private FileLock? _lock;
    private Journal _journal;
    private string? _cannotKeep;
    private ImmutableArray<Photo> _photos;
    private IReadOnlyList<string> _folderClasses;
    private Labeling _labeling;
    private IReadOnlyList<string> _notes = [];
    private int _version;

    private Project(string source, string folder)
    {
        (_source, Folder) = (source, folder);
        (_photos, _folderClasses, _labeling) = ([], [], new(0, [], [], [], new HashSet<string>()));
        _journal = new(Own(JournalName), isWritten: false);
    }

    /// <summary>Told after every change.</summary>
    public event Action? Changed;

    public string Folder { get; }

    public string Source => _source;

    public string Name => Path.GetFileNameWithoutExtension(Path.TrimEndingDirectorySeparator(_source));

    /// <summary>Whether a table says the classes, so that there are no folders to sort photos into.</summary>
    public bool IsTable => File.Exists(_source);

    public Journal Journal => Volatile.Read(ref _journal);

    /// <summary>What was noticed when it was opened, a sentence each.</summary>
    public IReadOnlyList<string> Notes => [.. new[] { Volatile.Read(ref _cannotKeep), Journal.Notice }.OfType<string>(), .. _notes];

    public Labeling Labeling => Volatile.Read(ref _labeling);

    public string Own(string name) => Path.Combine(Folder, OwnFolder, name);

    /// <summary>Opens photos to look at. Nothing is written beside them before there is something to keep.</summary>
    /// <param name="source">A folder, or a .csv or .tsv file.</param>
    /// <exception cref="GraftException">There is no such folder, it cannot be read, or another studio has it open.</exception>
    public static Project Open(string source)
    {
        source = Path.GetFullPath(source);
        if (!Path.Exists(source)) throw new GraftException($"There is no folder or table {source}. Check the spelling, or name another one.");
        var folder = Directory.Exists(source) ? Path.TrimEndingDirectorySeparator(source) : Path.GetDirectoryName(source)!;
        Project? project = null;
        try
        {
            project = new(source, folder);
            project.Prepare();
            project.Rescan();
            return project;
        }
        catch (Exception problem)
        {
            project?.Dispose();
            if (!SaveProblem.Is(problem)) throw;
            throw new GraftException($"The folder {folder} cannot be opened: {problem.Message} Check the disk and your right to read the folder.", problem);
        }
    }

    /// <summary>Makes the folder for what is kept, where it is not there yet, and keeps other studios out of it.</summary>
    /// <exception cref="GraftException">Another studio keeps labels there, or the folder cannot be written.</exception>
    public void BeginKeeping()
    {
        int before;
        lock (_gate)
        {
            before = _version;
            Written(Begin);
        }
        if (Labeling.Version != before) Changed?.Invoke();
    }

    /// <summary>Where something was kept before, other studios are kept out at once; where nothing can be kept, that is said.</summary>
    private void Prepare()
    {
        try
        {
            if (Directory.Exists(Own(""))) Begin();
            else if (!FolderRights.CanWrite(Folder)) _cannotKeep = CannotKeep;
        }
        catch (Exception problem) when (SaveProblem.Is(problem))
        {
            _cannotKeep = CannotKeep;
        }
    }

    private string CannotKeep =>
        $"You can look at these photos, but nothing can be saved in {Folder}: no labels, no added photos, no trainings and no models made of them. To label, copy the photos into a folder of your own, or get the right to write in this one.";

    private bool Begin()
    {
        if (_lock is not null) return true;
        Directory.CreateDirectory(Own(""));
        var taken = FileLock.TryTake(Own("lock")) ?? throw new GraftException($"Another Graft Studio has {Folder} open. Use that window, or close it first; no labels are lost by that.");
        try
        {
            // Read anew: another studio may have written meanwhile.
            Journal journal = new(Own(JournalName)), before = Journal;
            before.Dispose();
            Volatile.Write(ref _journal, journal);
            if (!journal.Entries.Select(entry => entry.Number).SequenceEqual(before.Entries.Select(entry => entry.Number))) Relabel();
        }
        catch
        {
            taken.Dispose();
            throw;
        }
        (_lock, _cannotKeep) = (taken, null);
        return true;
    }

    /// <summary>Reads anew what lies there.</summary>
    public void Rescan()
    {
        var (photos, classes, notes) = PhotoSources.List(_source, Folder);
        lock (_gate)
        {
            (_photos, _folderClasses, _notes) = ([.. photos], classes, notes);
            Relabel();
        }
        Changed?.Invoke();
    }

    /// <summary>Photos by their ids; ids that are unknown are left out.</summary>
    public IReadOnlyList<Photo> Find(IEnumerable<string> ids)
    {
        var now = Labeling;
        return [.. ids.Select(now.NumberOf).Where(number => number >= 0).Select(number => now.Photos[number])];
    }

    /// <exception cref="GraftException">There is no such class, or the disk is full or fails; nothing has changed.</exception>
    public void Label(IReadOnlyList<Photo> photos, string? @class, string? guess = null, bool? isRandom = null) =>
        Write(JournalAction.Label, photos, @class is null ? null : KnownClass(@class) ?? throw new GraftException($"There is no class '{VisibleText.Of(@class)}' (any more). Add it first."), guess, isRandom);

    public void Keep(IReadOnlyList<Photo> photos) => Write(JournalAction.Keep, photos);

    /// <returns>The class; one that is there and differs at most in case is taken instead of a new one.</returns>
    public string AddClass(string name)
    {
        name = CheckedName(name);
        if (KnownClass(name) is { } known) return known;
        Write(JournalAction.AddClass, [], name);
        return name;
    }

    /// <summary>A class of this name, or one that differs in case alone: file systems of Windows and macOS would make one folder of both.</summary>
    public string? KnownClass(string name) => Data.ClassSpelling.Known(Labeling.Classes, name);

    /// <returns>What was undone; null if there was nothing.</returns>
    public JournalEntry? Undo()
    {
        JournalEntry? undone;
        lock (_gate)
        {
            Written(Begin);
            undone = Written(() => Journal.Undo());
            Relabel();
        }
        Changed?.Invoke();
        return undone;
    }

    /// <summary>Takes a photo in, into the folder <c>unlabeled</c>; where it is there already, nothing is written.</summary>
    /// <param name="name">Of the file on the sender's side; only its last part counts.</param>
    /// <exception cref="GraftException">The disk is full or fails.</exception>
    /// <exception cref="UnreadableImageException">It is no photo, or one that is too large.</exception>
    public Photo Add(string name, byte[] content, string? @class)
    {
        if (@class is not null) @class = KnownClass(@class.Trim()) ?? CheckedName(@class);
        ImageDecoder.Decode(content, image => Resampler.Shrink(image, 16));
        var safe = OutputFolder.SafeName(Path.GetFileName(name.Replace('\\', '/')));
        if (safe.StartsWith('.')) safe = $"_{safe}";
        if (!ImageDecoder.FileExtensions.Contains(Path.GetExtension(safe))) safe += "." + ImageDecoder.FormatOf(content)!.ToLowerInvariant();
        Photo photo;
        lock (_gate)
        {
            Written(Begin);
            var folder = Path.Combine(Folder, PhotoSources.Unlabeled);
            var path = Written(() =>
            {
                Directory.CreateDirectory(folder);
                foreach (var free in WholeFile.FreePaths(Path.Combine(folder, safe)))
                {
                    if (IsSame(free, content)) return free;
                    if (Path.Exists(free)) continue;
                    WholeFile.Write(free, content);
                    return free;
                }
                throw new InvalidOperationException();
            });
            photo = new(PhotoSources.PlaceOf(path, Folder), path, null, "");
            if (Labeling.NumberOf(photo.Id) < 0) _photos = _photos.Add(photo);
            if (@class is not null) Written(() => Journal.Add(JournalAction.Label, [photo.Place], @class));
            Relabel();
        }
        Changed?.Invoke();
        return photo;
    }

    public void Dispose()
    {
        Journal.Dispose();
        _lock?.Dispose();
    }

    private static bool IsSame(string path, byte[] content) =>
        new FileInfo(path) is { Exists: true } file && file.Length == content.Length && RegularFile.ReadAllBytes(path).AsSpan().SequenceEqual(content);

    private static string CheckedName(string name)
    {
        name = name.Trim();
        return name.Length is > 0 and <= 100 && OutputFolder.ProblemWithName(name) is null && !VisibleText.HasHidden(name, isOneLine: true) && OutputFolder.SafeName(name) == name && name[0] != '.'
            ? name
            : throw new GraftException($"'{VisibleText.Of(name)}' cannot be the name of a class. Use letters, digits and spaces, at most 100.");
    }

    private void Write(JournalAction action, IReadOnlyList<Photo> photos, string? @class = null, string? guess = null, bool? isRandom = null)
    {
        if (photos.Count == 0 && action != JournalAction.AddClass) return;
        lock (_gate)
        {
            Written(Begin);
            Written(() => Journal.Add(action, [.. photos.Select(photo => photo.Place)], @class, guess, isRandom));
            Relabel();
        }
        Changed?.Invoke();
    }

    private T Written<T>(Func<T> write)
    {
        try
        {
            return write();
        }
        catch (Exception problem) when (SaveProblem.Is(problem))
        {
            throw new GraftException(
                FolderRights.CanWrite(Folder) ? $"This could not be saved. {SaveProblem.Words(problem, Folder)} Nothing has changed, and no label is lost. Free some space, then do it again." : CannotKeep, problem)
            {
                Code = "not-saved",
            };
        }
    }

    private void Relabel()
    {
        var said = new Dictionary<string, string?>(StringComparer.Ordinal);
        var kept = new HashSet<string>(StringComparer.Ordinal);
        var classes = new SortedSet<string>(_folderClasses, StringComparer.Ordinal);
        foreach (var entry in Journal.Entries)
        {
            foreach (var place in entry.Photos)
            {
                if (entry.Action == JournalAction.Keep)
                {
                    kept.Add(place);
                }
                else
                {
                    said[place] = entry.Class;
                    kept.Remove(place);
                }
            }
            if (entry.Class is { } name) classes.Add(name);
        }
        string?[] labels = [.. _photos.Select(photo => said.TryGetValue(photo.Place, out var name) ? name : photo.FolderClass)];
        Volatile.Write(ref _labeling, new(++_version, _photos, labels, [.. classes], kept));
    }
}
