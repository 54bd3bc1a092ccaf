using Graft.Networks;

namespace Graft.Tests.Networks;

/// <summary>A batch of maps [N, channels, height, width] and layers on it as their definitions say, loop by loop.</summary>
internal sealed record PlainMap(int Count, int Channels, int Height, int Width, float[] Values)
{
    public static PlainMap Random(int count, int channels, int height, int width, int seed = 7)
    {
        var random = new Random(seed);
        return new(count, channels, height, width,
            [.. Enumerable.Range(0, count * channels * height * width).Select(_ => random.NextSingle() * 2 - 1)]);
    }

    public float this[int n, int c, int y, int x] => Values[((n * Channels + c) * Height + y) * Width + x];

    public bool Holds(int y, int x) => y >= 0 && y < Height && x >= 0 && x < Width;

    public PlainMap Select(int channels, int height, int width, Func<int, int, int, int, double> value)
    {
        var values = new float[Count * channels * height * width];
        var i = 0;
        for (var n = 0; n < Count; n++)
            for (var c = 0; c < channels; c++)
                for (var y = 0; y < height; y++)
                    for (var x = 0; x < width; x++) values[i++] = (float)value(n, c, y, x);
        return new(Count, channels, height, width, values);
    }

    public PlainMap Convolved(Convolution op, float[] kernel, float[]? bias, int height, int width, (int Top, int Left) padding)
    {
        var (inGroup, outGroup) = (Channels / op.Groups, op.Filters / op.Groups);
        return Select(op.Filters, height, width, (n, filter, y, x) =>
        {
            var sum = bias?[filter] ?? 0.0;
            for (var c = 0; c < inGroup; c++)
                for (var dy = 0; dy < op.Kernel.Height; dy++)
                    for (var dx = 0; dx < op.Kernel.Width; dx++)
                    {
                        var (row, column) = (y * op.Stride.Height + dy - padding.Top, x * op.Stride.Width + dx - padding.Left);
                        if (Holds(row, column))
                            sum += this[n, filter / outGroup * inGroup + c, row, column]
                                * kernel[((filter * inGroup + c) * op.Kernel.Height + dy) * op.Kernel.Width + dx];
                    }
            return sum;
        });
    }

    /// <summary>Windows that hang over the padded map's end are cut there; padding counts in an average if asked.</summary>
    public PlainMap Pooled(Pool op, int height, int width, Padding padding) => Select(Channels, height, width, (n, c, y, x) =>
    {
        var inside = new List<double>();
        var padded = 0;
        for (var dy = 0; dy < op.Kernel.Height; dy++)
            for (var dx = 0; dx < op.Kernel.Width; dx++)
            {
                var (row, column) = (y * op.Stride.Height + dy - padding.Top, x * op.Stride.Width + dx - padding.Left);
                if (Holds(row, column)) inside.Add(this[n, c, row, column]);
                else if (row < Height + padding.Bottom && column < Width + padding.Right) padded++;
            }
        return op.Function == PoolFunction.Max ? inside.Max() : inside.Sum() / (inside.Count + (op.CountPadding ? padded : 0));
    });
}
