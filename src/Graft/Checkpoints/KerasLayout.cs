using Graft.Networks;

namespace Graft.Checkpoints;

/// <summary>How Keras names and lays out what <see cref="Parameter"/> names and lays out as PyTorch does.</summary>
internal static class KerasLayout
{
    /// <summary>The weight's name within its layer: <c>kernel</c>, <c>gamma</c>, <c>moving_mean</c>.</summary>
    public static string Name(ParameterRole role) => role switch
    {
        ParameterRole.Kernel or ParameterRole.DenseKernel => "kernel",
        ParameterRole.DepthwiseKernel => "depthwise_kernel",
        ParameterRole.Bias => "bias",
        ParameterRole.Gamma => "gamma",
        ParameterRole.Beta => "beta",
        ParameterRole.MovingMean => "moving_mean",
        ParameterRole.MovingVariance => "moving_variance",
        _ => throw new ArgumentOutOfRangeException(nameof(role), role, null),
    };

    /// <summary>The shape in a Keras file: kernels [height, width, input, output], dense kernels [input, output].</summary>
    public static IReadOnlyList<int> Shape(Parameter parameter) => (parameter.Role, parameter.Shape) switch
    {
        (ParameterRole.Kernel, [var output, var input, var height, var width]) => [height, width, input, output],
        // [input · multiplier, 1, height, width]; every network of the catalogue has multiplier 1.
        (ParameterRole.DepthwiseKernel, [var channels, _, var height, var width]) => [height, width, channels, 1],
        (ParameterRole.DenseKernel, [var output, var input]) => [input, output],
        (_, var shape) => shape,
    };

    /// <summary>Reorders values from Keras's layout to the parameter's own.</summary>
    public static void ToParameter(Parameter parameter, ReadOnlySpan<float> keras, Span<float> destination)
    {
        // Both kinds of layout are a matrix transposed: [positions, inputs, outputs] → [outputs, inputs, positions].
        var (outputs, inputs, positions) = (parameter.Role, parameter.Shape) switch
        {
            (ParameterRole.Kernel, [var o, var i, var h, var w]) => (o, i, h * w),
            (ParameterRole.DepthwiseKernel, [var c, _, var h, var w]) => (c, 1, h * w),
            (ParameterRole.DenseKernel, [var o, var i]) => (o, i, 1),
            _ => (1, 1, destination.Length),
        };
        for (var output = 0; output < outputs; output++)
            for (var input = 0; input < inputs; input++)
                for (var position = 0; position < positions; position++)
                    destination[(output * inputs + input) * positions + position] =
                        keras[(position * inputs + input) * outputs + output];
    }
}
