using System.CommandLine;
using Graft.Data;

namespace Graft.Cli.Verbs;

/// <summary><c>--shard</c>: one part of the photos, for jobs that run side by side.</summary>
internal sealed class ShardOption
{
    private readonly Option<string?> _shard = new("--shard")
    {
        Description = "Only photos of part I of N, by their content; auto asks the scheduler (Slurm, Kubernetes, AWS Batch, Open MPI), auto/N where it does not say N",
        HelpName = "I/N",
    };

    public void AddTo(Command command) => command.Add(_shard);

    /// <summary>Null without the option.</summary>
    /// <exception cref="UsageException">It is no shard, or no scheduler says one.</exception>
    public Shard? Value(ParseResult parsed)
    {
        try
        {
            return parsed.GetValue(_shard) is { } text ? Shard.Parse(text) : null;
        }
        catch (GraftException problem)
        {
            throw new UsageException($"--shard: {problem.Message}");
        }
    }
}
