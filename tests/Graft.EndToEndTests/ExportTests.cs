using System.Text.Json;
using Graft.Cli.Demo;
using Graft.Inference;
using Graft.Testing;

namespace Graft.EndToEndTests;

/// <summary><c>graft export</c>: what the file answers, and what a smaller one costs beside float32.</summary>
public sealed class ExportTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>A run of drawn photos, in the folder run.</summary>
    private GraftCommand Train()
    {
        var graft = new GraftCommand(_folder.FullName);
        DemoPhotos.Draw(
            _folder.File("photos"), trainPerClass: 8, validationPerClass: 2, testPerClass: 0, seed: 11, sizePixels: 300, cancellation: TestContext.Current.CancellationToken);
        var training = graft.Run("train", "photos", "--backbone", "tiny", "--classifier", "logistic", "--out", "run");
        Assert.True(training.ExitCode == 0, training.ToString());
        return graft;
    }

    [Fact]
    public void Exported_file_predicts_and_is_evaluated_as_its_run()
    {
        var graft = Train();
        var export = graft.Run("export", "run", "--out", "model/model.onnx");
        Assert.True(export.ExitCode == 0, export.ToString());
        File.WriteAllText(_folder.File("photos/validation/broken.jpg"), "no photo");

        var (trained, exported) = (Predict("run"), Predict("model/model.onnx"));

        Assert.Equal(12, trained.Count);
        Assert.Equal(trained.Keys, exported.Keys);
        Assert.All(trained, photo => Assert.Equal(photo.Value, exported[photo.Key], 1e-5));
        var (before, after) = (graft.Run("evaluate", "run", "photos/validation", "--json"), graft.Run("evaluate", "model/model.onnx", "photos/validation", "--json"));
        foreach (var figure in (string[])["accuracy", "macro_f1", "loss"])
            Assert.Equal(before.Json.GetProperty(figure).GetDouble(), after.Json.GetProperty(figure).GetDouble(), 1e-5);
        Assert.Contains("does not know which photos it was trained on", after.Messages, StringComparison.Ordinal);
        Assert.Equal(2, graft.Run("predict", "model/model.onnx", "photos/validation", "--explain", "maps").ExitCode);
        Assert.Equal(2, graft.Run("predict", "model/model.onnx", "photos/validation", "--size", "96").ExitCode);

        SortedDictionary<string, double> Predict(string model)
        {
            var result = graft.Run("predict", model, "photos/validation", "--json");
            Assert.Equal(1, result.ExitCode);
            Assert.Contains("broken.jpg", Assert.Single(result.Json.GetProperty("skipped").EnumerateArray()).GetProperty("path").GetString(), StringComparison.Ordinal);
            return new(result.Json.GetProperty("predictions").EnumerateArray().ToDictionary(
                photo => photo.GetProperty("path").GetString()!, photo => photo.GetProperty("classes")[0].GetProperty("probability").GetDouble()), StringComparer.Ordinal);
        }
    }

    [Fact]
    public void Smaller_files_are_measured_beside_float32_and_predict()
    {
        var graft = Train();

        foreach (var (precision, largestShare) in new[] { ("float16", 0.6), ("int8", 0.4) })
        {
            var export = graft.Run("export", "run", "--precision", precision, "--out", $"{precision}/model.onnx", "--json");

            Assert.True(export.ExitCode == 0, export.ToString());
            var report = export.Json.GetProperty("precision");
            Assert.Equal(precision, report.GetProperty("precision").GetString());
            var bytes = report.GetProperty("bytes").GetInt64();
            Assert.Equal(new FileInfo(_folder.File($"{precision}/model.onnx")).Length, bytes);
            Assert.InRange(bytes / report.GetProperty("bytes_of_float32").GetDouble(), 0.2, largestShare);
            Assert.Equal(12, export.Json.GetProperty("parity").GetProperty("photos").GetInt32());
            Assert.InRange(report.GetProperty("accuracy").GetDouble(), 0, 1);
            Assert.InRange(report.GetProperty("mc_nemar").GetProperty("p_value").GetDouble(), 0, 1);
            using var parity = JsonDocument.Parse(File.ReadAllText(_folder.File($"{precision}/parity.json")));
            Assert.Equal(bytes, parity.RootElement.GetProperty("precision").GetProperty("bytes").GetInt64());
            Assert.Contains("| Accuracy on 12 photos | ", File.ReadAllText(_folder.File($"{precision}/MODEL_CARD.md")), StringComparison.Ordinal);
            using var classifier = Classifier.Open(_folder.File($"{precision}/model.onnx"));
            Assert.Equal(precision, classifier.Metadata[ModelMetadata.PrecisionKey]);
            Assert.True(classifier.Verify().IsPassed);
        }

        var unused = graft.Run("export", "run", "--precision", "float16", "--calibrate", "photos/train", "--out", "unused/model.onnx");
        Assert.Equal((2, true), (unused.ExitCode, unused.Messages.Contains("--calibrate is for --precision int8", StringComparison.Ordinal)));
        Assert.False(Directory.Exists(_folder.File("unused")));
    }
}
