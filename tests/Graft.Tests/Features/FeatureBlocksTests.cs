using Graft.Data;
using Graft.Features;
using Graft.Imaging;
using Graft.Networks;

namespace Graft.Tests.Features;

public class FeatureBlocksTests
{
    private static FeatureBlocks Two() => new(FeatureScene.Backbone(), FeatureScene.Backbone(seed: 2, Preprocessing.KerasTf(8)));

    private static FeatureSet Extract(FeatureBlocks blocks, IReadOnlyList<LabeledImage> images, FeatureCache? cache = null) =>
        blocks.Extract(images, cache, cancellation: TestContext.Current.CancellationToken);

    [Fact]
    public void Blocks_stand_side_by_side_as_each_gives_them_alone()
    {
        using var scene = new FeatureScene();
        var photos = scene.Photos(5);
        using var both = Two();

        var joined = Extract(both, photos);

        var (first, second) = (Extract(new(both.Blocks[0]), photos), Extract(new(both.Blocks[1]), photos));
        Assert.Equal("tiny+tiny", both.Name);
        Assert.Equal(12, both.Shape.ElementCount);
        Assert.NotEqual(first.Rows[0], second.Rows[0]);
        Assert.Equal(first.Rows.Zip(second.Rows, (left, right) => (float[])[.. left, .. right]), joined.Rows);
    }

    [Fact]
    public void Blocks_that_were_computed_alone_are_not_computed_again()
    {
        using var scene = new FeatureScene();
        var photos = scene.Photos(20);
        using var cache = FeatureCache.Open(scene.CacheFolder);
        using var both = Two();
        Extract(new(both.Blocks[1]), photos, cache);

        var joined = Extract(both, photos, cache);

        Assert.Equal((20, 20), (joined.CacheHits, joined.CacheMisses));
        Assert.Equal(2, cache.Contents().Spaces.Count);
    }

    [Fact]
    public void Broken_photo_is_left_out_of_all_blocks_and_listed_once()
    {
        using var scene = new FeatureScene();
        using var both = Two();
        LabeledImage[] photos = [scene.Photo(1), scene.Broken("broken.png"), scene.Photo(2)];

        var joined = Extract(both, photos);

        Assert.Equal([photos[0], photos[2]], joined.Images);
        Assert.Equal(2, joined.Rows.Count);
        Assert.Single(joined.Broken);
    }

    [Fact]
    public void Maps_are_not_joined()
    {
        using var map = FeatureScene.Backbone().CutAfter("relu");
        using var vector = FeatureScene.Backbone();

        var problem = Assert.Throws<GraftException>(() => new FeatureBlocks(vector, map));

        Assert.Contains("[6×3×3]", problem.Message, StringComparison.Ordinal);
        Assert.Equal(map.Network.OutputShape, new FeatureBlocks(map).Shape);
    }

    [Fact]
    public void Each_block_has_the_same_share_of_the_variance_however_large_or_wide_it_is()
    {
        using var wide = FeatureScene.Backbone().CutAfter("relu").Features(Pooling.Flatten);
        using var narrow = FeatureScene.Backbone();
        using var blocks = new FeatureBlocks(wide, narrow);
        var random = new Random(3);
        // Columns of very different sizes, some of which never vary.
        var sizes = Enumerable.Range(0, 54 + 6).Select(column => column % 10 == 3 ? 0 : Math.Pow(10, column % 5)).ToArray();
        float[][] rows = [.. Enumerable.Range(0, 200).Select(_ => sizes.Select(size => (float)(7 + size * random.NextDouble())).ToArray())];

        using var scaling = BlockScaling.Fit(blocks, rows);
        var scaled = BlockScaling.Apply(scaling, rows);

        double Variance(int column)
        {
            var mean = scaled.Average(row => row[column]);
            return scaled.Average(row => Math.Pow(row[column] - mean, 2));
        }
        var (left, right) = (Enumerable.Range(0, 54).Sum(Variance), Enumerable.Range(54, 6).Sum(Variance));
        Assert.Equal(left, right, left * 1e-3);
        Assert.Equal(sizes.Count(size => size > 0), left + right, 0.1);
        Assert.All(Enumerable.Range(0, 60), column => Assert.Equal(0, scaled.Average(row => row[column]), 1e-3));
        Assert.All(sizes.Index().Where(column => column.Item == 0), column => Assert.Equal(0, scaled[0][column.Index]));
        Assert.Equal(Variance(0), Variance(4), Variance(0) * 1e-3);
    }

    [Fact]
    public void Scaling_comes_from_the_rows_it_is_fitted_on_alone()
    {
        using var blocks = Two();
        float[][] rows = [[.. Enumerable.Range(0, 12).Select(i => (float)i)], [.. Enumerable.Range(0, 12).Select(i => 3f * i + 1)]];
        float[] other = [.. Enumerable.Repeat(1000f, 12)];
        using var scaling = BlockScaling.Fit(blocks, rows);

        Assert.Equal(BlockScaling.Apply(scaling, rows), BlockScaling.Apply(scaling, [.. rows, other]).Take(2));
    }
}
