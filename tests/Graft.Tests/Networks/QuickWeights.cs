using Graft.Networks;

namespace Graft.Tests.Networks;

/// <summary>Pseudo-random numbers from a table, at the speed of a copy: the largest networks have 140 million.</summary>
internal sealed class QuickWeights : IWeights
{
    private static readonly float[] Table = CreateTable();

    public void Read(Parameter parameter, Span<float> destination)
    {
        var seed = (uint)parameter.Key.Aggregate(17, (hash, letter) => unchecked(hash * 31 + letter));
        switch (parameter.Role)
        {
            case ParameterRole.Gamma or ParameterRole.MovingVariance:
                Fill(destination, seed, scale: 0.3f, center: 1);
                break;
            case ParameterRole.Beta or ParameterRole.Bias or ParameterRole.MovingMean or ParameterRole.Embedding or ParameterRole.LayerScale:
                Fill(destination, seed, scale: 0.1f, center: parameter.Role == ParameterRole.LayerScale ? 0.3f : 0);
                break;
            default:
                Fill(destination, seed, scale: MathF.Sqrt(3f / parameter.FanIn), center: 0);
                break;
        }
    }

    public static void Fill(Span<float> destination, uint seed, float scale, float center)
    {
        for (var start = (int)(seed % Table.Length); destination.Length > 0; start = 0)
        {
            var count = Math.Min(destination.Length, Table.Length - start);
            for (var i = 0; i < count; i++) destination[i] = Table[start + i] * scale + center;
            destination = destination[count..];
        }
    }

    private static float[] CreateTable()
    {
        // A prime number, so that rows of a kernel do not repeat.
        var table = new float[65_537];
        var random = new Random(1);
        foreach (ref var value in table.AsSpan()) value = 2 * random.NextSingle() - 1;
        return table;
    }
}
