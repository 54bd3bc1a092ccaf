using System.Security.Cryptography;
using Graft.Data;
using Graft.Features;
using Graft.Imaging;
using Graft.Networks;

namespace Graft.Tests.Features;

public class ViewBankTests
{
    private static readonly ViewBank Bank = new(Augmentation.Medium, Views: 3);

    private static FeatureSet Extract(IReadOnlyList<LabeledImage> images, ViewBank? bank, FeatureCache? cache = null)
    {
        using var extractor = new FeatureExtractor(FeatureScene.Backbone(), cache);
        return extractor.Extract(images, bank, cancellation: TestContext.Current.CancellationToken);
    }

    [Fact]
    public void Views_are_the_networks_outputs_for_the_augmented_image()
    {
        using var scene = new FeatureScene();
        var photo = scene.Photo(1);
        var backbone = FeatureScene.Backbone();
        using var network = FrozenNetwork.Load(backbone.Network, backbone.Weights);
        var image = backbone.Preprocessing.Resize(ImageDecoder.Decode(photo.Path));
        var key = Augmentation.PictureKey(SHA256.HashData(File.ReadAllBytes(photo.Path)));

        var set = Extract([photo], Bank);

        Assert.Equal(3, set.Views.Count);
        for (var view = 1; view <= 3; view++)
        {
            var pixels = new float[backbone.Preprocessing.InputLength];
            backbone.Preprocessing.Apply(Augmentation.Medium.Apply(image, seed: 1, key, view), pixels);
            Assert.Equal(network.Run(pixels), Assert.Single(set.Views[view - 1]));
        }
        Assert.Equal(4, set.Views.Append(set.Rows).Select(rows => rows[0][0]).Distinct().Count());
    }

    [Fact]
    public void Image_itself_is_as_without_a_bank()
    {
        using var scene = new FeatureScene();
        var photos = scene.Photos(5);

        Assert.Equal(Extract(photos, bank: null).Rows, Extract(photos, Bank).Rows);
    }

    [Fact]
    public void Views_are_computed_once_and_a_larger_bank_adds_its_own_alone()
    {
        using var scene = new FeatureScene();
        var photos = scene.Photos(5);
        using var cache = FeatureCache.Open(scene.CacheFolder);
        Extract(photos, bank: null, cache);

        var first = Extract(photos, Bank, cache);
        var second = Extract(photos, Bank, cache);
        var larger = Extract(photos, Bank with { Views = 4 }, cache);

        Assert.Equal((5, 15), (first.CacheHits, first.CacheMisses));
        Assert.Equal((20, 0), (second.CacheHits, second.CacheMisses));
        Assert.Equal(first.Views, second.Views);
        Assert.Equal((20, 5), (larger.CacheHits, larger.CacheMisses));
        Assert.Equal(first.Views, larger.Views.Take(3));
    }

    [Fact]
    public void Another_seed_or_augmentation_finds_no_views()
    {
        using var scene = new FeatureScene();
        var photos = scene.Photos(1);
        using var cache = FeatureCache.Open(scene.CacheFolder);
        Extract(photos, Bank, cache);

        Assert.Equal((1, 3), Counts(Extract(photos, Bank with { Seed = 2 }, cache)));
        Assert.Equal((1, 3), Counts(Extract(photos, Bank with { Augmentation = Augmentation.Light }, cache)));

        static (int, int) Counts(FeatureSet set) => (set.CacheHits, set.CacheMisses);
    }

    [Fact]
    public void Broken_images_have_no_views()
    {
        using var scene = new FeatureScene();
        var photo = scene.Photo(1);

        var set = Extract([scene.Broken("a.jpg"), photo], Bank);

        Assert.Equal([photo], set.Images);
        Assert.All(set.Views, rows => Assert.Single(rows));
        Assert.Single(set.Broken);
    }

    [Fact]
    public void Unsuitable_options_are_refused_together()
    {
        using var scene = new FeatureScene();

        var problem = Assert.Throws<GraftException>(() => Extract([scene.Photo(1)], new(Augmentation.None, Views: 0)));

        Assert.Contains("views, found 0", problem.Message, StringComparison.Ordinal);
        Assert.Contains("none", problem.Message, StringComparison.Ordinal);
    }
}
