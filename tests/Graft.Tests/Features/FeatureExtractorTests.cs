using Graft.Backbones;
using Graft.Data;
using Graft.Features;
using Graft.Imaging;
using Graft.Networks;
using static TorchSharp.torch;

namespace Graft.Tests.Features;

public class FeatureExtractorTests
{
    private static FeatureSet Extract(
        IReadOnlyList<LabeledImage> images, FeatureCache? cache = null, Backbone? backbone = null, Action<string>? warn = null,
        IProgress<StepProgress>? progress = null, CancellationTokenSource? cancellation = null, InferenceEngine engine = InferenceEngine.Onnx)
    {
        using var extractor = new FeatureExtractor(backbone ?? FeatureScene.Backbone(), cache, warn, engine);
        return extractor.Extract(images, progress, cancellation?.Token ?? TestContext.Current.CancellationToken);
    }

    [Fact]
    public void Features_are_the_outputs_of_the_network_for_the_preprocessed_photo()
    {
        using var scene = new FeatureScene();
        var photo = scene.Photo(1);
        var backbone = FeatureScene.Backbone();
        var pixels = new float[backbone.Preprocessing.InputLength];
        backbone.Preprocessing.Apply(backbone.Preprocessing.Resize(ImageDecoder.Decode(photo.Path)), pixels);
        using var module = new TorchNetwork(backbone.Network, backbone.Weights);
        using var output = module.call(tensor(pixels).reshape(1, 3, 8, 8));

        var expected = output.data<float>().ToArray();
        Assert.Equal(expected, Assert.Single(Extract([photo], backbone: backbone, engine: InferenceEngine.Torch).Rows));
        Assert.All(
            Assert.Single(Extract([photo], backbone: backbone).Rows).Zip(expected),
            pair => Assert.Equal(pair.Second, pair.First, 1e-4 * expected.Max()));
    }

