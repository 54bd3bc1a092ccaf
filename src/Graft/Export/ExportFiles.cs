namespace Graft.Export;

/// <summary>Files that appear together, once all of them are written, or not at all.</summary>
internal sealed class ExportFiles
{
    private readonly string _folder;
    private readonly List<(string Name, byte[] Content)> _files = [];

    /// <param name="path">The model's file, with the others in its folder; for other targets than one file, the folder.</param>
    /// <exception cref="GraftException">The file is no .onnx; or it, or one of the files that lie beside an exported model, is there already.</exception>
    public ExportFiles(string path, ExportTarget target)
    {
        if (target == ExportTarget.File)
        {
            if (Directory.Exists(path)) throw new GraftException($"{path} is a folder.") { Code = "output-is-folder", Remedy = "Name a new file in it." };
            if (!Path.GetExtension(path).Equals(".onnx", StringComparison.OrdinalIgnoreCase)) throw new GraftException($"Expected a .onnx file to export to, found {path}.") { Code = "output-not-onnx" };
            (_folder, Model) = (Path.GetDirectoryName(Path.GetFullPath(path))!, Path.GetFileName(path));
            foreach (var name in (string[])[Model, "labels.txt", "MODEL_CARD.md", "parity.json", "parity"]) CheckFree(Path.Combine(_folder, name));
            Name = Path.GetFileNameWithoutExtension(path);
            return;
        }
        _folder = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        if (File.Exists(path) || (Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any()))
        {
            throw new GraftException($"{path} is there already{(File.Exists(path) ? "" : " and has files in it")}, and nothing is overwritten.")
            {
                Code = "output-folder-exists",
                Remedy = "Name a new folder.",
            };
        }
        Name = Path.GetFileName(_folder);
        Model = target switch
        {
            ExportTarget.Triton => "1/model.onnx",
            ExportTarget.TransformersJs => "onnx/model.onnx",
            _ => "model.onnx",
        };
    }

    /// <summary>What a person calls the model: the name of its file, or of the folder.</summary>
    public string Name { get; }

    /// <summary>The model's file, relative to the folder.</summary>
    public string Model { get; }

    /// <param name="name">Relative to the folder, with slashes.</param>
    public void Add(string name, byte[] content) => _files.Add((name, content));

    /// <returns>The paths, in the order in which the files were added.</returns>
    /// <exception cref="GraftException">The disk is full or fails; what was written is removed.</exception>
    public IReadOnlyList<string> Write()
    {
        var draft = Path.Combine(_folder, $".export-{Guid.NewGuid():N}");
        var (moved, created) = (new List<string>(), new List<string>());
        try
        {
            foreach (var (name, content) in _files)
            {
                var path = Path.Combine(draft, name);
                Create(Path.GetDirectoryName(path)!, created);
                using var file = new FileStream(path, FileMode.CreateNew);
                file.Write(content);
                file.Flush(flushToDisk: true);
            }
            // The model last: where it is, all of it is.
            foreach (var (name, _) in _files.AsEnumerable().Reverse())
            {
                var target = Path.Combine(_folder, name);
                Create(Path.GetDirectoryName(target)!, created);
                File.Move(Path.Combine(draft, name), target);
                moved.Add(target);
            }
            Directory.Delete(draft, recursive: true);
            return [.. moved.AsEnumerable().Reverse()];
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            foreach (var path in moved) File.Delete(path);
            if (Directory.Exists(draft)) Directory.Delete(draft, recursive: true);
            foreach (var folder in created.AsEnumerable().Reverse().Where(folder => Directory.Exists(folder) && !Directory.EnumerateFileSystemEntries(folder).Any()))
                Directory.Delete(folder);
            // A user does not know of the draft.
            var reason = problem.Message.Replace(draft, _folder, StringComparison.Ordinal);
            throw new GraftException($"The exported model cannot be written to {_folder}: {reason}", problem) { Code = "export-not-written" };
        }
    }

    /// <summary>Creates a folder and those that lead to it, and notes which were not there.</summary>
    private static void Create(string folder, List<string> created)
    {
        if (Directory.Exists(folder)) return;
        if (Path.GetDirectoryName(folder) is { } parent) Create(parent, created);
        Directory.CreateDirectory(folder);
        created.Add(folder);
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
