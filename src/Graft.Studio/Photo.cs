using System.Security.Cryptography;
using System.Text;

namespace Graft.Studio;

/// <summary>A photo of a project. The page knows it by its id alone.</summary>
/// <param name="Place">Inside the project's folder, separated by '/'; a full path where it lies elsewhere, as a table may say.</param>
/// <param name="FolderClass">The class that its folder, name or table says; null for none.</param>
/// <param name="Part">train, val or test; empty where the photos are not divided.</param>
internal sealed record Photo(string Place, string Path, string? FolderClass, string Part)
{
    /// <summary>16 hexadecimal digits of the place's SHA-256: the same whenever the project is opened.</summary>
    public string Id { get; } = IdOf(Place);

    public string Name => System.IO.Path.GetFileName(Path);

    public static string IdOf(string place) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(place)).AsSpan(0, 8));
}

/// <summary>What tells a changed file from the one that was there before.</summary>
internal readonly record struct FileState(long Length, DateTime Written)
{
    /// <summary>Null where there is no such file.</summary>
    public static FileState? Of(string path)
    {
        var file = new FileInfo(path);
        return file.Exists ? new(file.Length, file.LastWriteTimeUtc) : null;
    }
}
