using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Graft.Data;

namespace Graft.Networks;

/// <summary>Where the numbers of a network's parameters come from: a file, a formula, a random generator, a trained module.</summary>
public interface IWeights
{
    /// <summary>Fills <paramref name="destination"/> with a parameter's values, in the axis order of its shape.</summary>
    void Read(Parameter parameter, Span<float> destination);

    /// <summary>
    /// Keeps the values readable until the result is disposed of, whoever else closes the file that they are read from; null where there is
    /// no file. Weights that read from others pass this on.
    /// </summary>
    IDisposable? Share() => null;
}

public static class WeightsExtensions
{
    /// <summary>
    /// SHA-256 over the network's description and the values of all its parameters: equal for the same computation, whichever file
    /// the weights come from, and different otherwise. Features are cached under it.
    /// </summary>
    public static string Fingerprint(this IWeights weights, Network network)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(network.ToJson()));
        foreach (var parameter in network.Parameters)
        {
            var values = new float[parameter.ElementCount];
            weights.Read(parameter, values);
            hash.AppendData(MemoryMarshal.AsBytes(values.AsSpan()));
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}

/// <summary>
/// Random initial values for training from scratch, each parameter's drawn from the seed and its key alone: kernels by He's
/// normal initialization (arXiv:1502.01852, fan-in), dense kernels by Glorot's uniform one, embeddings small, normalizations
/// and layer scales as identities.
/// </summary>
public sealed class RandomWeights(int seed) : IWeights
{
    private const double EmbeddingDeviation = 0.02;

    /// <summary>torchvision's: cosines count tenfold.</summary>
    private static readonly float FirstLogitScale = MathF.Log(10);

    public void Read(Parameter parameter, Span<float> destination)
    {
        var random = new SplitMix64(StableHash(parameter.Key) ^ (ulong)(uint)seed * 0x9E3779B97F4A7C15);
        switch (parameter.Role)
        {
            case ParameterRole.Kernel or ParameterRole.DepthwiseKernel or ParameterRole.PointwiseKernel:
                var deviation = Math.Sqrt(2.0 / parameter.FanIn);
                foreach (ref var value in destination) value = (float)(random.NextGaussian() * deviation);
                break;
            case ParameterRole.DenseKernel or ParameterRole.OffsetKernel or ParameterRole.OffsetHeads:
                var limit = Math.Sqrt(6.0 / (parameter.Shape[0] + parameter.Shape[1]));
                foreach (ref var value in destination) value = (float)((2 * random.NextDouble() - 1) * limit);
                break;
            case ParameterRole.Embedding:
                foreach (ref var value in destination) value = (float)(random.NextGaussian() * EmbeddingDeviation);
                break;
            case ParameterRole.LogitScale:
                destination.Fill(FirstLogitScale);
                break;
            default:
                destination.Fill(
                    parameter.Role is ParameterRole.Gamma or ParameterRole.MovingVariance or ParameterRole.LayerScale ? 1 : 0);
                break;
        }
    }

    /// <summary>FNV-1a, 64 bits: the same on every machine and in every run, unlike string.GetHashCode.</summary>
    private static ulong StableHash(string text) =>
        text.Aggregate(14695981039346656037UL, (hash, letter) => (hash ^ letter) * 1099511628211UL);
}

/// <summary>Two sources for one network: <paramref name="first"/> for the named layers, <paramref name="second"/> for the rest.</summary>
public sealed class CombinedWeights(IWeights first, IReadOnlySet<string> layersOfFirst, IWeights second) : IWeights
{
    public void Read(Parameter parameter, Span<float> destination) =>
        (layersOfFirst.Contains(parameter.Layer) ? first : second).Read(parameter, destination);

    public IDisposable? Share() => SharedResource.Both(first.Share(), second.Share());
}

/// <summary>The values that a module had when they were copied.</summary>
internal sealed class CopiedWeights : IWeights
{
    private readonly Dictionary<string, float[]> _values = new(StringComparer.Ordinal);

    public CopiedWeights(TorchNetwork module)
    {
        foreach (var parameter in module.Network.Parameters)
        {
            var values = new float[parameter.ElementCount];
            module.Read(parameter, values);
            _values.Add(parameter.Key, values);
        }
    }

    public void Read(Parameter parameter, Span<float> destination) => _values[parameter.Key].CopyTo(destination);
}
