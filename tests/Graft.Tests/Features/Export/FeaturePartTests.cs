using Graft.Data;
using Graft.Features;
using Graft.Features.Export;
using Graft.Runs;
using Graft.Testing;

namespace Graft.Tests.Features.Export;

/// <summary>Parts of an extraction, and what they are merged into.</summary>
public sealed class FeaturePartTests : IDisposable
{
    private readonly FeatureScene _scene = new();
    private readonly TemporaryFolder _out = new();
    private readonly FeatureBlocks _features = new(FeatureScene.Backbone());

    public FeaturePartTests()
    {
        _scene.Photos(40, classes: 2);
        _scene.Broken("class1/broken.png");
        // A copy of a photo, by another name.
        File.Copy(Path.Combine(_scene.FullName, "class0/000.png"), Path.Combine(_scene.FullName, "class0/copy.png"));
    }

    public void Dispose()
    {
        _features.Dispose();
        _scene.Dispose();
        _out.Dispose();
    }

    private LabeledImages Photos => LabeledImages.Load(_scene.FullName);

    private FeaturePartResult Part(int number, int of, FeatureBlocks? features = null, FeatureCache? cache = null) =>
        FeaturePart.Write(Photos, features ?? _features, new(number, of), Name(number, of), cache, cancellation: TestContext.Current.CancellationToken);

    private string Name(int number, int of) => _out.File($"part-{number}-of-{of}.parquet");

    private FeatureMergeResult Merge(string name, IEnumerable<string> parts, LabeledImages? photos = null, bool allowsMissing = false) =>
        FeatureMerge.Write([.. parts], _out.File(name), photos, allowsMissing, TestContext.Current.CancellationToken);

    private static string Problem(Action action) => Assert.Throws<GraftException>(action).Message;

    [Fact]
    public void Merged_parts_are_the_table_of_one_run_byte_for_byte()
    {
        var photos = Photos;
        FeatureTable.Of(photos, _features.Extract([.. photos.All], cache: null, cancellation: TestContext.Current.CancellationToken), _features).Write(_out.File("whole.parquet"));
        var whole = File.ReadAllBytes(_out.File("whole.parquet"));

        foreach (var count in (int[])[1, 3, 7])
        {
            var parts = Enumerable.Range(1, count).Select(number => Part(number, count)).ToList();
            var merged = Merge($"of-{count}.parquet", Enumerable.Range(1, count).Select(number => Name(number, count)).Reverse());

            Assert.Equal(whole, File.ReadAllBytes(_out.File($"of-{count}.parquet")));
            Assert.Equal(41, parts.Sum(part => part.Images));
            Assert.Equal((41, 0, 0), (merged.Images, merged.Missing, merged.Twice.Count));
            Assert.Equal("class1/broken.png", Assert.Single(merged.Skipped).Path);
        }
    }

    [Fact]
    public void A_part_that_is_there_is_gone_on_with()
    {
        Part(1, 2);
        Part(2, 2);
        var before = File.ReadAllBytes(Name(1, 2));
        Assert.Equal(0, Part(1, 2).CacheMisses);
        Assert.Equal(before, File.ReadAllBytes(Name(1, 2)));

        _scene.Photo(900, label: 0);
        _scene.Photo(901, label: 1);
        _scene.Photo(902, label: 1);
        Assert.Contains("were made of different photos", Problem(() =>
        {
            Part(1, 2);
            Merge("all.parquet", [Name(1, 2), Name(2, 2)]);
        }), StringComparison.Ordinal);
        var second = Part(2, 2);

        Assert.Equal(second.Images, second.Kept + second.CacheMisses + second.CacheHits);
        Assert.InRange(second.CacheMisses, 0, 3);
        Assert.Equal(44, Merge("all.parquet", [Name(1, 2), Name(2, 2)]).Images);
    }

    [Fact]
    public void A_part_that_is_killed_leaves_no_file_and_costs_what_was_not_yet_in_the_cache()
    {
        using var elsewhere = new TemporaryFolder();
        using var cache = FeatureCache.Open(elsewhere.FullName);
        using var stop = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => FeaturePart.Write(
            Photos, _features, new(1, 1), Name(1, 1), cache, progress: new At(stop), cancellation: stop.Token));

