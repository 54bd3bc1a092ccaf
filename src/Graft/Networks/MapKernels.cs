using System.Buffers;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Graft.Networks;

/// <summary>
/// A float32 tensor as rows of channels: a map's positions [N, channels, height, width] with the channels last in memory, or vectors
/// [N, channels]. On the CPU.
/// </summary>
internal readonly unsafe struct Rows
{
    /// <summary>Numbers that one thread works on while they are in its cache.</summary>
    private const int ChunkElements = 1 << 15;

    private Rows(float* start, long count, int channels)
    {
        Start = start;
        (Count, Channels) = (count, channels);
    }

    public float* Start { get; }

    public long Count { get; }

    public int Channels { get; }

    /// <summary>How many parts the work on these rows is done in; the same whatever the number of threads, and so is the result.</summary>
    public int Chunks => (int)((Count + ChunkRows - 1) / ChunkRows);

    private int ChunkRows => Math.Max(1, ChunkElements / Channels);

    /// <summary>The rows of a tensor; false where it does not lie so in memory or its channels do not fill whole vectors of the processor.</summary>
    public static bool TryOf(Tensor tensor, out Rows rows)
    {
        rows = default;
        if (tensor.dim() is not (2 or 4) || tensor.shape[1] % Vector<float>.Count != 0 || tensor.numel() == 0) return false;
        using var plain = tensor.detach();
        using var last = tensor.dim() == 4 ? plain.permute(0, 2, 3, 1) : plain.alias();
        if (!last.is_contiguous()) return false;
        // Of one image only: a span does not reach over 2 GB.
        using var first = last.narrow(0, 0, 1);
        ref var start = ref MemoryMarshal.GetReference(first.bytes);
        rows = new((float*)Unsafe.AsPointer(ref start), tensor.numel() / tensor.shape[1], (int)tensor.shape[1]);
        return true;
    }

    /// <summary>The rows of a tensor that lies as <see cref="TryOf"/> asks.</summary>
    public static Rows Of(Tensor tensor) => TryOf(tensor, out var rows) ? rows : throw new InvalidOperationException("The channels are not last in memory.");

    /// <summary>Numbers before a part and in it.</summary>
    public (long Offset, long Length) Chunk(int index)
    {
        var start = (long)index * ChunkRows;
        return (start * Channels, (Math.Min(Count, start + ChunkRows) - start) * Channels);
    }

    /// <summary>Does work for every part, on as many threads as libtorch computes with.</summary>
    public void InChunks(Action<int> work)
    {
        var (chunks, taken) = (Chunks, 0);
        var threads = Math.Min(get_num_threads(), chunks);
        if (threads == 1) Work();
        else TorchThreads.Run(threads, Work);

        void Work()
        {
            for (var chunk = Interlocked.Increment(ref taken) - 1; chunk < chunks; chunk = Interlocked.Increment(ref taken) - 1) work(chunk);
        }
    }
}

/// <summary>
/// Two numbers a channel for each part of some rows, all 0 when made; each part's on cache lines of its own, since threads that add to the same
/// line would wait for each other at every row.
/// </summary>
internal readonly struct ChunkSums : IDisposable
{
    private const int Apart = 32; // 128 bytes: processors fetch lines of 64 in pairs.

    private readonly float[] _sums;
    private readonly int _length, _stride;

    // Rented: new ones, tens of megabytes in a step of a ResNet50, had .NET collect all of its memory ten times.
    public ChunkSums(Rows rows)
    {
        (_length, _stride) = (2 * rows.Channels, 2 * rows.Channels + Apart);
        _sums = ArrayPool<float>.Shared.Rent(rows.Chunks * _stride);
        _sums.AsSpan(0, rows.Chunks * _stride).Clear();
    }

    /// <summary>Those of a part: of each channel the one, then of each the other.</summary>
    public Span<float> this[int chunk] => _sums.AsSpan(chunk * _stride, _length);

    public void Dispose() => ArrayPool<float>.Shared.Return(_sums);
}

/// <summary>An activation that a kernel applies as it writes, and through which gradients pass or do not.</summary>
internal interface IKernelActivation
{
    static abstract Vector<float> Apply(Vector<float> input);

    /// <param name="value">What it was applied to, or its output: the answer is the same.</param>
    static abstract Vector<float> Gradient(Vector<float> value, Vector<float> gradient);
}

internal readonly struct NoActivation : IKernelActivation
{
    public static Vector<float> Apply(Vector<float> input) => input;

    public static Vector<float> Gradient(Vector<float> value, Vector<float> gradient) => gradient;
}

