using Graft.Classifiers;
using Graft.Networks;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Evaluation.Transferability;

/// <summary>The share of images whose nearest others, by cosine, vote for their class: the plainest measure of features.</summary>
public static class LeaveOneOutNeighbors
{
    private const int RowsAtOnce = 512;

    /// <param name="rows">The features of each image, all of one length.</param>
    /// <param name="labels">The class of each, from 0.</param>
    /// <param name="classes">At least 2; each has an image.</param>
    /// <param name="neighbors">How many vote, at least 1. Of equally near ones the first counts, of equal votes the first class.</param>
    /// <exception cref="GraftException">A feature that is not finite, or a class without images.</exception>
    public static double Accuracy(IReadOnlyList<float[]> rows, IReadOnlyList<int> labels, int classes, int neighbors = 1)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(neighbors, 1);
        using var inference = no_grad();
        using var scope = NewDisposeScope();
        var x = FeatureMatrix.Of(rows, labels, classes).Values.to_type(ScalarType.Float64);
        x = TorchClassifiers.Normalize(x, zeros([x.shape[1]], ScalarType.Float64));
        var correct = 0;
        for (var start = 0; start < rows.Count; start += RowsAtOnce)
        {
            using var inner = NewDisposeScope();
            var count = Math.Min(RowsAtOnce, rows.Count - start);
            var similarities = x.narrow(0, start, count).mm(x.t());
            similarities.narrow(1, start, count).diagonal().fill_(Number(double.NegativeInfinity));
            var (_, order) = similarities.sort(dim: 1, descending: true, stable: true);
            var nearest = order.narrow(1, 0, Math.Min(neighbors, rows.Count - 1)).contiguous().data<long>().ToArray().Chunk(Math.Min(neighbors, rows.Count - 1)).ToArray();
            for (var row = 0; row < count; row++)
            {
                var votes = new int[classes];
                foreach (var other in nearest[row]) votes[labels[(int)other]]++;
                if (Array.IndexOf(votes, votes.Max()) == labels[start + row]) correct++;
            }
        }
        return (double)correct / rows.Count;
    }
}
