using Graft.Backbones;
using Graft.Classifiers;
using Graft.Export;
using Graft.Inference;
using Graft.Networks;
using Graft.Networks.Onnx;
using Graft.Testing;
using Graft.Training;
using Microsoft.ML.OnnxRuntime;

namespace Graft.Tests.Export;

public class PrecisionTests
{
    private static readonly string[] Classes = ["a", "b", "c"];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>The embedded MobileNetV2 with a new head.</summary>
    private static ImageClassifier Model()
    {
        using var embedded = Backbone.Load(EmbeddedBackbone.Name);
        var grafted = embedded.Features().Graft(Head.Softmax, Classes);
        return ImageClassifier.Of("mine", grafted.Network, grafted.Weights, embedded.Preprocessing, Classes);
    }

    [Fact]
    public void Int8_is_measured_beside_float32()
    {
        using var folder = new TemporaryFolder();
        using var photos = new GeneratedPhotos(8);
        using var model = Model();
        int[] labels = [.. photos.Paths.Select(photo => Classes.ToList().IndexOf(model.Predict(photo).Class))];

        var result = model.Export(
            folder.File("int8.onnx"), new() { Precision = ExportPrecision.Int8, CalibrationPhotos = photos.Paths, CheckPhotos = photos.Paths, CheckLabels = labels },
            cancellation: Cancellation);

        var report = result.Precision!;
        // 0.68 million weights and the photos in the file.
        Assert.InRange(report.Bytes / (double)report.BytesOfFloat32, 0.25, 0.45);
        Assert.Equal((1.0, 4), (report.AccuracyOfFloat32, report.Quantization!.Photos));
        Assert.Equal(report.Accuracy, 1 - result.Parity.DifferentClasses.Count / 8.0);
        Assert.Equal(result.Parity.DifferentClasses.Count, report.McNemar!.OnlyFirst);
        using var exported = Classifier.Open(folder.File("int8.onnx"));
        Assert.True(exported.Verify().IsPassed);
        Assert.Equal("int8", exported.Metadata["graft.precision"]);
        Assert.Contains("McNemar", File.ReadAllText(folder.File("MODEL_CARD.md")), StringComparison.Ordinal);
        Assert.Contains("\"images_per_second_of_float32\"", File.ReadAllText(folder.File("parity.json")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Runtime_computes_convolutions_and_residual_sums_with_integers(bool keepsEnds)
    {
        using var folder = new TemporaryFolder();
        using var photos = new GeneratedPhotos(2);
        using var model = Model();
        var exact = PhotoModel.Of(model, new());
        var graph = new QuantizedGraph(exact, keepsEnds);
        var written = graph.Write(graph.Measured.ToDictionary(tensor => tensor, _ => new ActivationRange(-3, 5)), new Dictionary<string, float[]>());

        using (var options = new SessionOptions { OptimizedModelFilePath = folder.File("optimized.onnx"), LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL })
        using (new InferenceSession(written.ToByteArrayWithMetadata(model), options))
        {
        }

        int Count(ModelProto counted, string type) => counted.Graph.Node.Count(node => node.OpType == type);
        var optimized = ModelProto.Parser.ParseFrom(File.ReadAllBytes(folder.File("optimized.onnx")));
        var kept = keepsEnds ? 1 : 0;
        var ofParts = graph.FloatLayers.Select(name => name[..name.IndexOf('/')]);
        Assert.Equal(kept == 0 ? [] : ["part1", "part2"], ofParts);
        Assert.Equal(Count(exact, "Conv") - kept, Count(optimized, "QLinearConv"));
        // Those of blocks whose size stays.
        Assert.Equal(Count(exact, "Sum"), Count(optimized, "QLinearAdd"));
        // ReLU6 is the range of what comes after it; the photo's resize has integers that are clipped.
        Assert.Equal(kept, written.Graph.Node.Count(node => node.OpType == "Clip" && !node.Name.StartsWith("photo/", StringComparison.Ordinal)));
        var depthwise = written.Graph.Node.First(node => node.OpType == "Conv" && node.Attribute.Any(attribute => attribute is { Name: "group", I: > 1 }));
        var scale = written.Graph.Node.Single(node => node.Output[0] == depthwise.Input[1]).Input[1];
        Assert.Equal(depthwise.Attribute.Single(attribute => attribute.Name == "group").I, written.Graph.Initializer.Single(tensor => tensor.Name == scale).Dims.Single());
    }

    [Fact]
    public void Float16_weights_take_half_the_room()
    {
        using var folder = new TemporaryFolder();
        using var model = Model();

        var result = model.Export(folder.File("half.onnx"), new() { Precision = ExportPrecision.Float16 }, cancellation: Cancellation);

        Assert.InRange(result.Precision!.Bytes / (double)result.Precision.BytesOfFloat32, 0.5, 0.6);
        Assert.InRange(result.Parity.LargestDifference, 1e-6, 0.02);
        Assert.Null(result.Precision.Accuracy);
    }

    [Theory]
    [InlineData(ExportTarget.Web, ExportPrecision.Int8)]
    [InlineData(ExportTarget.TransformersJs, ExportPrecision.Int8)]
    [InlineData(ExportTarget.TransformersJs, ExportPrecision.Float16)]
    public void Every_target_takes_every_precision(ExportTarget target, ExportPrecision precision)
    {
        using var folder = new TemporaryFolder();
        using var photos = new GeneratedPhotos(8);
        using var model = Model();

        var result = model.Export(
            folder.File("out"), new() { For = target, Precision = precision, CalibrationPhotos = precision == ExportPrecision.Int8 ? photos.Paths : null },
            cancellation: Cancellation);

        Assert.True(result.Parity.IsPassed);
    }

    [Fact]
    public void Options_of_precision_that_do_not_fit_are_refused()
    {
        using var folder = new TemporaryFolder();
        using var model = Model();
        string Problem(ExportOptions options) => Assert.Throws<GraftException>(() => model.Export(folder.File("model.onnx"), options, cancellation: Cancellation)).Message;

        Assert.Contains("needs photos to calibrate on", Problem(new() { Precision = ExportPrecision.Int8 }), StringComparison.Ordinal);
        Assert.Contains("are for int8", Problem(new() { CalibrationPhotos = ["a.jpg"] }), StringComparison.Ordinal);
        Assert.Contains("a class for each", Problem(new() { CheckPhotos = ["a.jpg"], CheckLabels = [] }), StringComparison.Ordinal);
        Assert.Contains("None of the 1 photos to calibrate on", Problem(new() { Precision = ExportPrecision.Int8, CalibrationPhotos = [folder.File("nowhere.jpg")] }), StringComparison.Ordinal);
    }

    [Fact]
    public void Ranges_leave_out_rare_large_values()
    {
        var histogram = new ActivationHistogram();
        var random = new Random(1);
        // A ReLU of a normal distribution, and one value far away that comes last and widens the bins.
        for (var photo = 0; photo < 20; photo++)
            histogram.Add([.. Enumerable.Range(0, 5000).Select(_ => (float)Math.Max(0, Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble())))]);
        histogram.Add([200f]);

        var percentile = histogram.Percentile(0.9999);
        // Of 100,001 values 5 are left out on either side: the normal distribution's 5 of 100,000 is 3.9, its largest of 100,000 about 4.3.
        Assert.InRange(percentile.Most, 3.4f, 4.5f);
        Assert.Equal((0f, (byte)0), (percentile.Least, percentile.ZeroPoint));
        Assert.InRange(histogram.Entropy().Most, 2f, 20f);
        Assert.Equal(200f, histogram.Percentile(1).Most, 0.1f);
        Assert.Equal(new ActivationRange(0, 0), new ActivationHistogram().Entropy());
    }

    [Fact]
    public void Zero_is_one_of_the_256_values()
    {
        var range = new ActivationRange(-1, 3);

        Assert.Equal(4f / 255, range.Scale);
        Assert.Equal(64, range.ZeroPoint);
        Assert.Equal(1, new ActivationRange(0, 0).Scale);
    }
}
