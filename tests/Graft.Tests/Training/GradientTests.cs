using Graft.Networks;
using TorchSharp;
using static TorchSharp.torch;
using Padding = Graft.Networks.Padding;

namespace Graft.Tests.Training;

/// <summary>Gradients of every kind of layer against central differences of its forward pass.</summary>
[Collection(nameof(AloneWithTorch))]
public class GradientTests
{
    private static Func<Node, Node> Kind(string kind) => kind switch
    {
        "convolution" => x => x.Convolution("layer", 3, 3, stride: 2, Padding.Same),
        "convolution_relu" => x => x.Convolution("layer", 3, 3, activation: ActivationFunction.Relu),
        "depthwise" => x => x.DepthwiseConvolution("layer", 4, 3, padding: Padding.Same),
        "separable" => x => x.SeparableConvolution("layer", 3, 3),
        "batch_norm" => x => x.BatchNorm("layer", 1e-3),
        "layer_norm" => x => x.LayerNorm("layer", 1e-6),
        "layer_scale" => x => x.LayerScale("layer"),
        "pointwise_dense" => x => x.PointwiseDense("layer", 3),
        "average_pool" => x => x.AveragePool("layer", 3, 2, Padding.Same),
        "max_pool" => x => x.MaxPool("layer", 2, 2),
        "global_average" => x => x.GlobalPool("layer"),
        "global_max" => x => x.GlobalPool("layer", PoolFunction.Max),
        "adaptive" => x => x.AdaptiveAveragePool("layer", 2),
        "zero_padding" => x => x.ZeroPadding("layer", 1),
        "flatten" => x => x.Flatten("layer", AxisOrder.ChannelsLast),
        "dense" => x => x.Flatten("flat").Dense("layer", 3, activation: ActivationFunction.Sigmoid),
        "add" => x => x.Relu("relu").Add("layer", x),
        "multiply" => x => x.Multiply("layer", x.AdaptiveAveragePool("squeeze", 1)),
        "concatenate" => x => x.Relu("relu").Concatenate("layer", x),
        "tokens" => x => x.ClassToken("token").PositionEmbedding("layer", x, grid: 3),
        "attention" => x => x.ClassToken("token").PointwiseDense("qkv", 12).SelfAttention("layer", 2),
        "first_token" => x => x.ClassToken("token").FirstToken("layer"),
        _ => x => x.Activation("layer", Enum.Parse<ActivationFunction>(kind)),
    };

    public static TheoryData<string> Kinds =>
    [
        "convolution", "convolution_relu", "depthwise", "separable", "batch_norm", "layer_norm", "layer_scale", "pointwise_dense", "average_pool", "max_pool",
        "global_average", "global_max", "adaptive", "zero_padding", "flatten", "dense", "add", "multiply", "concatenate", "tokens", "attention", "first_token",
        .. Enum.GetNames<ActivationFunction>(),
    ];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Gradient_is_that_of_finite_differences(string kind)
    {
        foreach (var training in kind == "batch_norm" ? (bool[])[false, true] : [true])
        {
            var builder = new NetworkBuilder(kind);
            // A convolution below, so that the gradient has to come through the layer, not only into its own weights.
            var network = builder.Build(Kind(kind)(builder.Input("image", 2, 5).Convolution("below", 4, 1)));
            using var module = new TorchNetwork(network, new Scattered());
            if (training) module.train();
            else module.eval();
            using var scope = NewDisposeScope();
            random.manual_seed(1);
            var images = randn(3, 2, 5, 5);
            var factors = randn([3, .. network.OutputShape.Sizes.Select(size => (long)size)]);
            double Loss()
            {
                using var inner = NewDisposeScope();
                return (module.call(images).to_type(ScalarType.Float64) * factors).sum().ToDouble();
            }
            (module.call(images) * factors).sum().backward();

            foreach (var parameter in network.Parameters.Where(parameter => !parameter.IsStatistic))
            {
                var tensor = module.get_parameter(parameter.Key)!;
                using var noGradient = no_grad();
                var gradient = AsItLies(tensor.grad!).data<float>().ToArray();
                // A few numbers of each tensor; steps small against kinks, large against rounding in float32.
                foreach (var index in new[] { 0, parameter.ElementCount / 2, parameter.ElementCount - 1 }.Distinct())
                {
                    const float Step = 1e-3f;
                    var values = TorchNetwork.Values(AsItLies(tensor));
                    var value = values[index];
                    values[index] = value + Step;
                    var above = Loss();
                    values[index] = value - Step;
                    var below = Loss();
                    values[index] = value;
                    Assert.Equal((above - below) / (2 * Step), gradient[index], 2e-2 * (1 + Math.Abs(gradient[index])));
                }
            }
        }
    }

    /// <summary>A weight's memory in order: kernels have their channels last.</summary>
    private static Tensor AsItLies(Tensor weight) => weight.dim() == 4 ? weight.permute(0, 2, 3, 1).flatten() : weight.flatten();

    /// <summary>No zeros and ones where a mistake would not show.</summary>
    private sealed class Scattered : IWeights
    {
        public void Read(Parameter parameter, Span<float> destination)
        {
            new RandomWeights(1).Read(parameter, destination);
            for (var i = 0; i < destination.Length; i++) destination[i] += 0.3f + 0.01f * (i % 7);
        }
    }
}