        Assert.Empty(Directory.GetFileSystemEntries(_out.FullName));
        Assert.Equal(41, Part(1, 1, cache: cache).CacheHits);
    }

    /// <summary>Stops when the only batch is computed and not yet written.</summary>
    private sealed class At(CancellationTokenSource stop) : IProgress<StepProgress>
    {
        public void Report(StepProgress value)
        {
            stop.Cancel();
            stop.Token.ThrowIfCancellationRequested();
        }
    }

    [Fact]
    public void Missing_photos_are_counted_and_named()
    {
        Part(1, 3);
        Part(3, 3);
        string[] parts = [Name(1, 3), Name(3, 3)];

        var counted = Problem(() => Merge("all.parquet", parts));
        Assert.Matches("^[0-9]+ of 42 photos are missing. Run the missing shards: 2/3.$", counted);
        Assert.False(File.Exists(_out.File("all.parquet")));
        Assert.Matches("^[0-9]+ of 42 photos are missing: class[01]/", Problem(() => Merge("all.parquet", parts, Photos)));
        Assert.True(Merge("all.parquet", parts, allowsMissing: true).Missing > 0);
        Assert.True(File.Exists(_out.File("all.parquet")));
    }

    [Fact]
    public void Photos_in_several_parts_count_once_and_those_that_differ_are_refused()
    {
        var images = Part(1, 2).Images;
        Part(2, 2);
        Part(1, 1);

        var merged = Merge("all.parquet", [Name(1, 2), Name(2, 2), Name(1, 1)]);
        Assert.Equal((41, 41), (merged.Images, merged.Twice.Count));
        Assert.NotEqual(0, images);

        var changed = Path.Combine(_scene.FullName, "class0/004.png");
        File.Copy(Path.Combine(_scene.FullName, "class1/005.png"), changed, overwrite: true);
        File.Delete(Name(1, 1));
        Part(1, 1);
        Assert.Contains("1 photos differ between parts: class0/004.png", Problem(() => Merge("again.parquet", [Name(1, 2), Name(2, 2), Name(1, 1)])), StringComparison.Ordinal);
        Assert.False(File.Exists(_out.File("again.parquet")));
    }

    [Fact]
    public void Parts_of_other_weights_other_shards_and_damaged_ones_are_refused()
    {
        using var other = new FeatureBlocks(FeatureScene.Backbone(seed: 2));
        Part(1, 2);
        Part(2, 2, other);

        Assert.Contains("different weights, preprocessing, engine or precision", Problem(() => Merge("all.parquet", [Name(1, 2), Name(2, 2)])), StringComparison.Ordinal);
        Assert.Contains("of other weights", Problem(() => Part(2, 2)), StringComparison.Ordinal);
        File.Move(Name(2, 2), Name(1, 3));
        Assert.Contains("is shard 2/2, not 1/3", Problem(() => Part(1, 3, other)), StringComparison.Ordinal);
        File.WriteAllBytes(_out.File("cut.parquet"), File.ReadAllBytes(Name(1, 2))[..500]);
        Assert.Contains("cut off or damaged", Problem(() => Merge("all.parquet", [Name(1, 2), _out.File("cut.parquet")])), StringComparison.Ordinal);
        Assert.Contains("is no part", Problem(() =>
        {
            var photos = Photos;
            FeatureTable.Of(photos, _features.Extract([.. photos.All], cache: null, cancellation: TestContext.Current.CancellationToken), _features).Write(_out.File("whole.parquet"));
            Merge("all.parquet", [_out.File("whole.parquet")]);
        }), StringComparison.Ordinal);
    }

    [Fact]
    public void Training_on_merged_features_gives_the_model_of_the_photos()
    {
        using var network = ((IReadOnlyList<BackboneRequest>)[new BackboneRequest { Name = "tiny" }]).LoadFeatures();
        Part(1, 2, network);
        Part(2, 2, network);
        Merge("all.parquet", [Name(1, 2), Name(2, 2)]);
        TrainingRequest request = new() { Photos = _scene.FullName, Backbones = [new() { Name = "tiny" }], Classifier = "logistic" };

        using var ofPhotos = Run(request);
        using var ofFeatures = Run(new() { Photos = _out.File("all.parquet"), Classifier = "logistic" });

        Assert.Equal(ofPhotos.Predictions.Images.Select(image => image.Probabilities), ofFeatures.Predictions.Images.Select(image => image.Probabilities));
        Assert.Equal(ofPhotos.Predictions.Images.Select(image => Path.GetRelativePath(_scene.FullName, image.Path)), ofFeatures.Predictions.Images.Select(image => image.Path));
        Assert.Equal(ofPhotos.DataCheck.Leaks, ofFeatures.DataCheck.Leaks);
        Assert.Equal(0, ofFeatures.CacheMisses);
        Assert.Contains("Merge all shards first", Problem(() => Run(new() { Photos = Name(1, 2) })), StringComparison.Ordinal);
        Assert.Contains("were computed by", Problem(() => Run(new() { Photos = _out.File("all.parquet"), Backbones = [new() { Name = "tiny" }], Pool = "max" })), StringComparison.Ordinal);
        Assert.Throws<RequestException>(() => Run(new() { Photos = _out.File("all.parquet"), Strategy = Graft.Training.Strategy.FineTune }));

        static TrainingRun Run(TrainingRequest request)
        {
            using var setup = TrainingSetup.Open(request);
            return TrainingRun.Execute(setup, cancellation: TestContext.Current.CancellationToken);
        }
    }

    [Fact]
    public void What_memory_a_fit_needs_is_said_before_it_starts()
    {
        Part(1, 1);
        Merge("all.parquet", [Name(1, 1)]);

        Assert.Contains("needs about", Problem(() => StoredFeatures.Read(_out.File("all.parquet"), new(), availableBytes: 1000)), StringComparison.Ordinal);
    }
}
