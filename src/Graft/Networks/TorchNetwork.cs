using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Graft.Networks;

/// <summary>
/// The torch module of a network: images [N, channels, height, width] → the output layer's activations. Its state dict has the
/// network's parameter keys. Owns its tensors.
/// </summary>
public sealed class TorchNetwork : nn.Module<Tensor, Tensor>, IWeights
{
    private readonly Dictionary<string, Tensor> _tensors = new(StringComparer.Ordinal);
    private readonly int[] _lastUse;
    private readonly Dictionary<string, int> _indices;

    /// <summary>Builds the module and fills it, tensor by tensor, from <paramref name="weights"/>.</summary>
    public TorchNetwork(Network network, IWeights weights) : base(network.Name)
    {
        Network = network;
        _indices = network.Layers.Select((layer, index) => (layer.Name, index))
            .ToDictionary(pair => pair.Name, pair => pair.index, StringComparer.Ordinal);
        _lastUse = new int[network.Layers.Count];
        for (var index = 0; index < network.Layers.Count; index++)
            foreach (var input in network.Layers[index].Inputs) _lastUse[_indices[input]] = index;

        // Built inside a caller's scope or inference mode, it must outlive the one and be trainable in spite of the other.
        using var mode = inference_mode(false);
        foreach (var parameter in network.Parameters)
        {
            var tensor = empty([.. parameter.Shape.Select(size => (long)size)], ScalarType.Float32).DetachFromDisposeScope();
            weights.Read(parameter, Values(tensor));
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

    /// <inheritdoc/>
    public override Tensor forward(Tensor input) => Run(input, Network.Layers.Count - 1);

    /// <summary>The output of a layer (or a block's last layer), for images [N, channels, height, width].</summary>
    public Tensor Activation(Tensor input, string layerOrBlock)
    {
        using var scope = NewDisposeScope();
        return Run(input, _indices[Network.Find(layerOrBlock).Name]).MoveToOuterDisposeScope();
    }

    /// <summary>Copies a parameter's present values.</summary>
    public void Read(Parameter parameter, Span<float> destination)
    {
        using var plain = _tensors[parameter.Key].detach().cpu().contiguous();
        Values(plain).CopyTo(destination);
    }

    /// <summary>Sets every tensor to <paramref name="weights"/>.</summary>
    public void Load(IWeights weights)
    {
        using var _ = no_grad();
        foreach (var parameter in Network.Parameters)
        {
            using var values = empty([.. parameter.Shape.Select(size => (long)size)], ScalarType.Float32);
            weights.Read(parameter, Values(values));
            _tensors[parameter.Key].copy_(values).Dispose();
        }
    }

    /// <summary>The memory of a contiguous float32 tensor on the CPU.</summary>
    internal static unsafe Span<float> Values(Tensor tensor) =>
        MemoryMarshal.Cast<byte, float>(tensor.bytes);

    /// <summary>Runs the layers up to and with number <paramref name="last"/>.</summary>
    private Tensor Run(Tensor input, int last)
    {
        var outputs = new Tensor[last + 1];
        // In inference an activation is freed after its last use; in training autograd keeps what it needs.
        var free = !is_grad_enabled();
        outputs[0] = input;
        for (var index = 1; index <= last; index++)
        {
            var layer = Network.Layers[index];
            outputs[index] = Apply(layer, [.. layer.Inputs.Select(name => outputs[_indices[name]])]);
            if (!free) continue;
            foreach (var name in layer.Inputs.Where(name => _lastUse[_indices[name]] == index))
            {
                var used = outputs[_indices[name]];
                // A layer that does nothing in inference hands its input on.
                if (!ReferenceEquals(used, outputs[index]) && !ReferenceEquals(used, input)) used.Dispose();
            }
        }
        return outputs[last];
    }

    private Tensor Apply(Layer layer, Tensor[] inputs)
    {
        var input = inputs[0];
        switch (layer.Operation)
        {
            case Convolution op:
                var (padded, symmetric) = Pad(input, op.Padding, op.Kernel, op.Stride, 0);
                var convolved = F.conv2d(
                    padded, Weight("weight"), op.Bias ? Weight("bias") : null, [op.Stride.Height, op.Stride.Width], symmetric, groups: op.Groups);
                if (!ReferenceEquals(padded, input)) padded.Dispose();
                return convolved;
            case BatchNorm op:
                return F.batch_norm(
                    input, Weight("running_mean"), Weight("running_var"), op.Scale ? Weight("weight") : null, Weight("bias"),
                    training, op.Momentum, op.Epsilon);
            case Activation op:
                return op.Function switch
                {
                    ActivationFunction.Relu => F.relu(input),
                    ActivationFunction.Relu6 => F.relu6(input),
                    ActivationFunction.Sigmoid => sigmoid(input),
                    ActivationFunction.Softmax => softmax(input, 1),
                    _ => throw new NotSupportedException($"{op.Function}"),
                };
            case Pool op:
                return Slide(input, op);
            case GlobalPool op:
                return op.Function == PoolFunction.Average ? input.mean([2, 3]) : input.amax([2, 3]);
            case ZeroPadding op:
                return F.pad(input, [op.Padding.Left, op.Padding.Right, op.Padding.Top, op.Padding.Bottom]);
            case Dense op:
                return F.linear(input, Weight("weight"), op.Bias ? Weight("bias") : null);
            case Flatten op:
                using (var ordered = op.Order == AxisOrder.ChannelsLast && input.dim() == 4 ? input.permute(0, 2, 3, 1) : input.alias())
                    return ordered.flatten(1);
            case Reshape op:
                return input.reshape([-1, .. op.Shape.Select(size => (long)size)]);
            case Dropout op:
                return training ? F.dropout(input, op.Rate, training) : input;
            case Add:
                var sum = inputs[0] + inputs[1];
                foreach (var more in inputs.Skip(2)) sum.add_(more);
                return sum;
            case Concatenate:
                return cat(inputs, 1);
            default:
                throw new NotSupportedException(layer.Operation.Kind);
        }

        Tensor Weight(string name) => _tensors[$"{layer.Name}.{name}"];
    }

    private static Tensor Slide(Tensor input, Pool op)
    {
        var isMax = op.Function == PoolFunction.Max;
        var (padded, symmetric) = Pad(input, op.Padding, op.Kernel, op.Stride, isMax ? double.NegativeInfinity : 0);
        try
        {
            long[] kernel = [op.Kernel.Height, op.Kernel.Width], stride = [op.Stride.Height, op.Stride.Width];
            if (isMax) return F.max_pool2d(padded, kernel, stride, symmetric, [1, 1], op.RoundUp);
            if (!ReferenceEquals(padded, input) && !op.CountPadding)
                throw new NotSupportedException("Average pooling with uneven padding that is not counted.");
            return F.avg_pool2d(padded, kernel, stride, symmetric, op.RoundUp, op.CountPadding);
        }
        finally
        {
            if (!ReferenceEquals(padded, input)) padded.Dispose();
        }
    }

    /// <summary>torch's windows pad evenly only; uneven padding is written out first.</summary>
    private static (Tensor Padded, long[] Symmetric) Pad(
        Tensor input, Padding padding, Extent kernel, Extent stride, double value)
    {
        var (top, bottom, left, right, _) = padding.Resolve((int)input.shape[2], (int)input.shape[3], kernel, stride);
        return top == bottom && left == right
            ? (input, [top, left])
            : (F.pad(input, [left, right, top, bottom], PaddingModes.Constant, value), [0, 0]);
    }
}