internal readonly struct ReluActivation : IKernelActivation
{
    // By comparison: what is not a number stays so, and a training that diverged is seen to have.
    public static Vector<float> Apply(Vector<float> input) =>
        Vector.ConditionalSelect(Vector.LessThan(input, Vector<float>.Zero), Vector<float>.Zero, input);

    public static Vector<float> Gradient(Vector<float> value, Vector<float> gradient) =>
        Vector.ConditionalSelect(Vector.LessThanOrEqual(value, Vector<float>.Zero), Vector<float>.Zero, gradient);
}

internal readonly struct Relu6Activation : IKernelActivation
{
    private static Vector<float> Six => Vector.Create(6f);

    public static Vector<float> Apply(Vector<float> input)
    {
        var positive = ReluActivation.Apply(input);
        return Vector.ConditionalSelect(Vector.GreaterThan(positive, Six), Six, positive);
    }

    public static Vector<float> Gradient(Vector<float> value, Vector<float> gradient) =>
        ReluActivation.Gradient(value, Vector.ConditionalSelect(Vector.GreaterThanOrEqual(value, Six), Vector<float>.Zero, gradient));
}

/// <summary>
/// What lies between the convolutions of a training step, one pass over memory for each of: the batch's statistics; batch norm, residual sum and
/// activation; and, for the gradients, the sums over the batch and all the rest.
/// </summary>
internal static unsafe class MapKernels
{
    /// <summary>Mean and biased variance of each channel.</summary>
    public static (double[] Mean, double[] Variance) Statistics(Rows rows)
    {
        var channels = rows.Channels;
        using var sums = new ChunkSums(rows);
        rows.InChunks(chunk =>
        {
            var (offset, length) = rows.Chunk(chunk);
            fixed (float* own = sums[chunk]) ChunkMoments(rows.Start + offset, length, channels, own, own + channels);
        });
        var (mean, squares, seen) = (new double[channels], new double[channels], 0L);
        for (var chunk = 0; chunk < rows.Chunks; chunk++)
        {
            // Chan, Golub and LeVeque 1979: sums of squares about the means of two parts give that about the mean of both.
            var count = rows.Chunk(chunk).Length / channels;
            var share = (double)count / (seen + count);
            var own = sums[chunk];
            for (var c = 0; c < channels; c++)
            {
                var apart = own[c] - mean[c];
                mean[c] += apart * share;
                squares[c] += own[channels + c] + apart * apart * (seen * share);
            }
            seen += count;
        }
        for (var c = 0; c < channels; c++) squares[c] /= seen;
        return (mean, squares);
    }

    /// <summary>output = activation(input · scale + shift + addend), channel by channel; the output may be the input or the addend.</summary>
    /// <param name="scale">Null: 1, and no shift.</param>
    public static void Forward<TActivation>(Rows input, Rows output, Rows? addend, float[]? scale, float[]? shift)
        where TActivation : struct, IKernelActivation =>
        input.InChunks(chunk =>
        {
            var (offset, length) = input.Chunk(chunk);
            fixed (float* factor = scale, summand = shift)
                ForwardChunk<TActivation>(
                    input.Start + offset, output.Start + offset, addend is { } other ? other.Start + offset : null, factor, summand, length, input.Channels);
        });

    /// <summary>
    /// Of the gradient with respect to the activation's input: the sums, channel by channel, of itself and of its products with the input's distance from
    /// the mean.
    /// </summary>
    /// <param name="output">The activation's output; null where it is found again from the input.</param>
    /// <param name="more">What is added to the gradient; null for nothing.</param>
    /// <param name="writesGradient">Whether the gradient with respect to the activation's input is written over the gradient.</param>
    public static (double[] Sum, double[] Product) GradientSums<TActivation>(
        Rows input, Rows? output, Rows gradient, Rows? more, bool writesGradient, float[] mean, float[] scale, float[] shift)
        where TActivation : struct, IKernelActivation
    {
        var channels = input.Channels;
        using var sums = new ChunkSums(input);
        input.InChunks(chunk =>
        {
            var (offset, length) = input.Chunk(chunk);
            fixed (float* own = sums[chunk], center = mean, factor = scale, summand = shift)
                SumsChunk<TActivation>(
                    input.Start + offset, output is { } known ? known.Start + offset : null, gradient.Start + offset,
                    more is { } other ? other.Start + offset : null, writesGradient, center, factor, summand, own, own + channels, length, channels);
        });
        var (sum, product) = (new double[channels], new double[channels]);
        for (var chunk = 0; chunk < input.Chunks; chunk++)
        {
            var own = sums[chunk];
            for (var c = 0; c < channels; c++)
            {
                sum[c] += own[c];
                product[c] += own[channels + c];
            }
        }
        return (sum, product);
    }

