using Graft.Networks;

namespace Graft.Tests.Networks;

/// <summary>Weights by key; what is not listed is drawn at random, moving variances above 0.</summary>
internal sealed class ListedWeights(int seed = 1) : IWeights
{
    private readonly Dictionary<string, float[]> _values = new(StringComparer.Ordinal);

    public float[] this[string key]
    {
        get => _values[key];
        init => _values[key] = value;
    }

    public void Read(Parameter parameter, Span<float> destination)
    {
        if (!_values.TryGetValue(parameter.Key, out var values))
        {
            var random = new Random(seed + _values.Count);
            values = new float[parameter.ElementCount];
            for (var i = 0; i < values.Length; i++)
                values[i] = random.NextSingle() * 2 - (parameter.Role == ParameterRole.MovingVariance ? -0.1f : 1);
            _values.Add(parameter.Key, values);
        }
        values.CopyTo(destination);
    }
}
