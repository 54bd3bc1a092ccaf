using Graft.Backbones;
using Graft.Checkpoints.Store;

namespace Graft.Cli.Verbs;

/// <summary>Gets published weights into the weight store, with progress.</summary>
internal static class PublishedWeights
{
    public static async Task EnsureAsync(BackboneDefinition definition, CancellationToken cancellation)
    {
        if (definition.Weights[0].File is not { } file || WeightStore.Default.Find(file) is not null) return;
        await PullAsync(file, cancellation);
    }

    public static async Task<string> PullAsync(PublishedFile file, CancellationToken cancellation)
    {
        Terminal.Say($"Fetching {file.FileName} from {file.Url}");
        var task = Terminal.WithProgress(progress => WeightStore.Default.PullAsync(
            file,
            new Relay(download => progress.Report(new(
                "Download", Megabytes(download.Received), Megabytes(download.Total ?? download.Received), "MB", download.Note ?? ""))),
            cancellation).GetAwaiter().GetResult());
        return await Task.FromResult(task);
    }

    private static int Megabytes(long bytes) => (int)((bytes + 999_999) / 1_000_000);

    private sealed class Relay(Action<DownloadProgress> report) : IProgress<DownloadProgress>
    {
        public void Report(DownloadProgress value) => report(value);
    }
}