    /// <summary>
    /// The gradient of the input, written over it: scale · gradient + slope · (input − mean) + offset, of the gradient with respect to the activation's input,
    /// whose output is found again from the input.
    /// </summary>
    public static void Backward<TActivation>(Rows input, Rows gradient, float[] mean, float[] scale, float[] shift, float[] slope, float[] level)
        where TActivation : struct, IKernelActivation =>
        input.InChunks(chunk =>
        {
            var (offset, length) = input.Chunk(chunk);
            fixed (float* center = mean, factor = scale, summand = shift, incline = slope, constant = level)
                BackwardChunk<TActivation>(
                    input.Start + offset, gradient.Start + offset, center, factor, summand, incline, constant, length, input.Channels);
        });

    /// <summary>The gradient with respect to an activation's input, of which the output is known, written over the one before it.</summary>
    /// <param name="more">What is added to the one before; null for nothing.</param>
    public static void Mask<TActivation>(Rows output, Rows gradient, Rows? more)
        where TActivation : struct, IKernelActivation =>
        output.InChunks(chunk =>
        {
            var (offset, length) = output.Chunk(chunk);
            MaskChunk<TActivation>(output.Start + offset, gradient.Start + offset, more is { } other ? other.Start + offset : null, length);
        });

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ChunkMoments(float* input, long length, int channels, float* mean, float* squares)
    {
        for (var row = 0L; row < length; row += channels)
            for (var c = 0; c < channels; c += Vector<float>.Count)
                (Vector.Load(mean + c) + Vector.Load(input + row + c)).Store(mean + c);
        var share = Vector.Create(1f / (length / channels));
        for (var c = 0; c < channels; c += Vector<float>.Count) (Vector.Load(mean + c) * share).Store(mean + c);
        for (var row = 0L; row < length; row += channels)
        {
            for (var c = 0; c < channels; c += Vector<float>.Count)
            {
                var apart = Vector.Load(input + row + c) - Vector.Load(mean + c);
                Vector.MultiplyAddEstimate(apart, apart, Vector.Load(squares + c)).Store(squares + c);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ForwardChunk<TActivation>(float* input, float* output, float* addend, float* scale, float* shift, long length, int channels)
        where TActivation : struct, IKernelActivation
    {
        for (var row = 0L; row < length; row += channels)
        {
            for (var c = 0; c < channels; c += Vector<float>.Count)
            {
                var value = Vector.Load(input + row + c);
                if (scale != null) value = Vector.MultiplyAddEstimate(value, Vector.Load(scale + c), Vector.Load(shift + c));
                if (addend != null) value += Vector.Load(addend + row + c);
                TActivation.Apply(value).Store(output + row + c);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SumsChunk<TActivation>(
        float* input, float* output, float* gradient, float* more, bool writesGradient, float* mean, float* scale, float* shift,
        float* sum, float* product, long length, int channels)
        where TActivation : struct, IKernelActivation
    {
        for (var row = 0L; row < length; row += channels)
        {
            for (var c = 0; c < channels; c += Vector<float>.Count)
            {
                var value = Vector.Load(input + row + c);
                var activated = output != null
                    ? Vector.Load(output + row + c)
                    : Vector.MultiplyAddEstimate(value, Vector.Load(scale + c), Vector.Load(shift + c));
                var before = Vector.Load(gradient + row + c);
                if (more != null) before += Vector.Load(more + row + c);
                var atInput = TActivation.Gradient(activated, before);
                if (writesGradient) atInput.Store(gradient + row + c);
                (Vector.Load(sum + c) + atInput).Store(sum + c);
                Vector.MultiplyAddEstimate(atInput, value - Vector.Load(mean + c), Vector.Load(product + c)).Store(product + c);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void BackwardChunk<TActivation>(
        float* input, float* gradient, float* mean, float* scale, float* shift, float* slope, float* level, long length, int channels)
        where TActivation : struct, IKernelActivation
    {
        for (var row = 0L; row < length; row += channels)
        {
            for (var c = 0; c < channels; c += Vector<float>.Count)
            {
                var value = Vector.Load(input + row + c);
                var factor = Vector.Load(scale + c);
                var activated = Vector.MultiplyAddEstimate(value, factor, Vector.Load(shift + c));
                var atInput = TActivation.Gradient(activated, Vector.Load(gradient + row + c));
                var own = Vector.MultiplyAddEstimate(value - Vector.Load(mean + c), Vector.Load(slope + c), Vector.Load(level + c));
                Vector.MultiplyAddEstimate(atInput, factor, own).Store(input + row + c);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MaskChunk<TActivation>(float* output, float* gradient, float* more, long length)
        where TActivation : struct, IKernelActivation
    {
        for (var i = 0L; i < length; i += Vector<float>.Count)
        {
            var before = Vector.Load(gradient + i);
            if (more != null) before += Vector.Load(more + i);
            TActivation.Gradient(Vector.Load(output + i), before).Store(gradient + i);
        }
    }
}
