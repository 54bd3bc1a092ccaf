using Graft.Networks;
using static TorchSharp.torch;

namespace Graft.Tests.Networks;

/// <summary>Each operation against its definition in plain loops, on two tiny random images.</summary>
public class TorchNetworkOperationTests
{
    /// <summary>Values are around 1 and sums have under 100 terms: float32 rounding stays well below.</summary>
    private const double Tolerance = 1e-5;

    private static (Network Network, float[] Output) Run(PlainMap input, IWeights weights, Func<Node, Node> layers)
    {
        var builder = new NetworkBuilder("tiny");
        var network = builder.Build(layers(builder.Input("image", input.Channels, (input.Height, input.Width))));
        using var module = new TorchNetwork(network, weights);
        using var scope = NewDisposeScope();
        using var inference = inference_mode();
        var output = module.call(tensor(input.Values).reshape(input.Count, input.Channels, input.Height, input.Width));
        Assert.Equal([input.Count, .. network.OutputShape.Sizes.Select(size => (long)size)], output.shape);
        return (network, output.contiguous().data<float>().ToArray());
    }

    private static void AssertClose(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++) Assert.Equal(expected[i], actual[i], Tolerance);
    }

    public static TheoryData<int, int, int, int, int, int> Convolutions => new()
    {
        // channels, filters, kernel height, kernel width, stride, groups
        { 3, 4, 3, 3, 1, 1 },
        { 3, 4, 1, 1, 2, 1 },
        { 4, 6, 3, 3, 2, 2 },
        { 4, 4, 3, 3, 2, 4 },
        { 4, 8, 3, 1, 1, 4 },
        { 2, 3, 2, 5, 3, 1 },
    };

    [Theory]
    [MemberData(nameof(Convolutions))]
    public void Convolution(int channels, int filters, int kernelHeight, int kernelWidth, int stride, int groups)
    {
        var input = PlainMap.Random(2, channels, 8, 7);
        foreach (var padding in (Padding[])[0, 1, new(2, 0, 0, 1), Padding.Same])
        {
            var operation = new Convolution(filters, (kernelHeight, kernelWidth), stride, padding, groups);
            var weights = new ListedWeights();

            var (network, output) = Run(input, weights, image => image.Builder.Add("conv", operation, image));

            var shape = network.OutputShape;
            var (top, left) = padding.IsSame
                ? (SameBefore(8, kernelHeight, stride), SameBefore(7, kernelWidth, stride))
                : (padding.Top, padding.Left);
            if (padding.IsSame) Assert.Equal(((8 + stride - 1) / stride, (7 + stride - 1) / stride), (shape.Height, shape.Width));
            AssertClose(
                input.Convolved(operation, weights["conv.weight"], weights["conv.bias"], shape.Height, shape.Width, (top, left)).Values, output);
        }
    }

    /// <summary>TensorFlow's rule: ⌈size / stride⌉ windows, the odd pixel behind.</summary>
    private static int SameBefore(int size, int kernel, int stride) =>
        Math.Max(0, ((size + stride - 1) / stride - 1) * stride + kernel - size) / 2;

    [Fact]
    public void Convolution_with_its_own_activation_and_no_bias()
    {
        var input = PlainMap.Random(2, 3, 5, 4);
        var weights = new ListedWeights();

        var (_, output) = Run(input, weights, image => image.Convolution("conv", 4, kernel: 3, bias: false, activation: ActivationFunction.Relu));

        var linear = input.Convolved(new(4, 3, 1, 0), weights["conv.weight"], null, 3, 2, (0, 0));
        Assert.Contains(linear.Values, value => value < 0);
        AssertClose([.. linear.Values.Select(value => Math.Max(0, value))], output);
    }

    public static TheoryData<PoolFunction, int, int, int, bool, bool> Pools => new()
    {
        // function, kernel, stride, padding (-1: same), round up, count padding
        { PoolFunction.Max, 3, 2, 0, false, false },
        { PoolFunction.Max, 3, 2, 0, true, false },
        { PoolFunction.Max, 3, 2, 1, true, false },
        { PoolFunction.Max, 2, 3, 1, true, false },
        { PoolFunction.Max, 3, 2, -1, false, false },
        { PoolFunction.Average, 2, 2, 0, false, false },
        { PoolFunction.Average, 3, 1, 1, false, false },
        { PoolFunction.Average, 3, 1, 1, false, true },
        { PoolFunction.Average, 3, 2, 1, true, false },
        { PoolFunction.Average, 3, 2, 1, true, true },
        { PoolFunction.Average, 3, 1, -1, false, false },
        { PoolFunction.Average, 2, 2, -1, false, false },
    };

    [Theory]
    [MemberData(nameof(Pools))]
    public void Pooling(PoolFunction function, int kernel, int stride, int padding, bool roundUp, bool countPadding)
    {
        // All negative, so that a zero of padding taken for a maximum shows.
        var positive = PlainMap.Random(2, 3, 8, 7);
        var input = positive with { Values = [.. positive.Values.Select(value => value - 2)] };
        var operation = new Pool(function, kernel, stride, padding < 0 ? Padding.Same : padding, roundUp, countPadding);

        var (network, output) = Run(input, new ListedWeights(), image => image.Builder.Add("pool", operation, image));

        var (height, width) = (network.OutputShape.Height, network.OutputShape.Width);
        var around = padding >= 0 ? padding : new Padding(
            SameBefore(8, kernel, stride), kernel, SameBefore(7, kernel, stride), kernel);
        AssertClose(input.Pooled(operation, height, width, around).Values, output);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Batch_norm_uses_its_moving_statistics(bool scale)
    {
        var input = PlainMap.Random(2, 3, 4, 5);
        var weights = new ListedWeights();

        var (_, output) = Run(input, weights, image => image.BatchNorm("norm", epsilon: 0.01, scale: scale));

        AssertClose(input.Select(3, 4, 5, (n, c, y, x) =>
            (input[n, c, y, x] - weights["norm.running_mean"][c]) / Math.Sqrt(weights["norm.running_var"][c] + 0.01)
            * (scale ? weights["norm.weight"][c] : 1) + weights["norm.bias"][c]).Values, output);
    }

    [Fact]
    public void Flatten_in_the_order_of_either_framework()
    {
        var input = PlainMap.Random(2, 3, 4, 5);

        AssertClose(input.Values, Run(input, new ListedWeights(), image => image.Flatten("flat")).Output);

        var last = Run(input, new ListedWeights(), image => image.Flatten("flat", AxisOrder.ChannelsLast)).Output;
        var i = 0;
        for (var n = 0; n < 2; n++)
            for (var y = 0; y < 4; y++)
                for (var x = 0; x < 5; x++)
                    for (var c = 0; c < 3; c++) Assert.Equal(input[n, c, y, x], last[i++]);
    }

    [Fact]
    public void Dense_layer()
    {
        var input = PlainMap.Random(2, 5, 1, 1);
        var weights = new ListedWeights();

        var (_, output) = Run(input, weights, image => image.Flatten("flat").Dense("dense", 3));

        AssertClose(input.Select(3, 1, 1, (n, unit, _, _) => weights["dense.bias"][unit]
            + Enumerable.Range(0, 5).Sum(c => input[n, c, 0, 0] * (double)weights["dense.weight"][unit * 5 + c])).Values, output);
    }

    [Fact]
    public void Global_pooling()
    {
        var input = PlainMap.Random(2, 3, 4, 5);
        double[] Of(int n, int c) => [.. from y in Enumerable.Range(0, 4) from x in Enumerable.Range(0, 5) select (double)input[n, c, y, x]];

        AssertClose(
            input.Select(3, 1, 1, (n, c, _, _) => Of(n, c).Average()).Values,
            Run(input, new ListedWeights(), image => image.GlobalPool("pool")).Output);
        AssertClose(
            input.Select(3, 1, 1, (n, c, _, _) => Of(n, c).Max()).Values,
            Run(input, new ListedWeights(), image => image.GlobalPool("pool", PoolFunction.Max)).Output);
    }

    [Fact]
    public void Sum_of_three_leaves_its_inputs_alone()
    {
        var input = PlainMap.Random(2, 3, 4, 5);

        var (_, output) = Run(input, new ListedWeights(), image =>
        {
            var (relu, relu6) = (image.Relu("relu"), image.Relu6("relu6"));
            var sum = image.Builder.Add("sum", new Add(), relu, image, relu6);
            return sum.Concatenate("all", relu, image);
        });

        AssertClose(input.Select(9, 4, 5, (n, c, y, x) => (c / 3, input[n, c % 3, y, x]) switch
        {
            (0, var value) => value + 2 * Math.Max(0, value),
            (1, var value) => Math.Max(0, value),
            (_, var value) => value,
        }).Values, output);
    }

    [Fact]
    public void Zeros_around_a_map()
    {
        var input = PlainMap.Random(2, 3, 4, 5);

        var (_, output) = Run(input, new ListedWeights(), image => image.ZeroPadding("zeros", new Padding(1, 2, 3, 0)));

        AssertClose(input.Select(3, 7, 8, (n, c, y, x) => input.Holds(y - 1, x - 3) ? input[n, c, y - 1, x - 3] : 0).Values, output);
    }

    [Fact]
    public void Reshape_moves_no_value()
    {
        var input = PlainMap.Random(2, 3, 4, 5);

        AssertClose(input.Values, Run(input, new ListedWeights(), image => image.Flatten("flat").Reshape("map", 5, 3, 4)).Output);
    }

    [Theory]
    [InlineData(ActivationFunction.Relu)]
    [InlineData(ActivationFunction.Relu6)]
    [InlineData(ActivationFunction.Sigmoid)]
    [InlineData(ActivationFunction.Silu)]
    [InlineData(ActivationFunction.HardSigmoid)]
    [InlineData(ActivationFunction.HardSwish)]
    [InlineData(ActivationFunction.Softmax)]
    public void Activations(ActivationFunction function)
    {
        var small = PlainMap.Random(2, 3, 4, 5);
        var input = small with { Values = [.. small.Values.Select(value => 8 * value)] };
        double Clamp6(double x) => Math.Min(6, Math.Max(0, x));

        var (_, output) = Run(input, new ListedWeights(), image => image.Activation("f", function));

        AssertClose(input.Select(3, 4, 5, (n, c, y, x) =>
        {
            double v = input[n, c, y, x];
            return function switch
            {
                ActivationFunction.Relu => Math.Max(0, v),
                ActivationFunction.Relu6 => Clamp6(v),
                ActivationFunction.Sigmoid => 1 / (1 + Math.Exp(-v)),
                ActivationFunction.Silu => v / (1 + Math.Exp(-v)),
                ActivationFunction.HardSigmoid => Clamp6(v + 3) / 6,
                ActivationFunction.HardSwish => v * Clamp6(v + 3) / 6,
                _ => Math.Exp(v) / Enumerable.Range(0, 3).Sum(other => Math.Exp(input[n, other, y, x])),
            };
        }).Values, output);
    }

    [Fact]
    public void Dropout_does_nothing_in_inference()
    {
        var input = PlainMap.Random(2, 3, 4, 5);

        AssertClose(input.Values, Run(input, new ListedWeights(), image => image.Dropout("drop", 0.9)).Output);
    }

    [Fact]
    public void Shortcut_around_a_dropout_still_finds_its_input()
    {
        var input = PlainMap.Random(2, 3, 4, 5);

        // The dropout's output is used up before its input is.
        var (_, output) = Run(input, new ListedWeights(), image =>
        {
            var relu = image.Relu("relu");
            return relu.Dropout("drop", 0.5).Relu6("relu6").Add("sum", relu);
        });

        AssertClose([.. input.Values.Select(value => 2 * Math.Max(0, value))], output);
    }
}
