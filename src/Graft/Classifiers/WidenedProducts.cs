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
    private const int RowsAtOnce = 4;

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
            for (var row = start; row < end; row += RowsAtOnce)
            {
                var (second, third, fourth) = (Math.Min(row + 1, end - 1), Math.Min(row + 2, end - 1), Math.Min(row + 3, end - 1));
                for (var i = 0; i < count; i++)
                {
                    var own = products.AsSpan(i * rows, rows);
                    // Past the last row the last one again, and the same product.
                    (own[row], own[second], own[third], own[fourth]) = Dots(ref left[i * columns], columns,
                        ref right[row * columns], ref right[second * columns], ref right[third * columns], ref right[fourth * columns]);
                }
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
            for (var row = 0; row < rows; row += RowsAtOnce)
            {
                var (second, third, fourth) = (Math.Min(row + 1, rows - 1), Math.Min(row + 2, rows - 1), Math.Min(row + 3, rows - 1));
                for (var i = 0; i < count; i++)
                {
                    var own = left.AsSpan(i * rows, rows);
                    // Past the last row the last one again, which then counts 0.
                    AddProducts(ref products[i * columns + start], end - start,
                        ref right[row * columns + start], ref right[second * columns + start],
                        ref right[third * columns + start], ref right[fourth * columns + start],
                        own[row], second > row ? own[second] : 0, third > second ? own[third] : 0, fourth > third ? own[fourth] : 0);
                }
            }
        });
        return tensor(products, [count, columns]);
    }

    private static void InParts(int count, Action<int, int> work)
    {
        var parts = Math.Min(Environment.ProcessorCount, count);
        Parallel.For(0, parts, part => work((int)((long)count * part / parts), (int)((long)count * (part + 1) / parts)));
    }

    /// <summary>Products of one row with each of four. Compiled for speed at once: a fit is over before a method has been called often enough.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static (double, double, double, double) Dots(
        ref double left, int length, ref float first, ref float second, ref float third, ref float fourth)
    {
        var (one, two, three, four) = (Vector<double>.Zero, Vector<double>.Zero, Vector<double>.Zero, Vector<double>.Zero);
        var place = 0;
        for (; place <= length - Vector<float>.Count; place += Vector<float>.Count)
        {
            var at = (nuint)place;
            var (low, high) = (Vector.LoadUnsafe(ref left, at), Vector.LoadUnsafe(ref left, at + (nuint)Vector<double>.Count));
            one = Sum(low, high, Vector.LoadUnsafe(ref first, at), one);
            two = Sum(low, high, Vector.LoadUnsafe(ref second, at), two);
            three = Sum(low, high, Vector.LoadUnsafe(ref third, at), three);
            four = Sum(low, high, Vector.LoadUnsafe(ref fourth, at), four);
        }
        var (firstDot, secondDot, thirdDot, fourthDot) = (Vector.Sum(one), Vector.Sum(two), Vector.Sum(three), Vector.Sum(four));
        for (; place < length; place++)
        {
            var value = Unsafe.Add(ref left, place);
            firstDot += value * Unsafe.Add(ref first, place);
            secondDot += value * Unsafe.Add(ref second, place);
            thirdDot += value * Unsafe.Add(ref third, place);
            fourthDot += value * Unsafe.Add(ref fourth, place);
        }
        return (firstDot, secondDot, thirdDot, fourthDot);

        static Vector<double> Sum(Vector<double> low, Vector<double> high, Vector<float> narrow, Vector<double> sum) =>
            Vector.MultiplyAddEstimate(high, Vector.WidenUpper(narrow), Vector.MultiplyAddEstimate(low, Vector.WidenLower(narrow), sum));
    }

    /// <summary>sums += Σ factor · row, of four rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddProducts(
        ref double sums, int length, ref float first, ref float second, ref float third, ref float fourth,
        double firstFactor, double secondFactor, double thirdFactor, double fourthFactor)
    {
        var (one, two, three, four) = (
            new Vector<double>(firstFactor), new Vector<double>(secondFactor), new Vector<double>(thirdFactor), new Vector<double>(fourthFactor));
        var place = 0;
        for (; place <= length - Vector<float>.Count; place += Vector<float>.Count)
        {
            var (at, next) = ((nuint)place, (nuint)(place + Vector<double>.Count));
            var (low, high) = (Vector.LoadUnsafe(ref sums, at), Vector.LoadUnsafe(ref sums, next));
            Add(one, Vector.LoadUnsafe(ref first, at), ref low, ref high);
            Add(two, Vector.LoadUnsafe(ref second, at), ref low, ref high);
            Add(three, Vector.LoadUnsafe(ref third, at), ref low, ref high);
            Add(four, Vector.LoadUnsafe(ref fourth, at), ref low, ref high);
            low.StoreUnsafe(ref sums, at);
            high.StoreUnsafe(ref sums, next);
        }
        for (; place < length; place++)
        {
            Unsafe.Add(ref sums, place) += firstFactor * Unsafe.Add(ref first, place) + secondFactor * Unsafe.Add(ref second, place)
                + thirdFactor * Unsafe.Add(ref third, place) + fourthFactor * Unsafe.Add(ref fourth, place);
        }

        static void Add(Vector<double> factor, Vector<float> narrow, ref Vector<double> low, ref Vector<double> high)
        {
            low = Vector.MultiplyAddEstimate(factor, Vector.WidenLower(narrow), low);
            high = Vector.MultiplyAddEstimate(factor, Vector.WidenUpper(narrow), high);
        }
    }
}
