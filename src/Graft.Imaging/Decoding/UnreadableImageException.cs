namespace Graft.Imaging;

/// <summary>A file that is no picture, or a broken, truncated or oversized one.</summary>
public sealed class UnreadableImageException(string reason, string? path = null, Exception? innerException = null)
    : Exception(path is null ? reason : $"{path}: {reason}", innerException)
{
    /// <summary>One line for a person, such as "truncated JPEG: the file ends before the picture does".</summary>
    public string Reason { get; } = reason;

    /// <summary>The file, or null where bytes in memory were decoded.</summary>
    public string? Path { get; } = path;
}
