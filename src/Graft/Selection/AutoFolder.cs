using System.Text.Json;
using Graft.Data.Remote;
using Graft.Runs;
using Graft.Runs.Reports;

namespace Graft.Selection;

/// <summary>
/// The folder of an automatic run: <c>decisions.json</c>, the trials, a run folder for each way that was trained, and, last, the files of the run that is
/// kept, so that the folder is a run folder itself. One process at a time works in it.
/// </summary>
public sealed class AutoFolder : IDisposable
{
    private const string TrialsFolder = "trials", RunsFolder = "runs";

    private readonly FileLock _lock;
    private readonly DateTime _opened = DateTime.UtcNow;
    private readonly double _secondsBefore;

    private AutoFolder(string path, FileLock held, Document document)
    {
        (FullName, _lock, Request, _secondsBefore) = (path, held, document.Request, document.Seconds);
        Decisions = document.Decisions;
    }

    public string FullName { get; }

    public AutoRequest Request { get; }

    public IReadOnlyList<Decision> Decisions { get; private set; }

    /// <summary>That all processes have worked on it.</summary>
    public double Seconds => _secondsBefore + (DateTime.UtcNow - _opened).TotalSeconds;

    public bool IsComplete => File.Exists(Path.Combine(FullName, RunFolder.ResultFile));

    /// <summary>A new run.</summary>
    /// <param name="path">Null for <c>runs/NAME-auto</c>.</param>
    /// <exception cref="GraftException">The folder is not empty, or cannot be written.</exception>
    public static AutoFolder Create(string? path, AutoRequest request)
    {
        using var created = RunFolder.Create(path, $"{OutputFolder.SafeName(Path.GetFileNameWithoutExtension(Path.TrimEndingDirectorySeparator(RemotePlace.Full(request.Photos))))}-auto");
        var folder = new AutoFolder(created.FullName, Lock(created.FullName), new(request with { Photos = RemotePlace.Full(request.Photos) }, 0, []));
        folder.Save();
        return folder;
    }

    /// <summary>A run that was interrupted, or is complete.</summary>
    /// <exception cref="GraftException">It is no such folder, or another process works in it.</exception>
    public static AutoFolder Open(string path)
    {
        var file = Path.Combine(path, Decision.FileName);
        if (!File.Exists(file)) throw new GraftException($"{path} holds no {Decision.FileName}: no automatic run began in it.");
        var held = Lock(path);
        try
        {
            return new(path, held, JsonSerializer.Deserialize<Document>(RegularFile.ReadAllText(file), RunFolder.Json) ?? throw new JsonException("it is empty."));
        }
        catch (JsonException problem)
        {
            held.Dispose();
            throw new GraftException($"{file} is damaged: {problem.Message} Start a new run.", problem);
        }
    }

    public Decision? Find(string step) => Decisions.FirstOrDefault(decision => decision.Step == step);

    internal void Add(Decision decision)
    {
        Decisions = [.. Decisions.Where(other => other.Step != decision.Step), decision];
        Save();
    }

    /// <summary>Writes down how long was worked on it so far.</summary>
    internal void Save() => WholeFile.Write(
        Path.Combine(FullName, Decision.FileName),
        JsonSerializer.Serialize(new Document(Request, Math.Round(Seconds, 2), Decisions), RunFolder.Json) + "\n", replaces: true);

    internal TrialFolder OpenTrials() => TrialFolder.Open(Path.Combine(FullName, TrialsFolder), Request.Trials);

    /// <summary>Where a way is trained.</summary>
    internal string RunPath(string name) => Path.Combine(FullName, RunsFolder, name);

    /// <summary>Copies the files of the run that is kept, <c>result.json</c> last: where that is, the automatic run is whole.</summary>
    internal void Keep(string run)
    {
        foreach (var file in Directory.EnumerateFiles(run).OrderBy(file => Path.GetFileName(file) == RunFolder.ResultFile))
        {
            if (Path.GetFileName(file) is ['.', ..] or RunReport.FileName) continue;
            using var source = RegularFile.OpenRead(file);
            WholeFile.Write(Path.Combine(FullName, Path.GetFileName(file)), source.CopyTo, replaces: true);
        }
        RunReport.Write(SavedRun.Open(FullName));
    }

    public void Dispose()
    {
        Save();
        _lock.Dispose();
    }

    private static FileLock Lock(string path) =>
        FileLock.TryTake(Path.Combine(path, ".lock")) ?? throw new GraftException($"Another process works in {path}. Wait for it, or name another folder.");

    private sealed record Document(AutoRequest Request, double Seconds, IReadOnlyList<Decision> Decisions);
}
