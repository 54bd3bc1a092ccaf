using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Graft.Networks;
using static TorchSharp.torch;

namespace Graft.Classifiers;

/// <summary>
/// The linear system of a Newton step: (ridge + Σ over the images of curvature ⊗ x·xᵀ)·direction = −gradient, by preconditioned conjugate
/// gradients in float32. A product with it reads the features once, a few images at a time, which stay in the processor's nearest memory
/// until all classes are done. On all cores; the result does not depend on their number. Tensors belong to the dispose scope it is made in.
/// </summary>
/// <param name="features">[images, columns], float32, contiguous.</param>
/// <param name="ridge">[columns].</param>
/// <param name="preconditioner">The lower Cholesky factor of a matrix like the system's for each class, [columns, columns], or its diagonal, [columns].</param>
internal sealed class NewtonSystem(Tensor features, float[] ridge, Curvature curvature, Tensor preconditioner, int classes)
{
    private const int MostProducts = 250, RowsAtOnce = 4;

    /// <summary>Of the images, each with sums of its own: so many cores work, and so many times the coefficients are held.</summary>
    private const int MostParts = 8;

    private readonly int _images = (int)features.shape[0], _columns = ridge.Length;
    private readonly Tensor _preconditioner = (preconditioner.dim() == 1 ? preconditioner : preconditioner.t()).contiguous(); // The upper factor, or the diagonal
    private readonly float[][] _sums = new float[Math.Min(MostParts, Math.Max(1, (int)features.shape[0] / RowsAtOnce))][];

    /// <param name="gradient">[classes × columns].</param>
    /// <param name="accuracy">The residual that is good enough, as a share of the gradient.</param>
    /// <returns>The direction, and how many products with the system it took.</returns>
    public (float[] Direction, int Products) Solve(float[] gradient, double accuracy)
    {
        var (direction, curved) = (new float[gradient.Length], new float[gradient.Length]);
        float[] residual = [.. gradient.Select(value => -value)];
        var search = Conditioned(residual);
        var product = Dot(residual, search);
        var goal = accuracy * Math.Sqrt(Dot(residual, residual));
        for (var count = 1; count <= MostProducts; count++)
        {
            Multiply(search, curved);
            var along = Dot(search, curved);
            if (!(along > 0)) return (direction, count);
            AddProduct((float)(product / along), search, direction);
            AddProduct((float)(-product / along), curved, residual);
            if (Math.Sqrt(Dot(residual, residual)) <= goal) return (direction, count);
            var conditioned = Conditioned(residual);
            var next = Dot(residual, conditioned);
            AddProduct((float)(next / product), search, conditioned);
            (search, product) = (conditioned, next);
        }
        return (direction, MostProducts);
    }

    /// <summary>The system times a vector of [classes × columns].</summary>
    private void Multiply(float[] vector, float[] product)
    {
        Parallel.For(0, _sums.Length, part => AddImages(
            (int)((long)_images * part / _sums.Length), (int)((long)_images * (part + 1) / _sums.Length), vector,
            _sums[part] ??= new float[vector.Length]));
        for (var label = 0; label < classes; label++)
        {
            var start = label * _columns;
            for (var column = 0; column < _columns; column++) product[start + column] = ridge[column] * vector[start + column];
        }
        foreach (var sums in _sums) AddProduct(1, sums, product);
    }

