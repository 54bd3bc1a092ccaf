using Graft.Backbones;
using Graft.Checkpoints.Store;

namespace Graft.Runs;

/// <summary>Gets published weights into the weight store.</summary>
public static class PublishedWeights
{
    /// <summary>Fetches a network's published weights unless they are there already.</summary>
    /// <exception cref="GraftException">They cannot be had, or are not what was published.</exception>
    public static void Fetch(BackboneDefinition definition, IProgress<StepProgress>? progress, CancellationToken cancellation)
    {
        if (definition.Weights[0].File is not { } file || WeightStore.Default.Find(file) is not null) return;
        Pull(file, progress, warn: null, cancellation);
    }

    /// <param name="warn">Told, in a sentence, if the publisher states no hash to verify the file with.</param>
    /// <returns>The path of the file.</returns>
    public static string Pull(PublishedFile file, IProgress<StepProgress>? progress, Action<string>? warn, CancellationToken cancellation)
    {
        string? unverified = null;
        var path = WeightStore.Default.PullAsync(
            file,
            new Relay(download =>
            {
                if (download.State == DownloadState.NotVerified) unverified = download.Note;
                else progress?.Report(new("Download", Megabytes(download.Received), Megabytes(download.Total ?? download.Received), "MB", download.Note ?? ""));
            }),
            cancellation).GetAwaiter().GetResult();
        if (unverified is not null) warn?.Invoke($"{file.FileName} is {unverified}.");
        return path;
    }

    private static int Megabytes(long bytes) => (int)((bytes + 999_999) / 1_000_000);

    private sealed class Relay(Action<DownloadProgress> report) : IProgress<DownloadProgress>
    {
        public void Report(DownloadProgress value) => report(value);
    }
}
