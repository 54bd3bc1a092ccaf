using Graft.Classifiers;

namespace Graft.Unlabeled;

/// <summary>
/// Labels that spread from the labeled photos to their neighbors and on (Zhou et al. 2004, "Learning with local and global consistency"): F = (1 − α)(I − α S)⁻¹ Y
/// with S = D^−½ W D^−½ of a symmetric graph W, in which two photos are joined if one is among the other's nearest. The graph that scikit-learn's
/// <c>LabelSpreading(kernel="knn")</c> builds is directed and holds the photo itself, and spreads worse. As a
/// way to learn from unlabeled photos, it names them all at once; the rounds take more and more of these names.
/// </summary>
public sealed record LabelSpreading : PseudoLabeling
{
    /// <summary>Iterations of conjugate gradients, which end much sooner.</summary>
    private const int MostIterations = 500;

    private const double Tolerance = 1e-11;

    public LabelSpreading() => Neighbors = 10;

    public override string Name => "label-spreading";

    public override string Title => "label spreading";

    /// <summary>α: how far labels spread, above 0 and below 1. Default 0.9. (scikit-learn's default is 0.2, Zhou's 0.99.)</summary>
    public double Spread { get; init; } = 0.9;

    /// <summary>What part of each class's labels a labeled photo has: 1 / its class's count, so that large classes do not drown small ones. Default true.</summary>
    public bool Balanced { get; init; } = true;

    /// <param name="graph">Of all photos.</param>
    /// <param name="labels">The class of each photo, from 0; −1 where it is not known.</param>
    /// <param name="classes">At least 2.</param>
    /// <returns>For each photo a share of each class; they sum to 1. All zeros where no labeled photo can be reached.</returns>
    public IReadOnlyList<float[]> Spreading(NeighborGraph graph, IReadOnlyList<int> labels, int classes, CancellationToken cancellation = default)
    {
        if (Neighbors < 1) throw new GraftException($"Expected at least 1 neighbor, found {Neighbors}.");
        if (Spread is not (> 0 and < 1)) throw new GraftException($"Expected a spread above 0 and below 1, found {Spread}.");
        var edges = Edges.Of(graph, Neighbors);
        var counts = new int[classes];
        foreach (var label in labels.Where(label => label >= 0)) counts[label]++;
        var shares = new float[labels.Count][];
        for (var photo = 0; photo < shares.Length; photo++) shares[photo] = new float[classes];
        for (var label = 0; label < classes; label++)
        {
            cancellation.ThrowIfCancellationRequested();
            var target = new double[labels.Count];
            for (var photo = 0; photo < target.Length; photo++)
                if (labels[photo] == label) target[photo] = (1 - Spread) * (Balanced ? 1.0 / counts[label] : 1);
            var column = Solve(edges, target);
            for (var photo = 0; photo < target.Length; photo++) shares[photo][label] = (float)Math.Max(0, column[photo]);
        }
        foreach (var row in shares)
        {
            // What rounding leaves where nothing came to is no label.
            var sum = row.Sum();
            for (var label = 0; label < classes; label++) row[label] = sum > 1e-12f ? row[label] / sum : 0;
        }
        return shares;
    }

    private protected override NeighborGraph GraphOf(PartlyLabeled data, CancellationToken cancellation) =>
        NeighborGraph.Of([.. data.Unlabeled, .. data.Labeled], Math.Max(1, Neighbors), cancellation);

    private protected override Func<FittedClassifier, IReadOnlyList<float[]>> Naming(PartlyLabeled data, CancellationToken cancellation)
    {
        IReadOnlyList<float[]> shares = [.. Spreading(data.Graph!, [.. data.Unlabeled.Select(_ => -1), .. data.Labels], data.Classes, cancellation).Take(data.Unlabeled.Count)];
        return _ => shares;
    }

    /// <summary>Conjugate gradients for (I − α S) x = b, which is symmetric and positive definite.</summary>
    private double[] Solve(Edges edges, double[] b)
    {
        var count = b.Length;
        var x = new double[count];
        var residual = (double[])b.Clone();
        var direction = (double[])b.Clone();
        var product = new double[count];
        var square = Dot(residual, residual);
        var least = Tolerance * Tolerance * square;
        for (var iteration = 0; iteration < MostIterations && square > least; iteration++)
        {
            edges.Multiply(direction, product);
            for (var i = 0; i < count; i++) product[i] = direction[i] - Spread * product[i];
            var step = square / Dot(direction, product);
            for (var i = 0; i < count; i++)
            {
                x[i] += step * direction[i];
                residual[i] -= step * product[i];
            }
            var next = Dot(residual, residual);
            for (var i = 0; i < count; i++) direction[i] = residual[i] + next / square * direction[i];
            square = next;
        }
        return x;
    }

    private static double Dot(double[] a, double[] b) => System.Numerics.Tensors.TensorPrimitives.Dot<double>(a, b);

    /// <summary>D^−½ W D^−½ in compressed rows.</summary>
    private sealed record Edges(int[] Starts, int[] Others, double[] Weights)
    {
        public static Edges Of(NeighborGraph graph, int neighbors)
        {
            var count = graph.Neighbors.Count;
            var joined = new HashSet<int>[count];
            for (var photo = 0; photo < count; photo++) joined[photo] = [];
            for (var photo = 0; photo < count; photo++)
            {
                foreach (var other in graph.Neighbors[photo].Take(neighbors))
                {
                    joined[photo].Add(other);
                    joined[other].Add(photo);
                }
            }
            var starts = new int[count + 1];
            for (var photo = 0; photo < count; photo++) starts[photo + 1] = starts[photo] + joined[photo].Count;
            var (others, weights) = (new int[starts[count]], new double[starts[count]]);
            for (var photo = 0; photo < count; photo++)
            {
                var place = starts[photo];
                foreach (var other in joined[photo].Order())
                {
                    others[place] = other;
                    weights[place++] = 1 / Math.Sqrt((double)joined[photo].Count * joined[other].Count);
                }
            }
            return new(starts, others, weights);
        }

        public void Multiply(double[] x, double[] result)
        {
            for (var row = 0; row < result.Length; row++)
            {
                var sum = 0.0;
                for (var place = Starts[row]; place < Starts[row + 1]; place++) sum += Weights[place] * x[Others[place]];
                result[row] = sum;
            }
        }
    }
}
