using Graft.Backbones;
using Graft.Data;
using Graft.Imaging;
using Graft.Networks;
using Graft.Testing;
using Graft.Tests.Imaging;
using SkiaSharp;

namespace Graft.Tests.Features;

/// <summary>A temporary folder of small pictures and a network that takes a moment over them.</summary>
internal sealed class FeatureScene : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public string FullName => _folder.FullName;

    public string CacheFolder => Path.Combine(FullName, "cache");

    public static Backbone Backbone(int seed = 1, Preprocessing? preprocessing = null)
    {
        var builder = new NetworkBuilder("tiny");
        var network = builder.Build(builder.Input("image", 3, 8)
            .Convolution("conv", 6, kernel: 3, stride: 2).BatchNorm("norm", 1e-5).Relu("relu").GlobalPool("features"));
        return Graft.Backbones.Backbone.Of("tiny", network, new RandomWeights(seed), preprocessing ?? Preprocessing.UnitRange(8));
    }

    /// <summary>A picture of a color that its class and number decide, with noise.</summary>
    public LabeledImage Photo(int number, int label = 0)
    {
        var image = TestImages.Noise(12, 10, seed: number + 1);
        for (var i = 0; i < image.Pixels.Length; i++)
            image.Pixels[i] = (byte)(image.Pixels[i] / 4 + (i % 3 == label % 3 ? 180 : 20));
        var path = _folder.File($"class{label}/{number:D3}.png");
        File.WriteAllBytes(path, TestImages.Encode(image, SKEncodedImageFormat.Png));
        return new(path, label);
    }

    public LabeledImage[] Photos(int count, int classes = 1) => [.. Enumerable.Range(0, count).Select(i => Photo(i, i % classes))];

    public LabeledImage Broken(string name, string content = "no picture")
    {
        var path = _folder.File(name);
        File.WriteAllText(path, content);
        return new(path, 0);
    }

    public void Dispose() => _folder.Dispose();
}
