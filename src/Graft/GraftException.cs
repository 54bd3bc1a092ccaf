namespace Graft;

/// <summary>
/// Something the user can mend: broken or unsuitable input, a missing file, a full disk. The message says what was
/// expected, what came, where, and what to do; the command line prints it without a stack trace.
/// </summary>
public class GraftException(string message, Exception? innerException = null) : Exception(message, innerException);
