using System.Numerics;
using System.Runtime.CompilerServices;
using Graft.Networks;
using static TorchSharp.torch;

namespace Graft.Classifiers;

/// <summary>
/// Products of a few float64 rows with a float32 matrix, exact to float64: numbers of the matrix are widened as they are used, so that there is
/// no second matrix of twice the size, and it is read once. On all cores; the result does not depend on their number.
/// </summary>
internal static class WidenedProducts
{
    /// <param name="few">[few, columns], float64.</param>
    /// <param name="matrix">[rows, columns], float32, contiguous.</param>
    /// <returns>few · matrixᵀ: [few, rows], float64.</returns>
    public static Tensor WithRows(Tensor few, Tensor matrix)
    {
        var (count, rows, columns) = ((int)few.shape[0], (int)matrix.shape[0], (int)matrix.shape[1]);
        var (left, products) = (few.ToDoubles(), new double[count * rows]);
        InParts(rows, (start, end) =>
        {
            var right = TorchNetwork.Values(matrix);
            for (var row = start; row < end; row++)
            {
                for (var i = 0; i < count; i++)
                    products[i * rows + row] = Dot(left.AsSpan(i * columns, columns), right.Slice(row * columns, columns));
            }
        });
        return tensor(products, [count, rows]);
    }

    /// <param name="few">[few, rows], float64.</param>
    /// <param name="matrix">[rows, columns], float32, contiguous.</param>
    /// <returns>few · matrix: [few, columns], float64.</returns>
    public static Tensor WithColumns(Tensor few, Tensor matrix)
    {
        var (count, rows, columns) = ((int)few.shape[0], (int)matrix.shape[0], (int)matrix.shape[1]);
        var (left, products) = (few.ToDoubles(), new double[count * columns]);
        InParts(columns, (start, end) =>
        {
            var right = TorchNetwork.Values(matrix);
            for (var row = 0; row < rows; row++)
            {
                for (var i = 0; i < count; i++)
                    AddProduct(left[i * rows + row], right[(row * columns + start)..(row * columns + end)], products.AsSpan(i * columns + start));
            }
        });
        return tensor(products, [count, columns]);
    }

    private static void InParts(int count, Action<int, int> work)
    {
        var parts = Math.Min(Environment.ProcessorCount, count);
        Parallel.For(0, parts, part => work((int)((long)count * part / parts), (int)((long)count * (part + 1) / parts)));
    }

    /// <summary>Compiled for speed at once: a fit is over before a method has been called often enough.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double Dot(ReadOnlySpan<double> left, ReadOnlySpan<float> right)
    {
        var (low, high) = (Vector<double>.Zero, Vector<double>.Zero);
        var place = 0;
        for (; place <= right.Length - Vector<float>.Count; place += Vector<float>.Count)
        {
            Vector.Widen(new Vector<float>(right[place..]), out var first, out var second);
            low += first * new Vector<double>(left[place..]);
            high += second * new Vector<double>(left[(place + Vector<double>.Count)..]);
        }
        var total = Vector.Sum(low + high);
        for (; place < right.Length; place++) total += left[place] * right[place];
        return total;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddProduct(double factor, ReadOnlySpan<float> right, Span<double> sums)
    {
        var (factors, place) = (new Vector<double>(factor), 0);
        for (; place <= right.Length - Vector<float>.Count; place += Vector<float>.Count)
        {
            Vector.Widen(new Vector<float>(right[place..]), out var first, out var second);
            var low = sums[place..];
            var high = sums[(place + Vector<double>.Count)..];
            (new Vector<double>(low) + factors * first).CopyTo(low);
            (new Vector<double>(high) + factors * second).CopyTo(high);
        }
        for (; place < right.Length; place++) sums[place] += factor * right[place];
    }
}
