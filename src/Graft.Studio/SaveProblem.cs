namespace Graft.Studio;

/// <summary>Why something could not be saved, in words for a person who knows disks and rights but no system messages.</summary>
internal static class SaveProblem
{
    // ENOSPC, EROFS, EDQUOT of Linux and of macOS, and what Windows says for a full disk.
    private const int NoSpace = 28, ReadOnly = 30, NoQuota = 122, NoQuotaOnMac = 69, NoSpaceOnWindows = unchecked((int)0x80070070);

    /// <summary>Whether a problem is one of disks and rights, not of the program.</summary>
    public static bool Is(Exception problem) => problem is IOException or UnauthorizedAccessException;

    /// <returns>A sentence.</returns>
    public static string Words(Exception problem, string folder) => problem switch
    {
        UnauthorizedAccessException => $"You have no right to write in {folder}.",
        { HResult: NoSpace or NoQuota or NoSpaceOnWindows } => $"The disk of {folder} is full.",
        { HResult: NoQuotaOnMac } when OperatingSystem.IsMacOS() => $"The disk of {folder} is full.",
        { HResult: ReadOnly } => $"The disk of {folder} is read-only.",
        _ => problem.Message.TrimEnd('.') + ".",
    };
}
