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

    /// <summary>Of roc_auc_score and average_precision_score, one class against the rest, and of the formulas written out in numpy.</summary>
    [SharedFact(Folder)]
    public void Areas_under_curves_and_calibration_agree()
    {
        var truth = Labels(NumpyFile.Load<long>(SharedFolder.Path($"{Folder}/features.npz"), "y_test").Values);
        var flat = NumpyFile.Load<double>(SharedFolder.Path($"{Folder}/sklearn_scaled.npz"), "lr_prob").Values;
        var rows = flat.Chunk(5).ToList();
        double[] areas = [0.9881944444444445, 0.9843055555555555, 0.9759027777777778, 0.98, 0.97];
        double[] precisions = [0.9730292809656559, 0.9482333744111758, 0.9441013149132519, 0.9459325846447696, 0.9064520116089063];

        for (var label = 0; label < 5; label++)
        {
            var one = Discrimination.Of([.. rows.Select(row => row[label])], [.. truth.Select(of => of == label)]);

            Assert.Equal(areas[label], one.RocAuc, Tolerance);
            Assert.Equal(precisions[label], one.AveragePrecision, Tolerance);
        }
        var calibration = Calibration.Of(truth, [.. rows.Select(row => row.Select(value => (float)value).ToArray())]);
        Assert.Equal(0.20805820965217026, calibration.BrierScore, Tolerance);
        Assert.Equal(0.07816158523162202, calibration.ExpectedCalibrationError, Tolerance);
        Assert.Equal(300, calibration.NonEmptyBins.Sum(bin => bin.Count));
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
