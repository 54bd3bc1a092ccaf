using Graft.Backbones;
using Graft.Checkpoints;
using Graft.Networks;
using Graft.Testing;
using static TorchSharp.torch;

namespace Graft.ParityTests.Networks;

/// <summary>Files of weights, from disk to features, as users load them.</summary>
public class PretrainedNetworkTests
{
    /// <summary>
    /// Of the expected array's standard deviation. The files' repeating values make sums cancel: torch's own float32 is off by up to
    /// 6e-4; kernels read with height and width exchanged are off by 0.14 and more (../shared/reference/README.md, section 3).
    /// </summary>
    private const double LayoutTolerance = 1e-2;

    [SharedTheory("reference/keras_layout")]
    [InlineData("mobilenet_v1.keras", "mobilenet_1_0_224_tf_no_top.h5", "mobilenet")]
    [InlineData("mobilenet_v2.keras", "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5", "mobilenet_v2")]
    [InlineData("resnet50.keras", "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5", "resnet50")]
    [InlineData("inception_v3.keras", "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5", "inception_v3")]
    [InlineData("xception.keras", "xception_weights_tf_dim_ordering_tf_kernels_notop.h5", "xception")]
    [InlineData("vgg16.keras", "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "vgg16")]
    [InlineData("vgg19.keras", "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5", "vgg19")]
    public void Keras_file_without_top_gives_the_features_of_the_reference(string name, string file, string reference)
    {
        using var backbone = Backbone.Load(name, SharedFolder.Path($"reference/keras_layout/{file}"));
        Assert.Null(backbone.Head);
        using var module = new TorchNetwork(backbone.Pooled().Network, backbone.Weights);
        using var scope = NewDisposeScope();
        using var inference = inference_mode();
        var shape = backbone.Network.InputShape;
        var input = tensor(FormulaWeights.Input(2 * shape.ElementCount))
            .reshape(2, shape.Height, shape.Width, shape.Channels).permute(0, 3, 1, 2).contiguous();

        var pooled = module.call(input).data<float>().ToArray();

        var expected = NumpyFile.Load<float>(SharedFolder.Path($"reference/keras_layout/{reference}_pooled.npy"));
        Agreement.AssertClose("pooled", expected.Values, pooled, LayoutTolerance * Agreement.StandardDeviation(expected.Values));
    }

    [SharedTheory("weights")]
    [InlineData("mobilenet_v1_075.keras", "keras/mobilenet_7_5_224_tf.h5", true)]
    [InlineData("squeezenet1_1.keras", "keras/squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5", false)]
    [InlineData("resnet50.keras", "keras/resnet50_weights_tf_dim_ordering_tf_kernels.h5", true)]
    [InlineData("mobilenet_v2.torchvision", "torchvision/mobilenet_v2_features.pth", false)]
    [InlineData("mobilenet_v2.torchvision", "torchvision/mobilenet_v2_features.safetensors", false)]
    [InlineData("squeezenet1_1.torchvision", "torchvision/squeezenet1_1.pth", true)]
    public void Published_file_loads_with_or_without_its_head(string name, string file, bool hasHead)
    {
        using var backbone = Backbone.Load(name, SharedFolder.Path($"weights/{file}"));

        Assert.Equal(hasHead, backbone.Head is not null);
        Assert.Equal(hasHead ? 1000 : null, backbone.Classes?.Count);
        AssertIsFinite(backbone.Features());
    }

    [SharedFact("weights/keras/inception_v3_to_mixed8.h5")]
    public void Part_of_a_network_loads_into_the_network_cut_there()
    {
        var path = SharedFolder.Path("weights/keras/inception_v3_to_mixed8.h5");
        using var backbone = Backbone.Load("inception_v3.keras", path, upTo: "mixed8");

        Assert.Equal(TensorShape.Map(1280, 8, 8), backbone.Network.OutputShape);
        AssertIsFinite(backbone.Pooled());
        Assert.Throws<CheckpointMismatchException>(() => Backbone.Load("inception_v3.keras", path, upTo: "mixed9"));
    }

    /// <summary>Outputs reach 296 and were computed by another framework in float32; they were reproduced to 1.2e-4 (README there).</summary>
    [SharedTheory("weights/torchvision/squeezenet1_1_pairs")]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void Squeezenet_reproduces_the_outputs_published_with_its_weights(int pair)
    {
        const double Tolerance = 1e-3;
        using var backbone = Backbone.Load("squeezenet1_1.torchvision", SharedFolder.Path("weights/torchvision/squeezenet1_1.pth"));
        using var module = new TorchNetwork(backbone.Network, backbone.Weights);
        using var scope = NewDisposeScope();
        using var inference = inference_mode();
        var input = NumpyFile.Load<float>(SharedFolder.Path($"weights/torchvision/squeezenet1_1_pairs/input_{pair}.npy"));

        var output = module.call(tensor(input.Values).reshape(1, 3, 224, 224)).data<float>().ToArray();

        var expected = NumpyFile.Load<float>(SharedFolder.Path($"weights/torchvision/squeezenet1_1_pairs/output_{pair}.npy"));
        Agreement.AssertClose("output", expected.Values, output, Tolerance);
    }

    private static void AssertIsFinite(Backbone features)
    {
        using var module = new TorchNetwork(features.Network, features.Weights);
        using var scope = NewDisposeScope();
        using var inference = inference_mode();
        var shape = features.Network.InputShape;
        var output = module.call(tensor(FormulaWeights.Input(shape.ElementCount)).reshape(1, shape.Channels, shape.Height, shape.Width))
            .data<float>().ToArray();
        Assert.All(output, value => Assert.True(float.IsFinite(value)));
        Assert.True(output.Distinct().Count() > output.Length / 4, "The features are all alike.");
    }
}
