namespace Graft.Checkpoints;

/// <summary>A weights file that cannot be read or written; the message names the file, what is wrong and what to do.</summary>
public sealed class CheckpointException(string message, Exception? innerException = null)
    : GraftException(message, innerException);
