using System.Security.Cryptography;
using System.Threading.Channels;
using Graft.Data;
using Graft.Imaging;
using Graft.Networks;

namespace Graft.Features;

/// <summary>A photo whose features are to be computed.</summary>
/// <param name="Views">Which views of it: 0 for the photo as it is, from 1 the views of a bank.</param>
internal readonly record struct PhotoViews(int Index, ImageSource Image, IReadOnlyList<int> Views);

/// <summary>The features of a photo's views, or the reason why it cannot be read.</summary>
/// <param name="Hash">SHA-256 of the file.</param>
/// <param name="Features">The network's output for each view asked for; empty if the file cannot be read.</param>
internal readonly record struct ComputedFeatures(PhotoViews Photo, byte[] Hash, IReadOnlyList<float[]> Features, string? Problem);

/// <summary>
/// Files → pixels → features: one thread reads ahead, as many as there are cores each decode a photo and run the network on it, and the caller takes
/// the results, in any order, and keeps them meanwhile. Nothing waits for anything but a full queue, and queues are short, so memory stays flat.
/// </summary>
internal sealed class FeaturePipeline(FrozenNetwork network, Preprocessing preprocessing, ViewBank? bank = null)
{
    private const int ResultsAhead = 256;

    /// <summary>The cores that this process may use: .NET counts what a container or an affinity mask leaves of them.</summary>
    private static readonly int Workers = Environment.ProcessorCount;

    private static readonly int FilesAhead = 4 + 2 * Workers;

    /// <exception cref="OperationCanceledException">All threads have ended when it comes.</exception>
    public IEnumerable<ComputedFeatures> Run(IEnumerable<PhotoViews> photos, CancellationToken cancellation)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using var threads = network.LimitToOneThread();
        var files = Channel.CreateBounded<(PhotoViews Photo, byte[]? Content, string? Problem)>(new BoundedChannelOptions(FilesAhead) { SingleWriter = true });
        var results = Channel.CreateBounded<ComputedFeatures>(new BoundedChannelOptions(ResultsAhead) { SingleReader = true });
        var work = Task.WhenAll(
            [Start(Read, files.Writer), .. Enumerable.Range(0, Workers).Select(_ => Start(Compute))])
            .ContinueWith(all => results.Writer.TryComplete(all.Exception?.InnerException), TaskScheduler.Default);
        try
        {
            while (Wait(results.Reader.WaitToReadAsync(cancellation)))
                while (results.Reader.TryRead(out var result)) yield return result;
            cancellation.ThrowIfCancellationRequested();
        }
        finally
        {
            // Whoever left early, on purpose or by an error, leaves no thread behind that still uses the network.
            stop.Cancel();
            work.Wait(CancellationToken.None);
        }

        void Read()
        {
            foreach (var photo in photos)
            {
                byte[]? content = null;
                string? problem = null;
                try
                {
                    content = photo.Image.Read();
                }
                catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
                {
                    problem = failure.Message;
                }
                Wait(files.Writer.WriteAsync((photo, content, problem), stop.Token));
            }
        }

        void Compute()
        {
            var pixels = new float[preprocessing.InputLength];
            while (Wait(files.Reader.WaitToReadAsync(stop.Token)))
                while (files.Reader.TryRead(out var file))
                    Wait(results.Writer.WriteAsync(FeaturesOf(file.Photo, file.Content, file.Problem, pixels), stop.Token));
        }

        // A thread of its own each: the pool's are for short work. What fails in one ends them all.
        Task Start(Action body, ChannelWriter<(PhotoViews, byte[]?, string?)>? completes = null) => Task.Factory.StartNew(
            () =>
            {
                try
                {
                    body();
                }
                catch (OperationCanceledException) when (stop.IsCancellationRequested)
                {
                    // Asked to.
                }
                catch
                {
                    stop.Cancel();
                    throw;
                }
                finally
                {
                    completes?.TryComplete();
                }
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    private ComputedFeatures FeaturesOf(PhotoViews photo, byte[]? content, string? problem, float[] pixels)
    {
        if (content is null) return new(photo, [], [], problem);
        RgbImage image;
        try
        {
            image = ImageDecoder.Decode(content, preprocessing.Resize);
        }
        catch (UnreadableImageException unreadable)
        {
            return new(photo, [], [], unreadable.Reason);
        }
        var hash = SHA256.HashData(content);
        var features = new float[photo.Views.Count][];
        for (var i = 0; i < features.Length; i++)
        {
            preprocessing.Apply(bank is null ? image : bank.View(image, hash, photo.Views[i]), pixels);
            features[i] = network.Run(pixels);
            if (!features[i].AsSpan().ContainsAnyExceptInRange(float.MinValue, float.MaxValue)) continue;
            throw new GraftException(
                $"The network computes numbers that are not finite from {photo.Image.Path}: its weights are damaged, or photos are preprocessed otherwise than in its training.")
            {
                Code = "features-not-finite",
                Remedy = "Check both.",
            };
        }
        return new(photo, hash, features, null);
    }

    private static void Wait(ValueTask task)
    {
        if (!task.IsCompletedSuccessfully) task.AsTask().GetAwaiter().GetResult();
    }

    private static bool Wait(ValueTask<bool> task) => task.IsCompletedSuccessfully ? task.Result : task.AsTask().GetAwaiter().GetResult();
}
