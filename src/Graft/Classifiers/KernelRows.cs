using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Classifiers;

/// <summary>
/// The kernel exp(−γ·|x − y|²) of images among each other, by rows, in float32 as LIBSVM keeps it: all of it while it fits into a
/// gigabyte, else rows as they are asked for, the latest kept.
/// </summary>
internal sealed class KernelRows
{
    private const long MostValues = 1L << 28;

    private readonly Tensor _features;
    private readonly Tensor _squares;
    private readonly double _gamma;
    private readonly int _count;
    private readonly float[]? _all;
    private readonly Dictionary<int, LinkedListNode<(int Index, float[] Row)>> _rows = [];
    private readonly LinkedList<(int Index, float[] Row)> _latest = new();

    /// <param name="features">[images, features], float32; belongs to the caller's dispose scope as this does.</param>
    public KernelRows(Tensor features, double gamma, long mostValues = MostValues)
    {
        using var scope = NewDisposeScope();
        (_gamma, _count) = (gamma, (int)features.shape[0]);
        // Distances do not change when all move; near the origin fewer digits cancel.
        _features = (features - features.mean([0], keepdim: true)).MoveToOuterDisposeScope();
        _squares = (_features * _features).sum(1).MoveToOuterDisposeScope();
        MostRows = (int)Math.Max(2, mostValues / _count);
        if (_count <= MostRows) _all = Kernel(_features, _squares).ToFloats();
    }

    private KernelRows(Tensor features, Tensor squares, double gamma, float[]? all, int count, int mostRows) =>
        (_features, _squares, _gamma, _all, _count, MostRows) = (features, squares, gamma, all, count, mostRows);

    private int MostRows { get; }

    /// <summary>The kernel of an image with all. Valid until the next call but one.</summary>
    public ReadOnlySpan<float> Row(int index)
    {
        if (_all is not null) return _all.AsSpan(index * _count, _count);
        if (_rows.TryGetValue(index, out var known))
        {
            _latest.Remove(known);
            _latest.AddFirst(known);
            return known.Value.Row;
        }
        using var scope = NewDisposeScope();
        var row = Kernel(_features.narrow(0, index, 1), _squares.narrow(0, index, 1)).ToFloats();
        if (_rows.Count >= MostRows)
        {
            _rows.Remove(_latest.Last!.Value.Index);
            _latest.RemoveLast();
        }
        _rows.Add(index, _latest.AddFirst((index, row)));
        return row;
    }

    /// <summary>The same among some of the images.</summary>
    public KernelRows Subset(int[] indices)
    {
        var index = tensor([.. indices.Select(image => (long)image)]);
        float[]? all = null;
        if (_all is not null)
        {
            all = new float[indices.Length * indices.Length];
            for (var i = 0; i < indices.Length; i++)
            {
                var row = Row(indices[i]);
                for (var j = 0; j < indices.Length; j++) all[i * indices.Length + j] = row[indices[j]];
            }
        }
        return new(_features.index_select(0, index), _squares.index_select(0, index), _gamma, all, indices.Length, MostRows);
    }

    private Tensor Kernel(Tensor rows, Tensor squares) =>
        rows.mm(_features.t()).mul_(Number(2)).sub_(squares.unsqueeze(1)).sub_(_squares.unsqueeze(0)).clamp_max_(Number(0)).mul_(Number(_gamma)).exp_();
}
