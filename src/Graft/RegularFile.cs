using Microsoft.Win32.SafeHandles;

namespace Graft;

/// <summary>
/// Opens the files that a user names. A named pipe, a socket or a device in a file's place is refused before it is opened, because
/// opening or reading one may wait forever. The platform gives them the length 0, so an empty file, which holds nothing of use either,
/// is refused with them.
/// </summary>
internal static class RegularFile
{
    /// <exception cref="IOException">The file is empty, or not a regular file.</exception>
    public static void Check(string path)
    {
        if (IsEmpty(path)) throw new IOException($"'{path}' is an empty file, or a pipe, a socket or a device instead of a file.");
    }

    /// <summary>Whether there is a file of length 0, or what is none.</summary>
    public static bool IsEmpty(string path)
    {
        var file = new FileInfo(path);
        if (file.LinkTarget is not null && file.ResolveLinkTarget(returnFinalTarget: true) is FileInfo target) file = target;
        return file is { Exists: true, Length: 0 };
    }

    /// <summary>Opens a file for reading, without a buffer of its own by default.</summary>
    public static FileStream OpenRead(string path, int bufferSize = 0) =>
        new(Checked(path), FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize);

    public static SafeFileHandle OpenHandle(string path, FileShare share = FileShare.Read) =>
        File.OpenHandle(Checked(path), FileMode.Open, FileAccess.Read, share);

    public static StreamReader OpenText(string path) => File.OpenText(Checked(path));

    public static Task<byte[]> ReadAllBytesAsync(string path, CancellationToken cancellation) => File.ReadAllBytesAsync(Checked(path), cancellation);

    public static byte[] ReadAllBytes(string path) => File.ReadAllBytes(Checked(path));

    public static string ReadAllText(string path) => File.ReadAllText(Checked(path));

    public static string[] ReadAllLines(string path) => File.ReadAllLines(Checked(path));

    public static IEnumerable<string> ReadLines(string path) => File.ReadLines(Checked(path));

    /// <summary>Copies a file to a new one.</summary>
    public static void Copy(string path, string copy) => File.Copy(Checked(path), copy, overwrite: false);

    private static string Checked(string path)
    {
        Check(path);
        return path;
    }
}
