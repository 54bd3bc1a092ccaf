using System.Numerics.Tensors;

namespace Graft.Export;

/// <summary>The range of a tensor's values that 8 bits cover.</summary>
internal readonly record struct ActivationRange(float Least, float Most)
{
    /// <summary>The step between two of the 256 values. 0 is always one of them, so that padding and ReLU are exact.</summary>
    public float Scale => Most > Least ? (Most - Least) / byte.MaxValue : 1;

    public byte ZeroPoint => (byte)Math.Clamp(MathF.Round(-Least / Scale), 0, byte.MaxValue);
}

/// <summary>How often a tensor takes which values, over calibration photos. Safe to use from many threads.</summary>
internal sealed class ActivationHistogram
{
    /// <summary>Half of them for values below 0.</summary>
    private const int Bins = 8192, Middle = Bins / 2;

    /// <summary>The fewest bins that a threshold of <see cref="Entropy"/> keeps, and the steps between thresholds.</summary>
    private const int FewestBins = 128, Step = 16;

    private readonly long[] _counts = new long[Bins];
    private readonly Lock _lock = new();
    private float _least, _most, _limit;
    private double[] _sums = [];
    private long _perChannel;

    /// <summary>The mean of each channel.</summary>
    public float[] Means => [.. _sums.Select(sum => (float)(sum / _perChannel))];

    /// <param name="channels">How many equal parts the values have, one after the other.</param>
    public void Add(ReadOnlySpan<float> values, int channels = 1)
    {
        var (least, most) = (TensorPrimitives.Min(values), TensorPrimitives.Max(values));
        // Not a number, or infinite: whatever the range, the check will find what comes of it.
        if (!float.IsFinite(least) || !float.IsFinite(most)) return;
        var largest = Math.Max(Math.Abs(least), Math.Abs(most));
        lock (_lock)
        {
            (_least, _most) = (Math.Min(_least, least), Math.Max(_most, most));
            if (_sums.Length == 0) _sums = new double[channels];
            var plane = values.Length / channels;
            for (var channel = 0; channel < channels; channel++) _sums[channel] += TensorPrimitives.Sum(values.Slice(channel * plane, plane));
            _perChannel += plane;
            if (_limit == 0) _limit = largest;
            while (_limit < largest) Widen();
            if (_limit == 0) return;
            var factor = Middle / _limit;
            foreach (var value in values) _counts[Math.Min(Bins - 1, (int)(value * factor + Middle))]++;
        }
    }

    /// <summary>Leaves out the same number of the largest and of the smallest values.</summary>
    /// <param name="share">Of the values that are kept, below 1.</param>
    public ActivationRange Percentile(double share)
    {
        var total = _counts.Sum();
        var leftOut = (long)(total * (1 - share) / 2);
        return new(Math.Max(_least, -Edge(descending: false)), Math.Min(_most, Edge(descending: true)));

        // The outer edge of the first bin, from outside, with a value that is kept, as a distance from 0; not beyond 0.
        float Edge(bool descending)
        {
            var passed = 0L;
            for (var bin = 0; bin < Middle; bin++)
            {
                passed += _counts[descending ? Bins - 1 - bin : bin];
                if (passed > leftOut) return (Middle - bin) * _limit / Middle;
            }
            return 0;
        }
    }

    /// <summary>
    /// The threshold for absolute values at which the distribution of the quantized values diverges least (Kullback-Leibler) from that of
    /// the values: Migacz, 8-bit inference with TensorRT, 2017. As in NVIDIA's pytorch-quantization, the first bin counts as its neighbor does, since a
    /// ReLU fills it.
    /// </summary>
    public ActivationRange Entropy()
    {
        var isSigned = _least < 0;
        var levels = isSigned ? 128 : 256;
        var magnitudes = new double[Middle];
        for (var bin = 0; bin < Middle; bin++) magnitudes[bin] = _counts[Middle + bin] + _counts[Middle - 1 - bin];
        magnitudes[0] = magnitudes[1];
        var total = magnitudes.Sum();
        if (total == 0) return new(_least, _most);
        var (best, smallest) = (Middle, double.PositiveInfinity);
        for (var kept = Math.Max(FewestBins, levels); kept <= Middle; kept += Step)
        {
            var divergence = Divergence(magnitudes, kept, levels, total);
            if (divergence < smallest) (best, smallest) = (kept, divergence);
        }
        var threshold = best * _limit / Middle;
        return new(Math.Max(_least, -threshold), Math.Min(_most, threshold));
    }

    /// <summary>Of the values clipped to the first bins, from the same rounded to so many levels.</summary>
    private static double Divergence(double[] counts, int kept, int levels, double total)
    {
        var beyond = counts.AsSpan(kept).ToArray().Sum();
        var sum = 0.0;
        for (var level = 0; level < levels; level++)
        {
            var (start, end) = ((int)((long)level * kept / levels), (int)((long)(level + 1) * kept / levels));
            var (inside, filled) = (0.0, 0);
            for (var bin = start; bin < end; bin++)
            {
                inside += counts[bin];
                if (counts[bin] > 0 || (bin == kept - 1 && beyond > 0)) filled++;
            }
            for (var bin = start; bin < end; bin++)
            {
                var value = counts[bin] + (bin == kept - 1 ? beyond : 0);
                // A level without a value inside cannot stand for those beyond: as unlikely as can be.
                if (value > 0) sum += value / total * Math.Log(value / total / Math.Max(inside / filled / (total - beyond), 1e-12));
            }
        }
        return sum;
    }

    /// <summary>Twice the limit: two bins become one.</summary>
    private void Widen()
    {
        var before = (long[])_counts.Clone();
        Array.Clear(_counts);
        for (var bin = 0; bin < Bins; bin++) _counts[Bins / 4 + bin / 2] += before[bin];
        _limit *= 2;
    }
}
