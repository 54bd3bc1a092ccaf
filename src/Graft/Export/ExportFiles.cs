namespace Graft.Export;

/// <summary>Files that appear together, once all of them are written, or not at all.</summary>
internal sealed class ExportFiles
{
    private readonly string _folder;
    private readonly List<(string Name, byte[] Content)> _files = [];

    /// <param name="path">The main one. The others lie in its folder.</param>
    /// <exception cref="GraftException">It, or one of the files that lie beside an exported model, is there already.</exception>
    public ExportFiles(string path)
    {
        if (Directory.Exists(path)) throw new GraftException($"{path} is a folder.") { Code = "output-is-folder", Remedy = "Name a new file in it." };
        _folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        foreach (var name in (string[])[Path.GetFileName(path), "labels.txt", "MODEL_CARD.md", "parity.json", "parity"])
            CheckFree(Path.Combine(_folder, name));
    }

    /// <param name="name">Relative to the folder, with slashes.</param>
    public void Add(string name, byte[] content) => _files.Add((name, content));

    /// <returns>The paths, in the order in which the files were added.</returns>
    /// <exception cref="GraftException">The disk is full or fails; what was written is removed.</exception>
    public IReadOnlyList<string> Write()
    {
        var draft = Path.Combine(_folder, $".export-{Guid.NewGuid():N}");
        var moved = new List<string>();
        try
        {
            foreach (var (name, content) in _files)
            {
                var path = Path.Combine(draft, name);
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                using var file = new FileStream(path, FileMode.CreateNew);
                file.Write(content);
                file.Flush(flushToDisk: true);
            }
            // The model last: where it is, all of it is.
            foreach (var (name, _) in _files.AsEnumerable().Reverse())
            {
                var target = Path.Combine(_folder, name);
                Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                File.Move(Path.Combine(draft, name), target);
                moved.Add(target);
            }
            return [.. moved.AsEnumerable().Reverse()];
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            foreach (var path in moved) File.Delete(path);
            throw new GraftException($"The exported model cannot be written to {_folder}: {problem.Message}", problem) { Code = "export-not-written" };
        }
        finally
        {
            if (Directory.Exists(draft)) Directory.Delete(draft, recursive: true);
        }
    }

    private static void CheckFree(string path)
    {
        if (!Path.Exists(path)) return;
        throw new GraftException($"{path} is there already, and nothing is overwritten.")
        {
            Code = "output-exists",
            Remedy = "An exported model comes with files beside it: give each a folder of its own.",
        };
    }
}
