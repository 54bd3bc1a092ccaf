using Graft.Backbones;
using Graft.Checkpoints.Store;
using Graft.Runs;

namespace Graft.Cli.Verbs;

/// <summary>Gets published weights into the weight store, with progress.</summary>
internal static class FetchedWeights
{
    /// <summary>Downloads a network's published weights unless they are in the store already.</summary>
    /// <returns>The path of the verified file; null of weights that are part of Graft.</returns>
    public static string? Ensure(BackboneDefinition definition, CancellationToken cancellation)
    {
        if (definition.Weights[0].File is not { } file) return null;
        if (WeightStore.Default.Find(file) is { } present) return present;
        Terminal.Say($"Downloading {file.FileName} from {file.Url}");
        return Terminal.WithProgress(progress => PublishedWeights.Fetch(definition, progress, Terminal.Warn, cancellation));
    }
}
