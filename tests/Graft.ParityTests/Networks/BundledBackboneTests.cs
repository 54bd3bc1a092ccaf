using Graft.Backbones;
using Graft.Networks;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Graft.ParityTests.Networks;

/// <summary>The network that the catalog describes against the package's own file in ONNX Runtime.</summary>
public class BundledBackboneTests
{
    /// <summary>Of the largest feature: float32 sums, with batch norm folded or not.</summary>
    private const double Relative = 1e-5;

    [Theory]
    [InlineData(InferenceEngine.Onnx)]
    [InlineData(InferenceEngine.Torch)]
    public void ResNet18_of_CNTK_gives_the_features_of_its_package(InferenceEngine engine)
    {
        var definition = BackboneCatalog.Find("resnet18.cntk");
        Assert.SkipUnless(definition.Weights[0].IsPartOfGraft, "Built without the bundled backbone.");
        using var backbone = Backbone.Load("resnet18.cntk").Features();
        var input = FormulaWeights.Input(backbone.Network.InputShape.ElementCount).Select(value => 100 * value).ToArray();
        using var session = new InferenceSession(Path.Combine(AppContext.BaseDirectory, "backbones", "ResNet18.onnx"));
        using var results = session.Run([NamedOnnxValue.CreateFromTensor(session.InputNames[0], new DenseTensor<float>(input, [1, 3, 224, 224]))]);
        var expected = results[0].AsEnumerable<float>().ToArray();
        using var network = FrozenNetwork.Load(backbone.Network, backbone.Weights, engine);

        var actual = network.Run(input);

        Assert.True(expected.Max() > 0.1, "The features are nearly all 0.");
        Agreement.AssertClose("features", expected, actual, Relative * expected.Max());
    }
}
