using System.IO.Hashing;
using System.Text;
using Graft.Checkpoints;
using Graft.Networks;

namespace Graft.ParityTests.Networks;

/// <summary>
/// The weights and the input of the reference networks: a formula over the tensor's name and the element's number
/// (../shared/reference/README.md, section 2).
/// </summary>
/// <param name="names">What the reference calls a tensor, by its key; null for its key.</param>
internal sealed class FormulaWeights(bool keras, double gain, IReadOnlyDictionary<string, string>? names = null) : IWeights
{
    private const int ChunkElements = 1 << 18;

    public void Read(Parameter parameter, Span<float> destination)
    {
        if (keras)
        {
            var values = new float[destination.Length];
            Fill($"{parameter.Layer}/{KerasLayout.Name(parameter.Role)}", parameter, values);
            KerasLayout.ToParameter(parameter, values, destination);
        }
        else
        {
            Fill(names?.GetValueOrDefault(parameter.Key) ?? parameter.Key, parameter, destination);
        }
    }

    /// <summary>The formula input, [count] values.</summary>
    public static float[] Input(int count)
    {
        var values = new float[count];
        Fill("input", values, scale: 2, center: 0);
        return values;
    }

    private void Fill(string name, Parameter parameter, Span<float> values)
    {
        var (scale, center) = parameter.Role switch
        {
            _ when parameter.IsKernel =>
                (2 * Math.Sqrt(3 * gain / parameter.FanIn), 0.0),
            ParameterRole.Gamma or ParameterRole.MovingVariance or ParameterRole.LayerScale => (1, 1),
            _ => (0.2, 0),
        };
        Fill(name, values, scale, center);
    }

    private static unsafe void Fill(string name, Span<float> values, double scale, double center)
    {
        var crc = Crc32.HashToUInt32(Encoding.UTF8.GetBytes(name));
        var count = values.Length;
        fixed (float* fixedStart = values)
        {
            var start = fixedStart;
            Parallel.For(0, (count + ChunkElements - 1) / ChunkElements, chunk =>
            {
                var end = (int)Math.Min(count, (chunk + 1L) * ChunkElements);
                for (var i = chunk * ChunkElements; i < end; i++) start[i] = (float)((Uniform((uint)i, crc) - 0.5) * scale + center);
            });
        }
    }

    /// <summary>In [0, 1).</summary>
    private static double Uniform(uint element, uint crc)
    {
        unchecked
        {
            var x = element * 2654435761 + crc;
            x = (x ^ (x >> 16)) * 0x85EBCA6B;
            x = (x ^ (x >> 13)) * 0xC2B2AE35;
            x ^= x >> 16;
            return (x >> 8) / 16777216.0;
        }
    }
}
