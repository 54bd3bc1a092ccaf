namespace Graft.Cli.Demo;

/// <summary>The few distributions the drawings are sampled from.</summary>
internal static class Sampling
{
    /// <summary>The words are mixed (SplitMix64), so that neighboring seeds share nothing visible.</summary>
    public static Random Seeded(params ReadOnlySpan<int> words)
    {
        var state = 0ul;
        foreach (var word in words)
        {
            state = (state ^ (uint)word) + 0x9E3779B97F4A7C15;
            state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9;
            state = (state ^ (state >> 27)) * 0x94D049BB133111EB;
            state ^= state >> 31;
        }
        return new Random((int)(state & int.MaxValue));
    }

    extension(Random random)
    {
        public float Between(float low, float high) => low + (high - low) * random.NextSingle();

        public int Between(int low, int high) => random.Next(low, high + 1);

        public bool Chance(float probability) => random.NextSingle() < probability;

        public float Sign() => random.Chance(0.5f) ? 1 : -1;

        public float Angle() => random.Between(0, MathF.Tau);

        /// <summary>Standard normal (Box and Muller).</summary>
        public float Normal() =>
            MathF.Sqrt(-2 * MathF.Log(1 - random.NextSingle())) * MathF.Cos(random.Angle());
    }
}
