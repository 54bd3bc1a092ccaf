using Graft.Backbones;
using Graft.Networks;
using Graft.Networks.Onnx;
using Graft.Networks.Onnx.Import;
using Graft.Tests.Backbones;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using static TorchSharp.torch;

namespace Graft.Tests.Networks;

/// <summary>ONNX models as networks, against ONNX Runtime on the model itself.</summary>
public class OnnxImportTests
{
    private const double Relative = 1e-5;

    /// <summary>Each kind of network of the catalog.</summary>
    public static TheoryData<string> Names => [.. BackboneContractTests.RunNames.Select(row => row.Data)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Exported_network_comes_back_and_computes_the_same(string name)
    {
        var definition = BackboneCatalog.Find(name);
        var size = BackboneContractTests.SmallSize(definition);
        var network = definition.Build().CutBefore(definition.Head).WithInputSize(size, size);
        var model = OnnxModel.Of(network, new QuickWeights()).ToArray();

        var (imported, weights) = OnnxImport.Read(name, model);

        Assert.Equal(network.OutputShape, imported.OutputShape);
        AssertComputes(model, imported, weights);
        // And it is a network like any other: exported again it is the same model, and its gradients are the original's.
        // In length: where an input lies next to a corner of ReLU, rounding decides on which side.
        float[] expected = ImageGradient(network, new QuickWeights()), actual = ImageGradient(imported, weights);
        Assert.InRange(Length([.. expected.Zip(actual, (e, a) => e - a)]) / Length(expected), 0, 0.02);
        AssertComputes(OnnxModel.Of(imported, weights).ToArray(), imported, weights);
    }

    private static double Length(float[] values) => Math.Sqrt(values.Sum(value => (double)value * value));

    private static float[] ImageGradient(Network network, IWeights weights)
    {
        using var scope = NewDisposeScope();
        using var module = new TorchNetwork(network, weights);
        var input = tensor(Image(network)).reshape(Batch(network)).requires_grad_();
        module.call(input).pow(2).sum().backward();
        return input.grad!.contiguous().data<float>().ToArray();
    }

    [Fact]
    public void Imported_network_trains_a_step_as_the_original_does()
    {
        var builder = new NetworkBuilder("net");
        var network = builder.Build(builder.Input("image", 3, 8)
            .Convolution("conv", 4, kernel: 3, stride: 2, padding: 1).Relu("relu").GlobalPool("pool").Dense("dense", 2));
        var original = new ListedWeights();
        var (imported, weights) = OnnxImport.Read("net", OnnxModel.Of(network, original).ToArray());

        Assert.Equal(network.Layers.Select(layer => (layer.Name, layer.Operation)), imported.Layers.Select(layer => (layer.Name, layer.Operation)));
        Assert.Equal(Gradients(network, original), Gradients(imported, weights));

        static List<float> Gradients(Network network, IWeights weights)
        {
            using var scope = NewDisposeScope();
            using var module = new TorchNetwork(network, weights);
            module.train();
            module.call(arange(3 * 8 * 8, ScalarType.Float32).reshape(1, 3, 8, 8) / 100).pow(2).sum().backward();
            return [.. module.parameters().SelectMany(parameter => parameter.grad!.contiguous().data<float>().ToArray())];
        }
    }

    public static TheoryData<string> Dialects => [.. OnnxDialects.Names];

    [Theory]
    [MemberData(nameof(Dialects))]
    public void Dialect_is_understood(string dialect)
    {
        var model = OnnxDialects.Model(dialect);

        var (network, weights) = OnnxImport.Read(dialect, model);

        AssertComputes(model, network, weights);
        AssertComputes(OnnxModel.Of(network, weights).ToArray(), network, weights);
    }

    [Theory]
    [MemberData(nameof(Dialects))]
    public void Gradients_are_those_of_finite_differences(string dialect)
    {
        // Of the largest gradient; float32 losses of up to 100 at a distance of 1e-3 are good to 1 %.
        const double Relative = 0.02;
        const float Step = 2e-3f;
        var model = OnnxDialects.Model(dialect);
        var (network, weights) = OnnxImport.Read(dialect, model);
        using var scope = NewDisposeScope();
        using var module = new TorchNetwork(network, weights);
        var image = Image(network);
        var input = tensor(image).reshape(Batch(network)).requires_grad_();
        var output = module.call(input);
        var share = Drawn((int)output.numel(), seed: 3);
        (output * tensor(share).reshape(output.shape)).sum().backward();
        var ofImage = input.grad!.contiguous().data<float>().ToArray();
        var ofWeights = module.named_parameters().ToDictionary(pair => pair.name, pair => pair.parameter.grad!.contiguous().data<float>().ToArray());

        // The image, by ONNX Runtime on the model itself.
        using var session = new InferenceSession(model);
        var isLast = session.InputMetadata["image"].Dimensions is [_, not 3, _, 3];
        AssertGradient("image", ofImage, (element, step) => Loss(session, Moved(image, element, step)));

        // The weights, by ONNX Runtime on the network as it is exported.
        foreach (var (key, gradient) in ofWeights)
        {
            AssertGradient(key, gradient, (element, step) =>
            {
                using var moved = new InferenceSession(OnnxModel.Of(network, new MovedWeights(weights, key, element, step)).ToArray());
                return Loss(moved, image);
            });
        }

        double Loss(InferenceSession one, float[] pixels) =>
            Run(one, pixels, network, isLast && ReferenceEquals(one, session)).Zip(share, (value, weight) => (double)value * weight).Sum();

        void AssertGradient(string what, float[] gradient, Func<int, float, double> loss)
        {
            var allowed = Relative * Math.Max(gradient.Max(Math.Abs), 1e-2);
            var compared = 0;
            foreach (var element in (int[])[0, gradient.Length / 3, gradient.Length / 2, gradient.Length - 1])
            {
                double[] slopes = [.. ((float[])[Step, Step / 3]).Select(step => (loss(element, step) - loss(element, -step)) / (2 * step))];
                // A corner of an activation or of a maximum lies between the points.
                if (Math.Abs(slopes[0] - slopes[1]) > allowed) continue;
                Assert.True(Math.Abs(slopes[0] - gradient[element]) <= allowed, $"{what}, element {element}: expected {slopes[0]:G5}, found {gradient[element]:G5}");
                compared++;
            }
            Assert.True(compared >= 2, $"{what}: corners everywhere");
        }
    }

    private sealed class MovedWeights(IWeights weights, string key, int element, float step) : IWeights
    {
        public void Read(Parameter parameter, Span<float> destination)
        {
            weights.Read(parameter, destination);
            if (parameter.Key == key) destination[element] += step;
        }
    }

    private static float[] Drawn(int count, uint seed)
    {
        var values = new float[count];
        QuickWeights.Fill(values, seed, scale: 1, center: 0);
        return values;
    }

    private static float[] Moved(float[] values, int element, float step)
    {
        float[] moved = [.. values];
        moved[element] += step;
        return moved;
    }

    [Fact]
    public void Part_up_to_a_tensor_is_read_alone()
    {
        var (network, _) = OnnxImport.Read("net", OnnxDialects.Model("batch norm"), output: "convolved");

        Assert.Equal(["image", "convolved"], network.Layers.Select(layer => layer.Name));
    }

    [Fact]
    public void Node_without_a_counterpart_is_named()
    {
        var graph = new OnnxModelWriter(opset: 13);
        graph.Add("Sinh", "odd", ["image"]);

        var problem = Assert.Throws<UnknownNodeException>(() => OnnxImport.Read("net", graph.Model("odd")));

        Assert.Contains("'odd' (Sinh)", problem.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Part_that_is_not_understood_stays_frozen_before_what_is(bool isChannelsLast)
    {
        var graph = new OnnxModelWriter(opset: 13);
        var x = graph.Convolution(isChannelsLast ? graph.Add("Transpose", ["image"], ("perm", new[] { 0, 3, 1, 2 })) : "image", 4, 3);
        var odd = graph.Add("Sinh", "odd", [graph.Add("Flatten", [graph.Add("GlobalAveragePool", [x])])]);
        var model = graph.Model(graph.Dense(graph.Add("Relu", [graph.Dense(odd, 4, 6)]), 6, 2), isChannelsLast);

        var imported = OnnxImport.ReadLongest("net", model);

        Assert.Equal("odd", imported.FrozenUpTo);
        Assert.Contains("(Sinh)", imported.Reason, StringComparison.Ordinal);
        Assert.Equal(["Input", "OnnxGraph", "Dense", "Relu", "Dense"], imported.Network.Layers.Select(layer => layer.Operation.Kind));
        using var session = new InferenceSession(model);
        using var whole = FrozenNetwork.Load(imported.Network, imported.Weights);
        var image = Image(imported.Network);
        AssertClose(Run(session, image, imported.Network, isChannelsLast), whole.Run(image), 1e-5);
    }

    private static void AssertComputes(byte[] model, Network network, IWeights weights)
    {
        using var scope = NewDisposeScope();
        using var inference = inference_mode();
        var image = Image(network);
        using var session = new InferenceSession(model);
        var isLast = session.InputMetadata.Values.Single().Dimensions is [_, not 3, _, 3];
        using var module = new TorchNetwork(network, weights);

        var output = module.call(tensor(image).reshape(Batch(network)));

        AssertClose(Run(session, image, network, isLast), output.contiguous().data<float>().ToArray(), Relative * Math.Sqrt(network.Layers.Count));
    }

    private static float[] Image(Network network) => Drawn(network.InputShape.ElementCount, seed: 7);

    private static long[] Batch(Network network) => [1, .. network.InputShape.Sizes.Select(size => (long)size)];

    /// <summary>What ONNX Runtime makes of an image [channels, height, width]; maps have the channels first in Graft wherever the model has them.</summary>
    private static float[] Run(InferenceSession session, float[] image, Network network, bool isChannelsLast)
    {
        var shape = network.InputShape;
        int[] sizes = isChannelsLast ? [1, shape.Height, shape.Width, shape.Channels] : [1, shape.Channels, shape.Height, shape.Width];
        if (isChannelsLast) image = Transposed(image, shape.Channels, shape.Height * shape.Width);
        using var results = session.Run([NamedOnnxValue.CreateFromTensor(session.InputNames[0], new DenseTensor<float>(image, sizes))]);
        var output = results[0].AsTensor<float>();
        return isChannelsLast && output.Rank == 4 ? Transposed([.. output], output.Dimensions[1] * output.Dimensions[2], output.Dimensions[3]) : [.. output];
    }

    private static float[] Transposed(float[] values, int rows, int columns) =>
        [.. Enumerable.Range(0, values.Length).Select(index => values[index % rows * columns + index / rows])];

    private static void AssertClose(float[] expected, float[] actual, double relative)
    {
        Assert.Equal(expected.Length, actual.Length);
        Assert.InRange(expected.Zip(actual, (e, a) => Math.Abs(e - a)).Max() / expected.Max(Math.Abs), 0, relative);
    }
}