    /// <summary>Sets the sums to Σ over images from start to end of curvature(vector·x) ⊗ x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AddImages(int start, int end, float[] vector, float[] sums)
    {
        Array.Clear(sums);
        var x = TorchNetwork.Values(features);
        Span<float> outputs = new float[RowsAtOnce * classes]; // Of each image all classes
        for (var image = start; image < end; image += RowsAtOnce)
        {
            // Past the last image the last one again, which then counts 0.
            ref var first = ref x[image * _columns];
            ref var second = ref x[Math.Min(image + 1, end - 1) * _columns];
            ref var third = ref x[Math.Min(image + 2, end - 1) * _columns];
            ref var fourth = ref x[Math.Min(image + 3, end - 1) * _columns];
            for (var label = 0; label < classes; label++)
            {
                (outputs[label], outputs[classes + label], outputs[2 * classes + label], outputs[3 * classes + label]) =
                    Dots(ref vector[label * _columns], _columns, ref first, ref second, ref third, ref fourth);
            }
            for (var i = 0; i < RowsAtOnce; i++)
            {
                var own = outputs.Slice(i * classes, classes);
                if (image + i < end) curvature.Multiply(image + i, own);
                else own.Clear();
            }
            for (var label = 0; label < classes; label++)
            {
                AddProducts(ref sums[label * _columns], _columns, ref first, ref second, ref third, ref fourth,
                    outputs[label], outputs[classes + label], outputs[2 * classes + label], outputs[3 * classes + label]);
            }
        }
    }

    /// <summary>The preconditioner's inverse times a vector of [classes × columns].</summary>
    private float[] Conditioned(float[] vector)
    {
        var solved = (float[])vector.Clone();
        if (_preconditioner.dim() == 1)
        {
            var diagonal = TorchNetwork.Values(_preconditioner);
            for (var place = 0; place < solved.Length; place++) solved[place] /= diagonal[place % _columns];
        }
        else
        {
            Parallel.For(0, classes, label => SolveTriangles(TorchNetwork.Values(_preconditioner), solved.AsSpan(label * _columns, _columns)));
        }
        return solved;
    }

    /// <summary>(UᵀU)⁻¹ times a vector, in its place, a few rows at a time.</summary>
    /// <param name="upper">The rows of U.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SolveTriangles(Span<float> upper, Span<float> vector)
    {
        var size = vector.Length;
        for (var start = 0; start < size; start += RowsAtOnce)
        {
            var end = Math.Min(start + RowsAtOnce, size);
            for (var i = start; i < end; i++)
            {
                vector[i] /= upper[i * size + i];
                for (var j = i + 1; j < end; j++) vector[j] -= vector[i] * upper[i * size + j];
            }
            if (end == size) break;
            var row = start * size + end;
            AddProducts(ref vector[end], size - end, ref upper[row], ref upper[row + size], ref upper[row + 2 * size], ref upper[row + 3 * size],
                -vector[start], -vector[start + 1], -vector[start + 2], -vector[start + 3]);
        }
        for (var start = (size - 1) / RowsAtOnce * RowsAtOnce; start >= 0; start -= RowsAtOnce)
        {
            var end = Math.Min(start + RowsAtOnce, size);
            if (end < size)
            {
                var row = start * size + end;
                var (first, second, third, fourth) = Dots(
                    ref vector[end], size - end, ref upper[row], ref upper[row + size], ref upper[row + 2 * size], ref upper[row + 3 * size]);
                vector[start] -= first;
                vector[start + 1] -= second;
                vector[start + 2] -= third;
                vector[start + 3] -= fourth;
            }
            for (var i = end - 1; i >= start; i--)
            {
                for (var j = i + 1; j < end; j++) vector[i] -= vector[j] * upper[i * size + j];
                vector[i] /= upper[i * size + i];
            }
        }
    }

    /// <summary>Compiled for speed at once, as all that follows: a fit is over before a method has been called often enough.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double Dot(ReadOnlySpan<float> left, ReadOnlySpan<float> right)
    {
        ref var a = ref MemoryMarshal.GetReference(left);
        ref var b = ref MemoryMarshal.GetReference(right);
        var (even, odd, place) = (Vector<float>.Zero, Vector<float>.Zero, 0);
        for (; place <= left.Length - 2 * Vector<float>.Count; place += 2 * Vector<float>.Count)
        {
            even = Vector.MultiplyAddEstimate(Vector.LoadUnsafe(ref a, (nuint)place), Vector.LoadUnsafe(ref b, (nuint)place), even);
            var next = (nuint)(place + Vector<float>.Count);
            odd = Vector.MultiplyAddEstimate(Vector.LoadUnsafe(ref a, next), Vector.LoadUnsafe(ref b, next), odd);
        }
        double total = Vector.Sum(even + odd);
        for (; place < left.Length; place++) total += left[place] * right[place];
        return total;
    }

