using System.Numerics.Tensors;

namespace Graft.Studio;

/// <summary>
/// How much a photo is like the labeled ones: the mean cosine similarity of its features to the five nearest of them. Less than 99 % of the labeled photos
/// have among themselves counts as unlike.
/// </summary>
internal sealed class Familiarity
{
    private const int Neighbors = 5;

    /// <summary>More take too long to compare, and say no more.</summary>
    private const int MostReferences = 2000;

    private const double UnlikeShare = 0.01;

    private readonly float[][] _references;
    private readonly float _least;

    /// <param name="rows">Features of the labeled photos.</param>
    public Familiarity(IReadOnlyList<float[]> rows)
    {
        var step = Math.Max(1, (rows.Count + MostReferences - 1) / MostReferences);
        _references = [.. rows.Where((_, index) => index % step == 0).Select(Direction)];
        var among = new float[_references.Length];
        Parallel.For(0, among.Length, index => among[index] = Nearness(_references[index], except: index));
        Array.Sort(among);
        _least = among.Length == 0 ? float.NegativeInfinity : among[(int)(UnlikeShare * among.Length)];
    }

    /// <param name="row">Features of a photo that is none of the labeled ones.</param>
    public float Of(float[] row) => Nearness(Direction(row), except: -1);

    public bool IsUnlike(float nearness) => nearness < _least;

    private float Nearness(float[] direction, int except)
    {
        Span<float> nearest = stackalloc float[Neighbors];
        nearest.Fill(-1);
        for (var index = 0; index < _references.Length; index++)
        {
            if (index == except) continue;
            var similarity = TensorPrimitives.Dot<float>(direction, _references[index]);
            var worst = TensorPrimitives.IndexOfMin<float>(nearest);
            if (similarity > nearest[worst]) nearest[worst] = similarity;
        }
        return TensorPrimitives.Sum<float>(nearest) / Neighbors;
    }

    private static float[] Direction(float[] row)
    {
        var direction = (float[])row.Clone();
        TensorPrimitives.Divide(direction, Math.Max(1e-12f, TensorPrimitives.Norm<float>(direction)), direction);
        return direction;
    }
}
