namespace Graft.Checkpoints;

/// <summary>A weights file that cannot be read or written; the message names it and the remedy.</summary>
public sealed class CheckpointException(string message, Exception? innerException = null)
    : GraftException(message, innerException);
