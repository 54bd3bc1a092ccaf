using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Graft.Data.Remote;
using Graft.Runs;

namespace Graft.Selection;

/// <summary>
/// A folder of trials, one file for each network that was tried, so that an interrupted selection goes on where it ended. One process at a time works in it.
/// </summary>
public sealed class TrialFolder : IDisposable
{
    private const string RequestFile = "trials.json", Prefix = "trial-";

    /// <summary>A process that ends so often while it tries a network, ends because of it.</summary>
    private const int MostStarts = 2;

    private readonly FileLock _lock;

    private TrialFolder(string path, FileLock held) => (FullName, _lock) = (path, held);

    /// <summary>As it was given.</summary>
    public string FullName { get; }

    /// <summary>A new or empty folder, or one in which the same was begun.</summary>
    /// <param name="path">Null for <c>runs/NAME</c>, with a number where that name is taken.</param>
    /// <exception cref="GraftException">It holds other files or another request's trials, another process works in it, or it cannot be written.</exception>
    public static TrialFolder Open(string? path, TrialRequest request)
    {
        var document = JsonSerializer.Serialize(request with { Photos = RemotePlace.Full(request.Photos) }, RunFolder.Json) + "\n";
        if (path is null)
        {
            using var created = RunFolder.Create(null, $"{OutputFolder.SafeName(Path.GetFileNameWithoutExtension(Path.TrimEndingDirectorySeparator(RemotePlace.Full(request.Photos))))}-try");
            path = created.FullName;
        }
        FileLock? held = null;
        try
        {
            Directory.CreateDirectory(path);
            held = FileLock.TryTake(Path.Combine(path, ".lock")) ?? throw new GraftException($"Another process works in {path}. Wait for it, or name another folder.");
            var file = Path.Combine(path, RequestFile);
            if (File.Exists(file))
            {
                if (RegularFile.ReadAllText(file) != document)
                    throw new GraftException($"{path} holds trials that were asked for otherwise. To go on with them, ask as {file} says; else name another folder.");
            }
            else if (Directory.EnumerateFileSystemEntries(path).Any(entry => Path.GetFileName(entry) != ".lock" && !WholeFile.IsDraft(Path.GetFileName(entry))))
            {
                throw new GraftException($"The folder {path} is not empty, and nothing is written over.") { Code = "run-folder", Remedy = "Name another folder." };
            }
            else
            {
                WholeFile.Write(file, document);
            }
            return new(path, held);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            held?.Dispose();
            throw new GraftException($"The folder {path} cannot be written: {problem.Message}", problem) { Code = "run-folder", Remedy = "Name another folder." };
        }
        catch
        {
            held?.Dispose();
            throw;
        }
    }

    /// <summary>What was measured of a network on these very photos; null where it was not, or not to the end.</summary>
    /// <param name="photos">What tells the photos and their labels from others.</param>
    internal Trial? Find(string backbone, string photos)
    {
        var file = FileOf(backbone);
        if (!File.Exists(file)) return null;
        try
        {
            var saved = JsonSerializer.Deserialize<Saved>(RegularFile.ReadAllText(file), RunFolder.Json);
            return saved?.Photos == photos ? saved.Trial : null;
        }
        catch (Exception problem) when (problem is JsonException or IOException or NotSupportedException)
        {
            // Damaged: tried again.
            return null;
        }
    }

    internal void Save(Trial trial, string photos) =>
        WholeFile.Write(FileOf(trial.Backbone), JsonSerializer.Serialize(new Saved(photos, trial), RunFolder.Json) + "\n", replaces: true);

    /// <summary>Notes that a network is about to be tried. Where the process ended without a word while it was tried before, as one that is killed for its memory does, false.</summary>
    internal bool TryBegin(string backbone)
    {
        var file = $"{FileOf(backbone)}.begun";
        var starts = File.Exists(file) && int.TryParse(RegularFile.ReadAllText(file), out var count) ? count : 0;
        if (starts >= MostStarts) return false;
        WholeFile.Write(file, FormattableString.Invariant($"{starts + 1}"), replaces: true);
        return true;
    }

    internal void End(string backbone) => File.Delete($"{FileOf(backbone)}.begun");

    /// <summary>Removes it if nothing came to be tried.</summary>
    public void Dispose() => _lock.Dispose();

    private string FileOf(string backbone)
    {
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(backbone)))[..8];
        var name = OutputFolder.SafeName(string.Join('+', TrialRequest.Parsed(backbone).Select(part => part.Name)));
        return Path.Combine(FullName, $"{Prefix}{name[..Math.Min(name.Length, 80)]}-{hash}.json");
    }

    private sealed record Saved(string Photos, Trial Trial);
}
