using Graft.Backbones;
using Graft.Checkpoints.Store;
using Graft.Runs;

namespace Graft.Cli.Verbs;

/// <summary>Gets published weights into the weight store, with progress.</summary>
internal static class FetchedWeights
{
    /// <summary>Fetches a network's published weights unless they are here already.</summary>
    public static void Ensure(BackboneDefinition definition, CancellationToken cancellation)
    {
        if (definition.Weights[0].File is { } file && WeightStore.Default.Find(file) is null) Pull(file, cancellation);
    }

    /// <returns>The path of the verified file.</returns>
    public static string Pull(PublishedFile file, CancellationToken cancellation)
    {
        Terminal.Say($"Fetching {file.FileName} from {file.Url}");
        return Terminal.WithProgress(progress => PublishedWeights.Pull(file, progress, Terminal.Warn, cancellation));
    }
}