    /// <summary>sums += factor · values.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddProduct(float factor, ReadOnlySpan<float> values, Span<float> sums)
    {
        ref var from = ref MemoryMarshal.GetReference(values);
        ref var to = ref MemoryMarshal.GetReference(sums);
        var (factors, place) = (new Vector<float>(factor), 0);
        for (; place <= values.Length - Vector<float>.Count; place += Vector<float>.Count)
        {
            Vector.MultiplyAddEstimate(factors, Vector.LoadUnsafe(ref from, (nuint)place), Vector.LoadUnsafe(ref to, (nuint)place))
                .StoreUnsafe(ref to, (nuint)place);
        }
        for (; place < values.Length; place++) sums[place] += factor * values[place];
    }

    /// <summary>Products of one vector with each of four, all of this length.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static (float, float, float, float) Dots(
        ref float vector, int length, ref float first, ref float second, ref float third, ref float fourth)
    {
        var (one, two, three, four) = (Vector<float>.Zero, Vector<float>.Zero, Vector<float>.Zero, Vector<float>.Zero);
        var place = 0;
        for (; place <= length - Vector<float>.Count; place += Vector<float>.Count)
        {
            var at = (nuint)place;
            var values = Vector.LoadUnsafe(ref vector, at);
            one = Vector.MultiplyAddEstimate(values, Vector.LoadUnsafe(ref first, at), one);
            two = Vector.MultiplyAddEstimate(values, Vector.LoadUnsafe(ref second, at), two);
            three = Vector.MultiplyAddEstimate(values, Vector.LoadUnsafe(ref third, at), three);
            four = Vector.MultiplyAddEstimate(values, Vector.LoadUnsafe(ref fourth, at), four);
        }
        var (firstDot, secondDot, thirdDot, fourthDot) = (Vector.Sum(one), Vector.Sum(two), Vector.Sum(three), Vector.Sum(four));
        for (; place < length; place++)
        {
            var value = Unsafe.Add(ref vector, place);
            firstDot += value * Unsafe.Add(ref first, place);
            secondDot += value * Unsafe.Add(ref second, place);
            thirdDot += value * Unsafe.Add(ref third, place);
            fourthDot += value * Unsafe.Add(ref fourth, place);
        }
        return (firstDot, secondDot, thirdDot, fourthDot);
    }

    /// <summary>sums += Σ factor · vector, of four vectors.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddProducts(
        ref float sums, int length, ref float first, ref float second, ref float third, ref float fourth,
        float firstFactor, float secondFactor, float thirdFactor, float fourthFactor)
    {
        var (one, two, three, four) =
            (new Vector<float>(firstFactor), new Vector<float>(secondFactor), new Vector<float>(thirdFactor), new Vector<float>(fourthFactor));
        var place = 0;
        for (; place <= length - Vector<float>.Count; place += Vector<float>.Count)
        {
            var at = (nuint)place;
            var sum = Vector.MultiplyAddEstimate(one, Vector.LoadUnsafe(ref first, at), Vector.LoadUnsafe(ref sums, at));
            sum = Vector.MultiplyAddEstimate(two, Vector.LoadUnsafe(ref second, at), sum);
            sum = Vector.MultiplyAddEstimate(three, Vector.LoadUnsafe(ref third, at), sum);
            Vector.MultiplyAddEstimate(four, Vector.LoadUnsafe(ref fourth, at), sum).StoreUnsafe(ref sums, at);
        }
        for (; place < length; place++)
        {
            Unsafe.Add(ref sums, place) += firstFactor * Unsafe.Add(ref first, place) + secondFactor * Unsafe.Add(ref second, place)
                + thirdFactor * Unsafe.Add(ref third, place) + fourthFactor * Unsafe.Add(ref fourth, place);
        }
    }
}
