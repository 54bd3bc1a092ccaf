using Graft.Evaluation;

namespace Graft.Tests.Evaluation;

[Collection(nameof(AloneWithTorch))]
public class FeatureMapTests
{
    /// <summary>Points on an ellipse of half-axes 5 and 2, turned into six dimensions by two orthogonal directions, and moved.</summary>
    private static float[][] Ellipse(int count) =>
    [
        .. Enumerable.Range(0, count).Select(index =>
        {
            var (u, v) = (5 * Math.Cos(2 * Math.PI * index / count), 2 * Math.Sin(2 * Math.PI * index / count));
            return new[] { 0.6 * u, 0.8 * u, 1, 0.8 * v, -0.6 * v, 7 }.Select(value => (float)value).ToArray();
        }),
    ];

    [Fact]
    public void Map_shows_the_two_directions_of_largest_variance()
    {
        var map = FeatureMap.Of(Ellipse(40))!;

        Assert.Equal(25.0 / 29, map.VarianceShares[0], 1e-5);
        Assert.Equal(4.0 / 29, map.VarianceShares[1], 1e-5);
        Assert.All(map.Points, (point, index) =>
        {
            Assert.Equal(5 * Math.Cos(2 * Math.PI * index / 40), point!.Value.X, 1e-4);
            Assert.Equal(2 * Math.Sin(2 * Math.PI * index / 40), point.Value.Y, 1e-4);
        });
    }

    [Fact]
    public void Same_features_give_the_same_map_and_leave_torchs_random_numbers_alone()
    {
        TorchSharp.torch.manual_seed(5);
        var expected = TorchSharp.torch.rand(1).item<float>();
        TorchSharp.torch.manual_seed(5);
        var first = FeatureMap.Of(Ellipse(17))!;

        Assert.Equal(expected, TorchSharp.torch.rand(1).item<float>());
        Assert.Equal(first.Points, FeatureMap.Of(Ellipse(17))!.Points);
    }

    [Fact]
    public void Few_images_and_few_features_have_a_map_too()
    {
        Assert.Equal([new MapPoint(0, 0)], FeatureMap.Of([[1, 2, 3]])!.Points);
        Assert.Equal(1, FeatureMap.Of([[1], [2], [3]])!.VarianceShares[0], 1e-12);
        Assert.Equal([0, 0], FeatureMap.Of([[1, 1], [1, 1]])!.VarianceShares);
    }

    [Fact]
    public void Of_many_images_some_are_left_out_evenly()
    {
        var map = FeatureMap.Of([.. Enumerable.Range(0, 5000).Select(index => new[] { index, index % 7f })])!;

        Assert.Equal(5000, map.Points.Count);
        Assert.InRange(map.Points.Count(point => point is not null), 1000, 2000);
        Assert.NotNull(map.Points[0]);
        Assert.NotNull(map.Points[4998]);
    }

    [Fact]
    public void Features_that_are_no_numbers_have_no_map() => Assert.Null(FeatureMap.Of([[1, float.NaN], [2, 3]]));
}
