using Graft.Networks;
using static TorchSharp.torch;

namespace Graft.Features;

/// <summary>
/// Makes the blocks of a combination count the same. Each column is standardized over the training images (mean 0, population variance 1;
/// one that does not vary becomes 0); then each block of <c>v</c> varying columns is multiplied by √(<c>n</c> / (<c>b</c>·<c>v</c>)), where
/// <c>n</c> counts the varying columns of all <c>b</c> blocks. So every block has the same share of the total variance, and of the distance
/// between two images, however wide it is, and a column's variance is 1 on average.
/// </summary>
public static class BlockScaling
{
    /// <summary>The layer of the joined features, and the one that scales them.</summary>
    internal const string JoinedLayer = "features", ScalingLayer = "scaling";

    private const int BatchRows = 256;

    /// <summary>A module from the joined features to the scaled ones, [n] → [n].</summary>
    /// <param name="blocks">A combination.</param>
    /// <param name="trainingRows">The joined features of the training images.</param>
    public static TorchNetwork Fit(FeatureBlocks blocks, IReadOnlyList<float[]> trainingRows)
    {
        var length = blocks.Shape.ElementCount;
        var (mean, variance) = (new double[length], new double[length]);
        foreach (var row in trainingRows)
            for (var column = 0; column < length; column++) mean[column] += row[column] / (double)trainingRows.Count;
        foreach (var row in trainingRows)
        {
            for (var column = 0; column < length; column++)
            {
                var deviation = row[column] - mean[column];
                variance[column] += deviation * deviation / trainingRows.Count;
            }
        }
        // The mean of equal numbers may be rounded to another.
        for (var column = 0; column < length; column++)
            if (trainingRows.All(row => row[column] == trainingRows[0][column])) variance[column] = 0;
        var factors = new float[length];
        var varying = variance.Count(value => value > 0);
        var start = 0;
        foreach (var block in blocks.Blocks)
        {
            var columns = Enumerable.Range(start, block.Network.OutputShape.ElementCount).Where(column => variance[column] > 0).ToList();
            foreach (var column in columns) factors[column] = (float)Math.Sqrt(varying / (blocks.Blocks.Count * columns.Count * variance[column]));
            start += block.Network.OutputShape.ElementCount;
        }
        // A column that does not vary has a factor of 0.
        var weights = AffineWeights.Diagonal([.. mean.Select(value => (float)value)], factors);
        return new(Network(blocks.Name, weights), weights);
    }

    /// <summary>The scaled features of each image.</summary>
    public static IReadOnlyList<float[]> Apply(TorchNetwork scaling, IReadOnlyList<float[]> rows)
    {
        var length = scaling.Network.OutputShape.ElementCount;
        scaling.eval();
        using var inference = inference_mode();
        var scaled = new List<float[]>(rows.Count);
        foreach (var batch in rows.Chunk(BatchRows))
        {
            using var scope = NewDisposeScope();
            var input = empty([batch.Length, length], ScalarType.Float32);
            var values = TorchNetwork.Values(input);
            for (var row = 0; row < batch.Length; row++) batch[row].CopyTo(values[(row * length)..]);
            var output = TorchNetwork.Values(scaling.call(input).contiguous());
            for (var row = 0; row < batch.Length; row++) scaled.Add(output.Slice(row * length, length).ToArray());
        }
        return scaled;
    }

    /// <summary>The joined features and the layer that scales them.</summary>
    private static Network Network(string name, AffineWeights weights)
    {
        var builder = new NetworkBuilder(name, [new(JoinedLayer, Input.Of(TensorShape.Vector(weights.Operation.Outputs)), [])]);
        return builder.Build(builder.Node(JoinedLayer).AffineTransform(ScalingLayer, weights));
    }
}
