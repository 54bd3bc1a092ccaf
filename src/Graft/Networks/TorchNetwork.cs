using System.Runtime.InteropServices;
using Graft.Networks.Onnx;
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
    private readonly LayerUses _uses;
    private readonly bool[] _isNormalised;
    private readonly FusedLayers?[] _fused;
    private IReadOnlySet<string> _alwaysInInference = new HashSet<string>();

    static TorchNetwork() => LibtorchTuning.Apply();

    /// <summary>Builds the module and fills it, tensor by tensor, from <paramref name="weights"/>.</summary>
    /// <param name="device">Where its tensors lie and its inputs are expected.</param>
    public TorchNetwork(Network network, IWeights weights, DeviceType device = DeviceType.CPU) : base(network.Name)
    {
        (Network, Device) = (network, device);
        _uses = new(network);
        // Convolutions of which nothing but a batch norm uses the output.
        _isNormalised = [.. network.Layers.Select((layer, index) =>
            layer.Operation is Convolution { Activation: null } or SeparableConvolution
            && _uses.OnlyUser(index) is { } user && network.Layers[user].Operation is BatchNorm)];
        _fused = [.. network.Layers.Select((_, index) => FusedLayers.From(network, _uses, index))];

        // Built inside a caller's scope or inference mode, it must outlive the one and be trainable in spite of the other.
        using var mode = inference_mode(false);
        LibtorchTuning.ReleaseStartup();
        // Kernels of convolutions lie as the maps do, which libtorch would otherwise see to in every pass; files have them in another order.
        var largest = network.Parameters.Where(parameter => parameter.Shape.Count == 4).Select(parameter => parameter.ElementCount).DefaultIfEmpty().Max();
        using var buffer = empty(largest, ScalarType.Float32);
        foreach (var parameter in network.Parameters)
        {
            var tensor = Filled(parameter).DetachFromDisposeScope();
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

        Tensor Filled(Parameter parameter)
        {
            var sizes = parameter.Shape.Select(size => (long)size).ToArray();
            if (sizes is not [var outputs, var inputs, var height, var width])
            {
                var plain = empty(sizes, ScalarType.Float32);
                weights.Read(parameter, Values(plain));
                return plain;
            }
            using var ordered = buffer.narrow(0, 0, parameter.ElementCount).view(sizes);
            weights.Read(parameter, Values(ordered));
            using var kernel = empty([outputs, height, width, inputs], ScalarType.Float32);
            var turned = kernel.permute(0, 3, 1, 2);
            turned.copy_(ordered);
            return turned;
        }
    }

    public Network Network { get; }

    public DeviceType Device { get; }

    /// <summary>
    /// Lets only these layers learn: the weights of all others get no gradient, and nothing runs backward below the first of them.
    /// </summary>
    /// <param name="layers">Names of layers.</param>
    /// <param name="alwaysInInference">Layers that run in inference mode even while the network trains: batch norm by its moving
    /// statistics, which then stay as they are, dropout not at all.</param>
    public void TrainOnly(IReadOnlySet<string> layers, IReadOnlySet<string> alwaysInInference)
    {
        _alwaysInInference = alwaysInInference;
        foreach (var parameter in Network.Parameters.Where(parameter => !parameter.IsStatistic))
        {
            var tensor = _tensors[parameter.Key];
            tensor.requires_grad = layers.Contains(parameter.Layer);
            if (!tensor.requires_grad) tensor.grad = null;
        }
    }

    /// <summary>Whether training changes a tensor of weights by gradient.</summary>
    public bool Learns(Parameter parameter) => !parameter.IsStatistic && _tensors[parameter.Key].requires_grad;

    /// <inheritdoc/>
    public override Tensor forward(Tensor input) => Run(input, [Network.Layers.Count - 1])[0];

    /// <summary>
    /// The same for a step of training, whose gradients the tape is to find (<see cref="GradientTape.Backward"/>): faster, and with fewer
    /// activations kept.
    /// </summary>
    internal Tensor Record(Tensor input, GradientTape tape)
    {
        var isFused = training && Device == DeviceType.CPU && _fused.Any(fused => fused is not null);
        return Run(input, [Network.Layers.Count - 1], isFused ? tape : null)[0];
    }

    /// <summary>The output of a layer (or a block's last layer), for images [N, channels, height, width].</summary>
    public Tensor Activation(Tensor input, string layerOrBlock) => Activations(input, [layerOrBlock])[0];

    /// <summary>The outputs of several layers (or of blocks' last layers) in one pass, in the order asked for.</summary>
    public IReadOnlyList<Tensor> Activations(Tensor input, IReadOnlyList<string> layersOrBlocks)
    {
        using var scope = NewDisposeScope();
        var outputs = Run(input, [.. layersOrBlocks.Select(name => Network.IndexOf(Network.Find(name).Name))]);
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

    /// <summary>Runs the layers up to the last of those wanted, by number, and returns the wanted outputs.</summary>
    /// <param name="tape">What finds the gradients, of the last layer's output only; null: libtorch, where they are to be found.</param>
    private Tensor[] Run(Tensor input, int[] wanted, GradientTape? tape = null)
    {
        var last = wanted.Max();
        var outputs = new Tensor?[last + 1];
        var isDone = new bool[last + 1];
        // libtorch computes in the layout that maps come in, and is fastest with the channels last.
        using var relaid = input.dim() == 4 ? ChannelsLast(input) : null;
        outputs[0] = relaid ?? input;
        for (var index = 1; index <= last; index++)
        {
            if (isDone[index]) continue;
            var (output, steps) = Step(index);
            outputs[steps[^1]] = output;
            foreach (var step in steps)
            {
                isDone[step] = true;
                // An activation is let go after its last use; in training autograd, or the tape, keeps what it needs.
                foreach (var used in _uses.Inputs(step).Where(used => used != 0 && _uses.Last(used) == step && !wanted.Contains(used)))
                    if (outputs[used] is { } spent && !ReferenceEquals(spent, output) && tape?.Holds(spent) != true) spent.Dispose();
            }
        }
        outputs[0] = input;
        return [.. wanted.Select(index => outputs[index]!)];

        (Tensor Output, IReadOnlyList<int> Steps) Step(int index)
        {
            if (tape is not null && _fused[index] is { } fused && outputs[fused.Value] is { } value && Fuse(fused, value) is { } result) return (result, fused.Steps);
            Tensor[] inputs = [.. _uses.Inputs(index).Select(used => outputs[used]!)];
            var first = _uses.Inputs(index)[0];
            // What another layer used before, that layer's gradient may need.
            var overwrites = _uses.IsFree(first) && _uses.Last(first) == index && (_uses.Count(first) == 1 || !is_grad_enabled())
                && !wanted.Contains(first) && tape?.Holds(inputs[0]) != true;
            var folded = IsFolded(index) && !wanted.Contains(index) && _uses.Last(index) <= last;
            IReadOnlyList<int> steps = folded ? [index, _uses.Last(index)] : [index];
            var output = Apply(Network.Layers[index], inputs, overwrites, folded ? Network.Layers[steps[^1]] : null);
            var isShared = tape is not null && _uses.Count(steps[^1]) > 1 && output.requires_grad;
            return (isShared ? tape!.Cut(output) : output, steps);
        }

        // Null where gradients do not run, or the numbers do not lie as the tape's kernels want them.
        Tensor? Fuse(FusedLayers fused, Tensor value)
        {
            var addend = fused.Addend is { } other ? outputs[other] : null;
            if (!Rows.TryOf(value, out var rows) || (addend is not null && !Rows.TryOf(addend, out _))) return null;
            BatchStatistics? statistics = null;
            if (fused.Norm is { } norm)
            {
                var layer = Network.Layers[norm];
                if (!IsTraining(layer)) return null;
                var op = (BatchNorm)layer.Operation;
                statistics = new(
                    rows, op, op.Scale ? _tensors[$"{layer.Name}.weight"] : null, _tensors[$"{layer.Name}.bias"],
                    _tensors[$"{layer.Name}.running_mean"], _tensors[$"{layer.Name}.running_var"]);
            }
            else if (!value.requires_grad)
            {
                return null;
            }
            return tape!.Apply(value, statistics, addend, fused.Addend is { } sum && _uses.IsFreeForItsOnlyUser(sum), fused.Activation);
        }
    }

    /// <summary>
    /// Whether a convolution does its batch norm's work: by moving statistics that is one scale and shift for each channel, which its weights
    /// can take. It saves a pass over its output, and where gradients run, keeping that for them.
    /// </summary>
    private bool IsFolded(int index) => _isNormalised[index] && !IsTraining(Network.Layers[_uses.Last(index)]);

    /// <summary>The weights and bias of a convolution and a batch norm in one; gradients reach those of both.</summary>
    private (Tensor Weight, Tensor Bias) Fold(Tensor weight, Tensor? bias, Layer norm)
    {
        using var scope = NewDisposeScope();
        var op = (BatchNorm)norm.Operation;
        using Scalar epsilon = op.Epsilon;
        var scale = _tensors[$"{norm.Name}.running_var"].add(epsilon).rsqrt_();
        if (op.Scale) scale = scale * _tensors[$"{norm.Name}.weight"];
        var mean = bias is null ? _tensors[$"{norm.Name}.running_mean"] : _tensors[$"{norm.Name}.running_mean"] - bias;
        var shift = _tensors[$"{norm.Name}.bias"] - mean * scale;
        return ((weight * scale.view(-1, 1, 1, 1)).MoveToOuterDisposeScope(), shift.MoveToOuterDisposeScope());
    }

    private bool IsTraining(Layer layer) => training && !_alwaysInInference.Contains(layer.Name);

    /// <summary>The same map [N, channels, height, width] with the channels of a position side by side in memory.</summary>
    private static Tensor ChannelsLast(Tensor map)
    {
        using var last = map.permute(0, 2, 3, 1);
        using var contiguous = last.contiguous();
        return contiguous.permute(0, 3, 1, 2);
    }

    /// <param name="overwrites">Whether the first input is needed by nothing else, so that its memory may be the output's.</param>
    /// <param name="norm">The batch norm whose work a convolution does too; null for none.</param>
    private Tensor Apply(Layer layer, Tensor[] inputs, bool overwrites, Layer? norm)
    {
        var input = inputs[0];
        var training = IsTraining(layer);
        switch (layer.Operation)
        {
            case Convolution op when norm is not null:
                var (weight, shift) = Fold(Weight("weight"), op.Bias ? Weight("bias") : null, norm);
                using (weight)
                using (shift) return Convolve(input, op, weight, shift);
            case Convolution op:
                return Activated(Convolve(input, op, Weight("weight"), op.Bias ? Weight("bias") : null), op.Activation);
            case SeparableConvolution op when norm is not null:
                var (pointwise, bias) = Fold(Weight("pointwise.weight"), null, norm);
                using (pointwise)
                using (bias) return ConvolveSeparably(input, op, Weight("weight"), pointwise, bias);
            case SeparableConvolution op:
                return ConvolveSeparably(input, op, Weight("weight"), Weight("pointwise.weight"), bias: null);
            case BatchNorm op:
                return F.batch_norm(
                    input, Weight("running_mean"), Weight("running_var"), op.Scale ? Weight("weight") : null, Weight("bias"),
                    training, op.Momentum, op.Epsilon);
            case Activation op:
                // Of relu, gradients need its output alone; of relu6 its input, which libtorch would copy first.
                return overwrites && op.Function is ActivationFunction.Relu ? input.relu_()
                    : overwrites && op.Function is ActivationFunction.Relu6 && !input.requires_grad ? input.relu6_()
                    : Activate(input, op.Function);
            case LayerNorm op:
                return OverChannels(input, x => F.layer_norm(x, [x.shape[^1]], Weight("weight"), Weight("bias"), op.Epsilon));
            case LayerScale:
                return input * _tensors[layer.Name];
            case Pool op:
                return Slide(input, op);
            case GlobalPool op:
                // Of channels that lie last, so that the gradient comes to lie so too.
                using (var last = input.permute(0, 2, 3, 1))
                using (var positions = last.flatten(1, 2))
                    return op.Function == PoolFunction.Average ? positions.mean([1]) : positions.amax([1]);
            case AdaptiveAveragePool op:
                return F.adaptive_avg_pool2d(input, [op.Size.Height, op.Size.Width]);
            case ZeroPadding op:
                return Surround(input, op.Padding);
            case SamePadding op:
                return Surround(input, Padding.Same.Resolve((int)input.shape[2], (int)input.shape[3], op.Kernel, op.Stride));
            case Dense op:
                return Activated(F.linear(input, Weight("weight"), op.Bias ? Weight("bias") : null), op.Activation);
            case PointwiseDense op:
                return OverChannels(input, x => F.linear(x, Weight("weight"), op.Bias ? Weight("bias") : null));
            case Flatten op:
                using (var ordered = op.Order == AxisOrder.ChannelsLast && input.dim() == 4 ? input.permute(0, 2, 3, 1) : input.alias())
                    return ordered.flatten(1);
            case Reshape op:
                return input.reshape([-1, .. op.Shape.Select(size => (long)size)]);
            case Dropout op:
                return training ? F.dropout(input, op.Rate, training) : input.alias();
            case Add:
                var sum = overwrites ? inputs[0].add_(inputs[1]) : inputs[0] + inputs[1];
                foreach (var more in inputs.Skip(2)) sum.add_(more);
                return sum;
            case Multiply:
                return inputs[0] * inputs[1];
            case Concatenate:
                return cat(inputs, 1);
            case ClassToken:
                return PrependToken(input, _tensors[layer.Name]);
            case PositionEmbedding op:
                using (var places = Resample(_tensors[layer.Name], op.Grid, inputs[1].shape[2], inputs[1].shape[3]))
                    return input + places;
            case SelfAttention op:
                return Attend(input, op.Heads);
            case FirstToken:
                return input.select(1, 0);
            case OnnxGraph:
                throw new GraftException($"'{Network.Name}' is an ONNX model: ONNX Runtime runs it, and it cannot be trained. Keep it frozen.");
            case ClassifierOperation op:
                return TorchClassifiers.LogProbabilities(op, input, role => _tensors[new Parameter(layer.Name, role, []).Key]);
            default:
                throw new NotSupportedException(layer.Operation.Kind);
        }

        Tensor Weight(string name) => _tensors[$"{layer.Name}.{name}"];
    }

    private static Tensor Activate(Tensor input, ActivationFunction function) => function switch
    {
        ActivationFunction.Relu => F.relu(input),
        ActivationFunction.Relu6 => F.relu6(input),
        ActivationFunction.Sigmoid => sigmoid(input),
        ActivationFunction.Silu => F.silu(input),
        ActivationFunction.Gelu => F.gelu(input),
        ActivationFunction.HardSigmoid => F.hardsigmoid(input),
        ActivationFunction.HardSwish => F.hardswish(input),
        ActivationFunction.Softmax => softmax(input, 1),
        _ => throw new NotSupportedException($"{function}"),
    };

    /// <summary>The activation that is part of a layer; disposes what it is applied to.</summary>
    private static Tensor Activated(Tensor output, ActivationFunction? function)
    {
        if (function is null) return output;
        using (output) return Activate(output, function.Value);
    }

    private static Tensor Convolve(Tensor input, Convolution op, Tensor weight, Tensor? bias)
    {
        var (padded, symmetric) = Pad(input, op.Padding, op.Kernel, op.Stride, 0);
        var convolved = F.conv2d(padded, weight, bias, [op.Stride.Height, op.Stride.Width], symmetric, groups: op.Groups);
        if (!ReferenceEquals(padded, input)) padded.Dispose();
        return convolved;
    }

    private static Tensor ConvolveSeparably(Tensor input, SeparableConvolution op, Tensor depthwise, Tensor pointwise, Tensor? bias)
    {
        var (padded, symmetric) = Pad(input, Padding.Same, op.Kernel, 1, 0);
        using var filtered = F.conv2d(padded, depthwise, null, [1, 1], symmetric, groups: input.shape[1]);
        if (!ReferenceEquals(padded, input)) padded.Dispose();
        return F.conv2d(filtered, pointwise, bias);
    }

    /// <summary>Applies what works on the last axis to the channels, which a map [N, channels, height, width] has second.</summary>
    private static Tensor OverChannels(Tensor input, Func<Tensor, Tensor> apply)
    {
        if (input.dim() != 4) return apply(input);
        using var last = input.permute(0, 2, 3, 1);
        using var output = apply(last);
        return output.permute(0, 3, 1, 2);
    }

    /// <summary>[N, channels, height, width] → [N, 1 + height · width, channels].</summary>
    private static Tensor PrependToken(Tensor map, Tensor token)
    {
        using var positions = map.flatten(2);
        using var tokens = positions.transpose(1, 2);
        using var first = token.expand(map.shape[0], -1, -1);
        return cat([first, tokens], 1);
    }

    /// <summary>A position embedding of <paramref name="grid"/> for a map of another size, [1 + height · width, channels].</summary>
    internal static float[] Resampled(float[] embedding, Extent grid, int height, int width, int channels)
    {
        using var scope = NewDisposeScope();
        using var learned = tensor(embedding, [1, 1 + grid.Height * grid.Width, channels]);
        return Values(Resample(learned, grid, height, width).contiguous()).ToArray();
    }

    /// <summary>[1, 1 + grid, channels] → [1, 1 + height · width, channels]; the first token has no place.</summary>
    private static Tensor Resample(Tensor embedding, Extent grid, long height, long width)
    {
        if ((grid.Height, grid.Width) == (height, width)) return embedding.alias();
        using var first = embedding.narrow(1, 0, 1);
        using var rest = embedding.narrow(1, 1, grid.Height * grid.Width);
        using var rows = rest.reshape(1, grid.Height, grid.Width, -1);
        using var map = rows.permute(0, 3, 1, 2);
        using var resampled = F.interpolate(
            map, [height, width], mode: InterpolationMode.Bicubic, align_corners: false, antialias: true);
        using var positions = resampled.flatten(2);
        using var places = positions.transpose(1, 2);
        return cat([first, places], 1);
    }

    /// <summary>[N, tokens, 3 · channels] → [N, tokens, channels].</summary>
    private static Tensor Attend(Tensor input, int heads)
    {
        var (count, tokens) = (input.shape[0], input.shape[1]);
        using var parts = input.reshape(count, tokens, 3, heads, -1);
        using var split = parts.permute(2, 0, 3, 1, 4);
        using var query = split.select(0, 0);
        using var key = split.select(0, 1);
        using var value = split.select(0, 2);
        using var attended = F.scaled_dot_product_attention(query, key, value);
        using var sideBySide = attended.transpose(1, 2);
        return sideBySide.flatten(2);
    }

    private static Tensor Surround(Tensor input, Padding padding) =>
        F.pad(input, [padding.Left, padding.Right, padding.Top, padding.Bottom]);

    private static Tensor Slide(Tensor input, Pool op)
    {
        var isMax = op.Function == PoolFunction.Max;
        var (padded, symmetric) = Pad(input, op.Padding, op.Kernel, op.Stride, isMax ? double.NegativeInfinity : 0);
        try
        {
            long[] kernel = [op.Kernel.Height, op.Kernel.Width], stride = [op.Stride.Height, op.Stride.Width];
            if (isMax) return F.max_pool2d(padded, kernel, stride, symmetric, [1, 1], op.RoundUp);
            var average = F.avg_pool2d(padded, kernel, stride, symmetric, op.RoundUp, op.CountPadding);
            if (ReferenceEquals(padded, input) || op.CountPadding) return average;
            // Zeros that were written out were counted: divided by the share of each window that is not one of them.
            using var ones = ones_like(input);
            using var map = Pad(ones, op.Padding, op.Kernel, op.Stride, 0).Padded;
            using var share = F.avg_pool2d(map, kernel, stride, symmetric, op.RoundUp);
            return average.div_(share);
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
        var (top, bottom, left, right, _, _) = padding.Resolve((int)input.shape[2], (int)input.shape[3], kernel, stride);
        return top == bottom && left == right
            ? (input, [top, left])
            : (F.pad(input, [left, right, top, bottom], PaddingModes.Constant, value), [0, 0]);
    }
}
