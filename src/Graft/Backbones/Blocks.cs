using Graft.Networks;

namespace Graft.Backbones;

/// <summary>What mobile networks have in common, named as torchvision names it.</summary>
internal static class Blocks
{
    /// <summary>A convolution without bias, batch norm and activation: <c>block.0</c>, <c>block.1</c>, <c>block.2</c>.</summary>
    public static Node ConvNormActivation(
        this Node x, string block, int filters, int kernel, ActivationFunction? activation, int stride = 1, BatchNorm? norm = null, int groups = 1) =>
        x.Convolution($"{block}.0", filters, kernel, stride, padding: kernel / 2, bias: false, groups: groups).NormActivation(block, activation, norm);

    /// <summary>The same with a depthwise convolution.</summary>
    public static Node DepthwiseNormActivation(
        this Node x, string block, int channels, int kernel, ActivationFunction? activation, int stride = 1, BatchNorm? norm = null) =>
        x.DepthwiseConvolution($"{block}.0", channels, kernel, stride, padding: kernel / 2, bias: false)
            .NormActivation(block, activation, norm);

    private static Node NormActivation(this Node x, string block, ActivationFunction? activation, BatchNorm? norm)
    {
        x = x.Builder.Add($"{block}.1", norm ?? new BatchNorm(1e-5), x);
        return activation is { } function ? x.Activation($"{block}.2", function) : x;
    }

    /// <summary>Squeeze and excitation, Hu et al. 2017, arXiv:1709.01507: each channel times a gate that all channels decide on.</summary>
    public static Node SqueezeExcitation(
        this Node x, string block, int channels, int squeezed, ActivationFunction activation, ActivationFunction gate) =>
        x.Multiply($"{block}.scale", x
            .AdaptiveAveragePool($"{block}.avgpool", 1)
            .Convolution($"{block}.fc1", squeezed, kernel: 1).Activation($"{block}.activation", activation)
            .Convolution($"{block}.fc2", channels, kernel: 1).Activation($"{block}.scale_activation", gate));

    /// <summary>The nearest multiple, of 8 unless said otherwise, that is not more than a tenth smaller.</summary>
    public static int MakeDivisible(double channels, int divisor = 8)
    {
        var rounded = Math.Max(divisor, (int)(channels + divisor / 2.0) / divisor * divisor);
        return rounded < 0.9 * channels ? rounded + divisor : rounded;
    }
}
