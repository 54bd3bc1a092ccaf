namespace Graft.Cli.Verbs;

/// <summary>A file that an option names to be written: existing files are never overwritten.</summary>
internal static class NewFile
{
    /// <summary>Fails before the work, not after it, if no file can be written there.</summary>
    /// <exception cref="GraftException">There is something of that name already.</exception>
    public static string Check(string path, string option)
    {
        if (Directory.Exists(path)) throw new GraftException($"{path} is a folder. Name a new file with {option}.");
        return File.Exists(path)
            ? throw new GraftException(
                $"The file {path} exists and is not overwritten. Choose another one with {option}, or delete it first.")
            : path;
    }

    /// <summary>Writes it, whole or not at all, with the folders that lead to it.</summary>
    /// <exception cref="GraftException">The file was created meanwhile, or the disk is full or fails.</exception>
    public static void Write(string path, byte[] content, string option)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            WholeFile.Write(path, content.AsMemory());
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new GraftException($"{path} cannot be written: {problem.Message} Name another file with {option}.", problem);
        }
    }
}
