using Graft.Networks;

namespace Graft.Checkpoints;

/// <summary>How Keras names and lays out what <see cref="Parameter"/> names and lays out as PyTorch does.</summary>
internal static class KerasLayout
{
    /// <summary>Columns that are transposed together: a cache line of the source.</summary>
    private const int BlockWidth = 16;

    /// <summary>The weight's name within its layer: <c>kernel</c>, <c>gamma</c>, <c>moving_mean</c>.</summary>
    public static string Name(ParameterRole role) => role switch
    {
        ParameterRole.Kernel or ParameterRole.DenseKernel => "kernel",
        ParameterRole.DepthwiseKernel => "depthwise_kernel",
        ParameterRole.PointwiseKernel => "pointwise_kernel",
        ParameterRole.Bias => "bias",
        ParameterRole.Gamma or ParameterRole.LayerScale => "gamma",
        ParameterRole.Beta => "beta",
        ParameterRole.MovingMean => "moving_mean",
        ParameterRole.MovingVariance => "moving_variance",
        ParameterRole.Embedding => "embeddings",
        ParameterRole.RelativePositions => "relative_position_bias_table",
        // Of operations that Keras has not: a name that none of its files has.
        _ => LowerCase.Policy.ConvertName(role.ToString()),
    };

    /// <summary>The shape in a Keras file: kernels [height, width, input, output], dense kernels [input, output].</summary>
    public static IReadOnlyList<int> Shape(Parameter parameter) => (parameter.Role, parameter.Shape) switch
    {
        (ParameterRole.Kernel or ParameterRole.PointwiseKernel, [var output, var input, var height, var width]) =>
            [height, width, input, output],
        // [input · multiplier, 1, height, width]; every network of the catalog has multiplier 1.
        (ParameterRole.DepthwiseKernel, [var channels, _, var height, var width]) => [height, width, channels, 1],
        (ParameterRole.DenseKernel, [var output, var input]) => [input, output],
        // Of a map: [channels, 1, 1].
        (ParameterRole.LayerScale, [var channels, ..]) => [channels],
        (_, var shape) => shape,
    };

    /// <summary>
    /// The shape of a depthwise kernel that Keras has as a convolution of as many groups as channels, [height, width, 1, channels]: the numbers lie in the same
    /// order. Null of other parameters.
    /// </summary>
    public static IReadOnlyList<int>? GroupedShape(Parameter parameter) =>
        parameter is { Role: ParameterRole.DepthwiseKernel, Shape: [var channels, _, var height, var width] } ? [height, width, 1, channels] : null;

    /// <summary>Reorders values from Keras's layout to the parameter's own.</summary>
    public static void ToParameter(Parameter parameter, ReadOnlySpan<float> keras, Span<float> destination) =>
        ToParameter(parameter, keras, first: 0, destination);

    /// <summary>
    /// The same for a part of the tensor: <paramref name="keras"/> has the values from element <paramref name="first"/> on, whole
    /// entries of Keras's first axis.
    /// </summary>
    public static void ToParameter(Parameter parameter, ReadOnlySpan<float> keras, int first, Span<float> destination)
    {
        // Both kinds of layout are a matrix transposed: [positions · inputs, outputs] → [outputs, inputs · positions].
        var (outputs, inputs, positions) = (parameter.Role, parameter.Shape) switch
        {
            (ParameterRole.Kernel or ParameterRole.PointwiseKernel, [var o, var i, var h, var w]) => (o, i, h * w),
            (ParameterRole.DepthwiseKernel, [var c, _, var h, var w]) => (c, 1, h * w),
            (ParameterRole.DenseKernel, [var o, var i]) => (o, i, 1),
            _ => (0, 0, 0),
        };
        if (outputs == 0)
        {
            keras.CopyTo(destination[first..]);
            return;
        }
        var (firstRow, rows, stride) = (first / outputs, keras.Length / outputs, inputs * positions);
        for (var block = 0; block < outputs; block += BlockWidth)
        {
            var width = Math.Min(BlockWidth, outputs - block);
            for (var row = 0; row < rows; row++)
            {
                var (position, input) = Math.DivRem(firstRow + row, inputs);
                var target = block * stride + input * positions + position;
                foreach (var value in keras.Slice(row * outputs + block, width))
                {
                    destination[target] = value;
                    target += stride;
                }
            }
        }
    }
}
