using System.Security.Cryptography;
using System.Text.Json;
using Graft.Data;
using Graft.Data.Remote;
using Graft.Features;
using Graft.Imaging;
using Graft.Networks;
using Graft.Ranks;

namespace Graft.Training;

/// <summary>
/// Photos at a network's input size, each decoded once where memory allows and anew each time where it does not; broken ones are found as
/// they are opened.
/// </summary>
public sealed class OpenedPhotos
{
    private readonly RgbImage?[] _pixels;
    private readonly ulong[] _keys;

    /// <summary>Of how many photos, the first ones, pixels are kept.</summary>
    private readonly int _kept;

    private OpenedPhotos(
        IReadOnlyList<LabeledImage> images, Preprocessing preprocessing, RgbImage?[] pixels, int kept, ulong[] keys, IReadOnlyList<SkippedFile> broken) =>
        (Images, Preprocessing, _pixels, _kept, _keys, Broken) = (images, preprocessing, pixels, kept, keys, broken);

    /// <summary>All that could be read, in the order asked for.</summary>
    public IReadOnlyList<LabeledImage> Images { get; }

    public Preprocessing Preprocessing { get; }

    public IReadOnlyList<SkippedFile> Broken { get; }

    /// <summary>Opens every photo, on all cores.</summary>
    /// <param name="keptBytes">How much memory decoded photos may take, 3 bytes a pixel of the input size.</param>
    public static OpenedPhotos Open(
        IReadOnlyList<LabeledImage> images, Preprocessing preprocessing, long keptBytes, IProgress<StepProgress>? progress = null,
        CancellationToken cancellation = default) => Open(images, preprocessing, keptBytes, ranks: null, progress, cancellation);

    /// <param name="ranks">Processes that each open a share of the photos, and the others' when they need them; null for this one alone.</param>
    internal static OpenedPhotos Open(
        IReadOnlyList<LabeledImage> images, Preprocessing preprocessing, long keptBytes, ICollective? ranks, IProgress<StepProgress>? progress,
        CancellationToken cancellation)
    {
        var kept = (int)Math.Min(images.Count, keptBytes / preprocessing.InputLength);
        var (pixels, keys, reasons) = (new RgbImage?[images.Count], new ulong[images.Count], new string?[images.Count]);
        var (done, total) = (0, ranks is null ? images.Count : RankedExtraction.ShareOf(images, ranks).Count);
        RemotePhotos.OneProblem(() => Parallel.For(0, images.Count, new ParallelOptions { CancellationToken = cancellation }, index =>
        {
            if (ranks is not null && index % ranks.Size != ranks.Rank) return;
            try
            {
                var (picture, key) = Decode(images[index], preprocessing);
                keys[index] = key;
                if (index < kept) pixels[index] = picture;
            }
            catch (UnreadableImageException problem)
            {
                reasons[index] = problem.Reason;
            }
            catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
            {
                reasons[index] = problem.Message;
            }
            if (Interlocked.Increment(ref done) is var count && (count % 64 == 0 || count == total))
                progress?.Report(new("Photos", count, total, "images"));
        }));
        if (ranks is { Size: > 1 }) Exchange(keys, reasons, ranks);
        int[] read = [.. Enumerable.Range(0, images.Count).Where(index => reasons[index] is null)];
        return new(
            [.. read.Select(index => images[index])], preprocessing, [.. read.Select(index => pixels[index])], read.Count(index => index < kept),
            [.. read.Select(index => keys[index])],
            [.. images.Select((image, index) => (image, Reason: reasons[index])).Where(pair => pair.Reason is not null)
                .Select(pair => new SkippedFile(pair.image.Path, pair.Reason!))]);
    }

    /// <summary>Fills in a view of a photo, normalized; view 0 is the plain one.</summary>
    internal void Read(int index, Augmentation augmentation, int seed, int view, Span<float> input) =>
        Preprocessing.Apply(augmentation.Apply(PixelsOf(index), seed, _keys[index], view), input);

    private RgbImage PixelsOf(int index)
    {
        if (_pixels[index] is { } known) return known;
        var pixels = Decode(Images[index], Preprocessing).Pixels;
        // Another rank opened it first.
        if (index < _kept) _pixels[index] = pixels;
        return pixels;
    }

