using Graft.Backbones;
using Graft.Networks;
using Graft.Training;
using TorchSharp;
using static TorchSharp.torch;
using Padding = Graft.Networks.Padding;

namespace Graft.Tests.Networks;

/// <summary>A step of training with Graft's own batch norm, sums and activations, against the same step by libtorch alone.</summary>
[Collection(nameof(AloneWithTorch))]
public class GradientTapeTests
{
    /// <summary>A stem, a residual block whose shortcut is projected and one whose is not, in the order of layers that a backbone has them in.</summary>
    private static Node Residual(Node x, ActivationFunction function, bool shortcutFirst)
    {
        x = x.Convolution("stem", 8, 3, padding: Padding.Same).BatchNorm("stem.norm", 1e-3, scale: false).Activation("stem.act", function);
        Node? shortcut = shortcutFirst ? Shortcut(x) : null;
        var y = x.Convolution("one", 8, 3, padding: Padding.Same, bias: false).BatchNorm("one.norm", 1e-3).Activation("one.act", function);
        y = y.Convolution("two", 16, 1, bias: false).BatchNorm("two.norm", 1e-3);
        x = y.Add("projected", shortcut ?? Shortcut(x)).Activation("projected.act", function);
        y = x.DepthwiseConvolution("three", 16, 3, padding: Padding.Same, bias: false).BatchNorm("three.norm", 1e-3);
        return y.Add("identity", x).Activation("identity.act", function).GlobalPool("pool");

        static Node Shortcut(Node x) => x.Convolution("shortcut", 16, 1, bias: false).BatchNorm("shortcut.norm", 1e-3);
    }

