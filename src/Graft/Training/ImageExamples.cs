using Graft.Data;
using Graft.Imaging;

namespace Graft.Training;

/// <summary>
/// Photos as inputs of a whole network, kept decoded at input size (3 bytes a pixel); mirrored left to right in every other
/// view where asked.
/// </summary>
public sealed class ImageExamples : IExamples
{
    private readonly IReadOnlyList<LabeledImage> _images;
    private readonly Preprocessing _preprocessing;
    private readonly bool _mirror;
    private readonly ulong _seed;
    private readonly RgbImage[] _pixels;

    /// <exception cref="UnreadableImageException">A file is no picture, or a broken one.</exception>
    public ImageExamples(IReadOnlyList<LabeledImage> images, Preprocessing preprocessing, bool mirror = false, int seed = 1)
    {
        (_images, _preprocessing, _mirror, _seed) = (images, preprocessing, mirror, (ulong)(uint)seed);
        _pixels = new RgbImage[images.Count];
        Parallel.For(0, images.Count, index => _pixels[index] = ImageDecoder.Decode(images[index].Path, preprocessing.Resize));
    }

    public int Count => _images.Count;

    public int LabelOf(int index) => _images[index].Class;

    public void Read(int index, int epoch, Span<float> input)
    {
        _preprocessing.Apply(_pixels[index], input);
        if (!_mirror || epoch == 0 || new SplitMix64(_seed ^ ((ulong)epoch << 32) ^ (ulong)index).Next() % 2 == 0) return;
        for (var row = 0; row < input.Length; row += _preprocessing.InputWidth)
            input.Slice(row, _preprocessing.InputWidth).Reverse();
    }
}