    /// <summary>Gives every rank what each found out about its share.</summary>
    private static void Exchange(ulong[] keys, string?[] reasons, ICollective ranks)
    {
        ranks.Barrier();
        int[] share = [.. Enumerable.Range(0, keys.Length).Where(index => index % ranks.Size == ranks.Rank)];
        var all = ranks.AllGather(JsonSerializer.SerializeToUtf8Bytes(share.Select(index => new Opened(keys[index], reasons[index]))))
            .Select(sent => JsonSerializer.Deserialize<Opened[]>(sent)!).ToArray();
        for (var index = 0; index < keys.Length; index++) (keys[index], reasons[index]) = all[index % ranks.Size][index / ranks.Size];
    }

    private readonly record struct Opened(ulong Key, string? Reason);

    private static (RgbImage Pixels, ulong Key) Decode(LabeledImage image, Preprocessing preprocessing)
    {
        var file = image.Read();
        return (ImageDecoder.Decode(file, preprocessing.Resize), Augmentation.PictureKey(SHA256.HashData(file)));
    }
}

/// <summary>
/// Some of the opened photos as inputs of a network, each epoch another view of each; the views of a batch are made on all cores and are the
/// same whatever their number.
/// </summary>
/// <param name="photos">The photos.</param>
/// <param name="numbers">Which of them, in order.</param>
/// <param name="augmentation">How views differ; of epoch 0, not at all.</param>
/// <param name="seed">Decides the views.</param>
/// <param name="views">How many views of each photo the epochs see in turn; 0 for a new one in each.</param>
public sealed class PhotoExamples(OpenedPhotos photos, IReadOnlyList<int> numbers, Augmentation augmentation, int seed, int views = 0) : IExamples
{
    public int Count => numbers.Count;

    public bool TakesTime => true;

    public int LabelOf(int index) => photos.Images[numbers[index]].Class;

    public void Read(int index, int epoch, Span<float> input) =>
        photos.Read(numbers[index], augmentation, seed, epoch == 0 || views == 0 ? epoch : (epoch - 1) % views + 1, input);

    public unsafe void ReadBatch(IReadOnlyList<int> indices, int epoch, Span<float> inputs)
    {
        var length = inputs.Length / indices.Count;
        fixed (float* start = inputs)
        {
            var first = (nint)start;
            Parallel.For(0, indices.Count, i => Read(indices[i], epoch, new Span<float>((float*)first + (long)i * length, length)));
        }
    }
}

/// <summary>
/// What a frozen part of a network makes of other examples, computed each time, on all cores: for views that change from epoch to epoch, on the
/// thread that reads ahead. Owns the network.
/// </summary>
/// <param name="examples">Inputs of the frozen part.</param>
/// <param name="frozen">Runs one image at a time, on several threads at once.</param>
public sealed class FrozenExamples(IExamples examples, Network frozen, IWeights weights) : IExamples, IDisposable
{
    private readonly FrozenNetwork _frozen = FrozenNetwork.Load(frozen, weights);
    private readonly int _length = frozen.InputShape.ElementCount;

    public int Count => examples.Count;

    public bool TakesTime => true;

    public int LabelOf(int index) => examples.LabelOf(index);

    public void Read(int index, int epoch, Span<float> input)
    {
        var image = new float[_length];
        examples.Read(index, epoch, image);
        _frozen.Run(image).CopyTo(input);
    }

    public unsafe void ReadBatch(IReadOnlyList<int> indices, int epoch, Span<float> inputs)
    {
        using var threads = _frozen.LimitToOneThread();
        var length = inputs.Length / indices.Count;
        fixed (float* start = inputs)
        {
            var first = (nint)start;
            Parallel.For(0, indices.Count, i => Read(indices[i], epoch, new Span<float>((float*)first + (long)i * length, length)));
        }
    }

    public void Dispose() => _frozen.Dispose();
}

/// <summary>Several views of each input, all in memory: the first epoch sees the first of them, and so on in turn; epoch 0 the plain inputs.</summary>
public sealed class ViewsInMemory(IReadOnlyList<float[]> plain, IReadOnlyList<IReadOnlyList<float[]>> views, IReadOnlyList<int> labels) : IExamples
{
    public int Count => plain.Count;

    public int LabelOf(int index) => labels[index];

    public void Read(int index, int epoch, Span<float> input) =>
        (epoch == 0 ? plain : views[(epoch - 1) % views.Count])[index].CopyTo(input);
}
