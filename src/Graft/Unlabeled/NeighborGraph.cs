using System.Numerics;
using System.Runtime.InteropServices;
using Graft.Networks;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Graft.Unlabeled;

/// <summary>The nearest others of each photo by the cosine of their features, exact, in memory that does not grow with the square of the photos.</summary>
/// <param name="Neighbors">For each photo the numbers of its nearest others, the nearest first; of equally near ones the first.</param>
/// <param name="Similarities">The cosine of each.</param>
public sealed record NeighborGraph(IReadOnlyList<int[]> Neighbors, IReadOnlyList<float[]> Similarities)
{
    private const int RowsAtOnce = 256, ColumnsAtOnce = 4096;

    /// <summary>More photos than that are compared by their leading principal components, <see cref="Components"/> of them.</summary>
    private const int MostWhole = 20_000, Components = 64, SampleOfComponents = 5_000;

    /// <param name="rows">The features of each photo, all of one length.</param>
    /// <param name="count">How many neighbors, at least 1; fewer where there are fewer others.</param>
    public static NeighborGraph Of(IReadOnlyList<float[]> rows, int count, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        if (rows.Count < 2) return new([.. rows.Select(_ => Array.Empty<int>())], [.. rows.Select(_ => Array.Empty<float>())]);
        using var inference = no_grad();
        using var scope = NewDisposeScope();
        var directions = Directions(rows);
        if (rows.Count > MostWhole && directions.shape[1] > Components) directions = Leading(directions);
        count = Math.Min(count, rows.Count - 1);
        var (neighbors, similarities) = (new int[rows.Count][], new float[rows.Count][]);
        for (var first = 0; first < rows.Count; first += RowsAtOnce)
        {
            cancellation.ThrowIfCancellationRequested();
            var height = Math.Min(RowsAtOnce, rows.Count - first);
            var nearest = Enumerable.Range(0, height).Select(_ => new Nearest(count)).ToArray();
            for (var start = 0; start < rows.Count; start += ColumnsAtOnce)
            {
                using var inner = NewDisposeScope();
                var width = Math.Min(ColumnsAtOnce, rows.Count - start);
                var block = directions.narrow(0, first, height).mm(directions.narrow(0, start, width).t()).contiguous();
                var values = MemoryMarshal.Cast<byte, float>(block.bytes);
                for (var row = 0; row < height; row++) nearest[row].Add(values.Slice(row * width, width), start, except: first + row);
            }
            for (var row = 0; row < height; row++) (neighbors[first + row], similarities[first + row]) = nearest[row].End();
        }
        return new(neighbors, similarities);
    }

    /// <summary>Of some of the photos: neighbors that are not among them are left out.</summary>
    /// <param name="kept">Their numbers; they are counted anew from 0.</param>
    internal NeighborGraph Of(IReadOnlyList<int> kept)
    {
        var places = new int[Neighbors.Count];
        Array.Fill(places, -1);
        for (var place = 0; place < kept.Count; place++) places[kept[place]] = place;
        return new(
            [.. kept.Select(photo => Neighbors[photo].Select(other => places[other]).Where(place => place >= 0).ToArray())],
            [.. kept.Select(photo => Similarities[photo].Where((_, near) => places[Neighbors[photo][near]] >= 0).ToArray())]);
    }

    /// <summary>Rows of length 1, [photos, features]; one of zeros stays so and is like none.</summary>
    private static Tensor Directions(IReadOnlyList<float[]> rows)
    {
        var length = rows[0].Length;
        var directions = empty_strided([rows.Count, length], [length, 1], ScalarType.Float32);
        var values = TorchNetwork.Values(directions);
        for (var row = 0; row < rows.Count; row++)
        {
            var target = values.Slice(row * length, length);
            var norm = TensorPrimitives.Norm<float>(rows[row]);
            if (norm > 0) TensorPrimitives.Divide(rows[row], norm, target);
            else target.Clear();
        }
        return directions;
    }

    /// <summary>On the components with the largest second moments, by a sample of the photos, and again of length 1.</summary>
    private static Tensor Leading(Tensor directions)
    {
        using var scope = NewDisposeScope();
        var step = Math.Max(1, directions.shape[0] / SampleOfComponents);
        var sample = directions.index_select(0, arange(Number(0), Number(directions.shape[0]), Number(step), ScalarType.Int64));
        var (_, vectors) = linalg.eigh(sample.t().mm(sample).to_type(ScalarType.Float64));
        var leading = vectors.narrow(1, vectors.shape[1] - Components, Components).to_type(ScalarType.Float32).contiguous();
        var projected = directions.mm(leading);
        return projected.div_(projected.norm(1, keepdim: true).clamp_min_(Number(1e-12))).MoveToOuterDisposeScope();
    }

    /// <summary>The largest values that have come, in descending order.</summary>
    private sealed class Nearest(int count)
    {
        private readonly int[] _places = new int[count];
        private readonly float[] _values = new float[count];
        private int _filled;

        private float Least => _filled < count ? float.NegativeInfinity : _values[count - 1];

        public void Add(ReadOnlySpan<float> values, int start, int except)
        {
            var place = 0;
            var width = Vector<float>.Count;
            for (; place + width <= values.Length; place += width)
            {
                // Nearly all are passed over here.
                if (!Vector.GreaterThanAny(new Vector<float>(values[place..]), new Vector<float>(Least))) continue;
                for (var each = place; each < place + width; each++) Insert(values[each], start + each, except);
            }
            for (; place < values.Length; place++) Insert(values[place], start + place, except);
        }

        public (int[] Places, float[] Values) End() => (_places[.._filled], _values[.._filled]);

        private void Insert(float value, int place, int except)
        {
            if (place == except || !(value > Least)) return;
            var at = _filled < count ? _filled++ : count - 1;
            for (; at > 0 && _values[at - 1] < value; at--) (_values[at], _places[at]) = (_values[at - 1], _places[at - 1]);
            (_values[at], _places[at]) = (value, place);
        }
    }
}
