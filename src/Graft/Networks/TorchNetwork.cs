using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Graft.Networks;

/// <summary>
/// The torch module of a network: images [N, channels, height, width] → the output layer's activations. Its state dict has the
/// network's parameter keys. Owns its tensors.
/// </summary>
public sealed class TorchNetwork : nn.Module<Tensor, Tensor>, IWeights
{
    private readonly Dictionary<string, Tensor> _tensors = new(StringComparer.Ordinal);
    private readonly TorchPass _pass;
    private IReadOnlySet<string> _alwaysInInference = new HashSet<string>();

    static TorchNetwork() => LibtorchTuning.Apply();

    private static string Named(Network network)
    {
        LibtorchLoader.Require();
        return network.Name;
    }

    /// <summary>Builds the module and fills it, tensor by tensor, from <paramref name="weights"/>.</summary>
    /// <param name="device">Where its tensors lie and its inputs are expected.</param>
    public TorchNetwork(Network network, IWeights weights, DeviceType device = DeviceType.CPU) : base(Named(network))
    {
        (Network, Device) = (network, device);
        _pass = new(network, _tensors, layer => training && !_alwaysInInference.Contains(layer.Name));

        // Built inside a caller's scope or inference mode, it must outlive the one and be trainable in spite of the other.
        using var mode = inference_mode(false);
        using var storage = new ChannelsLastStorage(network);
        var largest = network.Parameters.MaxBy(parameter => parameter.ElementCount);
        foreach (var parameter in network.Parameters)
        {
            // As late as it helps: some systems map megabytes of code anew around each page that is touched again.
            if (parameter == largest) LibtorchTuning.ReleaseStartup();
            var tensor = storage.Filled(parameter, weights).DetachFromDisposeScope();
            if (device != DeviceType.CPU)
                using (var filled = tensor) tensor = filled.to(device).DetachFromDisposeScope();
            if (parameter.IsStatistic)
            {
                register_buffer(parameter.Key, tensor);
            }
            else
            {
                var learned = new TorchSharp.Modules.Parameter(tensor);
                learned.DetachFromDisposeScope();
                register_parameter(parameter.Key, learned);
                tensor = learned;
            }
            _tensors.Add(parameter.Key, tensor);
        }
        eval();
    }

    public Network Network { get; }

    public DeviceType Device { get; }

    /// <summary>
    /// Lets only these weights learn: all others get no gradient, and nothing runs backward below the first of them.
    /// </summary>
    /// <param name="weights">Keys of parameters.</param>
    /// <param name="alwaysInInference">Layers that run in inference mode even while the network trains: batch norm by its moving
    /// statistics, which then stay as they are, dropout not at all.</param>
    public void TrainOnly(IReadOnlySet<string> weights, IReadOnlySet<string> alwaysInInference)
    {
        _alwaysInInference = alwaysInInference;
        foreach (var parameter in Network.Parameters.Where(parameter => !parameter.IsStatistic))
        {
            var tensor = _tensors[parameter.Key];
            tensor.requires_grad = weights.Contains(parameter.Key);
            if (!tensor.requires_grad) tensor.grad = null;
        }
    }

    /// <summary>The part of a training step's batch that comes in; null for all of it.</summary>
    internal BatchShare? Share
    {
        get => _pass.Share;
        set => _pass.Share = value;
    }

    /// <summary>Whether training changes a tensor of weights by gradient.</summary>
    public bool Learns(Parameter parameter) => !parameter.IsStatistic && _tensors[parameter.Key].requires_grad;

    /// <inheritdoc/>
    public override Tensor forward(Tensor input) => _pass.Run(input, [Network.Layers.Count - 1])[0];

    /// <summary>
    /// The same for a step of training, whose gradients the tape is to find (<see cref="GradientTape.Backward"/>): faster, and with fewer
    /// activations kept.
    /// </summary>
    /// <param name="layer">A layer or block whose output is wanted too, and which a loss may depend on; null for none.</param>
    internal (Tensor Output, Tensor? OfLayer) Record(Tensor input, GradientTape tape, string? layer = null)
    {
        var recorder = training && Device == DeviceType.CPU && (_pass.HasFusedLayers || _pass.Share is not null) ? tape : null;
        var last = Network.Layers.Count - 1;
        if (layer is null) return (_pass.Run(input, [last], recorder)[0], null);
        return _pass.Run(input, [Network.IndexOf(Network.Find(layer).Name), last], recorder) is var outputs ? (outputs[1], outputs[0]) : default;
    }

    /// <summary>The output of a layer (or a block's last layer), for images [N, channels, height, width].</summary>
    public Tensor Activation(Tensor input, string layerOrBlock) => Activations(input, [layerOrBlock])[0];

    /// <summary>The outputs of several layers (or of blocks' last layers) in one pass, in the order asked for.</summary>
    public IReadOnlyList<Tensor> Activations(Tensor input, IReadOnlyList<string> layersOrBlocks)
    {
        using var scope = NewDisposeScope();
        var outputs = _pass.Run(input, [.. layersOrBlocks.Select(name => Network.IndexOf(Network.Find(name).Name))]);
        foreach (var output in outputs.Where(output => !ReferenceEquals(output, input))) output.MoveToOuterDisposeScope();
        return outputs;
    }

    /// <summary>Copies a parameter's present values.</summary>
    public void Read(Parameter parameter, Span<float> destination)
    {
        using var plain = _tensors[parameter.Key].detach().cpu().contiguous();
        Values(plain).CopyTo(destination);
    }

    /// <summary>The memory of a contiguous float32 tensor on the CPU.</summary>
    internal static unsafe Span<float> Values(Tensor tensor) =>
        MemoryMarshal.Cast<byte, float>(tensor.bytes);
}
