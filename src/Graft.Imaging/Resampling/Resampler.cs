using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Graft.Imaging;

/// <summary>
/// Resizes exactly as Pillow's <c>Image.resize</c>: a horizontal, then a vertical pass, each rounded and clipped to 8
/// bits.
/// </summary>
public static class Resampler
{
    /// <summary>Rounds when the fraction is cut off.</summary>
    private const int Half = 1 << (FilterTaps.FractionBits - 1);

    /// <summary>Stretches the whole image to width × height pixels; the aspect ratio is the caller's affair.</summary>
    public static RgbImage Resize(RgbImage image, int width, int height, Interpolation interpolation) =>
        Resize(image, width, height, interpolation, 0, 0, width, height);

    /// <summary>The image shrunk, in its own proportions, to fit a square of so many pixels; one that fits already is returned as it is.</summary>
    public static RgbImage Shrink(RgbImage image, int sidePixels)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentOutOfRangeException.ThrowIfLessThan(sidePixels, 1);
        var scale = (double)sidePixels / Math.Max(image.Width, image.Height);
        return scale >= 1 ? image : Resize(
            image, Math.Max(1, (int)Math.Round(image.Width * scale)), Math.Max(1, (int)Math.Round(image.Height * scale)), Interpolation.Bilinear);
    }

    /// <summary>
    /// The window [left, top, windowWidth, windowHeight] of what <c>Resize</c> would return, without the rest.
    /// </summary>
    internal static RgbImage Resize(
        RgbImage image, int width, int height, Interpolation interpolation,
        int left, int top, int windowWidth, int windowHeight)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(width);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(height);
        var result = RgbImage.Uninitialized(windowWidth, windowHeight);
        if (interpolation == Interpolation.Nearest || (width == image.Width && height == image.Height))
        {
            PickNearest(image, width, height, left, top, result);
            return result;
        }

        var columns = new FilterTaps(image.Width, width, left, windowWidth, interpolation);
        var rows = new FilterTaps(image.Height, height, top, windowHeight, interpolation);
        // [capacity, windowWidth, 3]: the source rows from first on, as far as a target row needs them and the next ones may.
        var (capacity, first, filled, stride) = (2 * rows.Most, rows.From, rows.From, windowWidth * 3);
        var narrowed = ArrayPool<byte>.Shared.Rent(checked(capacity * stride));
        try
        {
            for (var y = 0; y < windowHeight; y++)
            {
                var start = rows.Start(y);
                var weights = rows.Weights(y);
                if (start + weights.Length - first > capacity)
                {
                    narrowed.AsSpan((start - first) * stride, (filled - start) * stride).CopyTo(narrowed);
                    first = start;
                }
                for (; filled < start + weights.Length; filled++)
                {
                    var target = narrowed.AsSpan((filled - first) * stride, stride);
                    if (filled < image.Height - 1) WeighColumns(image.Pixels.AsSpan(filled * image.Width * 3), columns, target);
                    else WeighColumns([.. image.Row(filled), 0], columns, target);
                }
                WeighRows(narrowed.AsSpan((start - first) * stride), stride, weights, result.Row(y));
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(narrowed);
        }
        return result;
    }

    private static void PickNearest(RgbImage image, int width, int height, int left, int top, RgbImage result)
    {
        var columns = Nearest(image.Width, width, left, result.Width);
        var rows = Nearest(image.Height, height, top, result.Height);
        for (var y = 0; y < result.Height; y++)
        {
            var source = image.Row(rows[y]);
            var target = result.Row(y);
            for (var x = 0; x < columns.Length; x++) source.Slice(columns[x] * 3, 3).CopyTo(target[(x * 3)..]);
        }
    }

    /// <summary>
    /// Pillow adds the step up, so its rounding errors add up too: (i + 0.5) · step would differ in places.
    /// </summary>
    private static int[] Nearest(int source, int target, int first, int count)
    {
        var step = (double)source / target;
        var position = step * 0.5;
        for (var i = 0; i < first; i++) position += step;
        var indices = new int[count];
        for (var i = 0; i < count; i++, position += step) indices[i] = Math.Min((int)position, source - 1);
        return indices;
    }

    /// <param name="source">The row, and at least one more byte: pixels are read four bytes at a time.</param>
    /// <param name="columns">What is taken of which pixels.</param>
    /// <param name="target">[columns.Count, 3].</param>
    private static void WeighColumns(ReadOnlySpan<byte> source, FilterTaps columns, Span<byte> target)
    {
        for (var x = 0; x < columns.Count; x++)
        {
            var weights = columns.Weights(x);
            var window = source.Slice(columns.Start(x) * 3, weights.Length * 3 + 1);
            ref var pixel = ref MemoryMarshal.GetReference(window);
            var sum = Vector128.Create(Half);
            for (var k = 0; k < weights.Length; k++)
            {
                var samples = Unsafe.ReadUnaligned<uint>(ref Unsafe.Add(ref pixel, k * 3));
                var wide = Vector128.WidenLower(Vector128.WidenLower(Vector128.CreateScalarUnsafe(samples).AsByte()));
                sum += wide.AsInt32() * Vector128.Create(weights[k]);
            }
            var color = Clip(sum);
            target[x * 3 + 2] = (byte)color[2];
            target[x * 3 + 1] = (byte)color[1];
            target[x * 3] = (byte)color[0];
        }
    }

    private static void WeighRows(ReadOnlySpan<byte> source, int stride, ReadOnlySpan<int> weights, Span<byte> target)
    {
        var x = 0;
        for (; x + Vector128<byte>.Count <= stride; x += Vector128<byte>.Count)
        {
            var a = Vector128.Create(Half);
            var (b, c, d) = (a, a, a);
            for (var k = 0; k < weights.Length; k++)
            {
                var weight = Vector128.Create(weights[k]);
                var samples = Vector128.Create(source.Slice(k * stride + x, Vector128<byte>.Count));
                var (low, high) = Vector128.Widen(samples);
                var (first, second) = Vector128.Widen(low);
                var (third, fourth) = Vector128.Widen(high);
                a += first.AsInt32() * weight;
                b += second.AsInt32() * weight;
                c += third.AsInt32() * weight;
                d += fourth.AsInt32() * weight;
            }
            var left = Vector128.Narrow(Clip(a), Clip(b));
            Vector128.Narrow(left, Vector128.Narrow(Clip(c), Clip(d))).CopyTo(target[x..]);
        }
        for (; x < stride; x++)
        {
            var sum = Half;
            for (var k = 0; k < weights.Length; k++) sum += source[k * stride + x] * weights[k];
            target[x] = Clip(sum);
        }
    }

    private static byte Clip(int sum) => (byte)Math.Clamp(sum >> FilterTaps.FractionBits, 0, 255);

    private static Vector128<uint> Clip(Vector128<int> sum) => Vector128.Min(
        Vector128.Max(sum >> FilterTaps.FractionBits, Vector128<int>.Zero), Vector128.Create(255)).AsUInt32();
}
