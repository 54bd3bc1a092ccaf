using System.Security.Cryptography;

namespace Graft;

/// <summary>Files that Graft carries inside itself and that the platform can only take from disk.</summary>
internal static class PrivateFile
{
    /// <summary>The path of a file with this content, written once and reused while it is whole.</summary>
    /// <param name="folder">Where in <see cref="GraftHome"/>; a temporary folder does instead if that cannot be written.</param>
    /// <exception cref="GraftException">Neither place can be written.</exception>
    public static string WithContent(string folder, string name, byte[] content)
    {
        var fileName = $"{Path.GetFileNameWithoutExtension(name)}-{Convert.ToHexStringLower(SHA256.HashData(content))[..12]}{Path.GetExtension(name)}";
        Exception? problem = null;
        foreach (var place in (Func<string>[])[() => GraftHome.Subfolder(folder), () => Directory.CreateTempSubdirectory("graft-").FullName])
        {
            try
            {
                var path = Path.Combine(Directory.CreateDirectory(place()).FullName, fileName);
                if (File.Exists(path) && RegularFile.ReadAllBytes(path).AsSpan().SequenceEqual(content)) return path;
                WholeFile.Write(path, content, replaces: true);
                return path;
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or GraftException)
            {
                problem = failure;
            }
        }
        throw new GraftException(
            $"{name} ({content.Length >> 10} KiB) can be written neither to Graft's own folder nor to {Path.GetTempPath()}: "
            + $"{problem!.Message} Free some space, or set GRAFT_HOME to a folder that can be written.", problem);
    }
}
