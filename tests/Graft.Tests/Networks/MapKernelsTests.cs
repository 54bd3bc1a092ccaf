using Graft.Networks;
using TorchSharp;
using static TorchSharp.torch;

namespace Graft.Tests.Networks;

[Collection(nameof(AloneWithTorch))]
public class MapKernelsTests
{
    /// <summary>[N, channels, height, width] with the channels last in memory.</summary>
    private static Tensor Map(long count, long channels, long size)
    {
        using var generator = new Generator(1);
        return randn([count, size, size, channels], ScalarType.Float32, generator: generator).permute(0, 3, 1, 2);
    }

    [Fact]
    public void Statistics_are_those_of_float64_even_far_from_zero()
    {
        using var scope = NewDisposeScope();
        // Several parts, the last of them short; standard deviations of 0.01 about a mean of 1000 would drown in a sum of squares.
        var map = Map(5, 24, 37) * 0.01f + 1000;

        var (mean, variance) = MapKernels.Statistics(Rows.Of(map));

        var exact = map.to_type(ScalarType.Float64);
        var expectedMean = exact.mean([0, 2, 3]).data<double>().ToArray();
        var expectedVariance = exact.var([0, 2, 3], unbiased: false).data<double>().ToArray();
        for (var channel = 0; channel < 24; channel++)
        {
            Assert.Equal(expectedMean[channel], mean[channel], 1e-3);
            Assert.Equal(expectedVariance[channel], variance[channel], 0.01 * expectedVariance[channel]);
        }
    }

    [Fact]
    public void Results_do_not_depend_on_the_number_of_threads()
    {
        using var scope = NewDisposeScope();
        var (map, gradient) = (Map(5, 24, 37), Map(5, 24, 37).sin_());
        var ones = Enumerable.Repeat(1f, 24).ToArray();
        double[] Compute(int threads)
        {
            using var limit = new TorchThreads(threads);
            var (mean, variance) = MapKernels.Statistics(Rows.Of(map));
            var (sum, product) = MapKernels.GradientSums<ReluActivation>(Rows.Of(map), null, Rows.Of(gradient), null, false, ones, ones, ones);
            return [.. mean, .. variance, .. sum, .. product];
        }

        Assert.Equal(Compute(1), Compute(3));
    }

    [Fact]
    public void What_is_not_a_number_stays_so()
    {
        using var scope = NewDisposeScope();
        var map = Map(1, 8, 1);
        map[0, 0, 0, 0] = float.NaN;
        var output = empty_like(map);

        MapKernels.Forward<Relu6Activation>(Rows.Of(map), Rows.Of(output), null, null, null);

        Assert.True(float.IsNaN(output[0, 0, 0, 0].ToSingle()));
        Assert.Equal(map.nan_to_num().clamp(0, 6).data<float>().ToArray(), output.nan_to_num().data<float>().ToArray());
    }

    [Fact]
    public void Rows_are_only_what_lies_with_whole_vectors_of_channels_last()
    {
        using var scope = NewDisposeScope();

        Assert.True(Rows.TryOf(Map(2, 16, 3), out var rows));
        Assert.Equal((18, 16), (rows.Count, rows.Channels));
        Assert.True(Rows.TryOf(ones(3, 16), out _));
        Assert.False(Rows.TryOf(ones(2, 16, 3, 3), out _));
        Assert.False(Rows.TryOf(Map(2, 6, 3), out _));
        Assert.False(Rows.TryOf(ones(2, 16, 3), out _));
    }
}
