namespace Graft.Imaging;

/// <summary>
/// The weights that make each target pixel out of a run of source pixels along one axis, as Pillow computes them
/// (src/libImaging/Resample.c): a window widened by the scale when shrinking, normalized in double precision, then
/// rounded to fixed point.
/// </summary>
internal sealed class FilterTaps
{
    /// <summary>32 bits less 8 for the sample and 2 for overshoot.</summary>
    public const int FractionBits = 22;

    private readonly int[] _starts;
    private readonly int[] _counts;
    private readonly int[] _weights;
    private readonly int _stride;

    /// <summary>
    /// Taps for the targets from <paramref name="first"/> on, of a resize from source to target pixels.
    /// </summary>
    public FilterTaps(int source, int target, int first, int count, Interpolation interpolation)
    {
        var scale = (double)source / target;
        var widening = Math.Max(scale, 1);
        var radius = (interpolation == Interpolation.Bicubic ? 2 : 1) * widening;
        _stride = (int)Math.Ceiling(radius) * 2 + 1;
        _starts = new int[count];
        _counts = new int[count];
        _weights = new int[count * _stride];
        var weights = new double[_stride];
        for (var i = 0; i < count; i++)
        {
            var center = (first + i + 0.5) * scale;
            var start = Math.Max((int)(center - radius + 0.5), 0);
            var taps = Math.Min((int)(center + radius + 0.5), source) - start;
            var sum = 0.0;
            for (var k = 0; k < taps; k++)
            {
                var distance = Math.Abs((k + start - center + 0.5) * (1 / widening));
                sum += weights[k] = interpolation == Interpolation.Bicubic ? Cubic(distance) : Triangle(distance);
            }
            for (var k = 0; k < taps; k++)
            {
                var weight = sum == 0 ? weights[k] : weights[k] / sum;
                _weights[i * _stride + k] = (int)(weight * (1 << FractionBits) + (weight < 0 ? -0.5 : 0.5));
            }
            (_starts[i], _counts[i]) = (start, taps);
        }
    }

    public int Count => _starts.Length;

    /// <summary>First source index that any target needs.</summary>
    public int From => _starts[0];

    /// <summary>Most source indices that a target needs.</summary>
    public int Most => _counts.Max();

    public int Start(int target) => _starts[target];

    public ReadOnlySpan<int> Weights(int target) => _weights.AsSpan(target * _stride, _counts[target]);

    private static double Triangle(double x) => x < 1 ? 1 - x : 0;

    private static double Cubic(double x)
    {
        const double A = -0.5;
        if (x < 1) return ((A + 2) * x - (A + 3)) * x * x + 1;
        return x < 2 ? (((x - 5) * x + 8) * x - 4) * A : 0;
    }
}
