using Graft.Networks.Onnx;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Graft.Networks;

/// <summary>What each kind of layer computes, by torch: one layer on its inputs, [N, …].</summary>
/// <param name="tensors">The network's weights by key.</param>
/// <param name="training">Whether the layer runs in training mode.</param>
/// <param name="overwrites">Whether the first input is needed by nothing else, so that its memory may be the output's.</param>
/// <param name="norm">The batch norm whose work a convolution does too; null for none.</param>
/// <param name="share">The part of a training step's batch that the inputs are; null for all of it.</param>
internal sealed class TorchOperation(
    Network network, Layer layer, Tensor[] inputs, IReadOnlyDictionary<string, Tensor> tensors, bool training, bool overwrites, Layer? norm,
    BatchShare? share = null)
    : IOperationVisitor<Tensor>
{
    private Tensor Input => inputs[0];

    public Tensor Visit(Input operation) => throw new InvalidOperationException("An input is given, not computed.");

    public Tensor Visit(Convolution operation)
    {
        if (norm is not null)
        {
            var (weight, shift) = Fold(Weight("weight"), operation.Bias ? Weight("bias") : null, norm);
            using (weight)
            using (shift) return Convolve(Input, operation, weight, shift);
        }
        return Activated(Convolve(Input, operation, Weight("weight"), operation.Bias ? Weight("bias") : null), operation.Activation);
    }

    public Tensor Visit(SeparableConvolution operation)
    {
        if (norm is not null)
        {
            var (pointwise, bias) = Fold(Weight("pointwise.weight"), null, norm);
            using (pointwise)
            using (bias) return ConvolveSeparably(Input, operation, Weight("weight"), pointwise, bias);
        }
        return ConvolveSeparably(Input, operation, Weight("weight"), Weight("pointwise.weight"), bias: null);
    }

    public Tensor Visit(BatchNorm operation) => F.batch_norm(
        Input, Weight("running_mean"), Weight("running_var"), operation.Scale ? Weight("weight") : null, Weight("bias"), training, operation.Momentum,
        operation.Epsilon);

    // Of relu, gradients need its output alone; of relu6 its input, which libtorch would copy first.
    public Tensor Visit(Activation operation) =>
        overwrites && operation.Function is ActivationFunction.Relu ? Input.relu_()
        : overwrites && operation.Function is ActivationFunction.Relu6 && !Input.requires_grad ? Input.relu6_()
        : Activate(Input, operation.Function);

    public Tensor Visit(LayerNorm operation) =>
        OverChannels(Input, x => F.layer_norm(x, [x.shape[^1]], Weight("weight"), Weight("bias"), operation.Epsilon));

    public Tensor Visit(LayerScale operation) => Input * tensors[layer.Name];

    public Tensor Visit(Scaling operation) => Input * Scalars.Number(operation.Factor);

    public Tensor Visit(Pool operation) => Slide(Input, operation);

    public Tensor Visit(GlobalPool operation)
    {
        // Of channels that lie last, so that the gradient comes to lie so too.
        using var last = Input.permute(0, 2, 3, 1);
        using var positions = last.flatten(1, 2);
        return operation.Function == PoolFunction.Average ? positions.mean([1]) : positions.amax([1]);
    }

    public Tensor Visit(AdaptiveAveragePool operation) => F.adaptive_avg_pool2d(Input, [operation.Size.Height, operation.Size.Width]);

    public Tensor Visit(ZeroPadding operation) => Surround(Input, operation.Padding);

    public Tensor Visit(SamePadding operation) =>
        Surround(Input, Padding.Same.Resolve((int)Input.shape[2], (int)Input.shape[3], operation.Kernel, operation.Stride));

    public Tensor Visit(Dense operation) =>
        Activated(F.linear(Input, Weight("weight"), operation.Bias ? Weight("bias") : null), operation.Activation);

    public Tensor Visit(PointwiseDense operation) =>
        OverChannels(Input, x => F.linear(x, Weight("weight"), operation.Bias ? Weight("bias") : null));

    public Tensor Visit(Flatten operation)
    {
        using var ordered = operation.Order == AxisOrder.ChannelsLast && Input.dim() == 4 ? Input.permute(0, 2, 3, 1) : Input.alias();
        return ordered.flatten(1);
    }

    public Tensor Visit(Reshape operation) => Input.reshape([-1, .. operation.Shape.Select(size => (long)size)]);

    public Tensor Visit(Dropout operation) =>
        !training ? Input.alias() : share?.Dropout(Input, operation.Rate) ?? F.dropout(Input, operation.Rate, training);

    public Tensor Visit(Add operation)
    {
        var sum = overwrites ? inputs[0].Increase(inputs[1]) : inputs[0].Plus(inputs[1]);
        foreach (var more in inputs.Skip(2)) sum.Increase(more);
        return sum;
    }

    public Tensor Visit(Multiply operation) => inputs[0] * inputs[1];

    public Tensor Visit(Concatenate operation) => cat(inputs, 1);

    public Tensor Visit(ClassToken operation) => PrependToken(Input, tensors[layer.Name]);

    public Tensor Visit(MapTokens operation)
    {
        using var positions = Input.flatten(2);
        return positions.transpose(1, 2);
    }

    public Tensor Visit(TokensMap operation)
    {
        using var channels = Input.transpose(1, 2);
        return channels.reshape(Input.shape[0], Input.shape[2], operation.Size.Height, operation.Size.Width);
    }

    public Tensor Visit(PositionEmbedding operation)
    {
        using var places = Resample(tensors[layer.Name], operation.Grid, inputs[1].shape[2], inputs[1].shape[3]);
        return Input.Plus(places);
    }

    public Tensor Visit(SelfAttention operation) => Attend(Input, operation.Heads);

    public Tensor Visit(ProbeAttention operation) => AttendToTheRest(Input, operation.Heads);

    public Tensor Visit(FirstToken operation) => Input.select(1, 0);

    public Tensor Visit(TokenMean operation) => Input.mean([1]);

    public Tensor Visit(PatchMerging operation)
    {
        using var scope = NewDisposeScope();
        var even = F.pad(Input, [0, Input.shape[3] % 2, 0, Input.shape[2] % 2]);
        Tensor Window(long row, long column) => even.slice(2, row, even.shape[2], 2).slice(3, column, even.shape[3], 2);
        return cat([Window(0, 0), Window(1, 0), Window(0, 1), Window(1, 1)], 1).MoveToOuterDisposeScope();
    }

    public Tensor Visit(WindowPadding operation)
    {
        var padding = operation.Resolve(TensorShape.Map(1, (int)Input.shape[2], (int)Input.shape[3])).Padding;
        return padding == Padding.None ? Input.alias() : Surround(Input, padding);
    }

    public Tensor Visit(WindowAttention operation)
    {
        if (operation.OffsetUnits is null) return AttendInWindows(operation, Input, inputs[1], tensors[layer.Name]);
        using var offsets = OffsetNumbers(operation, Weight("0.weight"), Weight("0.bias"), Weight("2.weight"));
        return AttendInWindows(operation, Input, inputs[1], offsets);
    }

    public Tensor Visit(QueryValueBias operation)
    {
        using var scope = NewDisposeScope();
        var parts = tensors[layer.Name].chunk(3, 0);
        return Input.Plus(cat([parts[0], zeros_like(parts[1]), parts[2]], 0).reshape(1, -1, 1, 1)).MoveToOuterDisposeScope();
    }

    public Tensor Visit(CosineHeads operation)
    {
        using var scope = NewDisposeScope();
        var channels = Input.shape[1] / 3;
        // [N, 3, heads, width, positions]
        var parts = Input.reshape(Input.shape[0], 3, operation.Heads, channels / operation.Heads, -1);
        var factors = tensors[layer.Name].clamp_max(Scalars.Number(CosineHeads.Largest)).exp() * Scalars.Number(Math.Sqrt(channels / operation.Heads));
        var (queries, keys) = (F.normalize(parts.select(1, 0), dim: 2) * factors, F.normalize(parts.select(1, 1), dim: 2));
        return stack([queries, keys, parts.select(1, 2)], 1).reshape(Input.shape).MoveToOuterDisposeScope();
    }

    public Tensor Visit(ChannelSlice operation) => Input.narrow(1, operation.First, operation.Count);

    public Tensor Visit(ChannelShuffle operation)
    {
        var (count, channels, height, width) = (Input.shape[0], Input.shape[1], Input.shape[2], Input.shape[3]);
        using var groups = Input.reshape(count, operation.Groups, channels / operation.Groups, height, width);
        using var dealt = groups.transpose(1, 2);
        return dealt.reshape(count, channels, height, width);
    }

    public Tensor Visit(AffineTransform operation)
    {
        using var centered = Input - Fitted(ParameterRole.Center);
        return operation.IsDiagonal
            ? (centered * Fitted(ParameterRole.Factors)).Increase(Fitted(ParameterRole.Shift))
            : F.linear(centered, Fitted(ParameterRole.Factors), Fitted(ParameterRole.Shift));
    }

    public Tensor Visit(OnnxGraph operation) =>
        throw new GraftException($"'{network.Name}' is an ONNX model: ONNX Runtime runs it, and it cannot be trained. Keep it frozen.");

    public Tensor Visit(GaussianBayes operation) => TorchClassifiers.LogProbabilities(operation, Input, Fitted);

    public Tensor Visit(NeighborVotes operation) => TorchClassifiers.LogProbabilities(operation, Input, Fitted);

    public Tensor Visit(NormalizedClassMeans operation) => TorchClassifiers.LogProbabilities(operation, Input, Fitted);

    public Tensor Visit(RbfMachine operation) => TorchClassifiers.LogProbabilities(operation, Input, Fitted);

    public Tensor Visit(SoftmaxVotes operation) => TorchClassifiers.LogProbabilities(operation, Input, Fitted);

    public Tensor Visit(UnitLength operation)
    {
        using var length = Input.Squared().sum(1, keepdim: true).sqrt().clamp_min(Scalars.Number(UnitLength.Least));
        return Input / length;
    }

    private Tensor Weight(string name) => tensors[$"{layer.Name}.{name}"];

    private Tensor Fitted(ParameterRole role) => tensors[new Parameter(layer.Name, role, []).Key];

    /// <summary>The weights and bias of a convolution and a batch norm in one; gradients reach those of both.</summary>
    private (Tensor Weight, Tensor Bias) Fold(Tensor weight, Tensor? bias, Layer norm)
    {
        using var scope = NewDisposeScope();
        var op = (BatchNorm)norm.Operation;
        var scale = tensors[$"{norm.Name}.running_var"].Plus(op.Epsilon).rsqrt_();
        if (op.Scale) scale = scale * tensors[$"{norm.Name}.weight"];
        var mean = bias is null ? tensors[$"{norm.Name}.running_mean"] : tensors[$"{norm.Name}.running_mean"] - bias;
        var shift = tensors[$"{norm.Name}.bias"] - mean * scale;
        return ((weight * scale.view(-1, 1, 1, 1)).MoveToOuterDisposeScope(), shift.MoveToOuterDisposeScope());
    }

    private static Tensor Activate(Tensor input, ActivationFunction function) => function switch
    {
        ActivationFunction.Relu => F.relu(input),
        ActivationFunction.Relu6 => F.relu6(input),
        ActivationFunction.Sigmoid => sigmoid(input),
        ActivationFunction.Silu => F.silu(input),
        ActivationFunction.Gelu => F.gelu(input),
        ActivationFunction.GeluTanh => GeluTanh(input),
        ActivationFunction.QuickGelu => QuickGelu(input),
        ActivationFunction.HardSigmoid => F.hardsigmoid(input),
        ActivationFunction.HardSwish => F.hardswish(input),
        ActivationFunction.Softmax => softmax(input, 1),
        _ => throw new NotSupportedException($"{function}"),
    };

    private static Tensor GeluTanh(Tensor input)
    {
        using var scope = NewDisposeScope();
        var inner = (input.pow(Scalars.Number(3)) * Scalars.Number(0.044715)).Plus(input) * Scalars.Number(Math.Sqrt(2 / Math.PI));
        return (inner.tanh().Plus(1) * input * Scalars.Number(0.5)).MoveToOuterDisposeScope();
    }

    private static Tensor QuickGelu(Tensor input)
    {
        using var scaled = input * Scalars.Number(1.702);
        using var gate = scaled.sigmoid();
        return input.mul(gate);
    }

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
        using var filtered = Convolve(input, op.Depthwise((int)input.shape[1]), depthwise, null);
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

    /// <summary>[N, channels, height, width] → [N, 1 + height · width, channels]; [N, tokens, channels] → [N, 1 + tokens, channels].</summary>
    private static Tensor PrependToken(Tensor input, Tensor token)
    {
        using var positions = input.dim() == 4 ? input.flatten(2) : input.transpose(1, 2);
        using var tokens = positions.transpose(1, 2);
        using var first = token.expand(input.shape[0], -1, -1);
        return cat([first, tokens], 1);
    }

    /// <summary>A position embedding of <paramref name="grid"/> for a map of another size, [tokens before + height · width, channels].</summary>
    internal static float[] Resampled(float[] embedding, Extent grid, int height, int width, int channels)
    {
        using var scope = NewDisposeScope();
        using var learned = tensor(embedding, [1, embedding.Length / channels, channels]);
        return TorchNetwork.Values(Resample(learned, grid, height, width).contiguous()).ToArray();
    }

    /// <summary>[1, tokens before + grid, channels] → [1, tokens before + height · width, channels]; those before have no place.</summary>
    private static Tensor Resample(Tensor embedding, Extent grid, long height, long width)
    {
        if ((grid.Height, grid.Width) == (height, width)) return embedding.alias();
        var before = embedding.shape[1] - grid.Height * grid.Width;
        using var first = embedding.narrow(1, 0, before);
        using var rest = embedding.narrow(1, before, grid.Height * grid.Width);
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

    /// <summary>[N, 1 + tokens, 3 · channels] → [N, channels].</summary>
    private static Tensor AttendToTheRest(Tensor input, int heads)
    {
        using var scope = NewDisposeScope();
        var (count, rest) = (input.shape[0], input.shape[1] - 1);
        // [3, N, heads, 1 + tokens, width]
        var split = input.reshape(count, input.shape[1], 3, heads, -1).permute(2, 0, 3, 1, 4);
        return F.scaled_dot_product_attention(split[0].narrow(2, 0, 1), split[1].narrow(2, 1, rest), split[2].narrow(2, 1, rest))
            .flatten(1).MoveToOuterDisposeScope();
    }

    /// <summary>[N, 3 · channels, height, width] → [N, channels, rows, columns].</summary>
    private static Tensor AttendInWindows(WindowAttention operation, Tensor input, Tensor map, Tensor offsets)
    {
        using var scope = NewDisposeScope();
        var (count, channels, rows, columns) = (input.shape[0], input.shape[1] / 3, map.shape[2], map.shape[3]);
        var windows = operation.WindowsOf((int)input.shape[2], (int)input.shape[3]);
        // [N, 3, heads, width, windows, positions] → [3, N, windows, heads, positions, width]
        var parts = input.flatten(2).index_select(2, Indices(windows.Positions()))
            .reshape(count, 3, operation.Heads, -1, windows.Count, windows.Area).permute(1, 0, 4, 2, 5, 3);
        var bias = offsets.index_select(0, Indices(windows.Offsets())).reshape(1, windows.Area, windows.Area, operation.Heads).permute(0, 3, 1, 2);
        if (windows.IsMasked) bias = bias.Plus(tensor(windows.Mask(), [windows.Count, 1, windows.Area, windows.Area], device: input.device));
        var shares = softmax((parts[0] * Scalars.Number(1 / Math.Sqrt(parts.shape[^1]))).matmul(parts[1].transpose(-1, -2)).Plus(bias), -1);
        var attended = shares.matmul(parts[2]).permute(0, 2, 4, 1, 3).reshape(count, channels, -1);
        return attended.index_select(2, Indices(windows.Places((int)rows, (int)columns))).reshape(count, channels, rows, columns).MoveToOuterDisposeScope();

        Tensor Indices(int[] values) => tensor(values, device: input.device).to_type(ScalarType.Int64);
    }

    /// <summary>[offsets, heads]: 16 · sigmoid of what the network says of each offset.</summary>
    internal static Tensor OffsetNumbers(WindowAttention operation, Tensor kernel, Tensor bias, Tensor heads)
    {
        using var scope = NewDisposeScope();
        var logarithms = tensor(operation.OffsetLogarithms(), device: kernel.device).reshape(-1, 2);
        return (F.linear(F.relu(F.linear(logarithms, kernel, bias)), heads).sigmoid() * Scalars.Number(16)).MoveToOuterDisposeScope();
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
