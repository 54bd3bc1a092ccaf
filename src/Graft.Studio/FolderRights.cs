using System.Runtime.InteropServices;

namespace Graft.Studio;

/// <summary>Whether a person may write in a folder, asked without writing.</summary>
internal static partial class FolderRights
{
    private const int ToWrite = 2;

    /// <returns>Of Windows, where only trying says it, true.</returns>
    public static bool CanWrite(string folder) => OperatingSystem.IsWindows() || Access(folder, ToWrite) == 0;

    [LibraryImport("libc", EntryPoint = "access", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Access(string path, int mode);
}