    private static Node Build(string kind, Node x) => kind switch
    {
        "residual, relu" => Residual(x, ActivationFunction.Relu, shortcutFirst: false),
        "residual, relu, shortcut first" => Residual(x, ActivationFunction.Relu, shortcutFirst: true),
        "residual, relu6" => Residual(x, ActivationFunction.Relu6, shortcutFirst: false),
        "residual, no relu" => Residual(x, ActivationFunction.HardSwish, shortcutFirst: false),
        "linear bottleneck" => Bottleneck(x.Convolution("stem", 8, 3).BatchNorm("stem.norm", 1e-3).Relu6("stem.act")).GlobalPool("pool"),
        "linear bottleneck, shortcut first in the sum" => Bottleneck(x.Convolution("stem", 8, 3).BatchNorm("stem.norm", 1e-3), isFirst: true).GlobalPool("pool"),
        "sum of three" => SumOfThree(x.Convolution("stem", 8, 3).BatchNorm("stem.norm", 1e-3).Relu("stem.act")).GlobalPool("pool"),
        "sum with channels first" => SumWithChannelsFirst(x.Convolution("stem", 8, 3).BatchNorm("stem.norm", 1e-3).Relu("stem.act")).GlobalPool("pool"),
        "convolution without batch norm" => x.Convolution("stem", 8, 3).BatchNorm("stem.norm", 1e-3).Convolution("one", 8, 3).Relu("one.act").GlobalPool("pool"),
        "dense block" => DenseBlock(x.Convolution("stem", 8, 3, padding: Padding.Same)).GlobalPool("pool"),
        "squeeze and excitation" => Squeeze(x.Convolution("stem", 8, 3).BatchNorm("stem.norm", 1e-3).Activation("stem.act", ActivationFunction.Silu)),
        "separable" => x.SeparableConvolution("stem", 8, 3).BatchNorm("stem.norm", 1e-3).Relu("stem.act").MaxPool("max", 2, 2).Flatten("flat"),
        "no batch norm" => x.Convolution("stem", 8, 3).Relu("stem.act").Convolution("one", 8, 3).Relu("one.act").Flatten("flat"),
        "channels of no whole vectors" => x.Convolution("stem", 6, 3).BatchNorm("stem.norm", 1e-3).Relu("stem.act").Convolution("one", 8, 3).BatchNorm("norm", 1e-3).Relu6("act").GlobalPool("pool"),
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, null),
    };

    private static Node Bottleneck(Node x, bool isFirst = false)
    {
        x = x.Convolution("narrow", 16, 1, bias: false).BatchNorm("narrow.norm", 1e-3);
        var y = x.Convolution("wide", 24, 1, bias: false).BatchNorm("wide.norm", 1e-3).Relu6("wide.act");
        y = y.Convolution("back", 16, 1, bias: false).BatchNorm("back.norm", 1e-3);
        return isFirst ? x.Add("sum", y) : y.Add("sum", x);
    }

    private static Node SumOfThree(Node x)
    {
        Node Branch(string name) => x.Convolution(name, 16, 1, bias: false).BatchNorm($"{name}.norm", 1e-3);
        return x.Builder.Add("sum", new Add(), Branch("one"), Branch("two"), Branch("three")).Relu("act");
    }

    private static Node SumWithChannelsFirst(Node x)
    {
        var map = x.GlobalPool("global").Dense("dense", 8 * 25).Reshape("map", 8, 5, 5);
        return x.Convolution("one", 8, 3).BatchNorm("one.norm", 1e-3).Add("sum", map).Relu("act");
    }

    /// <summary>Each layer takes all before it, normalizes them and adds a few channels.</summary>
    private static Node DenseBlock(Node x)
    {
        for (var layer = 1; layer <= 3; layer++)
        {
            var y = x.BatchNorm($"{layer}.norm1", 1e-3).Relu($"{layer}.act1").Convolution($"{layer}.one", 16, 1, bias: false);
            x = x.Concatenate($"{layer}.cat", y.BatchNorm($"{layer}.norm2", 1e-3).Relu($"{layer}.act2").Convolution($"{layer}.two", 8, 3, padding: Padding.Same, bias: false));
        }
        return x;
    }

    private static Node Squeeze(Node x)
    {
        var factors = x.AdaptiveAveragePool("squeeze", 1).Convolution("reduce", 8, 1).Relu("reduce.act").Convolution("expand", 8, 1)
            .Activation("gate", ActivationFunction.HardSigmoid);
        return x.Multiply("gated", factors).Convolution("one", 8, 1, bias: false).BatchNorm("one.norm", 1e-3).GlobalPool("pool");
    }

    public static TheoryData<string, BatchNormMode, string> Cases
    {
        get
        {
            var data = new TheoryData<string, BatchNormMode, string>();
            foreach (var kind in (string[])["residual, relu", "residual, relu, shortcut first", "residual, relu6", "residual, no relu", "linear bottleneck",
                "linear bottleneck, shortcut first in the sum", "sum of three", "sum with channels first", "convolution without batch norm",
                "dense block", "squeeze and excitation", "separable", "no batch norm", "channels of no whole vectors"])
            {
                data.Add(kind, BatchNormMode.Training, "*");
                data.Add(kind, BatchNormMode.Inference, "*");
            }
            // The first trained layer lies in the middle, or is a batch norm, or lies on one side of a sum.
            data.Add("residual, relu", BatchNormMode.Training, "two,three,classes");
            data.Add("residual, relu", BatchNormMode.Training, "one.norm,classes");
            data.Add("residual, relu", BatchNormMode.Training, "shortcut,shortcut.norm,classes");
            data.Add("residual, relu, shortcut first", BatchNormMode.Training, "two,two.norm,classes");
            data.Add("residual, relu, shortcut first", BatchNormMode.Inference, "shortcut,classes");
            data.Add("residual, relu6", BatchNormMode.Inference, "two.norm,classes");
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_step_gives_the_gradients_and_statistics_that_libtorch_gives(string kind, BatchNormMode mode, string trained)
    {
        var builder = new NetworkBuilder("net");
        var network = builder.Build(Build(kind, builder.Input("image", 3, 9)).Dense("classes", 3));
        CompareSteps(network, FreezePlan.All(network).Unfreeze(trained).WithBatchNorm(mode), new Lively(), layer: null, x => x.flip(0));
    }

    /// <summary>A layer in the middle of what is fused, at its end, on one side of a sum, and one that several layers use.</summary>
    [Theory]
    [InlineData("residual, relu", "pool")]
    [InlineData("residual, relu", "one")]
    [InlineData("residual, relu", "one.norm")]
    [InlineData("residual, relu", "two.norm")]
    [InlineData("residual, relu", "projected.act")]
    [InlineData("residual, relu6", "identity")]
    [InlineData("residual, relu", "shortcut.norm")]
    [InlineData("linear bottleneck", "narrow.norm")]
    [InlineData("dense block", "2.cat")]
    [InlineData("convolution without batch norm", "one")]
    public void A_loss_may_depend_on_a_layer_in_between(string kind, string layer)
    {
        var builder = new NetworkBuilder("net");
        var network = builder.Build(Build(kind, builder.Input("image", 3, 9)).Dense("classes", 3));
        CompareSteps(network, FreezePlan.None(network, BatchNormMode.Training), new Lively(), layer, x => x.flip(0));
        CompareSteps(network, FreezePlan.None(network), new Lively(), layer, x => x.flip(0));
    }

    [Theory]
    [InlineData("mobilenet_v2.keras", BatchNormMode.Training)]
    [InlineData("mobilenet_v2.keras", BatchNormMode.Inference)]
    [InlineData("resnet50.torchvision", BatchNormMode.Training)]
    [InlineData("resnet50.keras", BatchNormMode.Inference)]
    [InlineData("xception.keras", BatchNormMode.Training)]
    public void A_backbone_learns_as_it_does_with_libtorch(string name, BatchNormMode mode)
    {
        using var backbone = Backbone.Untrained(name, seed: 1);
        var network = backbone.Network.WithInputSize(96, 96);
        // In a deep network an activation at the edge of a ReLU falls on its other side in some orders, and not in others.
        CompareSteps(
            network, FreezePlan.None(network, mode), backbone.Weights, layer: null,
            mode == BatchNormMode.Training ? [x => x.flip(0), x => x.roll(2, 0), x => x.roll(3, 0), x => x.roll(4, 0).flip(0)] : [x => x.flip(0)]);
    }

    /// <param name="layer">What the loss depends on beside the output; null for nothing.</param>
    /// <param name="orders">Of the images, by which libtorch differs from itself.</param>
    private static void CompareSteps(Network network, FreezePlan plan, IWeights weights, string? layer, params Func<Tensor, Tensor>[] orders)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        var shape = network.InputShape;
        var images = randn([6, shape.Channels, shape.Height, shape.Width], ScalarType.Float32, generator: generator);
        var factors = randn([6, network.OutputShape.ElementCount], ScalarType.Float32, generator: generator);

        // Sums in another order differ in their last bits, which batch norms widen from layer to layer: libtorch itself, with the images in
        // another order, comes out a few percent off at the bottom of an untrained ResNet50.
        var expected = Steps(images, factors, taped: false);
        List<Dictionary<string, Tensor>> others = [.. orders.Select(order => Steps(order(images), order(factors), taped: false))];
        var found = Steps(images, factors, taped: true);

        Assert.Equal(expected.Keys, found.Keys);
        foreach (var (name, tensor) in expected)
        {
            var (size, own) = (tensor.norm().ToSingle(), others.Max(other => (tensor - other[name]).norm().ToSingle()));
            var difference = (tensor - found[name]).norm().ToSingle();
            var allowed = 3 * own + 1e-5f * size + 1e-5f;
            Assert.True(difference <= allowed, $"{name}, of {size}, is {difference} off, allowed {allowed}");
        }

        Dictionary<string, Tensor> Steps(Tensor images, Tensor factors, bool taped)
        {
            using var module = new TorchNetwork(network, weights);
            plan.ApplyTo(module);
            module.train();
            // Twice: gradients are added, statistics move on.
            for (var step = 0; step < 2; step++)
            {
                var tape = new GradientTape();
                var (output, features) = taped ? module.Record(images, tape, layer)
                    : layer is null ? (module.call(images), null)
                    : module.Activations(images, [layer, network.Output.Name]) is var both ? (both[1], both[0]) : default;
                var loss = (output * factors).sum();
                if (features is not null) loss += (features * features).mean();
                if (taped) tape.Backward(loss);
                else loss.backward();
            }
            var gradients = module.named_parameters().Where(pair => pair.parameter.requires_grad)
                .Select(pair => ($"gradient of {pair.name}", pair.parameter.grad!.clone()));
            var statistics = module.named_buffers().Select(pair => (pair.name, pair.buffer.clone()));
            return gradients.Concat(statistics).ToDictionary(StringComparer.Ordinal);
        }
    }

    /// <summary>Activations on both sides of 0 and of 6, and scales and shifts other than 1 and 0.</summary>
    private sealed class Lively : IWeights
    {
        public void Read(Parameter parameter, Span<float> destination)
        {
            new RandomWeights(1).Read(parameter, destination);
            for (var i = 0; i < destination.Length; i++)
            {
                destination[i] = parameter.Role switch
                {
                    ParameterRole.Gamma => 2 + 0.3f * (i % 5),
                    ParameterRole.Beta => 1.5f * (i % 4 - 1),
                    ParameterRole.MovingVariance => 0.5f + 0.1f * (i % 3),
                    _ => destination[i],
                };
            }
        }
    }
}
