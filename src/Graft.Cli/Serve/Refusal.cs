namespace Graft.Cli.Serve;

/// <summary>A request that is answered with its reason and a status of 4xx.</summary>
internal sealed class Refusal(int status, string reason) : Exception(reason)
{
    public int Status => status;
}
