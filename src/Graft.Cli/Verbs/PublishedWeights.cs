using Graft.Backbones;
using Graft.Checkpoints.Store;
using Graft.Imaging;

namespace Graft.Cli.Verbs;

/// <summary>Published weights, downloaded with progress on the terminal.</summary>
internal static class PublishedWeights
{
    /// <summary>Loads a network with its published weights, downloading them first unless they are here.</summary>
    public static Backbone Load(BackboneDefinition definition, Preprocessing preprocessing, string? upTo, CancellationToken cancellation) =>
        definition.Weights[0].File is { } file && WeightStore.Default.Find(file) is null
            ? Show(file, progress => Backbone.LoadAsync(definition.FullName, preprocessing, upTo, progress, cancellation: cancellation))
            : Backbone.Load(definition.FullName, preprocessing: preprocessing, upTo: upTo);

    /// <returns>The path of the verified file.</returns>
    public static string Pull(PublishedFile file, CancellationToken cancellation) =>
        Show(file, progress => WeightStore.Default.PullAsync(file, progress, cancellation));

    private static T Show<T>(PublishedFile file, Func<IProgress<DownloadProgress>, Task<T>> download)
    {
        Terminal.Say($"Fetching {file.FileName} from {file.Url}");
        return Terminal.WithProgress(progress => download(new Relay(state => progress.Report(new(
            "Download", Megabytes(state.Received), Megabytes(state.Total ?? state.Received), "MB", state.Note ?? "")))).GetAwaiter().GetResult());
    }

    private static int Megabytes(long bytes) => (int)((bytes + 999_999) / 1_000_000);

    private sealed class Relay(Action<DownloadProgress> report) : IProgress<DownloadProgress>
    {
        public void Report(DownloadProgress value) => report(value);
    }
}
