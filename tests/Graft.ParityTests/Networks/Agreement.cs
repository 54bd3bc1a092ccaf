namespace Graft.ParityTests.Networks;

/// <summary>How far computed numbers may be from a reference's.</summary>
internal static class Agreement
{
    public static void AssertClose(string what, IReadOnlyCollection<float> expected, IReadOnlyCollection<float> actual, double tolerance)
    {
        Assert.Equal(expected.Count, actual.Count);
        var worst = expected.Zip(actual, (e, a) => Math.Abs((double)e - a)).Max();
        Assert.True(worst <= tolerance, $"{what}: off by {worst:G3}, tolerance {tolerance:G3}");
    }

    /// <summary>Of the whole population.</summary>
    public static double StandardDeviation(IReadOnlyCollection<float> values)
    {
        var mean = values.Average(value => (double)value);
        return Math.Sqrt(values.Average(value => (value - mean) * (value - mean)));
    }
}
