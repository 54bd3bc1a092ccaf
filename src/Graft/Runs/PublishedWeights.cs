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
        Pull(file, progress, cancellation);
    }

    /// <returns>The path of the verified file.</returns>
    public static string Pull(PublishedFile file, IProgress<StepProgress>? progress, CancellationToken cancellation) =>
        WeightStore.Default.PullAsync(
            file,
            new Relay(download => progress?.Report(new(
                "Download", Megabytes(download.Received), Megabytes(download.Total ?? download.Received), "MB", download.Note ?? ""))),
            cancellation).GetAwaiter().GetResult();

    private static int Megabytes(long bytes) => (int)((bytes + 999_999) / 1_000_000);

    private sealed class Relay(Action<DownloadProgress> report) : IProgress<DownloadProgress>
    {
        public void Report(DownloadProgress value) => report(value);
    }
}
