namespace Graft;

/// <summary>
/// Held by one process at a time, and given up when the process ends, however it ends. The file is removed with the lock.
/// </summary>
internal sealed class FileLock : IDisposable
{
    private const int WouldBlock = 11, WouldBlockOnMac = 35, SharingViolation = unchecked((int)0x80070020);

    private static readonly FileOptions RemovedBySystem = OperatingSystem.IsWindows() ? FileOptions.DeleteOnClose : FileOptions.None;

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    private readonly string _path;
    private readonly FileStream _file;

    private FileLock(string path, FileStream file) => (_path, _file) = (path, file);

    /// <summary>The lock, or null while another process holds it.</summary>
    /// <param name="path">A file that is made for the lock alone, in a folder that exists.</param>
    /// <exception cref="UnauthorizedAccessException">The file cannot be written.</exception>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    public static FileLock? TryTake(string path)
    {
        while (true)
        {
            FileStream file;
            try
            {
                file = new(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0, RemovedBySystem);
            }
            catch (IOException busy) when (busy.HResult is WouldBlock or WouldBlockOnMac or SharingViolation)
            {
                return null;
            }
            if (IsAt(path, file)) return new(path, file);
            // Its holder removed it between opening and locking: this one locks nothing.
            file.Dispose();
        }
    }

    /// <summary>Waits until no other process holds the lock.</summary>
    /// <inheritdoc cref="TryTake"/>
    public static FileLock Take(string path, CancellationToken cancellation = default)
    {
        while (true)
        {
            if (TryTake(path) is { } taken) return taken;
            cancellation.WaitHandle.WaitOne(Interval);
            cancellation.ThrowIfCancellationRequested();
        }
    }

    public void Dispose()
    {
        if (!_file.CanRead) return;
        // Removed before it is let go, so that nobody locks a file that has no name any more without noticing.
        if (RemovedBySystem == FileOptions.None) File.Delete(_path);
        _file.Dispose();
    }

    /// <summary>Whether the file that is open is the one that has the name now: a time that only it bears says so.</summary>
    private static bool IsAt(string path, FileStream file)
    {
        var stamp = DateTime.UnixEpoch.AddSeconds(Random.Shared.Next()).AddMilliseconds(Random.Shared.Next(1000));
        File.SetLastWriteTimeUtc(file.SafeFileHandle, stamp);
        return File.Exists(path) && File.GetLastWriteTimeUtc(path) == stamp;
    }
}
