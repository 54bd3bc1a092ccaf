namespace Graft.Data.Remote;

/// <summary>
/// What stops all work with photos on other machines: no network, no permission, a server that does not answer. A single object that is not there is
/// an <see cref="IOException"/>, as a missing file is.
/// </summary>
internal sealed class RemoteException(string problem, Exception? innerException = null) : GraftException(problem, innerException);