    [Fact]
    public void Engines_keep_their_features_apart()
    {
        using var scene = new FeatureScene();
        var photo = scene.Photo(1);
        using var cache = FeatureCache.Open(scene.CacheFolder);
        Extract([photo], cache);

        Assert.Equal(1, Extract([photo], cache, engine: InferenceEngine.Torch).CacheMisses);
        Assert.Equal(1, Extract([photo], cache, engine: InferenceEngine.Torch).CacheHits);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Files_of_one_content_are_computed_once(bool isCached)
    {
        using var scene = new FeatureScene();
        var photos = scene.Photos(3);
        var copy = new LabeledImage(Path.Combine(scene.FullName, "copy.png"), 1);
        File.Copy(photos[1].Path, copy.Path);
        using var cache = isCached ? FeatureCache.Open(scene.CacheFolder) : null;

        var set = Extract([.. photos, copy], cache);

        Assert.Equal([.. photos, copy], set.Images);
        Assert.Equal(set.Rows[1], set.Rows[3]);
        Assert.Equal((1, 3), (set.CacheHits, set.CacheMisses));
    }

    [Fact]
    public void Copies_of_a_broken_file_are_broken_too()
    {
        using var scene = new FeatureScene();

        var set = Extract([scene.Broken("a.jpg"), scene.Photo(1), scene.Broken("b.jpg")]);

        Assert.Equal(["a.jpg", "b.jpg"], set.Broken.Select(file => Path.GetFileName(file.Path)));
        Assert.Single(set.Broken.Select(file => file.Reason).Distinct());
    }

    [Fact]
    public void Second_extraction_computes_nothing_and_gives_the_same_bits()
    {
        using var scene = new FeatureScene();
        var photos = scene.Photos(40);
        using var cache = FeatureCache.Open(scene.CacheFolder);

        var (first, second) = (Extract(photos, cache), Extract(photos, cache));

        Assert.Equal((0, 40), (first.CacheHits, first.CacheMisses));
        Assert.Equal((40, 0), (second.CacheHits, second.CacheMisses));
        Assert.Equal(first.Rows, second.Rows);
        Assert.Equal(Extract(photos).Rows, second.Rows);
    }

    [Fact]
    public void Photo_is_known_under_any_name()
    {
        using var scene = new FeatureScene();
        var photo = scene.Photo(1);
        using var cache = FeatureCache.Open(scene.CacheFolder);
        var before = Extract([photo], cache);
        var moved = new LabeledImage(Path.Combine(scene.FullName, "elsewhere.png"), 3);
        File.Move(photo.Path, moved.Path);

        var after = Extract([moved], cache);

        Assert.Equal(1, after.CacheHits);
        Assert.Equal(before.Rows, after.Rows);
        Assert.Equal(moved, Assert.Single(after.Images));
    }

    [Fact]
    public void Another_photo_under_the_same_name_is_computed()
    {
        using var scene = new FeatureScene();
        var photo = scene.Photo(1);
        using var cache = FeatureCache.Open(scene.CacheFolder);
        var before = Extract([photo], cache);
        File.Copy(scene.Photo(2).Path, photo.Path, overwrite: true);

        var after = Extract([photo], cache);

        Assert.Equal(1, after.CacheMisses);
        Assert.NotEqual(before.Rows[0], after.Rows[0]);
    }

    [Fact]
    public void Other_weights_preprocessing_or_cut_find_nothing_in_the_cache()
    {
        using var scene = new FeatureScene();
        var photo = scene.Photo(1);
        using var cache = FeatureCache.Open(scene.CacheFolder);
        Extract([photo], cache);

        Assert.Equal(1, Extract([photo], cache, FeatureScene.Backbone(seed: 2)).CacheMisses);
        Assert.Equal(1, Extract([photo], cache, FeatureScene.Backbone(preprocessing: Preprocessing.KerasTf(8))).CacheMisses);
        Assert.Equal(1, Extract([photo], cache, FeatureScene.Backbone().CutAfter("relu")).CacheMisses);
        Assert.Equal(1, Extract([photo], cache).CacheHits);
    }

    [Fact]
    public void Order_is_that_of_the_photos_whatever_the_cache_knows()
    {
        using var scene = new FeatureScene();
        var photos = scene.Photos(40);
        using var cache = FeatureCache.Open(scene.CacheFolder);
        Extract([.. photos.Where((_, index) => index % 3 == 1)], cache);

        LabeledImage[] asked = [.. photos.Reverse()];
        var set = Extract(asked, cache);

        Assert.Equal(asked, set.Images);
        Assert.Equal((13, 27), (set.CacheHits, set.CacheMisses));
        Assert.All(asked.Zip(set.Rows), pair => Assert.Equal(Extract([pair.First]).Rows[0], pair.Second));
    }

    [Fact]
    public void Broken_files_are_listed_with_their_reasons_and_cost_the_others_nothing()
    {
        using var scene = new FeatureScene();
        var (first, second) = (scene.Photo(1), scene.Photo(2));
        var broken = scene.Broken("broken.jpg");
        var absent = new LabeledImage(Path.Combine(scene.FullName, "absent.png"), 0);
        using var cache = FeatureCache.Open(scene.CacheFolder);

        foreach (var hits in (int[])[0, 2])
        {
            var set = Extract([broken, first, absent, second], cache);

            Assert.Equal([first, second], set.Images);
            Assert.Equal(2, set.Rows.Count);
            Assert.Equal([broken.Path, absent.Path], set.Broken.Select(file => file.Path));
            Assert.All(set.Broken, file => Assert.NotEmpty(file.Reason));
            Assert.Equal((hits, 2 - hits), (set.CacheHits, set.CacheMisses));
        }
    }

    [Fact]
    public void Nothing_but_broken_files_gives_no_rows()
    {
        using var scene = new FeatureScene();

        var set = Extract([scene.Broken("a.jpg"), scene.Broken("b.jpg", "")]);

        Assert.Empty(set.Rows);
        Assert.Equal(2, set.Broken.Count);
    }

    [Fact]
    public void Interrupted_extraction_keeps_what_was_computed()
    {
        using var scene = new FeatureScene();
        // More than may wait to be kept (256): however late this thread is, some are left.
        var photos = scene.Photos(300);
        using var cache = FeatureCache.Open(scene.CacheFolder);
        using var cancellation = new CancellationTokenSource();
        var done = 0;
        var afterFive = new Reaction(progress =>
        {
            done = progress.Done;
            if (done == 5) cancellation.Cancel();
        });

        Assert.ThrowsAny<OperationCanceledException>(() => Extract(photos, cache, progress: afterFive, cancellation: cancellation));

        Assert.InRange(done, 5, 299);
        Assert.Equal(done, Extract(photos, cache).CacheHits);
    }

    [Fact]
    public void Progress_ends_at_the_number_of_photos()
    {
        using var scene = new FeatureScene();
        var reports = new List<StepProgress>();

        Extract([.. scene.Photos(20), scene.Broken("broken.jpg")], progress: new Reaction(reports.Add));

        Assert.Equal((21, 21), (reports[^1].Done, reports[^1].Total));
        Assert.Equal(reports.Select(report => report.Done).Order(), reports.Select(report => report.Done));
    }

    [Fact]
    public void Failing_cache_warns_once_and_the_work_goes_on()
    {
        using var scene = new FeatureScene();
        var photos = scene.Photos(20);
        var cache = FeatureCache.Open(scene.CacheFolder);
        cache.Dispose();
        var warnings = new List<string>();

        var set = Extract(photos, cache, warn: warnings.Add);

        Assert.Equal(20, set.Rows.Count);
        Assert.Contains("without the cache", Assert.Single(warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void Preprocessing_of_another_size_than_the_networks_is_refused()
    {
        var problem = Assert.Throws<GraftException>(() =>
            new FeatureExtractor(FeatureScene.Backbone(preprocessing: Preprocessing.UnitRange(6)), cache: null));

        Assert.Contains("3×8×8", problem.Message, StringComparison.Ordinal);
        Assert.Contains("6", problem.Message, StringComparison.Ordinal);
    }

    /// <summary>Unlike Progress, at once and on the caller's thread.</summary>
    private sealed class Reaction(Action<StepProgress> react) : IProgress<StepProgress>
    {
        public void Report(StepProgress value) => react(value);
    }
}
