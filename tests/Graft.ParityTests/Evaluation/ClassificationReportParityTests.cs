using System.Text.Json;
using Graft.Evaluation;
using Graft.Testing;

namespace Graft.ParityTests.Evaluation;

/// <summary>Against scikit-learn: equal text, and numbers to the rounding of a few additions.</summary>
public class ClassificationReportParityTests
{
    private const string Folder = "reference/classifiers";
    private const double Tolerance = 1e-12;

    [SharedFact(Folder)]
    public void A_report_on_real_predictions_agrees()
    {
        var archive = SharedFolder.Path($"{Folder}/sklearn_scaled.npz");
        var truth = NumpyFile.Load<long>(SharedFolder.Path($"{Folder}/features.npz"), "y_test").Values;
        var predictions = NumpyFile.Load<long>(archive, "lr_pred").Values;
        var classes = Json("files.json").GetProperty("classes").Deserialize<string[]>()!;

        Agrees("lr", ConfusionMatrix.Of(Labels(truth), Labels(predictions), classes));

        var probabilities = NumpyFile.Load<double>(archive, "lr_prob").Values;
        Assert.Equal(0.8766666666666667, Metrics.TopKAccuracy<double>(probabilities, Labels(truth), 1), Tolerance);
        Assert.Equal(0.5078831713200508, Metrics.LogLoss<double>(probabilities, Labels(truth)), Tolerance);
        Assert.Equal(0.95, Metrics.TopKAccuracy<double>(probabilities, Labels(truth), 2), Tolerance);
    }

    [SharedFact(Folder)]
    public void Classes_without_predictions_or_without_support_agree()
    {
        var json = Json("edge_metrics.json");
        var (truth, predictions) =
            (json.GetProperty("y_true").Deserialize<int[]>()!, json.GetProperty("y_pred").Deserialize<int[]>()!);

        Agrees("edge", ConfusionMatrix.Of(truth, predictions, ["a", "b", "c", "d"]));
    }

    private static void Agrees(string name, ConfusionMatrix matrix)
    {
        var report = ClassificationReport.Of(matrix);
        var json = Json($"{name}_metrics.json");

        var text = File.ReadAllText(SharedFolder.Path($"{Folder}/{name}_classification_report.txt"));
        Assert.Equal(text, report.ToText());
        Assert.Equal(json.GetProperty("confusion_matrix").Deserialize<int[][]>(), matrix.ToRows());
        Assert.Equal(json.GetProperty("report").GetProperty("accuracy").GetDouble(), report.Accuracy, Tolerance);
        foreach (var score in report.Classes.Concat([report.MacroAverage, report.WeightedAverage]))
        {
            var expected = json.GetProperty("report").GetProperty(score.Name);
            Assert.Equal(expected.GetProperty("precision").GetDouble(), score.Precision, Tolerance);
            Assert.Equal(expected.GetProperty("recall").GetDouble(), score.Recall, Tolerance);
            Assert.Equal(expected.GetProperty("f1-score").GetDouble(), score.F1, Tolerance);
            Assert.Equal(expected.GetProperty("support").GetInt32(), score.Support);
        }
    }

    private static int[] Labels(long[] values) => [.. values.Select(value => (int)value)];

    private static JsonElement Json(string name) =>
        JsonDocument.Parse(File.ReadAllText(SharedFolder.Path($"{Folder}/{name}"))).RootElement;
}
