using System.Security.Cryptography;
using Graft.Imaging;

namespace Graft.Features;

/// <summary>A photo as a network's input, or the reason why it cannot be read.</summary>
/// <param name="Hash">SHA-256 of the file.</param>
/// <param name="Pixels">[3, height, width], normalised; null if the file cannot be read.</param>
internal readonly record struct DecodedImage(int Index, byte[]? Hash, float[]? Pixels, string? Problem);

internal static class DecodedImages
{
    /// <summary>
    /// Decodes and preprocesses files on all cores, a bounded number ahead, and yields them in order: what a batch holds never depends on
    /// which core was faster.
    /// </summary>
    public static IEnumerable<DecodedImage> InOrder(
        IEnumerable<int> indices, Func<int, string> path, Preprocessing preprocessing, CancellationToken cancellation)
    {
        var ahead = new Queue<Task<DecodedImage>>();
        var limit = 16 + 2 * Environment.ProcessorCount;
        try
        {
            foreach (var index in indices)
            {
                ahead.Enqueue(Task.Run(() => Decode(index, path(index), preprocessing), cancellation));
                if (ahead.Count < limit) continue;
                yield return Next();
            }
            while (ahead.Count > 0) yield return Next();
        }
        finally
        {
            // Nobody asks for the rest; let the tasks end before their files or the process go away.
            foreach (var task in ahead) task.ContinueWith(_ => { }, TaskScheduler.Default).Wait(CancellationToken.None);
        }

        DecodedImage Next()
        {
            cancellation.ThrowIfCancellationRequested();
            return ahead.Dequeue().GetAwaiter().GetResult();
        }
    }

    private static DecodedImage Decode(int index, string path, Preprocessing preprocessing)
    {
        try
        {
            var file = File.ReadAllBytes(path);
            var pixels = new float[preprocessing.InputLength];
            preprocessing.Apply(preprocessing.Resize(ImageDecoder.Decode(file)), pixels);
            return new(index, SHA256.HashData(file), pixels, null);
        }
        catch (UnreadableImageException problem)
        {
            return new(index, null, null, problem.Reason);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            return new(index, null, null, problem.Message);
        }
    }
}
