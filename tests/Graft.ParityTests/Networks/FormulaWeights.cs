using System.IO.Hashing;
using System.Text;
using Graft.Checkpoints;
using Graft.Networks;

namespace Graft.ParityTests.Networks;

/// <summary>
/// The weights and the input of the reference networks: a formula over the tensor's name and the element's number
/// (../shared/reference/README.md, section 2).
/// </summary>
internal sealed class FormulaWeights(bool keras, double gain) : IWeights
{
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
            Fill(parameter.Key, parameter, destination);
        }
    }

    /// <summary>The formula input, [count] values.</summary>
    public static float[] Input(int count)
    {
        var values = new float[count];
        var uniform = new Formula("input");
        for (var i = 0; i < count; i++) values[i] = (float)((uniform[i] - 0.5) * 2);
        return values;
    }

    private void Fill(string name, Parameter parameter, Span<float> values)
    {
        var uniform = new Formula(name);
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = (float)(parameter.Role switch
            {
                ParameterRole.Kernel or ParameterRole.DepthwiseKernel or ParameterRole.DenseKernel =>
                    (uniform[i] - 0.5) * 2 * Math.Sqrt(3 * gain / parameter.FanIn),
                ParameterRole.Gamma or ParameterRole.MovingVariance => 0.5 + uniform[i],
                _ => (uniform[i] - 0.5) * 0.2,
            });
        }
    }

    private readonly struct Formula(string name)
    {
        private readonly uint _crc = Crc32.HashToUInt32(Encoding.UTF8.GetBytes(name));

        /// <summary>In [0, 1).</summary>
        public double this[int element]
        {
            get
            {
                unchecked
                {
                    var x = (uint)element * 2654435761 + _crc;
                    x = (x ^ (x >> 16)) * 0x85EBCA6B;
                    x = (x ^ (x >> 13)) * 0xC2B2AE35;
                    x ^= x >> 16;
                    return (x >> 8) / 16777216.0;
                }
            }
        }
    }
}
