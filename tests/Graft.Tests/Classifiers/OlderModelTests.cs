using Graft.Classifiers;
using Graft.Imaging;
using Graft.Networks;
using Graft.Testing;

namespace Graft.Tests.Classifiers;

/// <summary>
/// A model that the command wrote when features were standardized by a batch norm: logistic regression on an ONNX file of six features
/// (commit 08bec37, 110 photos of five flowers). The expected probabilities are what that commit's <c>graft predict --json</c> printed.
/// </summary>
public class OlderModelTests
{
    private const string Resource = "standardized-by-batch-norm.safetensors";

    private static readonly double[] Expected = [0.3004244267940521, 0.05107640102505684, 0.2913568317890167, 0.056052252650260925, 0.3010900914669037];

    /// <summary>24 rows of 32 pixels.</summary>
    private static RgbImage Pattern() => new(
        32, 24, [.. from y in Enumerable.Range(0, 24) from x in Enumerable.Range(0, 32) from value in (int[])[8 * x, 10 * y, x * y] select (byte)value]);

    [Fact]
    public void Model_with_a_batch_norm_answers_as_it_did_and_is_saved_as_it_is()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("old.safetensors");
        using (var resource = typeof(OlderModelTests).Assembly.GetManifestResourceStream(Resource)!)
        using (var file = File.Create(path)) resource.CopyTo(file);

        using var model = ImageClassifier.Open(path);
        model.Save(folder.File("again.safetensors"));
        using var again = ImageClassifier.Open(folder.File("again.safetensors"));

        Assert.IsType<BatchNorm>(model.Network["head.norm"].Operation);
        // Other processors multiply and add in another order.
        foreach (var opened in (ImageClassifier[])[model, again])
            Assert.All(opened.Predict(Pattern()).Probabilities.Zip(Expected), pair => Assert.Equal(pair.Second, pair.First, 1e-6));
    }
}
