using Graft.Backbones;
using Graft.Checkpoints.Store;

namespace Graft.Runs;

/// <summary>Downloads published weights as a step of a run.</summary>
public static class PublishedWeights
{
    /// <summary>Downloads a network's usual weights unless they are there already.</summary>
    /// <param name="warn">Told, in a sentence, if the publisher states no hash to verify the file with.</param>
    /// <returns>The path of the file; null of weights that are part of Graft.</returns>
    /// <exception cref="GraftException">They cannot be downloaded, or are not what was published.</exception>
    public static string? Fetch(
        BackboneDefinition definition, IProgress<StepProgress>? progress, Action<string>? warn, CancellationToken cancellation)
    {
        string? unverified = null;
        var path = definition.FetchWeightsAsync(
            store: null,
            new Relay(download =>
            {
                if (download.State == DownloadState.NotVerified) unverified = download.Note;
                else progress?.Report(new("Download", Megabytes(download.Received), Megabytes(download.Total ?? download.Received), "MB", download.Note ?? ""));
            }),
            cancellation).GetAwaiter().GetResult();
        if (unverified is not null) warn?.Invoke($"{Path.GetFileName(path)} is {unverified}.");
        return path;
    }

    private static int Megabytes(long bytes) => (int)((bytes + 999_999) / 1_000_000);

    private sealed class Relay(Action<DownloadProgress> report) : IProgress<DownloadProgress>
    {
        public void Report(DownloadProgress value) => report(value);
    }
}
