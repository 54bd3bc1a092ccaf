using Graft.Backbones;
using Graft.Checkpoints.Store;

namespace Graft.Cli.Verbs;

/// <summary>Gets published weights into the weight store, with progress.</summary>
internal static class PublishedWeights
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
        string? unverified = null;
        var path = Terminal.WithProgress(progress => WeightStore.Default.PullAsync(
            file,
            new Relay(download =>
            {
                if (download.State == DownloadState.NotVerified) unverified = download.Note;
                else
                    progress.Report(new(
                        "Download", Megabytes(download.Received), Megabytes(download.Total ?? download.Received), "MB", download.Note ?? ""));
            }),
            cancellation).GetAwaiter().GetResult());
        if (unverified is not null) Terminal.Warn($"{file.FileName} is {unverified}.");
        return path;
    }

    private static int Megabytes(long bytes) => (int)((bytes + 999_999) / 1_000_000);

    private sealed class Relay(Action<DownloadProgress> report) : IProgress<DownloadProgress>
    {
        public void Report(DownloadProgress value) => report(value);
    }
}
