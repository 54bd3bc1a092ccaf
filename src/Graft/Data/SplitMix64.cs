namespace Graft.Data;

/// <summary>
/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014). Unlike
/// <see cref="Random"/> its numbers are fixed by definition: a seed means the same on every machine and .NET version.
/// </summary>
internal struct SplitMix64(ulong seed)
{
    private ulong state = seed;

    public ulong Next()
    {
        state += 0x9E3779B97F4A7C15;
        var mixed = state;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
        return mixed ^ (mixed >> 31);
    }

    /// <summary>Uniform in [0, <paramref name="bound"/>): what would favor small results is drawn again.</summary>
    public int Below(int bound)
    {
        var range = (ulong)bound;
        var surplus = (0 - range) % range; // 2^64 mod range
        ulong drawn;
        do drawn = Next(); while (drawn < surplus);
        return (int)(drawn % range);
    }

    /// <summary>Uniform in [0, 1).</summary>
    public double NextDouble() => (Next() >> 11) * (1.0 / (1UL << 53));

    /// <summary>Standard normal, by Box and Muller.</summary>
    public double NextGaussian() => Math.Sqrt(-2 * Math.Log(1 - NextDouble())) * Math.Cos(2 * Math.PI * NextDouble());

    /// <summary>Of the gamma distribution with a scale of 1, by Marsaglia and Tsang 2000.</summary>
    /// <param name="shape">Above 0.</param>
    public double NextGamma(double shape)
    {
        if (shape < 1) return NextGamma(shape + 1) * Math.Pow(1 - NextDouble(), 1 / shape);
        var d = shape - 1 / 3.0;
        while (true)
        {
            var x = NextGaussian();
            var v = Math.Pow(1 + x / Math.Sqrt(9 * d), 3);
            if (v > 0 && Math.Log(1 - NextDouble()) < x * x / 2 + d - d * v + d * Math.Log(v)) return d * v;
        }
    }

    /// <summary>Fisher–Yates, from the last element down.</summary>
    public void Shuffle(Span<int> values)
    {
        for (var last = values.Length - 1; last > 0; last--)
        {
            var other = Below(last + 1);
            (values[last], values[other]) = (values[other], values[last]);
        }
    }
}
