using Graft.Networks;
using Graft.Training;
using TorchSharp;
using static TorchSharp.torch;
using Padding = Graft.Networks.Padding;

namespace Graft.Tests.Networks;

/// <summary>A convolution that does the work of the batch norm behind it, against the two by themselves.</summary>
[Collection(nameof(AloneWithTorch))]
public class FoldedBatchNormTests
{
    /// <summary>A bias, a batch norm without scale, groups, a residual sum, and a convolution that two layers use.</summary>
    private static Network Net()
    {
        var builder = new NetworkBuilder("net");
        var x = builder.Input("image", 3, 9).Convolution("stem", 6, 3, stride: 2, padding: Padding.Same).BatchNorm("stem.norm", 1e-3, scale: false).Relu("relu");
        x = x.DepthwiseConvolution("depthwise", 6, 3, padding: Padding.Same, bias: false).BatchNorm("depthwise.norm", 1e-5).Relu6("relu6").Add("add", x);
        x = x.SeparableConvolution("separable", 8, 3).BatchNorm("separable.norm", 1e-3).Relu("last");
        var twice = x.Convolution("twice", 8, 1);
        return builder.Build(twice.BatchNorm("twice.norm", 1e-3).Add("sum", twice).GlobalPool("pool").Dense("classes", 2));
    }

    [Theory]
    [InlineData("*")]
    [InlineData("stem.norm,separable,classes")]
    public void Outputs_and_gradients_are_those_of_the_two_by_themselves(string trained)
    {
        using var scope = NewDisposeScope();
        var network = Net();
        using var module = new TorchNetwork(network, new QuickWeights());
        FreezePlan.All(network).Unfreeze(trained).ApplyTo(module);
        module.train();
        using var generator = new Generator(1);
        var images = randn([4, 3, 9, 9], ScalarType.Float32, generator: generator);
        // A layer whose output is asked for is computed by itself.
        List<string> all = [.. network.Layers.Select(layer => layer.Name)];

        var (folded, foldedGradients) = Step(() => module.call(images));
        var (plain, plainGradients) = Step(() => module.Activations(images, all)[^1]);

        Assert.True(folded.allclose(plain, rtol: 1e-5, atol: 1e-6), $"{folded - plain}");
        Assert.Equal(network.Parameters.Count(module.Learns), foldedGradients.Count);
        module.eval();
        var validated = module.call(images);
        Assert.True(validated.allclose(plain, rtol: 1e-5, atol: 1e-6), $"{validated - plain}");
        foreach (var (name, gradient) in plainGradients)
        {
            Assert.True(gradient.abs().max().ToSingle() > 1e-4, $"{name} has no gradient worth the name.");
            Assert.True(gradient.allclose(foldedGradients[name], rtol: 1e-4, atol: 1e-5), $"{name}: {gradient - foldedGradients[name]}");
        }

        (Tensor Output, Dictionary<string, Tensor> Gradients) Step(Func<Tensor> outputs)
        {
            foreach (var (_, parameter) in module.named_parameters()) parameter.grad = null;
            var output = outputs();
            output.square().sum().backward();
            return (output.detach(), module.named_parameters().Where(parameter => parameter.parameter.grad is not null)
                .ToDictionary(parameter => parameter.name, parameter => parameter.parameter.grad!.clone(), StringComparer.Ordinal));
        }
    }

    [Fact]
    public void Moving_statistics_move_where_batch_norms_train_and_stay_where_they_do_not()
    {
        using var scope = NewDisposeScope();
        using var module = new TorchNetwork(Net(), new QuickWeights());
        var images = ones([2, 3, 9, 9]);
        int Moved(BatchNormMode mode)
        {
            FreezePlan.None(module.Network, mode).ApplyTo(module);
            module.train();
            var before = module.named_buffers().ToDictionary(buffer => buffer.name, buffer => buffer.buffer.clone(), StringComparer.Ordinal);
            module.call(images).sum().backward();
            return module.named_buffers().Count(buffer => !buffer.buffer.allclose(before[buffer.name], rtol: 0, atol: 0));
        }

        Assert.Equal(0, Moved(BatchNormMode.Inference));
        Assert.Equal(2 * 4, Moved(BatchNormMode.Training));
    }
}
