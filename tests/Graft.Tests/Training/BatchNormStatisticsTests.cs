using Graft.Backbones;
using Graft.Data;
using Graft.Imaging;
using Graft.Networks;
using Graft.Training;

namespace Graft.Tests.Training;

[Collection(nameof(AloneWithTorch))]
public class BatchNormStatisticsTests
{
    /// <summary>Two norms after each other, the second of which sees what the first one's own statistics make; two batches of two, and one photo that is left over.</summary>
    [Fact]
    public void Statistics_are_those_of_the_photos_layer_after_layer()
    {
        var builder = new NetworkBuilder("net");
        var network = builder.Build(builder.Input("image", 3, 4).BatchNorm("one", 1e-3).Relu("relu").BatchNorm("two", 1e-3).GlobalPool("pool"));
        using var backbone = Backbone.Of("net", network, new RandomWeights(1), Preprocessing.UnitRange(4));
        var random = new Random(1);
        float[][] photos = [.. Enumerable.Range(0, 5).Select(_ => Enumerable.Range(0, 48).Select(_ => 5 * random.NextSingle()).ToArray())];

        using var adapted = backbone.WithStatisticsOf(new ExamplesInMemory(photos, new int[5]), batchSize: 2, seed: 7, TestContext.Current.CancellationToken);
        int[] order = [0, 1, 2, 3, 4];
        new SplitMix64(7).Shuffle(order);
        photos = [.. order.Select(photo => photos[photo])];

        for (var channel = 0; channel < 3; channel++)
        {
            double[] Sums(Func<double[], double[]> of) => [.. photos.Chunk(2).Take(2).Select(pair => of([.. pair.SelectMany(photo => photo.Skip(16 * channel).Take(16)).Select(value => (double)value)]))
                .Aggregate((left, right) => [.. left.Zip(right, (a, b) => a + b)]).Select(sum => sum / 2)];
            static double[] Statistics(double[] values) => [values.Average(), values.Sum(value => Math.Pow(value - values.Average(), 2)) / (values.Length - 1)];
            static double[] Normalized(double[] values)
            {
                var mean = values.Average();
                var deviation = Math.Sqrt(values.Average(value => (value - mean) * (value - mean)) + 1e-3);
                return [.. values.Select(value => Math.Max(0, (value - mean) / deviation))];
            }
            Assert.All(Sums(Statistics).Zip(Found("one", channel)), pair => Assert.Equal(pair.First, pair.Second, 1e-4));
            Assert.All(Sums(values => Statistics(Normalized(values))).Zip(Found("two", channel)), pair => Assert.Equal(pair.First, pair.Second, 1e-4));
        }
        Assert.NotEqual(backbone.Fingerprint, adapted.Fingerprint);

        double[] Found(string layer, int channel) => [.. ((string[])["running_mean", "running_var"]).Select(name =>
        {
            var values = new float[3];
            adapted.Weights.Read(network.Parameters.Single(parameter => parameter.Key == $"{layer}.{name}"), values);
            return (double)values[channel];
        })];
    }

    [Fact]
    public void A_network_without_batch_norms_says_so()
    {
        var builder = new NetworkBuilder("net");
        using var backbone = Backbone.Of("net", builder.Build(builder.Input("image", 3, 4).Convolution("one", 2, 3).GlobalPool("pool")), new RandomWeights(1), Preprocessing.UnitRange(4));

        var problem = Assert.Throws<GraftException>(() => backbone.WithStatisticsOf(new ExamplesInMemory([new float[48], new float[48]], [0, 0]), cancellation: TestContext.Current.CancellationToken));

        Assert.Equal("no-batch-norms", problem.Code);
    }
}
