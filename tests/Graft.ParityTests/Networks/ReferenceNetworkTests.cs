using System.Text.Json;
using Graft.Backbones;
using Graft.Checkpoints;
using Graft.Networks;
using Graft.Testing;
using static TorchSharp.torch;

namespace Graft.ParityTests.Networks;

/// <summary>Networks with formula weights against the float64 results of their own frameworks' definitions.</summary>
public class ReferenceNetworkTests
{
    /// <summary>
    /// Of the expected array's standard deviation: 25 times float32's own rounding and 40 times below what a wrong epsilon
    /// or padding would do (../shared/reference/README.md).
    /// </summary>
    private const double Tolerance = 1e-3;

    public static TheoryData<string, string> References => new()
    {
        { "keras/mobilenet", "mobilenet_v1.keras" },
        { "keras/mobilenet_v2", "mobilenet_v2.keras" },
        { "keras/resnet50", "resnet50.keras" },
        { "keras/inception_v3", "inception_v3.keras" },
        { "keras/xception", "xception.keras" },
        { "keras/vgg16", "vgg16.keras" },
        { "keras/vgg19", "vgg19.keras" },
        { "torchvision/mobilenet_v2", "mobilenet_v2.torchvision" },
        { "torchvision/squeezenet1_1", "squeezenet1_1.torchvision" },
        { "torchvision/efficientnet_b0", "efficientnet_b0.torchvision" },
        { "torchvision/resnet18", "resnet18.torchvision" },
        { "torchvision/resnet50", "resnet50.torchvision" },
        { "torchvision/convnext_tiny", "convnext_tiny.torchvision" },
        { "torchvision/inception_v3", "inception_v3.torchvision" },
        { "torchvision/alexnet", "alexnet.torchvision" },
        { "torchvision/vgg16", "vgg16.torchvision" },
        { "torchvision/vgg19", "vgg19.torchvision" },
    };

    [SharedTheory("reference/networks")]
    [MemberData(nameof(References))]
    public void Network_has_the_parameters_of_the_reference(string reference, string backbone)
    {
        using var description = Description(reference);
        var definition = BackboneCatalog.Find(backbone);
        var isKeras = definition.Source == BackboneSource.Keras;
        var network = definition.Build();
        var expected = description.RootElement.GetProperty("params").EnumerateArray()
            .Select(parameter => (
                Name: parameter.GetProperty("name").GetString()!,
                Shape: string.Join(',', parameter.GetProperty("shape").EnumerateArray())))
            .Where(parameter => !parameter.Name.EndsWith("num_batches_tracked", StringComparison.Ordinal));

        if (isKeras)
        {
            Assert.Equal(expected, network.Parameters.Select(parameter =>
                ($"{parameter.Layer}/{KerasLayout.Name(parameter.Role)}", string.Join(',', KerasLayout.Shape(parameter)))));
        }
        else
        {
            // PyTorch finds a tensor by its key alone; its order is that in which modules were created.
            Assert.Equal(
                expected.Order(),
                network.Parameters.Concat(definition.Auxiliary?.Invoke().Parameters ?? [])
                    .Select(parameter => (parameter.Key, string.Join(',', parameter.Shape))).Order());
        }
        var total = description.RootElement.GetProperty("total_params").GetInt64();
        Assert.Equal(total, definition.PublishedParameters);
        var tables = new[] { network, definition.Auxiliary?.Invoke() }.OfType<Network>().Select(LayerTable.Of).ToList();
        Assert.Equal(total, tables.Sum(table => table.Parameters + (isKeras ? table.Statistics : 0)));
    }

    [SharedTheory("reference/networks")]
    [MemberData(nameof(References))]
    public void Activations_features_and_logits_agree(string reference, string backbone)
    {
        using var description = Description(reference);
        var isKeras = reference.StartsWith("keras", StringComparison.Ordinal);
        var definition = BackboneCatalog.Find(backbone);
        var network = definition.Build();
        if (network.Output.Operation is Activation { Function: ActivationFunction.Softmax }) network = network.CutBefore(network.Output.Name);
        using var module = new TorchNetwork(
            network, new FormulaWeights(isKeras, description.RootElement.GetProperty("gain").GetDouble()));
        using var scope = NewDisposeScope();
        using var inference = inference_mode();
        var (channels, height, width) = (network.InputShape.Channels, network.InputShape.Height, network.InputShape.Width);
        var input = isKeras
            ? tensor(FormulaWeights.Input(2 * network.InputShape.ElementCount)).reshape(2, height, width, channels).permute(0, 3, 1, 2).contiguous()
            : tensor(FormulaWeights.Input(2 * network.InputShape.ElementCount)).reshape(2, channels, height, width);

        var references = description.RootElement.GetProperty("activations").EnumerateArray().ToList();
        var (features, penultimate) = (network.CutBefore(definition.Head).Output.Name, network.Layers.Last(layer => layer.Operation is Dense or Convolution).Inputs[0]);
        var outputs = module.Activations(
            input, [.. references.Select(activation => activation.GetProperty("name").GetString()!), features, penultimate, network.Output.Name]);

        foreach (var (activation, map) in references.Zip(outputs))
        {
            Assert.Equal(activation.GetProperty("shape_nchw").EnumerateArray().Select(size => size.GetInt64()), map.shape);
            var deviation = activation.GetProperty("std").GetDouble();
            var first = (isKeras ? map.permute(0, 2, 3, 1) : map).contiguous().data<float>().Take(16).ToArray();
            Agreement.AssertClose(
                activation.GetProperty("name").GetString()!,
                activation.GetProperty("first16").EnumerateArray().Select(value => value.GetSingle()).ToArray(), first, Tolerance * deviation);
            Assert.Equal(activation.GetProperty("mean").GetDouble(), map.mean().item<float>(), Tolerance * deviation);
        }
        AssertEqualsFile("pooled", outputs[^3].mean([2, 3]));
        AssertEqualsFile("logits", outputs[^1]);
        AssertEqualsFile("logits", InOnnxRuntime(network, module, input));
        if (SharedFolder.Has($"reference/networks/{reference}_penultimate.npy")) AssertEqualsFile("penultimate", outputs[^2]);

        void AssertEqualsFile(string what, Tensor actual)
        {
            var expected = NumpyFile.Load<float>(SharedFolder.Path($"reference/networks/{reference}_{what}.npy"));
            Assert.Equal(expected.Shape.Select(size => (long)size), actual.shape);
            Agreement.AssertClose(what, expected.Values, actual.contiguous().data<float>().ToArray(), Tolerance * Agreement.StandardDeviation(expected.Values));
        }
    }

    /// <summary>The fast lane, image by image.</summary>
    private static Tensor InOnnxRuntime(Network network, IWeights weights, Tensor images)
    {
        using var lane = FrozenNetwork.Load(network, weights);
        return stack([.. images.unbind().Select(image => tensor(lane.Run(image.contiguous().data<float>().ToArray())))]);
    }

    private static JsonDocument Description(string reference) =>
        JsonDocument.Parse(File.ReadAllText(SharedFolder.Path($"reference/networks/{reference}.json")));
}
