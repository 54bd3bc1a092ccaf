using System.Runtime.InteropServices;
using System.Text;

namespace Graft;

/// <summary>
/// Writes a file whole or not at all: into a draft beside it, onto the disk, then under its name. A full disk, a crash or Ctrl-C leaves no
/// file under its final name that is not complete. Drafts that a killed process left are removed before the next file is written beside them.
/// </summary>
internal static partial class WholeFile
{
    private const string Draft = ".draft";

    /// <summary>As earlier versions, and other writers of Graft, call their drafts.</summary>
    private const string Partial = ".partial";

    private const int ErrorFileExists = 17;

    private static readonly HashSet<string> Cleared = new(StringComparer.Ordinal);

    /// <param name="replaces">Whether a file of that name is replaced, at once; else it stays, and writing fails.</param>
    /// <exception cref="IOException">There is a file of that name that is not to be replaced, or the disk is full or fails.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder cannot be written.</exception>
    public static void Write(string path, ReadOnlyMemory<byte> content, bool replaces = false) =>
        Write(path, stream => stream.Write(content.Span), replaces);

    /// <inheritdoc cref="Write(string, ReadOnlyMemory{byte}, bool)"/>
    public static void Write(string path, string text, bool replaces = false) => Write(path, Encoding.UTF8.GetBytes(text).AsMemory(), replaces);

    /// <inheritdoc cref="Write(string, ReadOnlyMemory{byte}, bool)"/>
    /// <param name="write">Writes the content; may seek.</param>
    public static void Write(string path, Action<Stream> write, bool replaces = false)
    {
        var (draft, file) = Begin(path);
        try
        {
            // Moved while it is open, so that nobody takes it for a draft of a process that is gone.
            using (file)
            {
                write(file);
                file.Flush(flushToDisk: true);
                Place(draft, path, replaces);
            }
        }
        catch (IOException problem) when (problem.Message.Contains(draft, StringComparison.Ordinal))
        {
            throw WithoutDraft(problem, draft);
        }
        finally
        {
            // After the move there is nothing of that name.
            File.Delete(draft);
        }
    }

    /// <summary>Writes several files, or none of them: where one fails, those before it are removed.</summary>
    /// <param name="files">Paths at which there is nothing yet, and what writes each.</param>
    public static void WriteAll(params IReadOnlyList<(string Path, Action<string> Write)> files)
    {
        var written = 0;
        try
        {
            foreach (var (path, write) in files)
            {
                write(path);
                written++;
            }
        }
        catch
        {
            foreach (var (path, _) in files.Take(written)) File.Delete(path);
            throw;
        }
    }

    /// <summary>Copies content into a folder, whole or not at all, under a name or, where that is taken, with a number.</summary>
    /// <returns>The path of the copy.</returns>
    /// <exception cref="IOException">The content cannot be read, or the disk is full or fails.</exception>
    public static string Copy(Stream source, string name, string folder)
    {
        name = Path.Join(folder, name);
        var (draft, file) = Begin(name);
        try
        {
            using (file)
            {
                source.CopyTo(file);
                file.Flush(flushToDisk: true);
                return FreePaths(name).First(path => TryPlace(draft, path));
            }
        }
        catch (IOException problem) when (problem.Message.Contains(draft, StringComparison.Ordinal))
        {
            throw WithoutDraft(problem, draft);
        }
        finally
        {
            File.Delete(draft);
        }
    }

    /// <summary>A path, then the same with numbers: <c>a.jpg</c>, <c>a (2).jpg</c>, without end.</summary>
    public static IEnumerable<string> FreePaths(string path)
    {
        yield return path;
        var (stem, extension) = (Path.Join(Path.GetDirectoryName(path), Path.GetFileNameWithoutExtension(path)), Path.GetExtension(path));
        for (var number = 2; ; number++) yield return $"{stem} ({number}){extension}";
    }

    /// <summary>Removes drafts in a folder that no running process writes.</summary>
    public static void ClearDrafts(string folder)
    {
        foreach (var file in Directory.EnumerateFiles(folder, "*", new EnumerationOptions { AttributesToSkip = 0, IgnoreInaccessible = true }))
        {
            if (!IsDraft(Path.GetFileName(file))) continue;
            try
            {
                // Whoever writes it holds it open.
                using (new FileStream(file, FileMode.Open, FileAccess.ReadWrite, FileShare.None)) File.Delete(file);
            }
            catch (Exception busy) when (busy is IOException or UnauthorizedAccessException)
            {
                // Another process writes it, or somebody else's file it is.
            }
        }
    }

    /// <summary>Whether a file or folder is called as drafts are: 32 hexadecimal digits before the ending.</summary>
    public static bool IsDraft(string name)
    {
        var stem = name.EndsWith(Draft, StringComparison.Ordinal) ? name[..^Draft.Length]
            : name.EndsWith(Partial, StringComparison.Ordinal) ? name[..^Partial.Length] : "";
        return stem.LastIndexOf('.') is >= 0 and var dot && Guid.TryParseExact(stem[(dot + 1)..], "N", out _);
    }

    private static (string Path, FileStream File) Begin(string path)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        // No thread makes a draft while another clears: between making and locking it, it looks like one that was left.
        lock (Cleared)
        {
            if (Cleared.Add(folder) && Directory.Exists(folder)) ClearDrafts(folder);
        }
        var draft = Path.Join(folder, $".{Guid.NewGuid():N}{Draft}");
        return (draft, new(draft, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Delete));
    }

    /// <summary>A user does not know of drafts.</summary>
    private static IOException WithoutDraft(IOException problem, string draft) =>
        new(problem.Message.Replace($" : '{draft}'", ".", StringComparison.Ordinal), problem) { HResult = problem.HResult };

    private static void Place(string draft, string path, bool replaces)
    {
        if (replaces) File.Move(draft, path, overwrite: true);
        else if (!TryPlace(draft, path)) throw new IOException($"There is a file {path} already.");
    }

    /// <summary>Gives a draft its name if that is free; of several processes one succeeds.</summary>
    private static bool TryPlace(string draft, string path)
    {
        if (Path.Exists(path)) return false;
        // rename(2) replaces what has come to be there meanwhile, link(2) does not.
        if (!OperatingSystem.IsWindows())
        {
            if (Link(draft, Path.GetFullPath(path)) == 0) return true;
            if (Marshal.GetLastPInvokeError() == ErrorFileExists) return false;
        }
        File.Move(draft, path, overwrite: false);
        return true;
    }

    [LibraryImport("libc", EntryPoint = "link", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Link(string existing, string path);
}
