using static TorchSharp.torch;

namespace Graft.Networks;

/// <summary>
/// Makes the tensors of weights as torch is to hold them: convolution weights are stored channels-last, like the activations, or libtorch would
/// rearrange them in every pass. Files have them channels-first; one buffer, as large as the largest, serves all.
/// </summary>
internal sealed class ChannelsLastStorage(Network network) : IDisposable
{
    private readonly Tensor _buffer = empty(
        network.Parameters.Where(parameter => parameter.Shape.Count == 4).Select(parameter => parameter.ElementCount).DefaultIfEmpty().Max(),
        ScalarType.Float32);

    /// <summary>A new tensor of a parameter's shape with its values.</summary>
    public Tensor Filled(Parameter parameter, IWeights weights)
    {
        var sizes = parameter.Shape.Select(size => (long)size).ToArray();
        if (sizes is not [var outputs, var inputs, var height, var width])
        {
            var plain = empty(sizes, ScalarType.Float32);
            weights.Read(parameter, TorchNetwork.Values(plain));
            return plain;
        }
        using var ordered = _buffer.narrow(0, 0, parameter.ElementCount).view(sizes);
        weights.Read(parameter, TorchNetwork.Values(ordered));
        using var kernel = empty([outputs, height, width, inputs], ScalarType.Float32);
        var turned = kernel.permute(0, 3, 1, 2);
        turned.copy_(ordered);
        return turned;
    }

    public void Dispose() => _buffer.Dispose();
}
